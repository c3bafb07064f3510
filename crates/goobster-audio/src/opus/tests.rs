//! Sound through libopus' encoder and back, loss, and packets that are none.

use std::f64::consts::TAU;

use opus2::{Application, Bitrate, Encoder};
use proptest::prelude::*;

use super::*;

fn voice(packets: usize, stereo: bool) -> Vec<Vec<u8>> {
    let channels = if stereo { Channels::Stereo } else { Channels::Mono };
    let mut encoder = Encoder::new(48_000, channels, Application::Voip).unwrap();
    encoder.set_bitrate(Bitrate::Bits(32_000)).unwrap();
    encoder.set_inband_fec(true).unwrap();
    encoder.set_packet_loss_perc(30).unwrap();
    let width = if stereo { 2 } else { 1 };
    (0..packets)
        .map(|packet| {
            let pcm: Vec<f32> = (0..960 * width)
                .map(|n| {
                    let t = (packet * 960 + n / width) as f64 / 48_000.0;
                    // A gliding tone with overtones: nearer to a voice than a sine.
                    let phase = TAU * 140.0 * t - 40.0 / 0.7 * (TAU * 0.7 * t).cos();
                    (1..6)
                        .map(|k| (phase * f64::from(k)).sin() / f64::from(k))
                        .sum::<f64>() as f32
                        * 0.2
                })
                .collect();
            encoder.encode_vec_float(&pcm, 1275).unwrap()
        })
        .collect()
}

fn rms(pcm: &[f32]) -> f32 {
    (pcm.iter().map(|s| s * s).sum::<f32>() / pcm.len() as f32).sqrt()
}

#[test]
fn every_packet_gives_twenty_milliseconds() {
    for stereo in [false, true] {
        let mut decoder = SpeechDecoder::new().unwrap();
        for (n, packet) in voice(50, stereo).iter().enumerate() {
            let pcm = decoder.decode(packet).unwrap();
            assert_eq!(pcm.len(), 320);
            assert!(n < 5 || rms(pcm) > 0.05, "packet {n} is silent");
        }
    }
}

#[test]
fn a_lost_packet_is_concealed_by_exactly_its_length() {
    let mut decoder = SpeechDecoder::new().unwrap();
    for packet in &voice(20, false) {
        decoder.decode(packet).unwrap();
    }
    let first = decoder.conceal().unwrap();
    assert_eq!(first.len(), 320);
    assert!(rms(first) > 0.01, "concealment must continue the sound");
    for _ in 0..100 {
        assert_eq!(decoder.conceal().unwrap().len(), 320);
    }
    assert!(rms(decoder.conceal().unwrap()) < 0.01, "concealment must fade");
    for (asked, given) in [
        (0, 40),
        (40, 40),
        (60, 80),
        (960, 960),
        (1920, 1920),
        (99_999, 1920),
    ] {
        assert_eq!(decoder.conceal_samples(asked).unwrap().len(), given);
    }
}

#[test]
fn a_packet_carries_its_predecessor() {
    let packets = voice(30, false);
    let (mut whole, mut lossy) = (SpeechDecoder::new().unwrap(), SpeechDecoder::new().unwrap());
    for packet in &packets[..20] {
        whole.decode(packet).unwrap();
        lossy.decode(packet).unwrap();
    }
    let original = whole.decode(&packets[20]).unwrap().to_vec();
    let recovered = lossy.decode_fec(&packets[21]).unwrap();
    assert_eq!(recovered.len(), 320);
    let dot: f32 = original.iter().zip(recovered).map(|(a, b)| a * b).sum();
    let correlation = dot / (rms(&original) * rms(recovered) * 320.0);
    assert!(correlation > 0.8, "correlation {correlation}");
}

#[test]
fn hostile_packets_are_refused_with_a_reason_and_change_nothing() {
    let packets = voice(12, false);
    let (mut clean, mut attacked) = (SpeechDecoder::new().unwrap(), SpeechDecoder::new().unwrap());
    for packet in &packets[..11] {
        clean.decode(packet).unwrap();
        attacked.decode(packet).unwrap();
    }
    // Empty; no count; zero frames; 63 frames of 60 ms; odd halves; beyond any packet.
    let long = vec![0x78; MAX_PACKET_BYTES + 1];
    for bad in [
        &[][..],
        &[0x03],
        &[0x03, 0x00],
        &[0x1b, 0x3f, 0, 0],
        &[0x01, 0xaa],
        &long,
    ] {
        assert!(
            matches!(attacked.decode(bad), Err(AudioError::OpusPacket { .. })),
            "{:x?}",
            &bad[..bad.len().min(4)]
        );
    }
    assert_eq!(
        clean.decode(&packets[11]).unwrap(),
        attacked.decode(&packets[11]).unwrap()
    );
}

#[test]
fn reset_forgets() {
    let packets = voice(10, false);
    let (mut used, mut fresh) = (SpeechDecoder::new().unwrap(), SpeechDecoder::new().unwrap());
    for packet in &packets {
        used.decode(packet).unwrap();
    }
    used.reset().unwrap();
    assert_eq!(
        used.decode(&packets[0]).unwrap(),
        fresh.decode(&packets[0]).unwrap()
    );
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8)) {
        let mut decoder = SpeechDecoder::new().unwrap();
        for packet in &packets {
            if let Ok(pcm) = decoder.decode(packet) {
                prop_assert!((40..=1920).contains(&pcm.len()));
                prop_assert!(pcm.iter().all(|s| (-1.0..=1.0).contains(s)));
            }
            prop_assert_eq!(decoder.conceal().unwrap().len(), 320);
        }
    }

    #[test]
    fn our_reading_of_a_header_is_that_of_libopus(packet in prop::collection::vec(any::<u8>(), 1..60)) {
        let theirs = opus2::packet::get_nb_samples(&packet, 16_000).ok();
        if let Ok(ours) = packet_samples(&packet) {
            prop_assert_eq!(Some(ours), theirs);
        }
    }
}

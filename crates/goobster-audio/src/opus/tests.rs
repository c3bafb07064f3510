//! Sound through libopus' encoder and back, loss, and packets that are none.

use std::f64::consts::TAU;

use opus2::{Application, Bitrate, Encoder};
use proptest::prelude::*;

use super::*;

fn voice(packets: usize, stereo: bool) -> Vec<Vec<u8>> {
    packets_of(packets, stereo, 20)
}

/// Packets of so many milliseconds, each with a copy of the one before it.
fn packets_of(packets: usize, stereo: bool, milliseconds: usize) -> Vec<Vec<u8>> {
    let frame = 48 * milliseconds;
    let channels = if stereo { Channels::Stereo } else { Channels::Mono };
    let mut encoder = Encoder::new(48_000, channels, Application::Voip).unwrap();
    encoder.set_bitrate(Bitrate::Bits(32_000)).unwrap();
    encoder.set_inband_fec(true).unwrap();
    encoder.set_packet_loss_perc(30).unwrap();
    let width = if stereo { 2 } else { 1 };
    (0..packets)
        .map(|packet| {
            let pcm: Vec<f32> = (0..frame * width)
                .map(|n| {
                    let t = (packet * frame + n / width) as f64 / 48_000.0;
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
    let alike = correlation(&original, recovered);
    assert!(alike > 0.8, "correlation {alike}");
}

/// How alike two sounds are, from -1 to 1.
fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let dot: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    dot / (rms(a) * rms(b) * a.len() as f32)
}

#[test]
fn packets_of_any_length_are_concealed_and_recovered_by_their_length() {
    for milliseconds in [10, 20, 40, 60] {
        let samples = 16 * milliseconds;
        for stereo in [false, true] {
            let packets = packets_of(30, stereo, milliseconds);
            let (mut whole, mut lossy) = (SpeechDecoder::new().unwrap(), StreamDecoder::new().unwrap());
            let mut heard = Vec::new();
            let mut original = Vec::new();
            let mut recovered = 0;
            for (n, packet) in packets.iter().enumerate() {
                original.extend_from_slice(whole.decode(packet).unwrap());
                let mut take = |sound: &[f32]| heard.extend_from_slice(sound);
                if [4, 6, 7].contains(&n) {
                    lossy.lost(&mut take).unwrap();
                } else if lossy.packet(packet, &mut take).unwrap() == Some(MadeGood::Recovered) {
                    assert!([5, 8].contains(&n), "{milliseconds} ms: {n}");
                    recovered += 1;
                }
            }
            assert_eq!(heard.len(), 30 * samples, "{milliseconds} ms");
            assert_eq!(recovered, 2, "{milliseconds} ms, stereo {stereo}");
            // Long packets hold several frames of 20 ms, and the copy is of the last one only: those keep their length.
            if milliseconds <= 20 {
                let lost = 4 * samples..5 * samples;
                let alike = correlation(&original[lost.clone()], &heard[lost]);
                assert!(alike > 0.8, "{milliseconds} ms, stereo {stereo}: {alike}");
            }
        }
    }
}

#[test]
fn a_copy_is_nearer_to_what_was_lost_than_concealment() {
    let packets = voice(24, false);
    let (mut whole, mut recovering) = (SpeechDecoder::new().unwrap(), SpeechDecoder::new().unwrap());
    let mut concealing = SpeechDecoder::new().unwrap();
    let (mut errors, mut errors_without) = (0.0, 0.0);
    for (n, packet) in packets.iter().enumerate() {
        let original = whole.decode(packet).unwrap().to_vec();
        let error = |sound: &[f32]| {
            original
                .iter()
                .zip(sound)
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f32>()
        };
        if [8, 13, 18].contains(&n) {
            errors_without += error(concealing.conceal().unwrap());
            errors += error(recovering.decode_fec(&packets[n + 1]).unwrap());
        } else {
            concealing.decode(packet).unwrap();
            recovering.decode(packet).unwrap();
        }
    }
    assert!(errors < 0.5 * errors_without, "{errors} against {errors_without}");
}

#[test]
fn what_no_packet_follows_is_concealed_when_asked_for() {
    let packets = voice(10, false);
    let mut stream = StreamDecoder::new().unwrap();
    let mut samples = 0;
    let mut take = |sound: &[f32]| samples += sound.len();
    for packet in &packets {
        stream.packet(packet, &mut take).unwrap();
    }
    stream.lost(&mut take).unwrap();
    assert!(stream.packet(&[], &mut take).is_err());
    stream.settle(&mut take).unwrap();
    stream.settle(&mut take).unwrap();
    assert_eq!(samples, 11 * 320);
    stream.lost(&mut |_| ()).unwrap();
    stream.reset().unwrap();
    assert_eq!(
        stream.packet(&packets[0], &mut |_| ()).unwrap(),
        None,
        "a new stream owes nothing"
    );
}

#[test]
fn only_packets_with_a_copy_are_said_to_carry_one() {
    let with = voice(30, false);
    assert!(with[1..20].iter().all(|p| carries_predecessor(p)));
    assert!(!carries_predecessor(&with[0]), "there was none before it");
    let mut encoder = Encoder::new(48_000, Channels::Mono, Application::Voip).unwrap();
    encoder.set_bitrate(Bitrate::Bits(32_000)).unwrap();
    let tone: Vec<f32> = (0..960).map(|n| (n as f32 * 0.02).sin() * 0.3).collect();
    for _ in 0..20 {
        assert!(!carries_predecessor(
            &encoder.encode_vec_float(&tone, 1275).unwrap()
        ));
    }
    // CELT; nothing; a frame count of none; two frames, the first of no bytes; padding and nothing else.
    for packet in [
        &[0xfc, 0xff, 0xff][..],
        &[],
        &[0x03],
        &[0x0a, 0, 0xff],
        &[0x0b, 0x42, 255, 255],
    ] {
        assert!(!carries_predecessor(packet), "{packet:x?}");
    }
    // SILK of 20 ms: alone, twice with a length before the first, three times behind the length of the padding.
    for packet in [
        &[0x08, 0x40][..],
        &[0x0a, 1, 0x40, 0],
        &[0x0b, 0x43, 1, 0x40, 0, 0, 0],
        &[0x0b, 0xc2, 255, 0, 1, 0x40],
    ] {
        assert!(carries_predecessor(packet), "{packet:x?}");
    }
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

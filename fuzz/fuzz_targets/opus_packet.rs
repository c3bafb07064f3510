//! A speaker's packets from the network: whatever comes, each packet gives its own length of sound, loss exactly 20 ms.
#![no_main]

use goobster_audio::opus::{SpeechDecoder, packet_samples};
use libfuzzer_sys::fuzz_target;

/// Packets played to one decoder: more make an input slow and no richer.
const MOST_PACKETS: usize = 48;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut decoder) = SpeechDecoder::new() else { return };
    let mut rest = bytes;
    for _ in 0..MOST_PACKETS {
        // A byte of length, a byte of what to do, then the packet.
        let Some(([len, what], after)) = rest.split_first_chunk() else { return };
        let (packet, later) = after.split_at(usize::from(*len).min(after.len()));
        rest = later;
        match what % 4 {
            0 => {
                let pcm = decoder.conceal().expect("concealment cannot fail");
                assert_eq!(pcm.len(), 320);
            }
            1 => {
                if let Ok(pcm) = decoder.decode_fec(packet) {
                    assert_eq!(pcm.len(), 320);
                }
            }
            _ => {
                let expected = packet_samples(packet);
                if let Ok(pcm) = decoder.decode(packet) {
                    assert_eq!(expected.ok(), Some(pcm.len()));
                    assert!(pcm.iter().all(|sample| (-1.0..=1.0).contains(sample)));
                }
            }
        }
    }
});

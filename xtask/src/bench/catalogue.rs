//! What each comparison measures, and what it must reach.

use super::results::{Comparison, OURS};
use super::units;

/// A comparison as the report tells of it.
pub(super) struct Bench {
    /// Its group; one that ends in `_` stands for all that begin so.
    name: &'static str,
    /// What one iteration is.
    pub(super) what: &'static str,
    goals: &'static [Goal],
}

/// What is wanted.
#[derive(Debug, Clone, Copy)]
enum Goal {
    /// At least so many times as fast as this peer.
    Ratio(&'static str, f64),
    /// At most so many nanoseconds on the reference machine.
    Time(f64),
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "decimate",
        what: "a 20 ms frame of 48 kHz stereo i16 to 16 kHz mono f32",
        goals: &[
            Goal::Time(1600.0),
            Goal::Ratio("rubato", 1.9),
            Goal::Ratio("soxr", 1.6),
        ],
    },
    Bench {
        name: "vad",
        what: "a 32 ms window through Silero's network, one thread",
        goals: &[Goal::Ratio("onnxruntime", 5.0)],
    },
    Bench {
        name: "path",
        what: "a 20 ms packet (stereo CELT, 64 kb/s) to a voice-activity decision, one core",
        goals: &[],
    },
    Bench {
        name: "path_silk",
        what: "the same with 24 kb/s SILK packets",
        goals: &[],
    },
    Bench {
        name: "path_128k",
        what: "the same with 128 kb/s packets",
        goals: &[],
    },
    Bench {
        name: "speakers_",
        what: "a packet of each of so many speakers, one core",
        goals: &[],
    },
    Bench {
        name: "transcribe_3s",
        what: "a recording of about 3 s to text",
        goals: &[Goal::Ratio("faster-whisper", 1.5)],
    },
    Bench {
        name: "transcribe_10s",
        what: "a recording of about 10 s to text",
        goals: &[Goal::Ratio("faster-whisper", 1.5)],
    },
    Bench {
        name: "transcribe_30s",
        what: "a recording of about 30 s to text",
        goals: &[Goal::Ratio("faster-whisper", 1.0)],
    },
    Bench {
        name: "decode_mp3",
        what: "ten minutes of 44.1 kHz stereo MP3 to 16 kHz mono",
        goals: &[],
    },
];

/// The entry of a group.
pub(super) fn of(group: &str) -> Option<&'static Bench> {
    let is_it =
        |bench: &&Bench| bench.name == group || bench.name.ends_with('_') && group.starts_with(bench.name);
    BENCHES.iter().find(is_it)
}

/// Where a group stands in the report: the catalogue's order, others behind.
pub(super) fn place(group: &str) -> usize {
    let at = of(group).and_then(|found| BENCHES.iter().position(|bench| bench.name == found.name));
    at.unwrap_or(BENCHES.len())
}

/// What a comparison must reach, and whether it does; `None` when nothing is asked of it.
pub(super) fn verdict(comparison: &Comparison) -> Option<String> {
    let goals = of(&comparison.bench)?.goals.iter();
    goals.copied().find_map(|goal| match goal {
        Goal::Ratio(peer, least) if peer == comparison.peer => Some(format!(
            "at least {}: {}",
            units::three(least),
            word(comparison.ratio() >= least)
        )),
        _ => None,
    })
}

/// What ours must reach by itself.
pub(super) fn own_verdict(group: &str, ours_ns: f64) -> Option<String> {
    let goals = of(group)?.goals.iter();
    goals.copied().find_map(|goal| match goal {
        Goal::Time(most) => Some(format!(
            "at most {} on the reference machine: {}",
            units::time(most),
            word(ours_ns <= most)
        )),
        Goal::Ratio(..) => None,
    })
}

fn word(holds: bool) -> &'static str {
    if holds { "held" } else { "missed" }
}

/// The name of a side for people.
pub(super) fn side(name: &str) -> &str {
    if name == OURS { "Goobster" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(bench: &str, peer: &str, peer_ns: f64) -> Comparison {
        Comparison {
            bench: bench.to_owned(),
            peer: peer.to_owned(),
            ours_ns: 100.0,
            peer_ns,
        }
    }

    #[test]
    fn goals_are_judged() {
        let said = |bench, peer, ns| verdict(&against(bench, peer, ns));
        assert_eq!(
            said("decimate", "rubato", 190.0).as_deref(),
            Some("at least 1.90: held")
        );
        assert_eq!(
            said("decimate", "rubato", 189.0).as_deref(),
            Some("at least 1.90: missed")
        );
        assert_eq!(said("decimate", "speexdsp", 10.0), None);
        assert_eq!(said("unheard-of", "rubato", 10.0), None);
        assert!(own_verdict("decimate", 1700.0).unwrap().ends_with("missed"));
        assert_eq!(own_verdict("vad", 1.0), None);
    }

    #[test]
    fn families_share_an_entry_and_the_order_is_the_catalogues() {
        assert!(of("speakers_64").is_some() && of("path_silk").is_some() && of("paths").is_none());
        assert!(place("decimate") < place("speakers_1") && place("speakers_1") < place("limits"));
    }
}

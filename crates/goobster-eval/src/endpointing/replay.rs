//! Turns replayed to the real endpointer: which pauses it takes for ends, and how long after an end it is sure.

use goobster_audio::endpoint::{EndpointConfig, EndpointEvent, Endpointer};

use super::turns::Turn;

/// An end decided this soon after a pause, in samples, was decided because of it: a detector notices voice with a delay.
const NOTICED: u64 = 3200;

/// What happened in one recording.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Pauses within sentences.
    pub(super) pauses: usize,
    /// Those taken for the end.
    pub(super) cuts: usize,
    /// From the end of a turn to the decision, in milliseconds.
    pub(super) delays: Vec<u32>,
}

/// Replays the turns of every speaker, in order, to an endpointer of their own; a tally for each of `recordings`
/// recordings. Words are known `reading` samples after a pause is announced; `None` for never.
pub(super) fn replay(
    speakers: &[Vec<&Turn>],
    config: &EndpointConfig,
    window: usize,
    reading: Option<u64>,
    recordings: usize,
) -> anyhow::Result<Vec<Tally>> {
    let mut tallies = vec![Tally::default(); recordings];
    for turns in speakers {
        let mut endpointer = Endpointer::new(config, window)?;
        for turn in turns {
            one(turn, &mut endpointer, reading, &mut tallies[turn.recording]);
        }
    }
    Ok(tallies)
}

fn one(turn: &Turn, endpointer: &mut Endpointer, reading: Option<u64>, tally: &mut Tally) {
    let begin = endpointer.position();
    let mut decided = Vec::new();
    let mut words = turn.read.iter().peekable();
    for heard in &turn.windows {
        for event in endpointer.observe(*heard) {
            if matches!(
                event,
                EndpointEvent::Ended { .. } | EndpointEvent::Discarded { .. }
            ) {
                decided.push(endpointer.position().since(begin));
            }
        }
        let now = endpointer.position().since(begin);
        while let (Some(reading), Some(known)) = (reading, words.peek()) {
            if now < known.announced + reading {
                break;
            }
            // A voice that has come back called the reading off.
            if now < known.until {
                endpointer.words_read(known.completeness);
            }
            words.next();
        }
    }
    tally.pauses += turn.pauses.len();
    let cut = |pause: &&std::ops::Range<u64>| {
        decided
            .iter()
            .any(|at| (pause.start..pause.end + NOTICED).contains(at))
    };
    tally.cuts += turn.pauses.iter().filter(cut).count();
    if let Some(delay) = decided.last().and_then(|at| at.checked_sub(turn.end)) {
        tally.delays.push((delay / 16) as u32);
    }
}

//! The turn book: when each step of each turn happened, and the table made of it.
//!
//! Latencies count from the *end of speech*: the last voiced 20 ms of the recording, marked beforehand from its energy,
//! never by the detector that is being measured. A live microphone has no such mark; there the detector's own word counts.

use comfy_table::{CellAlignment, Table, presets};
use goobster_core::ids::TurnId;
use goobster_core::time::Moment;
use serde::Serialize;

/// The moments of one turn, as they become known.
#[derive(Debug, Clone)]
pub struct TurnTimes {
    /// Which turn.
    pub turn: TurnId,
    /// Who spoke.
    pub speaker: String,
    /// The last voiced 20 ms.
    pub speech_ended: Moment,
    /// When the endpointer was sure.
    pub endpointed: Moment,
    /// When the final caption was there.
    pub captioned: Option<Moment>,
    /// When the responder gave its first words.
    pub answered: Option<Moment>,
    /// When the first samples of the reply were synthesised.
    pub synthesised: Option<Moment>,
    /// When the first audible sample was handed to the output.
    pub audible: Option<Moment>,
    /// Whether the recogniser failed at it.
    pub failed: bool,
    /// Whether its end was told; that happens once.
    pub closed: bool,
}

impl TurnTimes {
    /// A turn whose speech has ended.
    pub fn new(turn: TurnId, speaker: String, speech_ended: Moment, endpointed: Moment) -> Self {
        Self {
            turn,
            speaker,
            speech_ended,
            endpointed,
            captioned: None,
            answered: None,
            synthesised: None,
            audible: None,
            failed: false,
            closed: false,
        }
    }

    /// Milliseconds from the end of speech to `moment`.
    pub fn ms(&self, moment: Option<Moment>) -> Option<u64> {
        moment.map(|m| m.as_millis().saturating_sub(self.speech_ended.as_millis()))
    }
}

/// Percentiles of a set of durations, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: u64,
    /// 95 of 100 are at most this.
    pub p95: u64,
}

impl Percentiles {
    /// Nearest-rank percentiles; `None` of nothing.
    pub fn of(mut values: Vec<u64>) -> Option<Self> {
        values.sort_unstable();
        let rank = |percent: usize| {
            values
                .get((values.len() * percent).div_ceil(100).saturating_sub(1))
                .copied()
        };
        Some(Self {
            p50: rank(50)?,
            p95: rank(95)?,
        })
    }
}

/// Every turn of a conversation.
#[derive(Debug, Default)]
pub struct TurnBook {
    turns: Vec<TurnTimes>,
}

/// The latencies of a whole conversation.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Latencies {
    /// How many turns got a final caption.
    pub turns: usize,
    /// End of speech to final caption.
    pub caption_ms: Option<Percentiles>,
    /// End of speech to first reply audio.
    pub reply_audio_ms: Option<Percentiles>,
    /// End of speech to the endpointer's decision: its share of the caption's delay.
    pub endpoint_ms: Option<Percentiles>,
}

impl TurnBook {
    /// Opens a turn.
    pub fn open(&mut self, times: TurnTimes) {
        self.turns.push(times);
    }

    /// The times of a turn.
    pub fn get_mut(&mut self, turn: TurnId) -> Option<&mut TurnTimes> {
        self.turns.iter_mut().rev().find(|t| t.turn == turn)
    }

    /// Forgets the turns whose end was told.
    pub fn forget_closed(&mut self) {
        self.turns.retain(|turn| !turn.closed);
    }

    /// The turns whose end was not told yet.
    pub fn unclosed(&self) -> Vec<TurnId> {
        let open = self.turns.iter().filter(|t| !t.closed);
        open.map(|t| t.turn).collect()
    }

    /// Every turn, in order.
    pub fn turns(&self) -> &[TurnTimes] {
        &self.turns
    }

    /// The percentiles over all captioned turns.
    pub fn latencies(&self) -> Latencies {
        let over = |pick: &dyn Fn(&TurnTimes) -> Option<Moment>| {
            Percentiles::of(self.turns.iter().filter_map(|t| t.ms(pick(t))).collect())
        };
        Latencies {
            turns: self.turns.iter().filter(|t| t.captioned.is_some()).count(),
            caption_ms: over(&|t| t.captioned),
            reply_audio_ms: over(&|t| t.audible),
            endpoint_ms: over(&|t| t.captioned.map(|_| t.endpointed)),
        }
    }

    /// The table of every captioned turn, each column in milliseconds after the end of speech.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header([
            "turn",
            "speaker",
            "ended at, s",
            "endpoint, ms",
            "final caption, ms",
            "reply text, ms",
            "first reply audio, ms",
        ]);
        let cell = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
        for turn in self.turns.iter().filter(|t| t.captioned.is_some()) {
            table.add_row([
                turn.turn.to_string(),
                turn.speaker.clone(),
                format!("{:.2}", turn.speech_ended.as_secs_f64()),
                cell(turn.ms(Some(turn.endpointed))),
                cell(turn.ms(turn.captioned)),
                cell(turn.ms(turn.answered)),
                cell(turn.ms(turn.audible)),
            ]);
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        assert_eq!(Percentiles::of(Vec::new()), None);
        assert_eq!(Percentiles::of(vec![7]), Some(Percentiles { p50: 7, p95: 7 }));
        assert_eq!(
            Percentiles::of((1..=100).rev().collect()),
            Some(Percentiles { p50: 50, p95: 95 })
        );
        assert_eq!(
            Percentiles::of((1..=20).collect()),
            Some(Percentiles { p50: 10, p95: 19 })
        );
    }

    #[test]
    fn latencies_count_from_the_end_of_speech() {
        let mut book = TurnBook::default();
        let at = Moment::from_millis;
        book.open(TurnTimes::new(TurnId::new(1), "alice".into(), at(1000), at(1500)));
        book.open(TurnTimes::new(TurnId::new(2), "bob".into(), at(9000), at(9400)));
        let turn = book.get_mut(TurnId::new(1)).unwrap();
        turn.captioned = Some(at(1620));
        turn.audible = Some(at(1900));
        let latencies = book.latencies();
        assert_eq!(latencies.turns, 1);
        assert_eq!(latencies.caption_ms.unwrap().p50, 620);
        assert_eq!(latencies.reply_audio_ms.unwrap().p95, 900);
        assert_eq!(latencies.endpoint_ms.unwrap().p50, 500);
        assert!(book.table().contains("620") && !book.table().contains("bob"));
    }
}

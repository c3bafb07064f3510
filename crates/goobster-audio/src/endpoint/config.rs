//! When speech begins and ends: the settings, their limits and the two presets.

use std::time::Duration;

use super::AdaptivePatience;

/// When speech begins and ends. The figures behind the presets are in `docs/hearing.md`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EndpointConfig {
    /// Voice begins, and resumes after a pause, at this probability.
    pub start_probability: f32,
    /// Voice that has begun goes on while the probability stays at or above this; below `start_probability`.
    pub stop_probability: f32,
    /// Voice needed before an utterance counts as started: clicks do not last that long.
    pub onset: Duration,
    /// How long the voice may dip while it starts (the closure of a stop consonant).
    pub onset_gap: Duration,
    /// An utterance with less voice than this is discarded when it ends.
    pub minimum_speech: Duration,
    /// Silence before a pause is announced: long enough to span stop consonants, short enough to leave a
    /// speculative decode most of the patience.
    pub hush: Duration,
    /// Silence that ends an utterance, counted from the end of the voice. With 600 ms and Silero the end is decided 680 ms
    /// (at worst 800 ms) after the last voiced 20 ms of 14 recordings, and only an orator's pauses are cut.
    pub patience: Duration,
    /// Patience that follows the speaker and their words, with `patience` for words that are neither complete nor not;
    /// `None` for the same patience with everybody.
    pub adaptive: Option<AdaptivePatience>,
    /// The longest utterance, pre-roll included.
    pub max_turn: Duration,
    /// The last part of a turn that is too long, in which the best pause is looked for.
    pub cut_search: Duration,
    /// Sound kept from before the voice was heard, so that first syllables are whole.
    pub pre_roll: Duration,
    /// Sound kept after the voice was last heard, so that last consonants are whole.
    pub post_roll: Duration,
}

/// Settings that contradict each other or ask for unbounded memory.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("endpointing cannot work with {field} = {value}: {rule}")]
#[non_exhaustive]
pub struct EndpointConfigError {
    /// The field as it is named in [`EndpointConfig`].
    pub field: &'static str,
    /// What it was set to.
    pub value: String,
    /// What it must be.
    pub rule: &'static str,
}

impl EndpointConfig {
    /// For conversation: answers soon after the last word.
    pub const fn conversation() -> Self {
        Self {
            start_probability: 0.5,
            stop_probability: 0.35,
            onset: Duration::from_millis(90),
            onset_gap: Duration::from_millis(64),
            minimum_speech: Duration::from_millis(160),
            hush: Duration::from_millis(160),
            patience: Duration::from_millis(600),
            adaptive: None,
            max_turn: Duration::from_secs(28),
            cut_search: Duration::from_secs(8),
            pre_roll: Duration::from_millis(300),
            post_roll: Duration::from_millis(200),
        }
    }

    /// For conversation, with patience that follows the speaker and their words: for callers that say
    /// [how complete the words are](super::Endpointer::words_read).
    pub const fn adapting() -> Self {
        Self {
            adaptive: Some(AdaptivePatience::conversation()),
            ..Self::conversation()
        }
    }

    /// For transcription: sentences are kept together, and nobody waits for an answer. A turn fits Whisper's window
    /// of 30 s with room for padding.
    pub const fn transcription() -> Self {
        Self {
            patience: Duration::from_millis(1200),
            cut_search: Duration::from_secs(12),
            ..Self::conversation()
        }
    }

    /// Checks that the settings agree with each other and bound the memory.
    pub fn check(&self) -> Result<(), EndpointConfigError> {
        let probabilities = [
            (
                "start_probability",
                self.start_probability,
                0.0..=1.0,
                "a probability from 0 to 1",
            ),
            (
                "stop_probability",
                self.stop_probability,
                0.0..=self.start_probability,
                "a probability from 0 to start_probability",
            ),
        ];
        for (field, value, range, rule) in probabilities {
            if !range.contains(&value) {
                return Err(EndpointConfigError {
                    field,
                    value: value.to_string(),
                    rule,
                });
            }
        }
        let second = Duration::from_secs(1);
        let spans = [
            ("onset", self.onset, Duration::ZERO, second, "at most 1 s"),
            ("onset_gap", self.onset_gap, Duration::ZERO, second, "at most 1 s"),
            (
                "minimum_speech",
                self.minimum_speech,
                Duration::ZERO,
                second * 5,
                "at most 5 s",
            ),
            (
                "patience",
                self.patience,
                Duration::from_millis(50),
                second * 10,
                "from 50 ms to 10 s",
            ),
            (
                "hush",
                self.hush,
                Duration::ZERO,
                self.patience,
                "not longer than patience",
            ),
            (
                "max_turn",
                self.max_turn,
                second * 5,
                second * 60,
                "from 5 s to 60 s",
            ),
            (
                "cut_search",
                self.cut_search,
                second,
                self.max_turn / 2,
                "from 1 s to half of max_turn",
            ),
            (
                "pre_roll",
                self.pre_roll,
                Duration::ZERO,
                second * 2,
                "at most 2 s",
            ),
            (
                "post_roll",
                self.post_roll,
                Duration::ZERO,
                self.patience,
                "not longer than patience",
            ),
        ];
        for (field, value, least, most, rule) in spans {
            if value < least || value > most {
                return Err(EndpointConfigError {
                    field,
                    value: format!("{value:?}"),
                    rule,
                });
            }
        }
        match &self.adaptive {
            Some(adaptive) => adaptive.check(self.hush, self.post_roll),
            None => Ok(()),
        }
    }

    /// The longest that a voice can take to count as started.
    pub(crate) fn onset_limit(&self) -> Duration {
        self.onset + self.onset_gap * 3
    }
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self::conversation()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_are_sound_and_fit_the_recogniser() {
        for config in [
            EndpointConfig::conversation(),
            EndpointConfig::adapting(),
            EndpointConfig::transcription(),
        ] {
            config.check().unwrap();
            assert!(
                config.max_turn <= Duration::from_secs(28),
                "Whisper's window is 30 s"
            );
        }
    }

    #[test]
    fn a_bad_setting_is_named_with_its_value_and_rule() {
        let good = EndpointConfig::conversation();
        let bad = [
            (
                EndpointConfig {
                    start_probability: f32::NAN,
                    ..good
                },
                "start_probability = NaN",
            ),
            (
                EndpointConfig {
                    stop_probability: 0.9,
                    ..good
                },
                "stop_probability = 0.9",
            ),
            (
                EndpointConfig {
                    patience: Duration::ZERO,
                    ..good
                },
                "patience = 0ns",
            ),
            (
                EndpointConfig {
                    hush: Duration::from_secs(3),
                    ..good
                },
                "hush = 3s",
            ),
            (
                EndpointConfig {
                    max_turn: Duration::MAX,
                    ..good
                },
                "max_turn",
            ),
            (
                EndpointConfig {
                    pre_roll: Duration::from_hours(1),
                    ..good
                },
                "pre_roll = 3600s",
            ),
        ];
        for (config, expected) in bad {
            let message = config.check().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}

//! Figures: which captions and which reply belong to what was said, how long they took, and how many words were wrong.

use std::time::Duration;

use goobster_core::time::Moment;
use serde::Serialize;
use serde_json::{Value, json};

use crate::timeline::{Caption, Sound, Speech, Timeline};
use crate::words::{WordErrors, word_errors};

/// The stamp of a caption has whole seconds, and voice activity begins a little before the voice.
const STAMP_SLACK: Duration = Duration::from_millis(1_500);
/// A sound that begins so shortly before the end of speech was no reply to it.
const OVERLAP: Duration = Duration::from_millis(40);
/// Marks can be late by a breath: a caption that was final this long before the mark may still be the last.
const PREMATURE: Duration = Duration::from_secs(1);

/// One thing that a member said, and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Turn {
    /// The step.
    pub label: String,
    /// Who.
    pub speaker: String,
    /// What was said, if it is known.
    pub said: Option<String>,
    /// What was captioned; several captions one after the other.
    pub heard: String,
    /// When speech ended.
    pub end_of_speech: Moment,
    /// From the end of speech until the last caption was final, in milliseconds; negative if it was so before.
    pub caption_ms: Option<i64>,
    /// From the end of speech to the reply's first sound, in milliseconds.
    pub reply_audio_ms: Option<i64>,
    /// The reply's sound.
    pub reply: Option<Sound>,
    /// Wrong words, if the right ones are known.
    pub word_errors: Option<WordErrors>,
}

impl Turn {
    /// The line of JSON for it.
    pub fn to_json(&self) -> Value {
        json!({
            "event": "turn", "turn": self.label, "speaker": self.speaker, "said": self.said, "heard": self.heard,
            "end_of_speech_s": self.end_of_speech.as_secs_f64(), "caption_ms": self.caption_ms,
            "reply_audio_ms": self.reply_audio_ms,
            "word_errors_percent": self.word_errors.map(WordErrors::percent),
        })
    }
}

/// All figures of a rehearsal.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// What was said, in order.
    pub turns: Vec<Turn>,
    /// From the end of speech to the final caption.
    pub caption_ms: Percentiles,
    /// From the end of speech to the reply's first sound.
    pub reply_audio_ms: Percentiles,
    /// Wrong words, where the right ones are known.
    pub word_errors: WordErrors,
    /// From the first `/voice start` until the bot could hear, in milliseconds.
    pub listening_ms: Option<i64>,
}

/// The middle and the slow end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: Option<i64>,
    /// What one in twenty exceeds.
    pub p95: Option<i64>,
}

impl Percentiles {
    /// By the nearest-rank method.
    pub fn of(mut values: Vec<i64>) -> Self {
        values.sort_unstable();
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100);
            values.get(rank.saturating_sub(1)).copied()
        };
        Self {
            p50: at(50),
            p95: at(95),
        }
    }
}

/// `later` after `earlier`, in milliseconds; negative if it came before.
pub(crate) fn millis_after(later: Moment, earlier: Moment) -> i64 {
    let ms = |m: Moment| i64::try_from(m.as_millis()).unwrap_or(i64::MAX);
    ms(later).saturating_sub(ms(earlier))
}

/// The captions of what was said in a speech: those under the speaker's name whose time falls to it rather than to another.
pub fn captions_of<'a>(timeline: &'a Timeline, speech: &'a Speech) -> Vec<&'a Caption> {
    let same = |s: &&Speech| s.sent && s.member == speech.member;
    let owner = |caption: &Caption| {
        // Captions can come long after they were spoken; the time that stands in them does not.
        let spoken = caption.stamp.after(STAMP_SLACK).min(caption.created());
        let begun = timeline.speeches.iter().filter(same).filter(|s| s.from <= spoken);
        begun.max_by_key(|s| s.from).map(|s| s.label.as_str())
    };
    let fits = |c: &&Caption| {
        !c.is_reply
            && c.deleted.is_none()
            && c.name == speech.member
            && owner(c) == Some(speech.label.as_str())
    };
    timeline.captions.iter().filter(fits).collect()
}

/// When the last caption of a speech was final, once all are. One that was final long before the end of speech was not the
/// last: people pause, and a turn may end in the middle of a recording.
pub fn captioned(timeline: &Timeline, speech: &Speech) -> Option<Moment> {
    let captions = captions_of(timeline, speech);
    let finals: Option<Vec<Moment>> = captions.iter().map(|c| c.final_at()).collect();
    finals?
        .into_iter()
        .max()
        .filter(|at| *at >= speech.end_of_speech.before(PREMATURE))
}

/// The sound that answers a speech: the first that begins after its end, unless somebody else was done speaking in between.
pub fn reply_to(timeline: &Timeline, speech: &Speech) -> Option<Sound> {
    let after = |s: &&Sound| s.from >= speech.end_of_speech.before(OVERLAP);
    let sound = timeline.sounds.iter().find(after)?;
    let closer = |s: &Speech| {
        s.sent
            && s.label != speech.label
            && s.end_of_speech > speech.end_of_speech
            && s.end_of_speech <= sound.from
    };
    (!timeline.speeches.iter().any(closer)).then_some(*sound)
}

impl Figures {
    /// Reads the figures out of a timeline.
    pub fn of(timeline: &Timeline) -> Self {
        let turns: Vec<Turn> = timeline
            .speeches
            .iter()
            .filter(|s| s.sent)
            .map(|s| turn(timeline, s))
            .collect();
        let collect = |of: fn(&Turn) -> Option<i64>| Percentiles::of(turns.iter().filter_map(of).collect());
        let mut errors = WordErrors::default();
        turns
            .iter()
            .filter_map(|t| t.word_errors)
            .for_each(|e| errors += e);
        let start = timeline
            .requests
            .iter()
            .find(|r| r.what.contains("voice start") && r.refused.is_none());
        let listening = start.and_then(|r| {
            let connected = timeline.places.iter().find(|p| p.at >= r.at && p.connected)?;
            Some(millis_after(connected.at, r.at))
        });
        Self {
            caption_ms: collect(|t| t.caption_ms),
            reply_audio_ms: collect(|t| t.reply_audio_ms),
            word_errors: errors,
            listening_ms: listening,
            turns,
        }
    }
}

fn turn(timeline: &Timeline, speech: &Speech) -> Turn {
    let mut captions = captions_of(timeline, speech);
    captions.sort_by_key(|c| (c.stamp, c.created()));
    let words: Vec<&str> = captions
        .iter()
        .map(|c| c.words())
        .filter(|w| !w.is_empty())
        .collect();
    let heard = words.join(" ");
    let reply = reply_to(timeline, speech);
    Turn {
        label: speech.label.clone(),
        speaker: speech.member.clone(),
        said: speech.text.clone(),
        end_of_speech: speech.end_of_speech,
        caption_ms: captioned(timeline, speech).map(|at| millis_after(at, speech.end_of_speech)),
        reply_audio_ms: reply.map(|s| millis_after(s.from, speech.end_of_speech)),
        reply,
        word_errors: speech.text.as_ref().map(|said| word_errors(said, &heard)),
        heard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Revision;

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    pub(crate) fn speech(label: &str, member: &str, from: u64, end: u64) -> Speech {
        Speech {
            label: label.into(),
            member: member.into(),
            clip: "x".into(),
            text: Some("ten of clubs".into()),
            from: at(from),
            to: at(end + 300),
            voice_from: at(from),
            end_of_speech: at(end),
            loss: 0.0,
            sent: true,
        }
    }

    fn caption(name: &str, stamp: u64, revisions: &[(u64, &str, bool)]) -> Caption {
        let revision = |(when, words, is_final): &(u64, &str, bool)| Revision {
            at: at(*when),
            words: (*words).into(),
            is_final: *is_final,
        };
        Caption {
            channel: "general".into(),
            name: name.into(),
            is_reply: name == "bot",
            stamp: at(stamp),
            revisions: revisions.iter().map(revision).collect(),
            deleted: None,
        }
    }

    fn scene() -> Timeline {
        Timeline {
            speeches: vec![
                speech("a", "Ann", 1_000, 3_000),
                speech("b", "Ben", 5_000, 7_000),
                speech("c", "Ann", 10_000, 12_000),
            ],
            captions: vec![
                caption(
                    "Ann",
                    1_000,
                    &[
                        (2_000, "ten", false),
                        (3_600, "ten of clubs", true),
                        (4_000, "ten of clubs", true),
                    ],
                ),
                caption("bot", 3_000, &[(3_900, "indeed", true)]),
                // Written long after the speaker had begun anew: its time says to what it belongs.
                caption("Ben", 5_000, &[(10_500, "ten of hearts", true)]),
                caption("Ann", 10_000, &[(11_000, "ten", false)]),
            ],
            sounds: vec![
                Sound {
                    from: at(4_000),
                    to: at(5_000),
                },
                Sound {
                    from: at(12_900),
                    to: at(13_500),
                },
            ],
            ..Timeline::default()
        }
    }

    #[test]
    fn captions_and_replies_find_what_they_belong_to() {
        let figures = Figures::of(&scene());
        let turns: Vec<_> = figures
            .turns
            .iter()
            .map(|t| (t.heard.as_str(), t.caption_ms, t.reply_audio_ms))
            .collect();
        assert_eq!(
            turns,
            [
                ("ten of clubs", Some(600), Some(1_000)),
                ("ten of hearts", Some(3_500), None),
                ("ten", None, Some(900))
            ]
        );
        assert_eq!(figures.word_errors, WordErrors { words: 9, errors: 3 });
        assert_eq!(
            figures.reply_audio_ms,
            Percentiles {
                p50: Some(900),
                p95: Some(1_000)
            }
        );
    }

    #[test]
    fn a_caption_of_the_first_half_does_not_caption_the_whole() {
        let mut scene = scene();
        scene.captions[0].revisions = vec![Revision {
            at: at(1_800),
            words: "ten".into(),
            is_final: true,
        }];
        assert_eq!(Figures::of(&scene).turns[0].caption_ms, None);
        scene
            .captions
            .push(caption("Ann", 2_000, &[(3_500, "of clubs", true)]));
        let turn = &Figures::of(&scene).turns[0];
        assert_eq!(
            (turn.caption_ms, turn.heard.as_str()),
            (Some(500), "ten of clubs")
        );
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        assert_eq!(
            Percentiles::of((1..=100).collect()),
            Percentiles {
                p50: Some(50),
                p95: Some(95)
            }
        );
        assert_eq!(
            Percentiles::of(vec![7]),
            Percentiles {
                p50: Some(7),
                p95: Some(7)
            }
        );
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }

    #[test]
    fn a_caption_that_was_taken_back_is_nobodys() {
        let mut scene = scene();
        scene.captions[0].deleted = Some(at(4_500));
        assert_eq!(Figures::of(&scene).turns[0].heard, "");
    }
}

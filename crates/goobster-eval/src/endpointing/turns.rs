//! Turns cut out of the recordings: what the detector makes of them, where they pause, where they end, and what a recogniser
//! reads at each pause.

use std::ops::Range;

use anyhow::Context as _;
use goobster_audio::endpoint::{EndpointConfig, EndpointEvent, Endpointer, WindowHeard};
use goobster_audio::marks::Marks;
use goobster_audio::vad::VoiceDetector;

use super::labels::{Place, Script};
use super::reader::Reader;
use crate::corpus::Recording;

/// Frames of 20 ms that a silence must last to be a pause: the usual 200 ms.
const PAUSE_FRAMES: usize = 10;
/// Sound before the voice and after it, in samples: 300 ms, and 240 ms, which is when a pause is announced.
const LEAD: usize = 4800;
const TRAIL: usize = 3840;
/// Silence after each turn, in samples: 4 s, longer than any patience.
const AFTER: usize = 64_000;
/// The longest turn, in samples: 26 s, which Goobster would not cut yet.
const LONGEST: usize = 26 * 16_000;
/// An announced pause belongs to the mark whose start is this close to where the detector lost the voice, in samples: 300 ms.
const CLOSE: u64 = 4800;

/// A sentence, or more where nothing certain parts them.
pub(super) struct Turn {
    /// The index of its recording.
    pub(super) recording: usize,
    pub(super) windows: Vec<WindowHeard>,
    /// Pauses within a sentence, in samples of the turn.
    pub(super) pauses: Vec<Range<u64>>,
    /// The end of the last voiced 20 ms, in samples of the turn.
    pub(super) end: u64,
    /// What the words were worth at each announced pause.
    pub(super) read: Vec<Words>,
}

/// The words before a pause.
pub(super) struct Words {
    /// When the pause is announced, in samples of the turn.
    pub(super) announced: u64,
    /// When the voice comes back.
    pub(super) until: u64,
    pub(super) completeness: f32,
}

/// A marked pause before it is known how the detector sees it.
struct Marked {
    from: u64,
    completeness: f32,
}

/// How many pauses were left out because their place was not certain.
#[derive(Default)]
pub(super) struct LeftOut(pub(super) usize);

/// Cuts a recording into turns.
pub(super) async fn of(
    index: usize,
    recording: &Recording,
    reader: &mut Reader<'_>,
    detector: &mut dyn VoiceDetector,
    left_out: &mut LeftOut,
) -> anyhow::Result<Vec<Turn>> {
    let marks = Marks::of(&recording.sound);
    let (Some(first), Some(last)) = (marks.first(), marks.last()) else {
        return Ok(Vec::new());
    };
    let script = Script::new(&recording.transcript);
    let mut turns = Vec::new();
    let (mut from, mut word) = (first.start.saturating_sub(LEAD), 0);
    let (mut pauses, mut marked) = (Vec::new(), Vec::new());
    let mut silences = marks.pauses(PAUSE_FRAMES);
    if recording.is_announcement && silences.is_empty() {
        // Of short announcements there are plenty; what they could add is ends alone.
        return Ok(turns);
    }
    silences.push(last.end..last.end);
    for silence in silences {
        if silence.start - from > LONGEST {
            break;
        }
        let is_last = silence.is_empty();
        let mut heard = recording.sound[from..silence.start].to_vec();
        let rest = if is_last {
            recording.sound.len()
        } else {
            silence.end
        };
        heard.extend(recording.sound[silence.start..rest].iter().take(TRAIL));
        heard.resize(silence.start - from + TRAIL, 0.0);
        let read = reader.read(recording, from..silence.start, &heard).await?;
        marked.push(Marked {
            from: (silence.start - from) as u64,
            completeness: read.completeness,
        });
        let place = match script.place(word, &read.text) {
            _ if is_last && script.is_whole() => Place::End(word),
            _ if is_last => break,
            place => place,
        };
        match place {
            Place::Within => pauses.push((silence.start - from) as u64..(silence.end - from) as u64),
            Place::Unsure => left_out.0 += 1,
            Place::End(behind) => {
                let end = (silence.start - from) as u64;
                let windows = windows(&heard, detector);
                let read = announced(&windows, detector.window(), &std::mem::take(&mut marked))?;
                let pauses = std::mem::take(&mut pauses);
                turns.push(Turn {
                    recording: index,
                    windows,
                    pauses,
                    end,
                    read,
                });
                word = behind;
                from = silence.end.saturating_sub(LEAD).max(silence.start);
            }
        }
    }
    Ok(turns)
}

/// What the detector makes of a turn and of the silence after it. Discord sends nothing while somebody is silent.
fn windows(sound: &[f32], detector: &mut dyn VoiceDetector) -> Vec<WindowHeard> {
    detector.reset();
    let mut sound = sound.to_vec();
    sound.resize(sound.len() + AFTER, 0.0);
    sound
        .chunks_exact(detector.window())
        .map(|window| WindowHeard {
            probability: detector.probability(window),
            power: window.iter().map(|s| s * s).sum::<f32>() / window.len() as f32,
        })
        .collect()
}

/// When pauses are announced, with the words before them.
fn announced(windows: &[WindowHeard], window: usize, marked: &[Marked]) -> anyhow::Result<Vec<Words>> {
    let endless = EndpointConfig {
        patience: std::time::Duration::from_secs(10),
        adaptive: None,
        ..EndpointConfig::conversation()
    };
    let mut endpointer = Endpointer::new(&endless, window).context("endless patience")?;
    let mut read: Vec<Words> = Vec::new();
    for heard in windows {
        for event in endpointer.observe(*heard) {
            match event {
                EndpointEvent::Paused { at } => {
                    let near = marked
                        .iter()
                        .filter(|mark| mark.from.abs_diff(at.samples()) <= CLOSE)
                        .min_by_key(|mark| mark.from.abs_diff(at.samples()));
                    if let Some(mark) = near {
                        read.push(Words {
                            announced: endpointer.position().samples(),
                            until: u64::MAX,
                            completeness: mark.completeness,
                        });
                    }
                }
                EndpointEvent::Resumed { at } => {
                    if let Some(last) = read.last_mut() {
                        last.until = last.until.min(at.samples());
                    }
                }
                _ => {}
            }
        }
    }
    Ok(read)
}

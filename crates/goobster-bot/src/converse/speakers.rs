//! Who is in the room: recordings that are read as they are played, or a microphone, a frame at a time.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError};

use goobster_audio::file::AudioFile;
use goobster_audio::marks::{MARK_FRAME, Marker, Marks};

use super::source::{Sound, Source};
use crate::cli::exit::Failure;

/// Samples of a 20 ms frame at 16 kHz.
pub const FRAME: usize = MARK_FRAME;

/// A recording, read as it is played.
struct Playing {
    file: AudioFile,
    path: PathBuf,
    block: Vec<f32>,
    cursor: usize,
    over: bool,
}

impl Playing {
    fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self {
            file: AudioFile::open(path)?,
            path: path.to_owned(),
            block: Vec::new(),
            cursor: 0,
            over: false,
        })
    }

    /// Fills as much of `frame` as there is left; the number of samples filled.
    fn read(&mut self, frame: &mut [f32; FRAME]) -> Result<usize, Failure> {
        let mut filled = 0;
        while filled < FRAME && !self.over {
            if self.cursor == self.block.len() {
                self.block.clear();
                self.cursor = 0;
                match self.file.next_block(&mut self.block) {
                    Ok(Some(_)) => {}
                    Ok(None) => self.over = true,
                    Err(cause) => {
                        self.over = true;
                        return Err(cause.into());
                    }
                }
            }
            let take = (self.block.len() - self.cursor).min(FRAME - filled);
            frame[filled..filled + take].copy_from_slice(&self.block[self.cursor..self.cursor + take]);
            filled += take;
            self.cursor += take;
        }
        Ok(filled)
    }
}

/// A microphone: blocks of 16 kHz mono samples as they come, until the sender goes away.
struct Live {
    blocks: Receiver<Vec<f32>>,
    samples: VecDeque<f32>,
    /// Whether the loudspeaker can be heard in it.
    hears_us: bool,
}

/// Samples of a microphone that may wait, half a second: its clock and ours differ, and old sound is of no use.
const LIVE_WAITING: usize = 8000;

/// A speaker with recordings to play, one after the other, or with a microphone.
pub struct Speaker {
    name: String,
    live: Option<Live>,
    waiting: VecDeque<PathBuf>,
    playing: Option<Playing>,
    /// Marks of the recording that plays (or played last), and the frame of the room at which it began.
    marks: Marks,
    began: u64,
    /// Frames since the last recording ended.
    silent: u64,
    failure: Option<Failure>,
    /// A word about a recording that was damaged but played to its end.
    notice: Option<String>,
}

impl Speaker {
    /// A speaker named after their first recording. Opens it, so that a bad file is told before anything plays.
    pub fn new(name: String, recordings: Vec<PathBuf>) -> Result<Self, Failure> {
        let mut speaker = Self {
            name,
            live: None,
            waiting: recordings.into(),
            playing: None,
            marks: Marks::default(),
            began: 0,
            silent: 0,
            failure: None,
            notice: None,
        };
        speaker.begin_next(0)?;
        Ok(speaker)
    }

    /// A speaker at a microphone. `hears_us`: the microphone hears the loudspeaker, so it is not listened to while
    /// Goobster speaks.
    pub fn live(name: String, blocks: Receiver<Vec<f32>>, hears_us: bool) -> Self {
        Self {
            name,
            live: Some(Live {
                blocks,
                samples: VecDeque::new(),
                hears_us,
            }),
            waiting: VecDeque::new(),
            playing: None,
            marks: Marks::default(),
            began: 0,
            silent: 0,
            failure: None,
            notice: None,
        }
    }
}

impl Source for Speaker {
    fn hears_us(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.hears_us)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    fn end_of_speech(&self, from_ms: u64, to_ms: u64) -> Option<u64> {
        let began_ms = self.began * 20;
        let mark = self
            .marks
            .end_of_speech(from_ms.saturating_sub(began_ms), to_ms.saturating_sub(began_ms))?;
        Some(mark + began_ms)
    }

    fn pull(&mut self, now: u64, answered: bool, pause: u64, sound: &mut Vec<f32>) -> Sound {
        let mut frame = [0.0; FRAME];
        let played = self.play(now, answered, pause, &mut frame);
        sound.extend_from_slice(&frame);
        played
    }
}

impl Speaker {
    /// Fills the room's frame number `now`.
    fn play(&mut self, now: u64, answered: bool, pause: u64, frame: &mut [f32; FRAME]) -> Sound {
        if let Some(live) = &mut self.live {
            return live.read(frame);
        }
        let next = self.playing.is_none() && !self.waiting.is_empty() && answered && self.silent >= pause;
        if next && let Err(failure) = self.begin_next(now) {
            self.failure.get_or_insert(failure);
            return Sound::Silence;
        }
        let Some(playing) = &mut self.playing else {
            self.silent += 1;
            return if self.waiting.is_empty() {
                Sound::Over
            } else {
                Sound::Silence
            };
        };
        match playing.read(frame) {
            Ok(FRAME) => return Sound::Frame,
            Ok(_) => {
                let damage = playing.file.damage();
                let told = format!("{}: {damage}", playing.path.display());
                if damage.truncated_at.is_some() {
                    // What there is was played; that something is missing is still bad input.
                    self.failure.get_or_insert(Failure::BadInput(told));
                } else if !damage.is_none() {
                    self.notice = Some(told);
                }
            }
            Err(failure) => {
                self.failure.get_or_insert(failure);
            }
        }
        self.playing = None;
        self.silent = 0;
        Sound::Frame
    }

    fn begin_next(&mut self, now: u64) -> Result<(), Failure> {
        let Some(path) = self.waiting.pop_front() else {
            return Ok(());
        };
        self.marks = mark(&path)?;
        self.began = now;
        self.playing = Some(Playing::open(&path)?);
        Ok(())
    }
}

impl Live {
    fn read(&mut self, frame: &mut [f32; FRAME]) -> Sound {
        let gone = loop {
            match self.blocks.try_recv() {
                Ok(block) => self.samples.extend(block),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        self.samples
            .drain(..self.samples.len().saturating_sub(LIVE_WAITING));
        if self.samples.len() < FRAME {
            return if gone { Sound::Over } else { Sound::Silence };
        }
        for (slot, sample) in frame.iter_mut().zip(self.samples.drain(..FRAME)) {
            *slot = sample;
        }
        Sound::Frame
    }
}

/// Marks a recording beforehand. Damage is not told here: it is when it is played.
fn mark(path: &Path) -> Result<Marks, Failure> {
    let mut playing = Playing::open(path)?;
    let mut marker = Marker::default();
    let mut frame = [0.0; FRAME];
    while let Ok(filled @ 1..) = playing.read(&mut frame) {
        marker.push(&frame[..filled]);
    }
    Ok(marker.finish())
}

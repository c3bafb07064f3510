//! Goobster's voice in a call: songbird draws from the playout queue, a frame at a time, whenever its mixer wants one.
//!
//! A track lives from the first sound of a reply to a moment after the last. Nothing is sent between replies, so the ring
//! around Goobster's picture is dark while it listens.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use goobster_core::conversation::LineId;
use songbird::input::RawAdapter;
use songbird::input::core::io::MediaSource;
use tokio::sync::Mutex;

use crate::converse::playout::SharedPlayout;
use crate::converse::room::Loudspeaker;

/// What songbird's mixer works at; anything else it would resample.
const RATE: u32 = 48_000;

/// Samples of a frame of 20 ms.
const FRAME: usize = (RATE / 50) as usize;

/// Frames of silence after which a track ends: 0.3 s, the gap between two sentences that are still being made.
const LINGER: u32 = 15;

/// A guild's call as a loudspeaker.
pub(crate) struct CallVoice {
    call: Arc<Mutex<songbird::Call>>,
    /// Whether a track draws from the queue.
    playing: Arc<AtomicBool>,
}

impl CallVoice {
    pub(crate) fn new(call: Arc<Mutex<songbird::Call>>) -> Self {
        Self {
            call,
            playing: Arc::default(),
        }
    }
}

impl Loudspeaker for CallVoice {
    fn rate(&self) -> u32 {
        RATE
    }

    fn wake(&self, playout: &SharedPlayout<LineId>) {
        if self.playing.swap(true, Ordering::AcqRel) {
            return;
        }
        let draw = Draw {
            playout: Arc::clone(playout),
            playing: Arc::clone(&self.playing),
            frame: [0; FRAME * 4],
            left: 0,
            silent: 0,
        };
        let call = Arc::clone(&self.call);
        tokio::spawn(async move {
            let track = RawAdapter::new(draw, RATE, 1).into();
            call.lock().await.play_input(track);
        });
    }
}

/// Draws the queue as a stream of bytes: mono 32-bit floats, little-endian. A read gives at most what is left of one frame,
/// so that nothing is read ahead of what is heard.
struct Draw {
    playout: SharedPlayout<LineId>,
    playing: Arc<AtomicBool>,
    frame: [u8; FRAME * 4],
    /// Bytes of the frame that were not read yet.
    left: usize,
    /// Frames since the queue ran empty.
    silent: u32,
}

impl Draw {
    /// Draws the next frame; false when the track is over.
    fn next(&mut self) -> bool {
        let mut playout = self.playout.lock().unwrap_or_else(PoisonError::into_inner);
        if playout.is_empty() {
            self.silent += 1;
            if self.silent > LINGER {
                self.playing.store(false, Ordering::Release);
                return false;
            }
        } else {
            self.silent = 0;
        }
        let mut samples = [0.0_f32; FRAME];
        playout.draw(&mut samples);
        for (bytes, sample) in self.frame.as_chunks_mut::<4>().0.iter_mut().zip(samples) {
            *bytes = sample.to_le_bytes();
        }
        self.left = self.frame.len();
        true
    }
}

impl Drop for Draw {
    fn drop(&mut self) {
        // However the track ended: the next sound begins another.
        self.playing.store(false, Ordering::Release);
    }
}

impl Read for Draw {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.left == 0 && !self.next() {
            return Ok(0);
        }
        let from = self.frame.len() - self.left;
        let count = buffer.len().min(self.left);
        buffer[..count].copy_from_slice(&self.frame[from..from + count]);
        self.left -= count;
        Ok(count)
    }
}

impl Seek for Draw {
    fn seek(&mut self, _: SeekFrom) -> Result<u64> {
        Err(Error::from(ErrorKind::Unsupported))
    }
}

impl MediaSource for Draw {
    fn is_seekable(&self) -> bool {
        false
    }

    fn byte_len(&self) -> Option<u64> {
        None
    }
}

//! The thread that speaks: one an engine, fair between the texts it is given.
//!
//! An engine can do one thing at a time, and inference blocks, so it lives on a thread of its own. Texts wait in a
//! bounded queue; among those begun, the one with the least audio made so far goes next, so that a new reply is heard
//! at once while a long one goes on. A listener that does not keep up stops its own text only.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use goobster_core::ports::{AbortFlag, PcmChunk, SynthesiseError};
use tokio::sync::mpsc;

use super::joins::finish;
use super::pieces::Piece;

/// Texts that wait or are being spoken, at most, an engine.
const MAX_TEXTS: usize = 64;
/// Pieces of one text, at most: an hour or two of speech.
const MAX_PIECES: usize = 1000;
/// Chunks a listener may be behind.
const CHUNKS_AHEAD: usize = 4;
/// How long to wait before looking again whether a listener has caught up.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// An engine that turns one piece of text into samples.
pub(crate) trait Renderer: Send + 'static {
    /// Speaks `piece` with the engine's own name of a voice. `stop` says whether nobody listens any more; asking it is
    /// cheap, and a renderer that can stop midway asks it often.
    fn render(
        &mut self,
        voice: &str,
        piece: &Piece,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, SynthesiseError>;
}

/// A text to speak.
struct Job {
    voice: String,
    pieces: VecDeque<Piece>,
    chunks: mpsc::Sender<Result<PcmChunk, SynthesiseError>>,
    abort: AbortFlag,
    /// Samples made so far.
    made: usize,
}

/// A handle to the thread; the thread ends when the handle is dropped and the texts begun are spoken.
pub(crate) struct RenderThread {
    jobs: std_mpsc::SyncSender<Job>,
    engine: &'static str,
}

impl fmt::Debug for RenderThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderThread")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl RenderThread {
    /// Starts the thread. `rate` is that of the samples, in hertz.
    pub(crate) fn start(
        engine: &'static str,
        rate: u32,
        mut renderer: impl Renderer,
    ) -> Result<Self, SynthesiseError> {
        let (jobs, queue) = std_mpsc::sync_channel(MAX_TEXTS);
        std::thread::Builder::new()
            .name(format!("speak-{engine}"))
            .spawn(move || work(&queue, rate, &mut renderer))
            .map_err(|e| SynthesiseError::Engine {
                what: format!("no thread for {engine}"),
                cause: Some(Box::new(e)),
            })?;
        Ok(Self { jobs, engine })
    }

    /// Queues a text. An empty or endless one is an error, so is a full queue.
    pub(crate) fn speak(
        &self,
        voice: String,
        pieces: Vec<Piece>,
        abort: AbortFlag,
    ) -> Result<mpsc::Receiver<Result<PcmChunk, SynthesiseError>>, SynthesiseError> {
        if pieces.is_empty() {
            return Err(SynthesiseError::NothingToSay);
        }
        if pieces.len() > MAX_PIECES {
            return Err(SynthesiseError::TooLong {
                sentences: pieces.len(),
                most: MAX_PIECES,
            });
        }
        let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let job = Job {
            voice,
            pieces: pieces.into(),
            chunks,
            abort,
            made: 0,
        };
        match self.jobs.try_send(job) {
            Ok(()) => Ok(receiver),
            Err(std_mpsc::TrySendError::Full(_)) => Err(SynthesiseError::Engine {
                what: format!(
                    "{} is overloaded: {MAX_TEXTS} texts are waiting already",
                    self.engine
                ),
                cause: None,
            }),
            Err(std_mpsc::TrySendError::Disconnected(_)) => Err(SynthesiseError::Engine {
                what: format!("the thread of {} has stopped", self.engine),
                cause: None,
            }),
        }
    }
}

fn work(queue: &std_mpsc::Receiver<Job>, rate: u32, renderer: &mut impl Renderer) {
    let mut jobs: Vec<Job> = Vec::new();
    let mut open = true;
    while open || !jobs.is_empty() {
        open &= take_in(queue, &mut jobs);
        jobs.retain(|job| !call_off(job));
        let Some(next) = next_job(jobs.iter().map(|job| (job.chunks.capacity(), job.made))) else {
            if !jobs.is_empty() {
                std::thread::sleep(LOOK_AGAIN);
            }
            continue;
        };
        let job = &mut jobs[next];
        if !step(job, rate, renderer) || job.pieces.is_empty() {
            jobs.swap_remove(next);
        }
    }
}

/// Takes new texts in, waiting for one only when there is nothing else to do. False when none will come any more.
fn take_in(queue: &std_mpsc::Receiver<Job>, jobs: &mut Vec<Job>) -> bool {
    if jobs.is_empty() {
        match queue.recv() {
            Ok(job) => jobs.push(job),
            Err(_) => return false,
        }
    }
    while jobs.len() < MAX_TEXTS {
        match queue.try_recv() {
            Ok(job) => jobs.push(job),
            Err(std_mpsc::TryRecvError::Empty) => return true,
            Err(std_mpsc::TryRecvError::Disconnected) => return false,
        }
    }
    true
}

/// Which text goes next: of those whose listener has room, the one with the least audio made.
fn next_job(jobs: impl Iterator<Item = (usize, usize)>) -> Option<usize> {
    jobs.enumerate()
        .filter(|(_, (room, _))| *room > 0)
        .min_by_key(|(_, (_, made))| *made)
        .map(|(i, _)| i)
}

/// Whether nobody wants this text any more; the listener, if any, is told.
fn call_off(job: &Job) -> bool {
    if job.abort.is_raised() {
        // A full channel means that the listener does not read; it will see the stream end.
        let _ = job.chunks.try_send(Err(SynthesiseError::Aborted));
        return true;
    }
    job.chunks.is_closed()
}

/// Speaks the next piece of a text. False when the text has ended early.
fn step(job: &mut Job, rate: u32, renderer: &mut impl Renderer) -> bool {
    let Some(piece) = job.pieces.pop_front() else {
        return false;
    };
    let stop = || job.abort.is_raised() || job.chunks.is_closed();
    // An engine that panics must not leave a listener with half a text that looks whole.
    let spoken = catch_unwind(AssertUnwindSafe(|| renderer.render(&job.voice, &piece, &stop)))
        .unwrap_or_else(|_| {
            Err(SynthesiseError::Engine {
                what: "the speech engine panicked".to_owned(),
                cause: None,
            })
        });
    match spoken {
        Ok(samples) => {
            let samples = finish(samples, rate, piece.pause);
            job.made += samples.len();
            samples.is_empty() || job.chunks.try_send(Ok(PcmChunk { samples })).is_ok()
        }
        Err(error) => {
            // Fails only when the listener has gone, who then needs no error.
            let _ = job.chunks.try_send(Err(error));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::pieces::Pause;
    use super::*;

    /// Speaks a second of a tone a piece, and counts.
    struct Tone(Arc<AtomicUsize>);

    impl Renderer for Tone {
        fn render(
            &mut self,
            _: &str,
            piece: &Piece,
            _: &dyn Fn() -> bool,
        ) -> Result<Vec<f32>, SynthesiseError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            if piece.text == "fail" {
                return Err(SynthesiseError::Engine {
                    what: "as asked".to_owned(),
                    cause: None,
                });
            }
            Ok((0..1000).map(|i| (i as f32 * 0.3).sin() * 0.5).collect())
        }
    }

    fn pieces(texts: &[&str]) -> Vec<Piece> {
        texts
            .iter()
            .map(|text| Piece {
                text: (*text).to_owned(),
                pause: Pause::Sentence,
            })
            .collect()
    }

    fn tone() -> (RenderThread, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        (
            RenderThread::start("tone", 1000, Tone(count.clone())).unwrap(),
            count,
        )
    }

    #[test]
    fn the_text_with_the_least_audio_goes_next_unless_its_listener_is_behind() {
        assert_eq!(next_job([(4, 900), (4, 0), (4, 10)].into_iter()), Some(1));
        assert_eq!(next_job([(4, 900), (0, 0), (4, 10)].into_iter()), Some(2));
        assert_eq!(next_job([(0, 900), (0, 0)].into_iter()), None);
    }

    #[tokio::test]
    async fn all_pieces_arrive_in_order_and_the_stream_ends() {
        let (thread, _) = tone();
        let mut chunks = thread
            .speak("v".to_owned(), pieces(&["a", "b", "c"]), AbortFlag::new())
            .unwrap();
        let mut count = 0;
        while let Some(chunk) = chunks.recv().await {
            assert!(!chunk.unwrap().samples.is_empty());
            count += 1;
        }
        assert_eq!(count, 3);
    }

    #[tokio::test]
    async fn a_listener_that_does_not_read_stops_only_its_own_text() {
        let (thread, count) = tone();
        let lazy = thread
            .speak("v".to_owned(), pieces(&["x"; 50]), AbortFlag::new())
            .unwrap();
        let mut keen = thread
            .speak("v".to_owned(), pieces(&["y"; 10]), AbortFlag::new())
            .unwrap();
        let mut heard = 0;
        while keen.recv().await.is_some() {
            heard += 1;
        }
        assert_eq!(heard, 10);
        assert!(count.load(Ordering::SeqCst) <= 10 + CHUNKS_AHEAD);
        drop(lazy);
    }

    #[tokio::test]
    async fn abort_ends_the_stream_with_aborted() {
        let (thread, count) = tone();
        let abort = AbortFlag::new();
        let mut chunks = thread
            .speak("v".to_owned(), pieces(&["x"; 1000]), abort.clone())
            .unwrap();
        chunks.recv().await.unwrap().unwrap();
        abort.raise();
        let mut last = None;
        while let Some(chunk) = chunks.recv().await {
            last = Some(chunk);
        }
        assert!(matches!(last, Some(Err(SynthesiseError::Aborted))), "{last:?}");
        assert!(count.load(Ordering::SeqCst) < 100);
    }

    #[tokio::test]
    async fn a_failure_reaches_the_listener_and_ends_the_text() {
        let (thread, _) = tone();
        let mut chunks = thread
            .speak("v".to_owned(), pieces(&["a", "fail", "b"]), AbortFlag::new())
            .unwrap();
        assert!(chunks.recv().await.unwrap().is_ok());
        assert!(matches!(
            chunks.recv().await,
            Some(Err(SynthesiseError::Engine { .. }))
        ));
        assert!(chunks.recv().await.is_none());
    }

    #[test]
    fn nothing_to_say_is_an_error_and_so_is_too_much() {
        let (thread, _) = tone();
        assert!(matches!(
            thread.speak("v".to_owned(), Vec::new(), AbortFlag::new()),
            Err(SynthesiseError::NothingToSay)
        ));
        let endless = thread.speak("v".to_owned(), pieces(&["x"; MAX_PIECES + 1]), AbortFlag::new());
        assert!(matches!(
            endless,
            Err(SynthesiseError::TooLong { sentences: 1001, .. })
        ));
    }
}

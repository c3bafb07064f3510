//! The pool with an engine that does what the test says: real threads, real waiting.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};

use goobster_core::language::Language;
use goobster_core::ports::{DecodeClass, LanguageChoice};

use super::*;

/// Decodes what the request's prompt says: "wait" until told, "panic", "hang" until stopped, "deaf" until told
/// and whatever it is asked, or answers at once.
struct Scripted {
    gate: Mutex<mpsc::Receiver<()>>,
    states: AtomicUsize,
}

impl Engine for Scripted {
    type State = usize;

    fn make_state(&self) -> Result<usize, RecogniseError> {
        Ok(self.states.fetch_add(1, Ordering::SeqCst))
    }

    fn decode(&self, _: &mut usize, request: &RecogniseRequest, _: usize, stop: &Stop) -> Answer {
        match request.prompt.as_deref() {
            Some("wait" | "deaf") => self
                .gate
                .lock()
                .unwrap()
                .recv_timeout(Duration::from_secs(10))
                .unwrap_or_default(),
            Some("panic") => panic!("scripted"),
            Some("hang") => {
                while !stop.is_raised() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                return Err(RecogniseError::Aborted);
            }
            _ => {}
        }
        Ok(Recognition {
            segments: Vec::new(),
            language: Language::ENGLISH,
            no_speech: 0.0,
        })
    }
}

fn pool(overdue: Duration) -> (Arc<DecodePool<Scripted>>, mpsc::Sender<()>) {
    let (open, gate) = mpsc::channel();
    let engine = Scripted {
        gate: Mutex::new(gate),
        states: AtomicUsize::new(0),
    };
    let limits = Limits {
        workers: 1,
        waiting: 2,
        waiting_finals: 100,
        overdue,
        grace: Duration::from_millis(50),
        replacements: 1,
    };
    (Arc::new(DecodePool::new(engine, limits).unwrap()), open)
}

const LONG: Duration = Duration::from_mins(1);

fn request(source: u64, class: DecodeClass, script: &str) -> RecogniseRequest {
    RecogniseRequest {
        audio: Arc::from(vec![0.0; 16_000]),
        language: LanguageChoice::Detect,
        class,
        source,
        prompt: Some(script.to_owned()),
        abort: AbortFlag::new(),
    }
}

fn spawn(pool: &Arc<DecodePool<Scripted>>, request: RecogniseRequest) -> tokio::task::JoinHandle<Answer> {
    let pool = Arc::clone(pool);
    tokio::spawn(async move { pool.decode(request).await })
}

async fn until(pool: &DecodePool<Scripted>, what: impl Fn(PoolStats) -> bool) {
    for _ in 0..20_000 {
        if what(pool.stats()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never came: {:?}", pool.stats());
}

#[tokio::test]
async fn a_panic_costs_one_answer_and_one_state_but_no_worker() {
    let (pool, _open) = pool(LONG);
    let error = pool
        .decode(request(1, DecodeClass::Final, "panic"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("scripted"), "{error}");
    pool.decode(request(1, DecodeClass::Final, "")).await.unwrap();
    assert_eq!(pool.engine().states.load(Ordering::SeqCst), 2);
    assert_eq!((pool.stats().failed, pool.stats().completed), (1, 1));
}

#[tokio::test]
async fn a_final_stops_a_running_partial_at_once() {
    let (pool, _open) = pool(LONG);
    let partial = spawn(&pool, request(1, DecodeClass::Partial, "hang"));
    until(&pool, |stats| stats.running == 1).await;
    pool.decode(request(2, DecodeClass::Final, "")).await.unwrap();
    assert!(matches!(partial.await.unwrap(), Err(RecogniseError::Aborted)));
}

#[tokio::test]
async fn the_worker_is_held_until_the_engine_returns_even_when_the_caller_is_gone() {
    let (pool, open) = pool(LONG);
    let first = spawn(&pool, request(1, DecodeClass::Final, "wait"));
    // Fetched by the worker, not only started by the scheduler: before that, a caller may still take it back.
    until(&pool, |_| pool.engine().states.load(Ordering::SeqCst) == 1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let second = spawn(&pool, request(2, DecodeClass::Final, ""));
    until(&pool, |stats| stats.waiting == 1).await;
    assert_eq!(pool.stats().running, 1);
    open.send(()).unwrap();
    second.await.unwrap().unwrap();
    until(&pool, |stats| stats.running == 0).await;
}

#[tokio::test]
async fn a_waiting_decode_ends_soon_after_its_flag_is_raised() {
    let (pool, open) = pool(LONG);
    let _first = spawn(&pool, request(1, DecodeClass::Final, "wait"));
    until(&pool, |stats| stats.running == 1).await;
    let waiting = request(2, DecodeClass::Final, "");
    let abort = waiting.abort.clone();
    let waiting = spawn(&pool, waiting);
    until(&pool, |stats| stats.waiting == 1).await;
    abort.raise();
    assert!(matches!(waiting.await.unwrap(), Err(RecogniseError::Aborted)));
    open.send(()).unwrap();
}

#[tokio::test]
async fn a_full_queue_says_so_and_a_newer_partial_ends_the_older() {
    let (pool, open) = pool(LONG);
    let first = spawn(&pool, request(0, DecodeClass::Final, "wait"));
    until(&pool, |stats| stats.running == 1).await;
    let stale = spawn(&pool, request(1, DecodeClass::Partial, ""));
    until(&pool, |stats| stats.waiting == 1).await;
    let other = spawn(&pool, request(2, DecodeClass::Partial, ""));
    until(&pool, |stats| stats.waiting == 2).await;
    let refused = pool.decode(request(3, DecodeClass::Partial, "")).await;
    assert!(
        matches!(refused, Err(RecogniseError::Overloaded { waiting: 2 })),
        "{refused:?}"
    );
    let newest = spawn(&pool, request(1, DecodeClass::Partial, ""));
    assert!(matches!(stale.await.unwrap(), Err(RecogniseError::Aborted)));
    open.send(()).unwrap();
    for task in [first, other, newest] {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_decode_that_hangs_is_counted_and_stopped() {
    let (pool, _open) = pool(Duration::from_millis(50));
    let hung = pool
        .decode(request(1, DecodeClass::Final, "hang"))
        .await
        .unwrap_err();
    assert!(hung.to_string().contains("given up after"), "{hung}");
    assert_eq!(pool.stats().overdue, 1);
}

#[tokio::test]
async fn dropping_the_pool_ends_its_threads() {
    let (pool, _open) = pool(LONG);
    let shared = Arc::clone(&pool.shared);
    let hung = spawn(&pool, request(1, DecodeClass::Final, "hang"));
    until(&pool, |stats| stats.running == 1).await;
    hung.abort();
    let _ = hung.await;
    drop(pool);
    assert_eq!(shared.lock().threads, 0);
}

#[tokio::test]
async fn a_decode_that_will_not_stop_is_given_up_and_its_worker_replaced() {
    let (pool, open) = pool(Duration::from_millis(50));
    let stuck = spawn(&pool, request(1, DecodeClass::Final, "deaf"));
    until(&pool, |stats| stats.running == 1).await;
    let waiting = spawn(&pool, request(2, DecodeClass::Final, ""));
    let error = stuck.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("would not stop"), "{error}");
    // The replacement takes what waited, with a state of its own.
    waiting.await.unwrap().unwrap();
    assert_eq!(pool.engine().states.load(Ordering::SeqCst), 2);
    assert_eq!((pool.stats().abandoned, pool.load().abandoned), (1, 1));
    assert!(!pool.load().down);
    // When the first one comes back after all, its thread ends: two workers and no third, and the watchdog.
    assert_eq!(pool.shared.lock().threads, 3);
    open.send(()).unwrap();
    until(&pool, |_| pool.shared.lock().threads == 2).await;
    pool.decode(request(3, DecodeClass::Final, "")).await.unwrap();
}

#[tokio::test]
async fn when_every_worker_hangs_it_is_down_until_one_comes_back() {
    let (pool, open) = pool(Duration::from_millis(50));
    let first = spawn(&pool, request(1, DecodeClass::Final, "deaf"));
    first.await.unwrap().unwrap_err();
    // The second hang finds no replacement: the gate is held by the first, and both wait for it.
    let second = spawn(&pool, request(2, DecodeClass::Final, "deaf"));
    until(&pool, |stats| stats.running == 1).await;
    let waiting = spawn(&pool, request(3, DecodeClass::Final, ""));
    second.await.unwrap().unwrap_err();
    let error = waiting.await.unwrap().unwrap_err();
    assert!(
        error.to_string().contains("every decoding thread hangs"),
        "{error}"
    );
    assert!(pool.load().down && pool.load().waiting == 0);
    let refused = pool.decode(request(4, DecodeClass::Final, "")).await;
    assert!(refused.unwrap_err().to_string().contains("hangs"));
    // Both come back: the replaced one's thread ends, the lost one's works on.
    open.send(()).unwrap();
    open.send(()).unwrap();
    until(&pool, |_| !pool.load().down).await;
    pool.decode(request(5, DecodeClass::Final, "")).await.unwrap();
    until(&pool, |_| pool.shared.lock().threads == 2).await;
    assert_eq!(pool.stats().abandoned, 2);
}

#[tokio::test]
async fn finals_go_before_partials_and_stale_partials_never_run() {
    let (pool, open) = pool(LONG);
    let first = spawn(&pool, request(9, DecodeClass::Final, "wait"));
    until(&pool, |stats| stats.running == 1).await;
    let mut partials = Vec::new();
    for n in 0..20 {
        partials.push(spawn(&pool, request(1, DecodeClass::Partial, "")));
        until(&pool, |stats| stats.aborted == n).await;
    }
    until(&pool, |stats| stats.waiting == 1 && stats.aborted == 19).await;
    let finals = spawn(&pool, request(1, DecodeClass::Final, ""));
    until(&pool, |stats| stats.aborted == 20).await;
    open.send(()).unwrap();
    first.await.unwrap().unwrap();
    finals.await.unwrap().unwrap();
    for partial in partials {
        assert!(matches!(partial.await.unwrap(), Err(RecogniseError::Aborted)));
    }
    assert_eq!(pool.stats().completed, 2, "the two finals, and no partial");
}

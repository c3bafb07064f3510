//! The warden: looks at the hearing four times a second, climbs the ladder or comes back, and tells it.

use std::sync::Arc;
use std::time::Duration;

use goobster_core::admission::{Ladder, LadderConfig, Signal};
use goobster_core::ports::{RecogniserLoad, SpeechToText};
use goobster_core::time::Moment;
use metrics::{counter, gauge};
use tokio::time::{Instant, MissedTickBehavior};

use super::guard::Guard;
use crate::monitoring::names;
use crate::monitoring::signs::Signs;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(250);

/// Looks until it is dropped.
pub(crate) async fn keep(
    recogniser: Arc<dyn SpeechToText>,
    guard: Arc<Guard>,
    signs: Arc<Signs>,
    config: LadderConfig,
) {
    let origin = Instant::now();
    let mut ladder = Ladder::new(config);
    let mut before = (Moment::ZERO, recogniser.load());
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let now = Moment::ZERO.after(origin.elapsed());
        let load = recogniser.load();
        let given_up = load.abandoned.saturating_sub(before.1.abandoned);
        if given_up > 0 {
            counter!(names::ABANDONED).increment(given_up);
        }
        guard.set_down(load.down);
        signs.hearing(!load.down);
        let signal = signal(before, (now, load), guard.taken().unserved);
        before = (now, load);
        if let Some(change) = ladder.step(now, signal) {
            guard.set_level(change.to);
            gauge!(names::LEVEL).set(f64::from(change.to.number()));
            counter!(names::LEVELS).increment(1);
            if change.to > change.from {
                tracing::warn!(level = change.to.words(), ?signal, "this machine is overloaded");
            } else {
                tracing::info!(level = change.to.words(), "the load has gone down");
            }
        }
    }
}

/// What happened between two looks.
fn signal(before: (Moment, RecogniserLoad), now: (Moment, RecogniserLoad), unseated: usize) -> Signal {
    let ((then, was), (at, is)) = (before, now);
    let workers = is.workers.max(1) as f64;
    let time = at.since(then).as_secs_f64() * workers;
    let busy = is.busy.saturating_sub(was.busy).as_secs_f64();
    Signal {
        wait: is.longest_wait,
        depth: (is.urgent as f64 / workers) as f32,
        busy: if time > 0.0 {
            (busy / time).clamp(0.0, 1.0) as f32
        } else {
            0.0
        },
        unseated,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use goobster_core::admission::Level;
    use goobster_core::language::Language;
    use goobster_core::ports::{PortFuture, RecogniseError, RecogniseRequest, Recognition};

    use super::*;
    use crate::admission::guard::Seats;

    /// Says that it does as it is told.
    #[derive(Default)]
    struct Told(Mutex<RecogniserLoad>);

    impl SpeechToText for Told {
        fn recognise(&self, _: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>> {
            Box::pin(async { Err(RecogniseError::Aborted) })
        }
        fn model(&self) -> &'static str {
            "told"
        }
        fn knows(&self, _: Language) -> bool {
            true
        }
        fn load(&self) -> RecogniserLoad {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn busy_is_the_share_of_all_workers_between_two_looks() {
        let load = |busy_ms| RecogniserLoad {
            workers: 2,
            urgent: 3,
            busy: Duration::from_millis(busy_ms),
            ..RecogniserLoad::default()
        };
        let signal = signal(
            (Moment::from_millis(1000), load(500)),
            (Moment::from_millis(1250), load(875)),
            1,
        );
        assert!((signal.busy - 0.75).abs() < 1e-6 && (signal.depth - 1.5).abs() < 1e-6);
        assert_eq!(signal.unseated, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loaded_recogniser_climbs_the_ladder_and_a_hanging_one_is_told() {
        let told = Arc::new(Told::default());
        let guard = Guard::new(Seats {
            own: 1,
            smaller: 2,
            per_call: 4,
        });
        let signs = Arc::new(Signs::default());
        let config = LadderConfig {
            smaller_model: true,
            ..LadderConfig::default()
        };
        let keeping = tokio::spawn(keep(told.clone(), Arc::clone(&guard), Arc::clone(&signs), config));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(guard.level(), Level::Full);
        told.0.lock().unwrap().longest_wait = Duration::from_secs(1);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(guard.level(), Level::Refusing);
        assert!(guard.may_start().is_err());
        told.0.lock().unwrap().longest_wait = Duration::ZERO;
        tokio::time::sleep(Duration::from_secs(70)).await;
        assert_eq!(guard.level(), Level::Full);
        assert!(guard.may_start().is_ok());
        told.0.lock().unwrap().down = true;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(signs.lacking().contains(&"speech recognition hangs"));
        keeping.abort();
    }
}

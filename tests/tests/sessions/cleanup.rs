//! Every cleanup step fails in every way, alone and together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goobster_core::ports::PortFuture;
use goobster_core::session::teardown::{Step, StepEnd, StepReport};
use goobster_core::session::{Part, PartError, PartKind, Parts, SessionEvent, StopCause, Stuck};
use goobster_tests::sessions::{Fault, StepFaults, Target};
use tokio::sync::Semaphore;

use crate::fixture::{Fixture, secs};

const TARGETS: [Target; 6] = [
    Some(PartKind::Recognition),
    Some(PartKind::Pipeline),
    Some(PartKind::Speech),
    None,
    Some(PartKind::Channel),
    Some(PartKind::Listeners),
];

/// Ends a session whose parts fail as listed, and says what became of each step.
async fn clean(listed: BTreeMap<Target, StepFaults>) -> Vec<StepReport> {
    let mut fixture = Fixture::new();
    let parts = fixture.parts(1, listed);
    let session = fixture.add_with(1, 1, 1, parts).await.unwrap();
    tokio::time::sleep(Duration::from_millis(7_001)).await;
    let closed = fixture.end(1).await;
    assert!(closed.cleanup <= secs(5), "{:?}", closed.cleanup);
    assert_eq!(closed.charged, closed.active);
    assert_eq!(fixture.record(&session).await.charged, closed.active);
    fixture.assert_nothing_left().await;
    let mut reports = fixture.heard().into_iter().filter_map(|event| match event {
        SessionEvent::Cleaned { steps, .. } => Some(steps.to_vec()),
        _ => None,
    });
    let steps = reports.next().unwrap();
    assert_eq!(reports.next(), None, "cleaned once");
    assert!(
        steps.iter().map(|report| report.step).eq(Step::ALL),
        "every step ran, in order: {steps:?}"
    );
    steps
}

fn faults(kind: Fault, attempts: usize, force: bool) -> StepFaults {
    StepFaults {
        attempts: std::iter::repeat_n(kind, attempts).collect(),
        force: force.then_some(kind),
    }
}

fn expected(kind: Fault, attempts: usize, force: bool) -> StepEnd {
    let slow = matches!(kind, Fault::Slow(_));
    match attempts {
        _ if slow => StepEnd::Done,
        0 | 1 => StepEnd::Done,
        _ if force => StepEnd::Abandoned,
        _ => StepEnd::Forced,
    }
}

#[tokio::test(start_paused = true)]
async fn each_step_survives_each_fault_alone() {
    for target in TARGETS {
        for kind in Fault::KINDS {
            for (attempts, force) in [(1, false), (3, false), (3, true)] {
                let steps = clean(BTreeMap::from([(target, faults(kind, attempts, force))])).await;
                let step = target.map_or(Step::Connection, PartKind::step);
                for report in steps {
                    let want = if report.step == step {
                        expected(kind, attempts, force)
                    } else {
                        StepEnd::Done
                    };
                    // A slow stop that does not fit its budget (listeners have 50 ms) is forced.
                    let fits =
                        !matches!(kind, Fault::Slow(_)) || report.step != step || step != Step::Listeners;
                    assert!(
                        report.end == want || !fits,
                        "{step} {kind:?} x{attempts} force {force}: {report:?}"
                    );
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_steps_survive_each_fault_together() {
    for kind in Fault::KINDS {
        for (attempts, force) in [(1, false), (3, false), (3, true)] {
            let listed = TARGETS.map(|target| (target, faults(kind, attempts, force)));
            clean(BTreeMap::from(listed)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn mixed_faults_together_end_within_the_cleanup_delay() {
    for shift in 0..Fault::KINDS.len() {
        let listed = TARGETS.into_iter().enumerate().map(|(index, target)| {
            let kinds = (0..3).map(|attempt| Fault::KINDS[(index + attempt + shift) % Fault::KINDS.len()]);
            (
                target,
                StepFaults {
                    attempts: kinds.collect(),
                    force: Some(Fault::KINDS[(index + shift) % 4]),
                },
            )
        });
        clean(listed.collect()).await;
    }
}

/// A recogniser in the middle of an inference: a thread that looks at nothing until it is done.
struct Inferring {
    thread: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Part for Inferring {
    fn stop(&self, _cause: StopCause) -> PortFuture<'_, Result<(), PartError>> {
        Box::pin(async {
            while self
                .thread
                .lock()
                .unwrap()
                .as_ref()
                .is_some_and(|thread| !thread.is_finished())
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        })
    }

    fn force(&self) -> PortFuture<'_, Result<Vec<Stuck>, PartError>> {
        let thread = self.thread.lock().unwrap().take();
        Box::pin(async move {
            Ok(thread
                .map(|thread| Stuck::task("an inference", thread))
                .into_iter()
                .collect())
        })
    }
}

/// In real time, on a real thread that cannot be aborted: the session ends all the same, its place is free, and the
/// inference stays in quarantine with its permit until it returns.
#[tokio::test]
async fn an_inference_that_hangs_is_quarantined_with_its_permit() {
    let fixture = Fixture::new();
    let release = Arc::new(AtomicBool::new(false));
    let permits = Arc::new(Semaphore::new(1));
    let (blocked, pool) = (Arc::clone(&release), Arc::clone(&permits));
    let parts = Parts::none().part(PartKind::Recognition, move |_| {
        let permit = Arc::clone(&pool)
            .try_acquire_owned()
            .map_err(|error| PartError::caused("busy", error))?;
        let blocked = Arc::clone(&blocked);
        let thread = tokio::task::spawn_blocking(move || {
            while !blocked.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(1));
            }
            drop(permit);
        });
        Ok(Arc::new(Inferring {
            thread: Mutex::new(Some(thread)),
        }))
    });
    fixture.add_with(1, 1, 1, parts).await.unwrap();
    let closed = tokio::time::timeout(secs(60), fixture.end(1)).await.unwrap();
    assert!(closed.forced);
    assert_eq!(fixture.held().await, 0, "the place is free");
    assert_eq!(fixture.sessions.quarantine().list(), ["an inference"]);
    assert_eq!(permits.available_permits(), 0, "the permit is not");
    release.store(true, Ordering::Release);
    let returned = async {
        while !fixture.sessions.quarantine().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(secs(60), returned).await.unwrap();
    assert_eq!(permits.available_permits(), 1);
}

/// A part that takes a moment to stop, and counts how it went.
struct Slow(Arc<AtomicUsize>);

impl Part for Slow {
    fn stop(&self, _cause: StopCause) -> PortFuture<'_, Result<(), PartError>> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.0.fetch_add(1, Ordering::AcqRel);
            Ok(())
        })
    }
}

/// In real time: a part is being made on a thread that looks at nothing, and is there when its session has long gone.
/// It is stopped, and not merely dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_made_after_its_session_is_gone_is_stopped() {
    let fixture = Fixture::new();
    let (made, stopped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (makes, stops) = (Arc::clone(&made), Arc::clone(&stopped));
    let parts = Parts::none().part(PartKind::Recognition, move |_| {
        makes.store(true, Ordering::Release);
        std::thread::sleep(Duration::from_millis(300));
        Ok(Arc::new(Slow(Arc::clone(&stops))))
    });
    let ends = async {
        while !made.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        fixture.end(1).await;
    };
    let (started, ()) = tokio::join!(fixture.add_with(1, 1, 1, parts), ends);
    assert!(started.is_err());
    let waited = async {
        while stopped.load(Ordering::Acquire) == 0 || fixture.sessions.leftovers(0).tasks > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(secs(20), waited)
        .await
        .expect("it is stopped");
    assert_eq!(stopped.load(Ordering::Acquire), 1);
}

//! Parts that fail as planned, and keep honest books about what they hold.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goobster_core::ports::PortFuture;
use goobster_core::session::{
    Notice, Part, PartError, PartKind, Session, SessionParts, StopCause, Stuck, VoiceConnection,
};
use tokio::sync::OwnedSemaphorePermit;

use super::plan::{Fault, Target};
use super::world::World;

/// What each attempt at a step does: the first fault for the first attempt, and so on; then it succeeds.
#[derive(Debug, Clone, Default)]
pub struct StepFaults {
    /// The attempts, in order.
    pub attempts: VecDeque<Fault>,
    /// What force does.
    pub force: Option<Fault>,
}

/// Where the faults come from.
#[derive(Debug, Clone)]
pub enum Chance {
    /// By chance, so many of a hundred attempts.
    Percent(u32),
    /// As listed, for the parts of each session.
    Listed(BTreeMap<Target, StepFaults>),
}

/// The parts of a session of the soak and the tests.
#[derive(Debug)]
pub struct PlannedParts {
    /// What is really there.
    pub world: Arc<World>,
    /// Which guild it is for.
    pub guild: u64,
    /// What goes wrong while it is taken down.
    pub chance: Chance,
    /// How many of a hundred attempts at opening something fail.
    pub opening: u32,
    /// How many of a hundred forced recognisers leave stuck work.
    pub stuck: u32,
    /// Whether the session's work fails now and then.
    pub work_fails: bool,
}

async fn act(fault: Option<Fault>) -> Result<(), PartError> {
    match fault {
        None => Ok(()),
        Some(Fault::Error) => Err(PartError::caused(
            "planned error",
            std::io::Error::other("the cause"),
        )),
        Some(Fault::Hang) => pending().await,
        Some(Fault::Panic | Fault::PanicAtOnce) => {
            // An await first, so that the panic happens in the middle of it.
            tokio::task::yield_now().await;
            #[expect(clippy::panic, reason = "the panic is the fault that is planned")]
            {
                panic!("planned panic")
            }
        }
        Some(Fault::Slow(span)) => {
            tokio::time::sleep(span).await;
            Ok(())
        }
    }
}

/// One part.
struct PlannedPart {
    world: Arc<World>,
    chance: Chance,
    target: Target,
    faults: Mutex<StepFaults>,
    stuck: u32,
    /// A recogniser's state: held while it exists.
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    gone: AtomicBool,
    /// Whether anybody told it to stop, in whatever way.
    told: AtomicBool,
    /// The call it is on, while that is joined.
    line: Option<(u64, AtomicBool)>,
}

impl PlannedPart {
    fn next(&self) -> Option<Fault> {
        match &self.chance {
            Chance::Percent(percent) => self.world.fault(*percent),
            Chance::Listed(_) => self
                .faults
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .attempts
                .pop_front(),
        }
    }

    fn end(&self) {
        if !self.gone.swap(true, Ordering::AcqRel) {
            self.world.gone();
            if let Some((guild, up)) = &self.line
                && up.swap(false, Ordering::AcqRel)
            {
                self.world.line_down(*guild);
            }
        }
    }
}

impl Drop for PlannedPart {
    /// Whatever force could not end goes with the last reference, as the real things do. Nothing else may: a connection
    /// that is dropped and not left keeps its place in the call.
    fn drop(&mut self) {
        if !self.told.load(Ordering::Acquire) {
            let what = self
                .target
                .map_or("connection".to_owned(), |kind| format!("{kind:?}"));
            self.world
                .violation(format!("a part ({what}) was dropped and never stopped"));
        }
        self.end();
    }
}

impl Part for PlannedPart {
    fn stop(&self, _cause: StopCause) -> PortFuture<'_, Result<(), PartError>> {
        self.told.store(true, Ordering::Release);
        let fault = self.next();
        assert!(fault != Some(Fault::PanicAtOnce), "planned panic");
        Box::pin(async move {
            act(fault).await?;
            drop(self.permit.lock().unwrap_or_else(PoisonError::into_inner).take());
            self.end();
            Ok(())
        })
    }

    fn force(&self) -> PortFuture<'_, Result<Vec<Stuck>, PartError>> {
        self.told.store(true, Ordering::Release);
        let fault = match &self.chance {
            // Force is simpler than an orderly stop: it fails less often.
            Chance::Percent(percent) => self.world.fault(percent / 3),
            Chance::Listed(_) => self.faults.lock().unwrap_or_else(PoisonError::into_inner).force,
        };
        assert!(fault != Some(Fault::PanicAtOnce), "planned panic");
        Box::pin(async move {
            act(fault).await?;
            let permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
            self.end();
            if permit.is_some() && self.world.chance(self.stuck) {
                let returns = self.world.returns.clone();
                return Ok(vec![Stuck::new("a planned inference", async move {
                    let _held = permit;
                    returns.cancelled().await;
                })]);
            }
            Ok(Vec::new())
        })
    }

    fn memory_bytes(&self) -> usize {
        let panics = self.target == Some(PartKind::Pipeline) && matches!(self.chance, Chance::Percent(100));
        assert!(!panics, "planned panic");
        1_000
    }
}

impl VoiceConnection for PlannedPart {
    fn open(&self) -> PortFuture<'_, Result<(), PartError>> {
        let opening = if matches!(self.chance, Chance::Percent(_)) {
            self.stuck / 10
        } else {
            0
        };
        let fault = self.world.fault(opening);
        Box::pin(async move {
            act(fault).await?;
            if self.gone.load(Ordering::Acquire) {
                return Err(PartError::new("it was stopped meanwhile"));
            }
            if let Some((guild, up)) = &self.line
                && !up.swap(true, Ordering::AcqRel)
            {
                self.world.line_up(*guild);
            }
            Ok(())
        })
    }
}

impl PlannedParts {
    fn part(
        &self,
        target: Target,
        permit: Option<OwnedSemaphorePermit>,
        line: Option<u64>,
    ) -> Arc<PlannedPart> {
        self.world.made();
        let faults = match &self.chance {
            Chance::Listed(listed) => listed.get(&target).cloned().unwrap_or_default(),
            Chance::Percent(_) => StepFaults::default(),
        };
        Arc::new(PlannedPart {
            world: Arc::clone(&self.world),
            chance: self.chance.clone(),
            target,
            faults: Mutex::new(faults),
            stuck: self.stuck,
            permit: Mutex::new(permit),
            gone: AtomicBool::new(false),
            told: AtomicBool::new(false),
            line: line.map(|guild| (guild, AtomicBool::new(false))),
        })
    }
}

impl SessionParts for PlannedParts {
    fn connection(&self) -> Arc<dyn VoiceConnection> {
        self.part(None, None, Some(self.guild))
    }

    fn make<'a>(
        &'a self,
        kind: PartKind,
        session: &'a Arc<Session>,
    ) -> PortFuture<'a, Result<Option<Arc<dyn Part>>, PartError>> {
        Box::pin(async move {
            act(self.world.fault(self.opening)).await?;
            if session.stopping().is_cancelled() && session.part(kind).is_some() {
                self.world
                    .violation("a part was made for a session that is closing");
            }
            let permit = if kind == PartKind::Recognition {
                let permit = Arc::clone(&self.world.permits).try_acquire_owned();
                Some(permit.map_err(|error| PartError::caused("no recogniser is free", error))?)
            } else {
                None
            };
            Ok(Some(self.part(Some(kind), permit, None) as Arc<dyn Part>))
        })
    }

    fn work(&self, session: &Arc<Session>) -> Option<PortFuture<'static, Result<(), PartError>>> {
        let (world, session) = (Arc::clone(&self.world), Arc::clone(session));
        let fails = self.work_fails;
        Some(Box::pin(async move {
            if fails {
                tokio::time::sleep(Duration::from_millis(world.below(20_000))).await;
                let fault = world.fault(80).filter(|fault| *fault != Fault::Hang);
                return act(fault).await;
            }
            session.stopping().cancelled().await;
            pending().await
        }))
    }

    fn notify<'a>(
        &'a self,
        _session: &'a Arc<Session>,
        _notice: Notice,
    ) -> PortFuture<'a, Result<(), PartError>> {
        let fault = self.world.fault(self.opening);
        Box::pin(act(fault))
    }
}

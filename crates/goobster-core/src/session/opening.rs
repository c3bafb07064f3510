//! From a request to a running session: the place, then the call and the parts, each tried again when it fails.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::error::StartError;
use super::events::SessionEvent;
use super::manager::NewSession;
use super::registry::{Door, Ticket};
use super::resources::{Part, PartError, PartKind, SessionParts, StopCause};
use super::session::{Birth, Session};
use super::supervisor::Opened;
use super::{CloseReason, Refusal, cleanup};
use crate::limits::{self, LimitsError, Opening, SlotClaim};

/// How often a part is tried at the start.
const TRIES: u32 = 3;
/// The pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(100);

/// Gets a place for a request: the local checks, then the store's.
pub(super) async fn admit(core: &Arc<Core>, new: &NewSession) -> Result<Arc<Session>, StartError> {
    if core.quarantine.is_full() {
        return Err(Refusal::TooMuchStuck {
            stuck: core.quarantine.len(),
        }
        .into());
    }
    if let Some(doorkeeper) = core.doorkeeper.get() {
        doorkeeper()?;
    }
    let admitted = &new.admitted;
    let ticket = Ticket::begin(core, admitted, core.ids.next())?;
    let called_off = || StartError::CalledOff(CloseReason::NeverStarted);
    // A closing session or call has its cleanup delay; waiting longer would not help.
    let patience = core
        .clock
        .instant(core.clock.now().after(core.config.cleanup_delay + PAUSE));
    let line = loop {
        let (session, call) = match ticket.knock()? {
            Door::Open(line) => break line,
            Door::AfterSession(session) => (Some(session), None),
            Door::AfterCall(line) => (None, Some(line)),
        };
        let closed = async {
            if let Some(session) = session {
                session.closed.wait().await;
            }
            if let Some(line) = call {
                line.gone.cancelled().await;
            }
        };
        tokio::select! {
            biased;
            () = ticket.off.cancelled() => return Err(called_off()),
            () = closed => {}
            () = tokio::time::sleep_until(patience) => return Err(Refusal::StillClosing.into()),
        }
    };
    let claim = SlotClaim {
        session: ticket.id,
        user: admitted.user,
        guild: admitted.guild,
    };
    let hold = core.config.start_timeout + core.config.cleanup_delay;
    let lease = core
        .store_retrying("reserving a place", || core.slots.reserve(claim, hold))
        .await;
    let lease = lease.map_err(|error| match error {
        LimitsError::Refused(refusal) => StartError::from(Refusal::Limit(refusal)),
        error if error.is_unavailable() => {
            tracing::error!(%error, "no place could be reserved");
            Refusal::Limit(limits::Refusal::StoreDown).into()
        }
        error => StartError::Failed {
            what: "reserving a place",
            cause: error.to_string().into(),
        },
    })?;
    let session = Arc::new(Session::new(Birth {
        id: ticket.id,
        owner: admitted.user,
        guild: admitted.guild,
        voice: admitted.voice.clone(),
        text: new.text_channel,
        audio: new.audio.clone(),
        lease,
        line,
        now: core.clock.now(),
        started_at: core.wall.utc(),
        stopping: core.stop.child_token(),
    }));
    let event = SessionEvent::Starting {
        session: session.id,
        user: session.owner,
        guild: session.guild,
    };
    core.events.emit(event);
    ticket.grant(&session);
    Ok(session)
}

/// Opens the call and the parts, confirms the place, and opens the session in the ledger.
pub(super) async fn open(
    core: Arc<Core>,
    session: Arc<Session>,
    parts: Arc<dyn SessionParts>,
) -> Result<Opened, StartError> {
    make(&core, &session, &parts, PartKind::Channel).await?;
    retrying(&core, &session, "joining the call", || session.line.open(&*parts)).await?;
    for kind in PartKind::ALL
        .into_iter()
        .filter(|kind| *kind != PartKind::Channel)
    {
        make(&core, &session, &parts, kind).await?;
    }
    let failed = |what| {
        move |error| match error {
            LimitsError::Refused(refusal) => StartError::from(Refusal::Limit(refusal)),
            error => StartError::Failed {
                what,
                cause: error.to_string().into(),
            },
        }
    };
    let lease = session.lease;
    let asked = core.clock.now();
    let confirming = core.store_retrying("confirming a place", || core.slots.confirm(lease));
    let lease = confirming.await.map_err(failed("confirming the place"))?;
    let opening = Opening {
        claim: lease.claim,
        epoch: lease.epoch,
        at: core.wall.utc(),
    };
    session
        .in_ledger
        .store(true, std::sync::atomic::Ordering::Release);
    let charged = core
        .store_retrying("opening a session", || core.ledger.open(opening))
        .await;
    let charged = charged.map_err(failed("opening the session in the ledger"))?;
    let work = parts.work(&session);
    Ok(Opened {
        charged,
        confirmed: (asked, lease.good_for),
        work,
    })
}

async fn make(
    core: &Arc<Core>,
    session: &Arc<Session>,
    parts: &Arc<dyn SessionParts>,
    kind: PartKind,
) -> Result<(), StartError> {
    let what = match kind {
        PartKind::Channel => "preparing the channel",
        PartKind::Pipeline => "building the audio pipeline",
        PartKind::Recognition => "preparing the recogniser",
        PartKind::Speech => "preparing the voice",
        PartKind::Listeners => "listening to the call",
    };
    let made = retrying(core, session, what, || parts.make(kind, session)).await?;
    if let Some(part) = made {
        put(core, session, kind, part);
    }
    Ok(())
}

/// Puts a part in its place, or has it stopped when the session is being taken down already. The caller is an errand
/// that was called off: the stop is a task of its own, which outlives it.
pub(super) fn put(core: &Arc<Core>, session: &Session, kind: PartKind, part: Arc<dyn Part>) {
    if let Err(late) = session.hold(kind, part) {
        let core = Arc::clone(core);
        let tasks = core.tasks.clone();
        tasks.spawn(async move {
            let cause = StopCause::Closing(CloseReason::NeverStarted);
            cleanup::stop_outside(
                &core,
                kind.step(),
                Arc::new(cleanup::PartWork { part: late, cause }),
            )
            .await;
        });
    }
}

/// Tries something up to three times with back-off.
async fn retrying<'a, T, F>(
    core: &Core,
    session: &Session,
    what: &'static str,
    mut attempt: impl FnMut() -> F,
) -> Result<T, StartError>
where
    F: Future<Output = Result<T, PartError>> + 'a,
{
    let mut pause = PAUSE;
    let mut tries = 1;
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => {
                let cause: Arc<str> = error.report().into();
                let event = SessionEvent::Fault {
                    session: session.id,
                    what,
                    cause: Arc::clone(&cause),
                };
                core.events.emit(event);
                if tries == TRIES {
                    return Err(StartError::Failed { what, cause });
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        tries += 1;
    }
}

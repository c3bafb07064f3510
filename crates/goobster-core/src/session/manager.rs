//! The session manager: add a session, find it, end it. A thin front: what is decided here is decided in the registry
//! (who is in), the state machine (what happens to them) and the cleanup (how it ends).

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access::{Actor, Admitted, Refusal, VoiceChannel, may_end};
use super::call::{CallInfo, Role};
use super::clock::{Monotonic, WallClock};
use super::config::{ConfigError, SessionConfig};
use super::core::{Core, Doorkeeper};
use super::error::StartError;
use super::events::{EventHub, Events};
use super::machine::Phase;
use super::quarantine::Quarantine;
use super::registry::Counts;
use super::resources::SessionParts;
use super::session::{AudioSettings, ClosedSession, Session};
use super::{CloseReason, SessionId, SessionIds, supervisor};
use crate::ids::{ChannelId, GuildId, UserId};
use crate::invariant::{Leftovers, nothing_left};
use crate::limits::{
    Forget, Forgotten, Ledger, LimitsConfig, LimitsError, Millis, Recovery, Slots, Usage,
    announce_never_binding,
};
use crate::time::{Moment, UtcMillis};

/// What the session manager needs from outside.
#[derive(Clone)]
pub struct SessionPorts {
    /// Places for sessions.
    pub slots: Arc<dyn Slots>,
    /// The record of voice time.
    pub ledger: Arc<dyn Ledger>,
    /// What time it is.
    pub clock: Arc<dyn WallClock>,
    /// Which process this is among those that share a store; tells their session ids apart.
    pub node: u8,
}

/// A session to be added: who, and what it owns.
pub struct NewSession {
    /// Who may have it, where.
    pub admitted: Admitted,
    /// Where its captions and notices go.
    pub text_channel: ChannelId,
    /// How it listens and speaks.
    pub audio: AudioSettings,
    /// What it owns.
    pub parts: Arc<dyn SessionParts>,
}

impl NewSession {
    /// A session with the default audio settings.
    pub fn new(admitted: Admitted, text_channel: ChannelId, parts: impl SessionParts) -> Self {
        Self {
            admitted,
            text_channel,
            audio: AudioSettings::default(),
            parts: Arc::new(parts),
        }
    }
}

/// The session manager. Clones share one state.
#[derive(Clone)]
pub struct SessionManager {
    core: Arc<Core>,
}

/// A session, as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub owner: UserId,
    /// Its guild.
    pub guild: GuildId,
    /// Its voice channel.
    pub channel: VoiceChannel,
    /// Where it is in its life.
    pub phase: Phase,
    /// When its place was reserved.
    pub started_at: UtcMillis,
    /// How long it has been active.
    pub active: Duration,
    /// How long nobody has spoken in it.
    pub quiet: Duration,
    /// What its owner was charged for it so far.
    pub charged: Millis,
    /// Bytes it holds now.
    pub memory_bytes: usize,
}

/// A session that is being ended. Await [`closed`](Self::closed) or let it go: the end goes on either way.
#[derive(Debug, Clone)]
#[must_use = "the session ends by itself; say `let _ =` if nobody needs to know when"]
pub struct Ending {
    session: Option<Arc<Session>>,
}

impl Ending {
    /// Waits until it is gone. `None` when it had not even begun.
    pub async fn closed(self) -> Option<ClosedSession> {
        match self.session {
            Some(session) => Some(session.closed().await),
            None => None,
        }
    }
}

/// What a shutdown did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// Sessions that were ended in order; starts that were called off are not counted.
    pub ended: usize,
    /// Sessions that were not gone in time.
    pub left: usize,
    /// Work that cannot be stopped.
    pub stuck: Vec<String>,
}

impl SessionManager {
    /// A manager without sessions. Says which limits can never bind, in one `info` line each.
    ///
    /// # Errors
    /// The first number of `config` that does not fit, or the first of `limits`.
    pub fn new(
        config: SessionConfig,
        limits: LimitsConfig,
        ports: SessionPorts,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        limits.validate().map_err(|error| ConfigError::Limits {
            what: match error {
                LimitsError::Configuration(what) => what,
                error => error.to_string(),
            },
        })?;
        super::telemetry::describe();
        announce_never_binding(&limits);
        let SessionPorts {
            slots,
            ledger,
            clock: wall,
            node,
        } = ports;
        let core = Core {
            limits,
            clock: Monotonic::new(),
            slots,
            ledger,
            registry: super::registry::Registry::default(),
            events: EventHub::new(config.events_kept),
            quarantine: Arc::new(Quarantine::new(config.quarantine_bound)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            ids: SessionIds::new(wall.utc(), node),
            doorkeeper: std::sync::OnceLock::new(),
            wall,
            config,
            voice: AtomicU64::new(0),
        };
        Ok(Self { core: Arc::new(core) })
    }

    /// Asks this before every new session, besides the limits: whether the machine can bear one more. Only the first counts.
    pub fn guard(&self, doorkeeper: Doorkeeper) {
        let _ = self.core.doorkeeper.set(doorkeeper);
    }

    /// Adds a session and waits until it runs: reserves its place, opens what it owns, opens it in the ledger.
    ///
    /// The start goes on when the future is dropped; [`end`](Self::end) calls it off.
    ///
    /// # Errors
    /// [`StartError::Refused`] when it may not be, [`StartError::Failed`] when something could not be opened,
    /// [`StartError::CalledOff`] when it was ended meanwhile. Nothing is left behind.
    pub async fn add(&self, new: NewSession) -> Result<Arc<Session>, StartError> {
        let (answer, answered) = oneshot::channel();
        self.core
            .tasks
            .spawn(supervisor::live(Arc::clone(&self.core), new, answer));
        // The supervisor drops the sender only when it dies before it has answered.
        let died = StartError::Failed {
            what: "supervising it",
            cause: "its supervisor died".into(),
        };
        answered.await.unwrap_or(Err(died))
    }

    /// The user's session; the latest one if there are several. Closing ones are not found.
    pub fn get(&self, user: UserId) -> Option<Arc<Session>> {
        self.core
            .registry
            .of_user(user)
            .into_iter()
            .rev()
            .find(|session| session.phase().is_live())
    }

    /// A session by its identity, closing ones too.
    pub fn get_by_id(&self, id: SessionId) -> Option<Arc<Session>> {
        self.core.registry.get(id)
    }

    /// Whether the user has a session that is not closing.
    pub fn is_in_session(&self, user: UserId) -> bool {
        self.get(user).is_some()
    }

    /// Every session that is not closed, oldest first.
    pub fn list(&self) -> Vec<SessionInfo> {
        let now = self.now();
        let info = |session: Arc<Session>| SessionInfo {
            id: session.id(),
            owner: session.owner(),
            guild: session.guild(),
            channel: session.voice_channel().clone(),
            phase: session.phase(),
            started_at: session.started_at(),
            active: session.active_since().map_or(Duration::ZERO, |since| {
                session.closing_since().unwrap_or(now).since(since)
            }),
            quiet: now.since(session.activity().last()),
            charged: session.charged(),
            memory_bytes: supervisor::measure(&session),
        };
        self.core.registry.all().into_iter().map(info).collect()
    }

    /// Every call, with its sessions and participants.
    pub fn calls(&self) -> Vec<CallInfo> {
        self.core.registry.calls()
    }

    /// Who somebody is that is heard in a guild's call: the owner of a session, who is charged, or a participant, who
    /// never is. Ask once when somebody begins to send, not for each packet.
    pub fn role(&self, guild: GuildId, user: UserId) -> Role {
        self.core
            .registry
            .role(guild, user, self.core.config.participants_kept)
    }

    /// The user ends their own session, or calls its start off. Ending what is ending already is fine.
    ///
    /// # Errors
    /// [`Refusal::NoSession`].
    pub fn end(&self, user: UserId) -> Result<Ending, Refusal> {
        let session = self.core.registry.end(user)?;
        Ok(Ending { session })
    }

    /// Somebody ends a session: its owner, or a moderator of its guild.
    ///
    /// # Errors
    /// [`Refusal::AlreadyEnded`], [`Refusal::NotYours`].
    pub fn end_session(&self, id: SessionId, actor: Actor) -> Result<Ending, Refusal> {
        let session = self.core.registry.get(id).ok_or(Refusal::AlreadyEnded)?;
        let reason = may_end(actor, session.owner(), session.guild())?;
        session.ask_to_end(reason);
        Ok(Ending {
            session: Some(session),
        })
    }

    /// Ends a session for a reason of its surroundings: its owner left, its channel is gone.
    ///
    /// # Errors
    /// [`Refusal::AlreadyEnded`].
    pub fn end_because(&self, id: SessionId, reason: CloseReason) -> Result<Ending, Refusal> {
        let session = self.core.registry.get(id).ok_or(Refusal::AlreadyEnded)?;
        session.ask_to_end(reason);
        Ok(Ending {
            session: Some(session),
        })
    }

    /// Ends every session of a guild's call: the call was lost, or the bot was thrown out. Says how many there were.
    pub fn end_call(&self, guild: GuildId, reason: CloseReason) -> usize {
        let sessions = self.core.registry.all();
        let of_guild = sessions.iter().filter(|session| session.guild() == guild);
        of_guild.inspect(|session| session.ask_to_end(reason)).count()
    }

    /// Everything that happens from now on.
    pub fn subscribe(&self) -> Events {
        self.core.events.subscribe()
    }

    /// The sessions that ended last, oldest first.
    pub fn recent(&self) -> Vec<ClosedSession> {
        self.core.registry.recent()
    }

    /// The work that cannot be stopped.
    pub fn quarantine(&self) -> &Arc<Quarantine> {
        &self.core.quarantine
    }

    /// Now, as [`Session::touch`] wants it. Take it once for many touches.
    pub fn now(&self) -> Moment {
        self.core.clock.now()
    }

    /// What the user may still use, for a forecast before joining.
    ///
    /// # Errors
    /// The store's.
    pub async fn usage(&self, user: UserId) -> Result<Usage, LimitsError> {
        let now = self.core.wall.utc();
        self.core
            .store_retrying("asking for usage", || self.core.ledger.usage(user, now))
            .await
    }

    /// Forgets what the store and this process keep of a user, as soon as that is possible.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, user: UserId, when: Forget) -> Result<Forgotten, LimitsError> {
        self.core.registry.forget_user(user);
        let now = self.core.wall.utc();
        self.core
            .store_retrying("forgetting a user", || self.core.ledger.forget(user, when, now))
            .await
    }

    /// Closes what an earlier process left open, each at its last tick. Call it before the first session.
    ///
    /// # Errors
    /// The store's.
    pub async fn recover(&self) -> Result<Recovery, LimitsError> {
        let recovery = self.core.ledger.recover(self.core.wall.utc()).await?;
        for record in &recovery.crashed {
            let (session, user) = (record.claim.session, record.claim.user);
            tracing::warn!(%session, %user, charged = %record.charged, "closed a session of a process that died");
        }
        Ok(recovery)
    }

    /// Looks after the stores until shutdown: every few minutes it closes the sessions of processes that died, and
    /// forgets who was not charged for long. Spawn it once.
    pub async fn keep_house(&self) {
        let every = Duration::from_mins(3);
        while self
            .core
            .stop
            .run_until_cancelled(tokio::time::sleep(every))
            .await
            .is_some()
        {
            if let Err(error) = self.recover().await {
                tracing::warn!(%error, "could not look for dead processes");
            }
            if let Err(error) = self.core.ledger.sweep(self.core.wall.utc()).await {
                tracing::warn!(%error, "could not sweep the store");
            }
        }
    }

    /// Lets nobody in any more, calls starts off, ends every session, and waits until all of it is gone: at most the
    /// cleanup delay and a second. What a slow store has not taken of them is waited for once more the cleanup delay;
    /// work that cannot be stopped is not.
    pub async fn shutdown(&self) -> Shutdown {
        /// How often it looks whether everything is gone.
        const LOOK: Duration = Duration::from_millis(5);
        let core = &self.core;
        core.registry.shut();
        let sessions = core.registry.all();
        for session in &sessions {
            session.ask_to_end(CloseReason::ShuttingDown);
        }
        // A start whose place is just being reserved becomes a session that is ended at once.
        let by = tokio::time::Instant::now() + core.config.cleanup_delay + Duration::from_secs(1);
        while core.registry.counts() != Counts::default() && tokio::time::Instant::now() < by {
            tokio::time::sleep(LOOK).await;
        }
        core.stop.cancel();
        core.tasks.close();
        let by = by + core.config.cleanup_delay;
        while core.tasks.len() > core.quarantine.own_tasks() && tokio::time::Instant::now() < by {
            tokio::time::sleep(LOOK).await;
        }
        if core.registry.counts().sessions == 0
            && let Err(violation) = nothing_left(self.leftovers(0))
        {
            // Not asserted: a machine under load may run late.
            super::telemetry::violation(violation.invariant.label(), &violation.to_string());
        }
        Shutdown {
            ended: sessions
                .iter()
                .filter(|session| session.closed.get().is_some())
                .count(),
            left: core.registry.counts().sessions,
            stuck: core.quarantine.list(),
        }
    }

    /// How full the tables are.
    pub fn counts(&self) -> Counts {
        self.core.registry.counts()
    }

    /// What is left, for [`invariant::nothing_left`](crate::invariant::nothing_left). `slots` is what the store says.
    pub fn leftovers(&self, slots: usize) -> Leftovers {
        let Counts {
            starting,
            sessions,
            users,
            calls,
        } = self.counts();
        Leftovers {
            tasks: (self.core.tasks.len()).saturating_sub(self.core.quarantine.own_tasks()),
            starting,
            sessions,
            users,
            calls,
            slots,
        }
    }
}

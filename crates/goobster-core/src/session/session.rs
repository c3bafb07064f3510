//! The handle of one session: what anybody may read, the hot path's stamp, and the inbox of its supervisor.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, SetOnce};
use tokio_util::sync::CancellationToken;

use super::access::VoiceChannel;
use super::activity::Activity;
use super::call::Line;
use super::machine::Phase;
use super::resources::{Part, PartKind, Replaceable, VoiceConnection};
use super::{CloseReason, Epoch, SessionId};
use crate::ids::{ChannelId, GuildId, UserId};
use crate::limits::{Millis, SlotLease};
use crate::ports::LanguageChoice;
use crate::time::{Moment, UtcMillis};

/// How a session listens and speaks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AudioSettings {
    /// The language spoken to Goobster.
    pub language: LanguageChoice,
    /// The voice to answer with, by name; `None` for the best of the language.
    pub voice: Option<String>,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedSession {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub owner: UserId,
    /// Where.
    pub guild: GuildId,
    /// Why.
    pub reason: CloseReason,
    /// When its place was reserved.
    pub started_at: UtcMillis,
    /// When it was gone.
    pub closed_at: UtcMillis,
    /// How long it was active.
    pub active: Millis,
    /// What its owner was charged.
    pub charged: Millis,
    /// The cleanup's time.
    pub cleanup: Duration,
    /// Whether the cleanup had to force something.
    pub forced: bool,
}

/// One session. Kept by whoever needs it; holding it does not keep the session alive.
pub struct Session {
    activity: Activity,
    pub(super) id: SessionId,
    pub(super) owner: UserId,
    pub(super) guild: GuildId,
    pub(super) voice: VoiceChannel,
    pub(super) text: ChannelId,
    pub(super) audio: AudioSettings,
    pub(super) lease: SlotLease,
    pub(super) started_at: UtcMillis,
    /// What the supervisor last saw: its phase and counters, for everybody else.
    view: Mutex<View>,
    inbox: Mutex<Inbox>,
    pub(super) bell: Notify,
    pub(super) line: Arc<Line>,
    held: Mutex<Held>,
    memory_peak: AtomicUsize,
    charged: AtomicU64,
    /// Whether the ledger may know it: then it needs a close record.
    pub(super) in_ledger: AtomicBool,
    pub(super) stopping: CancellationToken,
    pub(super) closed: SetOnce<ClosedSession>,
}

#[derive(Debug, Clone, Copy)]
struct View {
    phase: Phase,
    active_since: Option<Moment>,
    closing_since: Option<Moment>,
}

/// What others ask of the supervisor. Bounded by its shape: the first end wins, each fault is kept once.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) end: Option<CloseReason>,
    pub(super) faults: Vec<(Replaceable, Arc<str>)>,
}

/// The parts, each in its place. Once shut, nothing can be put in any more.
#[derive(Default)]
struct Held {
    parts: [Option<Arc<dyn Part>>; PartKind::ALL.len()],
    shut: bool,
}

/// What a new session is made of.
pub(super) struct Birth {
    pub(super) id: SessionId,
    pub(super) owner: UserId,
    pub(super) guild: GuildId,
    pub(super) voice: VoiceChannel,
    pub(super) text: ChannelId,
    pub(super) audio: AudioSettings,
    pub(super) lease: SlotLease,
    pub(super) line: Arc<Line>,
    pub(super) now: Moment,
    pub(super) started_at: UtcMillis,
    pub(super) stopping: CancellationToken,
}

impl Session {
    pub(super) fn new(birth: Birth) -> Self {
        let Birth {
            id,
            owner,
            guild,
            voice,
            text,
            audio,
            lease,
            line,
            now,
            started_at,
            stopping,
        } = birth;
        Self {
            activity: Activity::new(now),
            id,
            owner,
            guild,
            voice,
            text,
            audio,
            lease,
            started_at,
            view: Mutex::new(View {
                phase: Phase::Reserved,
                active_since: None,
                closing_since: None,
            }),
            inbox: Mutex::default(),
            bell: Notify::new(),
            line,
            held: Mutex::default(),
            memory_peak: AtomicUsize::new(0),
            charged: AtomicU64::new(0),
            in_ledger: AtomicBool::new(false),
            stopping,
            closed: SetOnce::new(),
        }
    }

    /// Its identity, for ever.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Who started it and is charged for it.
    pub fn owner(&self) -> UserId {
        self.owner
    }

    /// Its guild.
    pub fn guild(&self) -> GuildId {
        self.guild
    }

    /// Its voice channel.
    pub fn voice_channel(&self) -> &VoiceChannel {
        &self.voice
    }

    /// Its text channel: captions, status message, notices.
    pub fn text_channel(&self) -> ChannelId {
        self.text
    }

    /// How it listens and speaks.
    pub fn audio(&self) -> &AudioSettings {
        &self.audio
    }

    /// The fencing token it runs under.
    pub fn epoch(&self) -> Epoch {
        self.lease.epoch
    }

    /// When its place was reserved.
    pub fn started_at(&self) -> UtcMillis {
        self.started_at
    }

    /// Somebody spoke at `now` (see [`SessionManager::now`](super::SessionManager::now)). From any thread, without a
    /// lock, at most 20 ns. Silence frames are not speech: do not touch for them.
    #[inline]
    pub fn touch(&self, now: Moment) {
        self.activity.touch(now);
    }

    /// The stamp behind [`touch`](Self::touch).
    #[inline]
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Where it is in its life, as its supervisor last said.
    pub fn phase(&self) -> Phase {
        lock(&self.view).phase
    }

    /// When it became active; `None` before.
    pub fn active_since(&self) -> Option<Moment> {
        lock(&self.view).active_since
    }

    /// When it began to close; `None` before.
    pub fn closing_since(&self) -> Option<Moment> {
        lock(&self.view).closing_since
    }

    /// What its owner was charged for it so far.
    pub fn charged(&self) -> Millis {
        Millis::new(self.charged.load(Ordering::Relaxed))
    }

    /// Cancelled when the session begins to close: work under way should come to an end.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Waits until it is gone, and says how it ended. Cancel-safe.
    pub async fn closed(&self) -> ClosedSession {
        self.closed.wait().await.clone()
    }

    /// Tells the supervisor that something failed. It is replaced inside the living session, or the session ends when
    /// that happens too often. Telling it twice before it was looked at is the same as once.
    pub fn fault(&self, what: Replaceable, cause: impl Into<Arc<str>>) {
        {
            let mut inbox = lock(&self.inbox);
            if inbox.faults.iter().any(|(known, _)| *known == what) {
                return;
            }
            inbox.faults.push((what, cause.into()));
        }
        self.bell.notify_one();
    }

    /// Asks the supervisor to end it; the first reason wins.
    pub(super) fn ask_to_end(&self, reason: CloseReason) {
        lock(&self.inbox).end.get_or_insert(reason);
        self.bell.notify_one();
    }

    pub(super) fn take_inbox(&self) -> Inbox {
        std::mem::take(&mut *lock(&self.inbox))
    }

    pub(super) fn show(&self, phase: Phase, now: Moment) {
        let mut view = lock(&self.view);
        view.phase = phase;
        match phase {
            Phase::Active => {
                view.active_since.get_or_insert(now);
            }
            Phase::Closing(_) => {
                view.closing_since.get_or_insert(now);
            }
            _ => {}
        }
    }

    pub(super) fn show_charged(&self, charged: Millis) {
        self.charged.store(charged.get(), Ordering::Relaxed);
    }

    /// A part of it, if there is one now.
    pub fn part(&self, kind: PartKind) -> Option<Arc<dyn Part>> {
        lock(&self.held).parts[kind as usize].clone()
    }

    /// The voice connection of its call, once that is open.
    pub fn connection(&self) -> Option<Arc<dyn VoiceConnection>> {
        self.line.connection()
    }

    /// Puts a part in its place. Gives it back when the session is closing: then it must be stopped by the caller.
    pub(super) fn hold(&self, kind: PartKind, part: Arc<dyn Part>) -> Result<(), Arc<dyn Part>> {
        let mut held = lock(&self.held);
        if held.shut {
            return Err(part);
        }
        held.parts[kind as usize] = Some(part);
        Ok(())
    }

    pub(super) fn take_part(&self, kind: PartKind) -> Option<Arc<dyn Part>> {
        lock(&self.held).parts[kind as usize].take()
    }

    /// Nothing can be put in any more.
    pub(super) fn shut(&self) {
        lock(&self.held).shut = true;
    }

    /// Bytes it holds now: its own and its parts'. The call's connection is counted in each of its sessions.
    pub fn memory_bytes(&self) -> usize {
        let parts: Vec<_> = lock(&self.held).parts.iter().flatten().cloned().collect();
        let connection = self.line.connection();
        let parts = parts.iter().map(|part| part.memory_bytes());
        let held: usize = parts.chain(connection.map(|line| line.memory_bytes())).sum();
        let bytes = held.saturating_add(size_of::<Self>());
        self.memory_peak.fetch_max(bytes, Ordering::Relaxed);
        bytes
    }

    /// The most bytes it was seen to hold.
    pub fn memory_peak(&self) -> usize {
        self.memory_peak.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("owner", &self.owner)
            .field("guild", &self.guild)
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}

/// Locks; a panic of an earlier holder leaves nothing half-written here, so its poison is ignored.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

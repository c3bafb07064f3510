//! A guild's call: one voice connection, shared by the sessions on it.
//!
//! - [`Call`]: the handle, and the voice connection that the session manager opens and stops.
//! - `task`: the call's life; `room`: its conversation; `scribe`: what people see of it.
//! - `link`: joining, leaving, packets; `frame`, `streams` and `seat`: from a packet to an ear; `playback`: Goobster's voice.
//! - `attendance`: what a session owns of a call.

mod attendance;
mod frame;
mod link;
mod playback;
mod room;
mod scribe;
mod seat;
mod streams;
mod task;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goobster_core::consent::Roster;
use goobster_core::health::{Health, SpeakerHealth};
use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::ports::PortFuture;
use goobster_core::presence::{Presence, PresenceConfig};
use goobster_core::session::{CloseReason, Part, PartError, Session, SessionId, StopCause, VoiceConnection};
use goobster_core::transcript::Transcript;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::link::{Link, LinkEvent};
use self::scribe::Desk;
use self::task::{CallTask, State};
use super::bot::Bot;
use super::captioner::Captioner;
use crate::admission::contained::contained;
use crate::cli::exit::Failure;
use crate::converse::room::Troubles;
use crate::monitoring::measured;

pub(crate) use self::attendance::{Attendance, Wanted};
pub(crate) use self::link::songbird;

/// Events that may wait for a call's task; whoever tells more waits.
const EVENTS: usize = 256;

/// Events that may wait besides, when the queue is full.
const LATE: usize = 256;

/// Packets' ticks that may wait: 2 s.
const TICKS: usize = 100;

/// How long a call may take to say how it is.
const ANSWER: Duration = Duration::from_secs(1);

/// Somebody in a voice channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// Who.
    pub(crate) id: UserId,
    /// As people know them in the guild.
    pub(crate) name: String,
    /// Whether it is a bot's account.
    pub(crate) is_bot: bool,
    /// Whether they muted or deafened themselves, or were.
    pub(crate) muted: bool,
}

/// Where a call is.
#[derive(Debug, Clone)]
pub(crate) struct CallSpec {
    /// The guild.
    pub(crate) guild: GuildId,
    /// The voice channel to join.
    pub(crate) voice: ChannelId,
    /// Where it is written about at first.
    pub(crate) text: ChannelId,
}

/// What a call's task is told.
#[derive(Debug)]
pub(crate) enum CallEvent {
    /// Somebody's voice state in the guild.
    VoiceState {
        /// Whose.
        user: UserId,
        /// Them.
        person: Person,
        /// Where they are now.
        channel: Option<ChannelId>,
    },
    /// The gateway began anew: look who is there.
    LookAround,
    /// The gateway is lost, or back where it was.
    Gateway {
        /// Whether it can be believed.
        up: bool,
    },
    /// A channel was deleted.
    ChannelGone(ChannelId),
    /// The guild is gone.
    GuildGone,
    /// A session joined the call.
    Attend {
        /// Which.
        session: Arc<Session>,
        /// Whether it wants turns answered.
        answer: bool,
    },
    /// A session left the call.
    Unattend {
        /// Which.
        session: SessionId,
        /// What is written about it.
        notice: String,
    },
    /// Somebody agreed to be heard, or does not want to be.
    Consent {
        /// Who.
        user: UserId,
        /// Whether they may be heard.
        heard: bool,
    },
    /// Somebody wants to be forgotten.
    Forget {
        /// Who.
        who: UserId,
    },
    /// Words of somebody were captioned.
    Words {
        /// Whose.
        who: UserId,
        /// How many.
        count: usize,
    },
    /// Say this.
    Announce(String),
    /// Coming back into the channel ended.
    Rejoined(Result<(), PartError>),
    /// The conversation ended.
    RoomOver(Result<Troubles, Failure>),
    /// How is it?
    Status(oneshot::Sender<Status>),
    /// Leave; answered when Discord has seen it.
    Leave(oneshot::Sender<()>),
}

/// How a call is.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    /// The voice channel.
    pub(crate) channel: ChannelId,
    /// Where captions go.
    pub(crate) captions: ChannelId,
    /// Whether the voice link holds.
    pub(crate) connected: bool,
    /// Everybody there, bots left out.
    pub(crate) speakers: Vec<SpeakerStatus>,
}

/// How somebody is heard.
#[derive(Debug, Clone)]
pub(crate) struct SpeakerStatus {
    /// Who.
    pub(crate) who: UserId,
    /// Their name.
    pub(crate) name: String,
    /// Whether they may be heard.
    pub(crate) heard: bool,
    /// Whether they are speaking now.
    pub(crate) talking: bool,
    /// What was heard of them.
    pub(crate) health: SpeakerHealth,
}

/// What waits in a call's queues.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// Events for its task.
    pub(crate) events: usize,
    /// Captions, replies and notices.
    pub(crate) captions: usize,
}

/// A guild's call. Clones are the same call.
#[derive(Clone)]
pub(crate) struct Call {
    inner: Arc<Inner>,
}

struct Inner {
    bot: Arc<Bot>,
    spec: CallSpec,
    desk: Desk,
    link: Link,
    tell: mpsc::Sender<CallEvent>,
    /// Places for events that found the queue full.
    late: Arc<Semaphore>,
    /// The whereabouts of people are to be looked up, for the queue was full.
    behind: AtomicBool,
    life: Mutex<Life>,
}

/// What the task takes when it begins.
struct Inboxes {
    events: mpsc::Receiver<CallEvent>,
    link: mpsc::Receiver<LinkEvent>,
}

enum Life {
    /// Not joined yet.
    Idle(Option<Inboxes>),
    Running(AbortHandle),
    Left,
}

impl Call {
    /// A call that is not joined.
    pub(crate) fn new(bot: Arc<Bot>, spec: CallSpec) -> Self {
        let (tell, events) = mpsc::channel(EVENTS);
        let (link_events, link_inbox) = mpsc::channel(TICKS);
        let link = Link::new(Arc::clone(bot.songbird()), spec.guild, link_events);
        let captioner = bot.captioner(spec.text);
        let desk = Desk {
            captioner: Arc::new(Mutex::new(captioner)),
            transcript: Arc::new(Mutex::new(Transcript::new(bot.config().captions.kept))),
            sessions: Arc::default(),
        };
        let inboxes = Inboxes {
            events,
            link: link_inbox,
        };
        let inner = Inner {
            bot,
            spec,
            desk,
            link,
            tell,
            late: Arc::new(Semaphore::new(LATE)),
            behind: AtomicBool::new(false),
            life: Mutex::new(Life::Idle(Some(inboxes))),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Where it is.
    pub(crate) fn spec(&self) -> &CallSpec {
        &self.inner.spec
    }

    /// Tells the call's task something; what the task is too late for is dropped with a word in the log.
    pub(crate) fn tell(&self, event: CallEvent) {
        match self.inner.tell.try_send(event) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(event)) => self.tell_late(event),
            Err(mpsc::error::TrySendError::Closed(event)) => {
                tracing::debug!(guild = %self.inner.spec.guild, ?event, "the call is over");
            }
        }
    }

    /// Tells it once there is room. Where people are can be looked up, so of those events one stands for all that wait.
    fn tell_late(&self, event: CallEvent) {
        let inner = Arc::clone(&self.inner);
        let event = if matches!(event, CallEvent::VoiceState { .. } | CallEvent::LookAround) {
            if inner.behind.swap(true, Ordering::SeqCst) {
                return;
            }
            CallEvent::LookAround
        } else {
            event
        };
        let Ok(place) = Arc::clone(&inner.late).try_acquire_owned() else {
            tracing::error!(guild = %inner.spec.guild, ?event, "a call takes nothing up any more; this is lost");
            return;
        };
        tokio::spawn(async move {
            if matches!(event, CallEvent::LookAround) {
                // From here on what happens is news again.
                let sent = inner.tell.reserve().await;
                inner.behind.store(false, Ordering::SeqCst);
                if let Ok(permit) = sent {
                    permit.send(event);
                }
            } else {
                let _ = inner.tell.send(event).await;
            }
            drop(place);
        });
    }

    /// Writes a notice in the call's channel.
    pub(crate) fn notice(&self, text: impl Into<String>) {
        self.inner.desk.captioner().notice(text);
    }

    /// Captions go there from now on.
    pub(crate) fn caption_into(&self, captioner: Captioner) {
        self.inner.desk.move_to(captioner);
    }

    /// Where captions go.
    pub(crate) fn captions(&self) -> ChannelId {
        self.inner.desk.captioner().channel()
    }

    /// Looks at what was said so far.
    pub(crate) fn transcript<T>(&self, look: impl FnOnce(&Transcript) -> T) -> T {
        look(
            &self
                .inner
                .desk
                .transcript
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Writes down what somebody had Goobster say for them.
    pub(crate) fn written(&self, name: &str, text: &str) {
        self.notice(format!("{name} has me say: {text}"));
    }

    /// Forgets somebody's words, and what was answered to them; how many captions there were. What they are saying just now
    /// is not captioned any more.
    pub(crate) fn forget(&self, who: UserId) -> usize {
        self.tell(CallEvent::Forget { who });
        let mut transcript = self
            .inner
            .desk
            .transcript
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        transcript.forget(who)
    }

    /// What waits in its queues.
    pub(crate) fn waiting(&self) -> Waiting {
        let tell = &self.inner.tell;
        Waiting {
            events: tell.max_capacity() - tell.capacity(),
            captions: self.inner.desk.captioner().waiting(),
        }
    }

    /// How it is; `None` when it is over.
    pub(crate) async fn status(&self) -> Option<Status> {
        let (asked, answered) = oneshot::channel();
        self.inner.tell.send(CallEvent::Status(asked)).await.ok()?;
        tokio::time::timeout(ANSWER, answered).await.ok()?.ok()
    }

    fn begin(&self) {
        let mut life = self.inner.life.lock().unwrap_or_else(PoisonError::into_inner);
        let Life::Idle(inboxes) = &mut *life else { return };
        let Some(inboxes) = inboxes.take() else { return };
        let inner = &self.inner;
        let config = &inner.bot.config().discord;
        let presence = PresenceConfig {
            seed: inner.bot.seed(),
            ..config.presence
        };
        let task = CallTask {
            bot: Arc::clone(&inner.bot),
            spec: inner.spec.clone(),
            desk: inner.desk.clone(),
            link: inner.link.clone(),
            presence: Presence::new(presence, inner.spec.voice),
            roster: Roster::new(config.consent.into()),
            health: Health::new(config.health),
            tell: inner.tell.downgrade(),
            origin: Instant::now(),
            state: State::default(),
        };
        let (bot, guild) = (Arc::clone(&inner.bot), inner.spec.guild);
        let running = inner.bot.tasks().spawn(async move {
            if let Err(what) = contained(task.run(inboxes.events, inboxes.link)).await {
                // Nobody looks after the call any more: its sessions end, and others do not notice.
                measured::error("call");
                tracing::error!(%guild, what, "a call panicked");
                bot.sessions().end_call(guild, CloseReason::Faulted);
            }
        });
        *life = Life::Running(running.abort_handle());
    }

    fn end(&self) -> Option<AbortHandle> {
        let mut life = self.inner.life.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *life, Life::Left) {
            Life::Running(task) => Some(task),
            Life::Idle(_) | Life::Left => None,
        }
    }

    fn is_running(&self) -> bool {
        let life = self.inner.life.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(&*life, Life::Running(task) if !task.is_finished())
    }
}

impl Part for Call {
    fn stop(&self, _cause: StopCause) -> PortFuture<'_, Result<(), PartError>> {
        Box::pin(async move {
            let (left, done) = oneshot::channel();
            let asked = self.is_running() && self.inner.tell.send(CallEvent::Leave(left)).await.is_ok();
            // A task that ended in a panic leaves nothing by itself.
            if !asked || done.await.is_err() {
                self.inner.link.leave().await;
            }
            let _ = self.end();
            self.inner.bot.call_over(self).await;
            Ok(())
        })
    }

    fn force(&self) -> PortFuture<'_, Result<Vec<goobster_core::session::Stuck>, PartError>> {
        Box::pin(async move {
            if let Some(task) = self.end() {
                task.abort();
            }
            self.inner.link.leave().await;
            self.inner.bot.call_over(self).await;
            Ok(Vec::new())
        })
    }
}

impl VoiceConnection for Call {
    fn open(&self) -> PortFuture<'_, Result<(), PartError>> {
        Box::pin(async move {
            if self.is_running() {
                return Ok(());
            }
            self.inner.bot.call_begins(self);
            match self.inner.link.join(self.inner.spec.voice).await {
                Ok(()) => {
                    self.begin();
                    Ok(())
                }
                Err(error) => {
                    self.inner.link.leave().await;
                    Err(error)
                }
            }
        })
    }
}

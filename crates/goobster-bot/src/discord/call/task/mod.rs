//! A call's life: who is there, who is heard, whether the link holds, and what everybody hears of it.
//!
//! - here: the loop, and what happens to a call. - `people`: who is there and who is heard. - `hearing`: packets, and whether people
//!   are really heard. - `staying`: the link. - `sessions`: who asked for the call, and the room that serves them.
//!
//! The decisions are `goobster-core`'s: `presence` (the link and the people), `consent` (who is heard) and `health` (who is
//! really heard). This carries what happens to them and does what they say. The conversation itself runs in the room, a
//! task of its own, so that a decode never delays a packet.

mod hearing;
mod people;
mod sessions;
mod staying;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use goobster_core::consent::{Roster, RosterEvent};
use goobster_core::health::{Health, HealthEvent};
use goobster_core::ids::{ChannelId, UserId};
use goobster_core::presence::{Presence, PresenceEvent};
use goobster_core::session::SessionId;
use goobster_core::time::Moment;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::link::{Link, LinkEvent};
use super::scribe::Desk;
use super::streams::Streams;
use super::{CallEvent, CallSpec, Person, SpeakerStatus, Status};
use crate::converse::room::live::Order;
use crate::discord::bot::Bot;

/// How often hearing is examined.
const EXAMINE: Duration = Duration::from_millis(500);

/// How long Discord may take to say that the bot has stepped out, before it comes back all the same.
const STEP_OUT: Duration = Duration::from_secs(1);

/// How often a room that failed is opened again in one call.
const ROOMS: u32 = 3;

/// A session of the call.
struct Attendee {
    session: SessionId,
    owner: UserId,
    answer: bool,
}

/// What a call's task is made of.
pub(in crate::discord::call) struct CallTask {
    pub(in crate::discord::call) bot: Arc<Bot>,
    pub(in crate::discord::call) spec: CallSpec,
    pub(in crate::discord::call) desk: Desk,
    pub(in crate::discord::call) link: Link,
    pub(in crate::discord::call) presence: Presence,
    pub(in crate::discord::call) roster: Roster,
    pub(in crate::discord::call) health: Health,
    pub(in crate::discord::call) tell: mpsc::WeakSender<CallEvent>,
    pub(in crate::discord::call) origin: Instant,
    pub(in crate::discord::call) state: State,
}

/// What changes while a call goes on.
#[derive(Default)]
pub(in crate::discord::call) struct State {
    channel: Option<ChannelId>,
    people: HashMap<UserId, Person>,
    streams: Streams,
    attendees: Vec<Attendee>,
    orders: Option<mpsc::Sender<Order>>,
    room: Option<JoinHandle<()>>,
    rooms: u32,
    /// While the bot steps out to come back: its absence is not news.
    stepping: Option<Arc<Notify>>,
    /// Coming back, which must not outlive the call.
    rejoin: Option<JoinHandle<()>>,
    connected: bool,
}

impl CallTask {
    /// Runs until the call is left.
    pub(in crate::discord::call) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<CallEvent>,
        mut link_events: mpsc::Receiver<LinkEvent>,
    ) {
        self.state.channel = Some(self.spec.voice);
        self.state.connected = true;
        self.open_room();
        self.presence(PresenceEvent::Connected).await;
        self.look_around().await;
        let mut examine = tokio::time::interval(EXAMINE);
        examine.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let left = loop {
            let due = [self.presence.deadline(), self.roster.deadline()]
                .into_iter()
                .flatten()
                .min()
                .map(|at| self.origin + Duration::from_millis(at.as_millis()));
            let tick = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = inbox.recv() => match event {
                    None => break None,
                    Some(CallEvent::Leave(left)) => break Some(left),
                    Some(event) => self.event(event).await,
                },
                Some(event) = link_events.recv() => self.link_event(event).await,
                () = tick => {
                    self.presence(PresenceEvent::Tick).await;
                    self.consent(RosterEvent::Tick).await;
                }
                _ = examine.tick() => self.health(HealthEvent::Tick).await,
            }
        };
        self.close(inbox, left).await;
    }

    /// Ends the room, leaves the channel, and waits until Discord says so.
    async fn close(mut self, mut inbox: mpsc::Receiver<CallEvent>, left: Option<oneshot::Sender<()>>) {
        // The room hears what was said to its end while the channel is being left.
        self.state.orders = None;
        if let Some(rejoin) = self.state.rejoin.take() {
            rejoin.abort();
            let _ = rejoin.await;
        }
        self.link.leave().await;
        let gone = async {
            while let Some(event) = inbox.recv().await {
                if matches!(event, CallEvent::VoiceState { user, channel: None, .. } if user == self.bot.id())
                {
                    break;
                }
            }
        };
        if self.bot.is_in_voice(self.spec.guild) {
            let _ = tokio::time::timeout(STEP_OUT, gone).await;
        }
        if let Some(room) = self.state.room.take() {
            let _ = tokio::time::timeout(Duration::from_secs(1), room).await;
        }
        if let Some(left) = left {
            let _ = left.send(());
        }
    }

    fn now(&self) -> Moment {
        Moment::ZERO.after(self.origin.elapsed())
    }

    /// Opens the room: the conversation of everybody who is heard.
    fn open_room(&mut self) {
        self.state.rooms += 1;
        let (orders, inbox) = mpsc::channel(256);
        let room = crate::discord::call::room::hold(
            &self.bot,
            &self.spec,
            &self.desk,
            &self.link,
            self.tell.clone(),
            inbox,
        );
        self.state.room = Some(room);
        self.state.orders = Some(orders);
    }

    async fn order(&mut self, order: Order) {
        if let Some(orders) = &self.state.orders {
            // A room that is gone has said so, and is opened again.
            let _ = orders.send(order).await;
        }
    }

    async fn event(&mut self, event: CallEvent) {
        match event {
            CallEvent::VoiceState {
                user,
                person,
                channel,
            } if user == self.bot.id() => {
                drop(person);
                if channel.is_none()
                    && let Some(stepping) = &self.state.stepping
                {
                    stepping.notify_one();
                    return;
                }
                self.presence(PresenceEvent::BotState { channel }).await;
            }
            CallEvent::VoiceState {
                user,
                person,
                channel,
            } => {
                if channel.is_some() && channel == self.state.channel {
                    self.present(person).await;
                } else {
                    self.absent(user).await;
                }
            }
            CallEvent::LookAround => {
                if self.state.stepping.is_none() {
                    let channel = self.bot.voice_channel(self.spec.guild);
                    self.presence(PresenceEvent::GatewayAnew { channel }).await;
                }
                self.look_around().await;
            }
            CallEvent::Gateway { up } => {
                let event = if up {
                    PresenceEvent::GatewayBack
                } else {
                    PresenceEvent::GatewayLost
                };
                self.presence(event).await;
            }
            CallEvent::ChannelGone(channel) => {
                if Some(channel) == self.state.channel {
                    self.presence(PresenceEvent::ChannelDeleted).await;
                }
            }
            CallEvent::GuildGone => self.presence(PresenceEvent::GuildGone).await,
            CallEvent::Attend { session, answer } => self.attend(&session, answer).await,
            CallEvent::Unattend { session, notice } => self.unattend(session, notice).await,
            CallEvent::Consent { user, heard } => {
                let event = if heard {
                    RosterEvent::Agreed { who: user }
                } else {
                    RosterEvent::OptedOut { who: user }
                };
                self.consent(event).await;
            }
            CallEvent::Forget { who } => self.order(Order::Forget { who }).await,
            CallEvent::Words { who, count } => {
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                self.health(HealthEvent::Words { who, count }).await;
            }
            CallEvent::Announce(text) => self.announce(text).await,
            CallEvent::Rejoined(Ok(())) => {
                self.state.stepping = None;
                self.health(HealthEvent::Rejoined).await;
                self.look_around().await;
            }
            CallEvent::Rejoined(Err(error)) => {
                self.state.stepping = None;
                tracing::warn!(guild = %self.spec.guild, error = %error.report(), "could not come back into the call");
                self.presence(PresenceEvent::JoinFailed).await;
            }
            CallEvent::RoomOver(result) => self.room_over(result).await,
            CallEvent::Status(asked) => {
                let _ = asked.send(self.status());
            }
            CallEvent::Leave(_) => {}
        }
    }

    fn status(&self) -> Status {
        let mut speakers: Vec<SpeakerStatus> = self
            .state
            .people
            .values()
            .filter(|person| !person.is_bot)
            .map(|person| SpeakerStatus {
                who: person.id,
                name: person.name.clone(),
                heard: self.state.streams.hears(person.id),
                talking: self.health.is_talking(self.now(), person.id),
                health: self.health.report(person.id),
            })
            .collect();
        speakers.sort_by(|a, b| a.name.cmp(&b.name));
        Status {
            channel: self.state.channel.unwrap_or(self.spec.voice),
            captions: self.desk.captioner().channel(),
            connected: self.state.connected,
            speakers,
        }
    }
}

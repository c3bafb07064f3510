//! A call's life: who is there, who is heard, whether the link holds, and what everybody hears of it.
//!
//! The decisions are `goobster-core`'s: `presence` (the link and the people), `consent` (who is heard) and `health` (who is
//! really heard). This carries what happens to them and does what they say. The conversation itself runs in the room, a
//! task of its own, so that a decode never delays a packet.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use goobster_core::consent::{Roster, RosterEffect, RosterEvent};
use goobster_core::health::{FrameKind, Health, HealthEffect, HealthEvent};
use goobster_core::ids::{ChannelId, UserId};
use goobster_core::presence::{Presence, PresenceEffect, PresenceEvent};
use goobster_core::session::SessionId;
use goobster_core::time::Moment;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::link::{Link, LinkEvent, Packet};
use super::scribe::Desk;
use super::seat::{Decoded, Feed, Member, Stream};
use super::{CallEvent, CallSpec, Person, SpeakerStatus, Status, frame};
use crate::cli::exit::Failure;
use crate::config::show_span;
use crate::converse::room::Troubles;
use crate::converse::room::live::Order;
use crate::discord::bot::Bot;
use crate::monitoring::measured;

/// How often hearing is examined.
const EXAMINE: Duration = Duration::from_millis(500);

/// How long Discord may take to say that the bot has stepped out, before it comes back all the same.
const STEP_OUT: Duration = Duration::from_secs(1);

/// SSRCs remembered at most: far more than members fit into a channel.
const STREAMS: usize = 512;

/// How often a room that failed is opened again in one call.
const ROOMS: u32 = 3;

/// A session of the call.
struct Attendee {
    session: SessionId,
    owner: UserId,
    answer: bool,
}

/// What a call's task is made of.
pub(super) struct CallTask {
    pub(super) bot: Arc<Bot>,
    pub(super) spec: CallSpec,
    pub(super) desk: Desk,
    pub(super) link: Link,
    pub(super) presence: Presence,
    pub(super) roster: Roster,
    pub(super) health: Health,
    pub(super) tell: mpsc::WeakSender<CallEvent>,
    pub(super) origin: Instant,
    pub(super) state: State,
}

/// What changes while a call goes on.
#[derive(Default)]
pub(super) struct State {
    channel: Option<ChannelId>,
    people: HashMap<UserId, Person>,
    heard: HashMap<UserId, Feed>,
    ssrcs: HashMap<u32, UserId>,
    streams: HashMap<u32, Stream>,
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
    pub(super) async fn run(
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
        let room = super::room::hold(
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

    /// Tells who is in the channel now, as after joining it or being dragged into it.
    async fn look_around(&mut self) {
        let Some(channel) = self.state.channel else { return };
        let here = self.bot.people_in(self.spec.guild, channel).await;
        let gone: Vec<UserId> = {
            let now: HashSet<UserId> = here.iter().map(|person| person.id).collect();
            let known = self.state.people.keys().copied();
            known.filter(|who| !now.contains(who)).collect()
        };
        for who in gone {
            self.absent(who).await;
        }
        for person in here {
            self.present(person).await;
        }
    }

    async fn present(&mut self, person: Person) {
        let (who, is_bot, muted) = (person.id, person.is_bot, person.muted);
        let opted_out = self.bot.preferences().opted_out(who);
        let known = self.state.people.insert(who, person).is_some();
        if is_bot {
            return;
        }
        if known {
            self.health(HealthEvent::Muted { who, muted }).await;
            return;
        }
        self.presence(PresenceEvent::Present { who }).await;
        let present = RosterEvent::Present {
            who,
            is_bot,
            opted_out,
        };
        self.consent(present).await;
    }

    async fn absent(&mut self, who: UserId) {
        if self.state.people.remove(&who).is_none_or(|person| person.is_bot) {
            return;
        }
        self.state.ssrcs.retain(|_, user| *user != who);
        self.consent(RosterEvent::Absent { who }).await;
        self.presence(PresenceEvent::Absent { who }).await;
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

    async fn attend(&mut self, session: &Arc<goobster_core::session::Session>, answer: bool) {
        let (id, owner) = (session.id(), session.owner());
        self.state.attendees.push(Attendee {
            session: id,
            owner,
            answer,
        });
        self.desk
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(session));
        self.presence(PresenceEvent::OwnerSet { who: owner }).await;
        self.answer_if_wanted().await;
    }

    async fn unattend(&mut self, session: SessionId, notice: String) {
        let Some(index) = self.state.attendees.iter().position(|it| it.session == session) else {
            return;
        };
        let gone = self.state.attendees.remove(index);
        self.desk
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|it| it.id() != session);
        if !notice.is_empty() {
            self.desk.captioner().notice(notice);
        }
        if !self.state.attendees.iter().any(|it| it.owner == gone.owner) {
            self.presence(PresenceEvent::OwnerUnset { who: gone.owner }).await;
        }
        self.answer_if_wanted().await;
    }

    /// Turns are answered while anybody's session wants answers; captions alone want none.
    async fn answer_if_wanted(&mut self) {
        let answer = self.state.attendees.iter().any(|it| it.answer);
        self.order(Order::Answer(answer)).await;
    }

    async fn announce(&mut self, text: String) {
        let language = self.bot.spoken_language(self.spec.guild);
        self.order(Order::Announce { text, language }).await;
    }

    async fn room_over(&mut self, result: Result<Troubles, Failure>) {
        self.state.orders = None;
        let Err(failure) = result else { return };
        measured::error("room");
        tracing::error!(guild = %self.spec.guild, %failure, "the conversation failed");
        if self.state.rooms > ROOMS {
            self.bot
                .sessions()
                .end_call(self.spec.guild, goobster_core::session::CloseReason::Faulted);
            return;
        }
        self.desk
            .captioner()
            .notice("Something went wrong with my hearing. One moment, I am setting it up again.");
        self.open_room();
        let seats: Vec<UserId> = self.state.heard.keys().copied().collect();
        for who in seats {
            self.hear(who).await;
        }
        self.answer_if_wanted().await;
    }

    async fn link_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Speaking { ssrc, user } => {
                if self.state.ssrcs.len() >= STREAMS {
                    self.state.ssrcs.clear();
                }
                // A member who came back has a new stream, and the old one may be somebody else's later.
                self.state.ssrcs.retain(|_, owner| *owner != user);
                self.state.ssrcs.insert(ssrc, user);
                if user != self.bot.id() {
                    self.health(HealthEvent::Announced { who: user }).await;
                }
            }
            LinkEvent::Connected => {
                self.state.connected = true;
                self.presence(PresenceEvent::Connected).await;
            }
            LinkEvent::Lost(close_code) => {
                self.state.connected = false;
                measured::link_lost();
                tracing::warn!(guild = %self.spec.guild, close_code, "the voice link is lost");
                if close_code == Some(4014) {
                    // Thrown out, or the gateway's session is over: that depends on whether the gateway still answers.
                    self.presence(PresenceEvent::GatewayLost).await;
                    self.bot.probe_gateway(self.spec.guild).await;
                }
                self.presence(PresenceEvent::LinkLost { close_code }).await;
            }
            LinkEvent::Tick(packets) => self.packets(packets).await,
        }
    }

    /// Decodes 20 ms of everybody who may be heard. Nobody else's packets are looked into.
    async fn packets(&mut self, packets: Vec<Packet>) {
        for packet in packets {
            let Some(who) = self.state.ssrcs.get(&packet.ssrc).copied() else {
                measured::unknown_frame();
                self.health(HealthEvent::Unknown).await;
                continue;
            };
            let Some(feed) = self.state.heard.get(&who) else {
                continue;
            };
            if self.state.streams.len() >= STREAMS {
                self.state.streams.clear();
            }
            let stream = match self.state.streams.entry(packet.ssrc) {
                std::collections::hash_map::Entry::Occupied(stream) => stream.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => match Stream::new(feed.clone()) {
                    Ok(stream) => place.insert(stream),
                    Err(error) => {
                        tracing::error!(%error, "no decoder could be made");
                        continue;
                    }
                },
            };
            let skipped = packet
                .data
                .as_ref()
                .map_or(0, |data| stream.skipped(data.sequence));
            let decoded = match &packet.data {
                None => stream.decode(None, false),
                Some(data) => match frame::opus_frame(&data.payload, data.start, data.end, data.extension) {
                    Ok(frame) => stream.decode(Some(frame), false),
                    Err(error) => {
                        tracing::debug!(%error, "a packet without a frame");
                        stream.decode(None, true)
                    }
                },
            };
            let kind = match decoded {
                Decoded::Voice => FrameKind::Voice,
                Decoded::Silence => FrameKind::Silence,
                Decoded::Concealed => FrameKind::Concealed,
                Decoded::Undecodable => FrameKind::Undecodable,
            };
            if skipped > 0 {
                let packets = skipped;
                self.health(HealthEvent::Skipped { who, packets }).await;
            }
            measured::frame(kind);
            self.health(HealthEvent::Frame { who, kind }).await;
        }
    }

    async fn presence(&mut self, event: PresenceEvent) {
        let now = self.now();
        let effects = self.presence.step(now, event);
        for effect in effects {
            match effect {
                PresenceEffect::Join { channel } => self.rejoin(channel),
                PresenceEffect::MovedTo { channel } => {
                    self.state.channel = Some(channel);
                    self.desk
                        .captioner()
                        .notice(format!("I was moved to <#{channel}>."));
                    Box::pin(self.look_around()).await;
                }
                PresenceEffect::EndSession { owner, why } => {
                    for attendee in self.state.attendees.iter().filter(|it| it.owner == owner) {
                        let _ = self.bot.sessions().end_because(attendee.session, why.reason());
                    }
                }
                PresenceEffect::EndCall { why } => {
                    tracing::info!(guild = %self.spec.guild, %why, "the call ends");
                    self.bot.sessions().end_call(self.spec.guild, why.reason());
                }
                PresenceEffect::OwnerAway { owner } => {
                    let grace = show_span(self.bot.config().discord.presence.owner_grace);
                    let name = self.name_of(owner);
                    self.desk.captioner().notice(format!(
                        "{name} left. Their session ends in {grace} unless they come back."
                    ));
                }
                PresenceEffect::OwnerBack { owner } => {
                    let name = self.name_of(owner);
                    self.desk.captioner().notice(format!("{name} is back."));
                }
                PresenceEffect::Alone { ends_in } => {
                    self.desk.captioner().notice(format!(
                        "Everybody left. I leave in {} s unless somebody comes back.",
                        ends_in.as_secs()
                    ));
                }
                _ => {}
            }
        }
    }

    fn name_of(&self, who: UserId) -> String {
        self.state
            .people
            .get(&who)
            .map_or_else(|| "The session's owner".to_owned(), |person| person.name.clone())
    }

    /// Steps out of the channel and comes back: a new session with the voice server.
    fn rejoin(&mut self, channel: ChannelId) {
        if self.state.stepping.is_some() {
            return;
        }
        measured::rejoin();
        let out = Arc::new(Notify::new());
        self.state.stepping = Some(Arc::clone(&out));
        // Streams are announced anew.
        self.state.ssrcs.clear();
        self.state.streams.clear();
        let (link, tell) = (self.link.clone(), self.tell.clone());
        let there = self.bot.is_in_voice(self.spec.guild);
        let rejoin = self.bot.tasks().spawn(async move {
            link.step_out().await;
            if there {
                let _ = tokio::time::timeout(STEP_OUT, out.notified()).await;
            }
            let joined = link.join(channel).await;
            if let Some(tell) = tell.upgrade() {
                let _ = tell.send(CallEvent::Rejoined(joined)).await;
            }
        });
        self.state.rejoin = Some(rejoin);
    }

    async fn consent(&mut self, event: RosterEvent) {
        let now = self.now();
        let effects = self.roster.step(now, event);
        for effect in effects {
            match effect {
                RosterEffect::Hear { who } => self.hear(who).await,
                RosterEffect::Drop { who } => {
                    self.health(HealthEvent::Absent { who }).await;
                    self.state.heard.remove(&who);
                    let gone: Vec<u32> = self
                        .state
                        .ssrcs
                        .iter()
                        .filter_map(|(ssrc, user)| (*user == who).then_some(*ssrc))
                        .collect();
                    for ssrc in gone {
                        self.state.streams.remove(&ssrc);
                    }
                    self.order(Order::Rise { who }).await;
                }
                RosterEffect::TellAll => {
                    let channel = self.desk.captioner().channel();
                    self.bot.ask_consent(&self.spec, channel, &[]);
                }
                RosterEffect::TellSome(people) => {
                    self.bot
                        .ask_consent(&self.spec, self.desk.captioner().channel(), &people);
                }
                _ => {}
            }
        }
    }

    async fn hear(&mut self, who: UserId) {
        let Some(name) = self.state.people.get(&who).map(|person| person.name.clone()) else {
            return;
        };
        let feed = Feed::default();
        self.state.heard.insert(who, feed.clone());
        let muted = self.state.people.get(&who).is_some_and(|person| person.muted);
        self.health(HealthEvent::Present { who }).await;
        self.health(HealthEvent::Muted { who, muted }).await;
        // Their streams go to the new seat.
        let theirs: Vec<u32> = self
            .state
            .ssrcs
            .iter()
            .filter_map(|(ssrc, user)| (*user == who).then_some(*ssrc))
            .collect();
        for ssrc in theirs {
            self.state.streams.remove(&ssrc);
        }
        let source = Box::new(Member::new(name, feed));
        self.order(Order::Sit { who, source }).await;
    }

    async fn health(&mut self, event: HealthEvent) {
        let now = self.now();
        let effects = self.health.step(now, event);
        for effect in effects {
            match effect {
                HealthEffect::Deaf { who, why } => {
                    let name = self.name_of(who);
                    measured::unheard(why);
                    tracing::warn!(guild = %self.spec.guild, %who, ?why, "a speaker is not heard");
                    self.desk
                        .captioner()
                        .notice(format!("I cannot hear {name} just now. I am connecting anew."));
                }
                HealthEffect::HearsAgain { who } => {
                    let name = self.name_of(who);
                    self.desk.captioner().notice(format!("I hear {name} again."));
                }
                HealthEffect::Heal => {
                    self.state.connected = false;
                    Box::pin(self.presence(PresenceEvent::LinkLost { close_code: None })).await;
                }
                _ => {}
            }
        }
    }

    fn status(&self) -> Status {
        let heard: HashSet<UserId> = self.state.heard.keys().copied().collect();
        let mut speakers: Vec<SpeakerStatus> = self
            .state
            .people
            .values()
            .filter(|person| !person.is_bot)
            .map(|person| SpeakerStatus {
                who: person.id,
                name: person.name.clone(),
                heard: heard.contains(&person.id),
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

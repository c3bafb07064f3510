//! Gateway sessions: which events each gets, what is kept so that a session can go on after its connection broke, and how
//! many may begin.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::GatewayFault;
use crate::Config;
use crate::world::event::{Dispatch, intent};
use crate::world::{GuildId, UserId, World};

/// Events kept for a session that may go on; one that missed more must begin anew.
const MAX_REPLAY: usize = 2_000;
/// Messages that wait for a slow client; one that is slower is cut off.
pub(super) const MAX_WAITING: usize = 4_096;
/// In this time each group of shards may identify once.
const IDENTIFY_EVERY: Duration = Duration::from_secs(5);
/// Clocks of clients tick a little differently.
const IDENTIFY_GRACE: Duration = Duration::from_millis(250);

/// What a connection is told to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Out {
    /// Send this.
    Text(String),
    /// Act on this.
    Fault(GatewayFault),
}

#[derive(Debug)]
struct Session {
    shard: (u32, u32),
    intents: u64,
    sequence: u64,
    replay: VecDeque<(u64, String)>,
    /// Set while a connection carries the session.
    out: Option<mpsc::Sender<Out>>,
    /// Grows with each connection, so that a timer of an old one does no harm.
    connection: u64,
}

#[derive(Debug, Default)]
struct Registry {
    sessions: HashMap<String, Session>,
    /// When each group of shards identified last.
    identified: HashMap<u32, Instant>,
    started: u32,
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    max_concurrency: u32,
    session_starts: u32,
    registry: Mutex<Registry>,
}

/// Why a session does not begin or go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Too many begin at once, or today.
    TooSoon,
    /// There is no such session (any more), or it missed too much.
    Unknown,
}

impl Sessions {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            max_concurrency: config.max_concurrency.max(1),
            session_starts: config.session_starts,
            registry: Mutex::new(Registry::default()),
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sessions may still begin today.
    pub(crate) fn starts_left(&self) -> u32 {
        self.session_starts.saturating_sub(self.registry().started)
    }

    pub(crate) fn connected(&self) -> usize {
        self.registry()
            .sessions
            .values()
            .filter(|s| s.out.is_some())
            .count()
    }

    /// Begins a session: `READY`, then each guild of the shard.
    pub(super) fn begin(
        &self,
        world: &mut World,
        (shard, intents): ((u32, u32), u64),
        gateway_url: &str,
        now: Instant,
    ) -> Result<(String, mpsc::Receiver<Out>), Refused> {
        let mut registry = self.registry();
        let group = shard.0 % self.max_concurrency;
        let soon = |at: &Instant| now.duration_since(*at) + IDENTIFY_GRACE < IDENTIFY_EVERY;
        if registry.identified.get(&group).is_some_and(soon) || registry.started >= self.session_starts {
            return Err(Refused::TooSoon);
        }
        registry.identified.insert(group, now);
        registry.started += 1;
        let id = world.secret("session");
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let mut session = Session {
            shard,
            intents,
            sequence: 0,
            replay: VecDeque::new(),
            out: Some(sender),
            connection: 0,
        };
        let guilds: Vec<GuildId> = world
            .guilds()
            .map(|g| g.id)
            .filter(|g| session.owns(Some(*g)))
            .collect();
        let user = world
            .user(world.bot())
            .map(crate::world::user::User::to_current_json)
            .unwrap_or_default();
        let ready = json!({
            "v": 10, "user": user, "session_id": id, "resume_gateway_url": gateway_url, "shard": [shard.0, shard.1],
            "guilds": guilds.iter().map(|g| json!({ "id": g, "unavailable": true })).collect::<Vec<_>>(),
            "application": { "id": world.application(), "flags": 0 }, "private_channels": [], "relationships": [],
        });
        session.send("READY", &ready);
        for guild in guilds {
            if let Ok(data) = world.guild_create_json(guild) {
                session.send("GUILD_CREATE", &data);
            }
        }
        registry.sessions.insert(id.clone(), session);
        Ok((id, receiver))
    }

    /// Goes on with a session: everything after `sequence` again, then `RESUMED`. Says how many events that were.
    pub(super) fn resume(&self, id: &str, sequence: u64) -> Result<(usize, mpsc::Receiver<Out>), Refused> {
        let mut registry = self.registry();
        let session = registry.sessions.get_mut(id).ok_or(Refused::Unknown)?;
        let oldest = session.replay.front().map_or(session.sequence, |(n, _)| n - 1);
        if sequence < oldest || sequence > session.sequence {
            registry.sessions.remove(id);
            return Err(Refused::Unknown);
        }
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let missed: Vec<String> = session
            .replay
            .iter()
            .filter(|(n, _)| *n > sequence)
            .map(|(_, text)| text.clone())
            .collect();
        let replayed = missed.len();
        for text in missed {
            let _ = sender.try_send(Out::Text(text));
        }
        session.out = Some(sender);
        session.connection += 1;
        session.send("RESUMED", &json!({}));
        Ok((replayed, receiver))
    }

    /// The connection of a session ended; gives the number that [`expire`](Self::expire) wants.
    pub(super) fn disconnect(&self, id: &str, receiver: mpsc::Receiver<Out>) -> Option<u64> {
        let mut registry = self.registry();
        let session = registry.sessions.get_mut(id)?;
        drop(receiver);
        // The session may have gone on over another connection before this one was seen to end.
        if session.out.as_ref().is_some_and(|out| !out.is_closed()) {
            return None;
        }
        session.out = None;
        Some(session.connection)
    }

    /// Ends a session that has not gone on since connection number `connection`; says whether it did.
    pub(super) fn expire(&self, id: &str, connection: u64) -> bool {
        let mut registry = self.registry();
        let stale = registry
            .sessions
            .get(id)
            .is_some_and(|s| s.out.is_none() && s.connection == connection);
        if stale {
            registry.sessions.remove(id);
        }
        stale
    }

    /// Ends a session for good.
    pub(super) fn forget(&self, id: &str) {
        self.registry().sessions.remove(id);
    }

    /// Gives events to those who should see them.
    pub(crate) fn dispatch(&self, events: &[Dispatch], bot: UserId) {
        let mut registry = self.registry();
        for event in events {
            for session in registry.sessions.values_mut() {
                let wants = event.intent == 0 || session.intents & event.intent != 0;
                if wants && session.owns(event.guild) {
                    if hides_content(event, session.intents, bot) {
                        session.send(event.name, &without_content(&event.data));
                    } else {
                        session.send(event.name, &event.data);
                    }
                }
            }
        }
    }

    /// Sends an event to one session alone.
    pub(super) fn send_to(&self, id: &str, name: &str, data: &Value) {
        if let Some(session) = self.registry().sessions.get_mut(id) {
            session.send(name, data);
        }
    }

    /// Whether a session sees a guild.
    pub(super) fn owns(&self, id: &str, guild: GuildId) -> bool {
        self.registry()
            .sessions
            .get(id)
            .is_some_and(|s| s.owns(Some(guild)))
    }

    /// Orders a fault for connected sessions; says how many.
    pub(crate) fn fault(&self, shard: Option<u32>, fault: &GatewayFault) -> usize {
        let mut registry = self.registry();
        let hit = registry
            .sessions
            .values_mut()
            .filter(|s| shard.is_none_or(|n| n == s.shard.0));
        let order = |s: &mut Session| {
            let sent = s
                .out
                .as_ref()
                .is_some_and(|out| out.try_send(Out::Fault(fault.clone())).is_ok());
            usize::from(sent)
        };
        hit.map(order).sum()
    }
}

impl Session {
    /// Discord's sharding: by the high bits of the guild's id; what has no guild goes to the first shard.
    fn owns(&self, guild: Option<GuildId>) -> bool {
        let (index, count) = self.shard;
        guild.map_or(index == 0, |g| {
            (g.get() >> 22) % u64::from(count.max(1)) == u64::from(index)
        })
    }

    fn send(&mut self, name: &str, data: &Value) {
        self.sequence += 1;
        // Clients read the opcode first.
        let text = format!(r#"{{"op":0,"s":{},"t":"{name}","d":{data}}}"#, self.sequence);
        self.replay.push_back((self.sequence, text.clone()));
        if self.replay.len() > MAX_REPLAY {
            self.replay.pop_front();
        }
        if self
            .out
            .as_ref()
            .is_some_and(|out| out.try_send(Out::Text(text)).is_err())
        {
            self.out = None;
        }
    }
}

/// Without the intent for it, the words of others are hidden, except from those they mention.
fn hides_content(event: &Dispatch, intents: u64, bot: UserId) -> bool {
    let message = matches!(event.name, "MESSAGE_CREATE" | "MESSAGE_UPDATE");
    let own = event.data["author"]["id"].as_str() == Some(bot.to_string().as_str());
    let mentioned = event.data["content"]
        .as_str()
        .is_some_and(|c| c.contains(&format!("<@{bot}>")));
    message && intents & intent::MESSAGE_CONTENT == 0 && !own && !mentioned
}

fn without_content(data: &Value) -> Value {
    let mut data = data.clone();
    data["content"] = json!("");
    for list in ["embeds", "attachments", "components"] {
        data[list] = json!([]);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::DISCORD_EPOCH_MS;
    use crate::world::channel::ChannelKind;
    use crate::world::draft::Draft;

    fn texts(receiver: &mut mpsc::Receiver<Out>) -> Vec<Value> {
        std::iter::from_fn(|| receiver.try_recv().ok())
            .filter_map(|o| match o {
                Out::Text(text) => serde_json::from_str(&text).ok(),
                Out::Fault(_) => None,
            })
            .collect()
    }

    fn sessions(max_concurrency: u32) -> (Sessions, World) {
        let config = Config {
            max_concurrency,
            ..Config::default()
        };
        let world = World::new(1, DISCORD_EPOCH_MS + 99, "bot");
        (Sessions::new(&config), world)
    }

    fn run(sessions: &Sessions, world: &mut World) {
        let events = world.take_events();
        sessions.dispatch(&events, world.bot());
    }

    #[test]
    fn a_session_that_goes_on_gets_what_it_missed() {
        let (sessions, mut world) = sessions(1);
        let owner = world.owner();
        world.add_guild("a", owner).unwrap();
        world.take_events();
        let (id, mut first) = sessions
            .begin(&mut world, ((0, 1), intent::GUILDS), "wss://x", Instant::now())
            .unwrap();
        let began = texts(&mut first);
        assert_eq!(
            (began[0]["t"].as_str(), began[1]["t"].as_str()),
            (Some("READY"), Some("GUILD_CREATE"))
        );
        let connection = sessions.disconnect(&id, first).unwrap();
        world.add_guild("b", owner).unwrap();
        run(&sessions, &mut world);
        let (replayed, mut second) = sessions.resume(&id, 2).unwrap();
        let events = texts(&mut second);
        assert_eq!(replayed, 1);
        assert_eq!(
            events
                .iter()
                .map(|e| e["s"].as_u64().unwrap())
                .collect::<Vec<_>>(),
            [3, 4]
        );
        assert_eq!(
            (events[0]["d"]["name"].as_str(), events[1]["t"].as_str()),
            (Some("b"), Some("RESUMED"))
        );
        assert!(!sessions.expire(&id, connection), "it has gone on since");
        assert_eq!(sessions.resume(&id, 99).unwrap_err(), Refused::Unknown);
        assert_eq!(
            sessions.resume(&id, 2).unwrap_err(),
            Refused::Unknown,
            "a refused session is gone"
        );
    }

    #[test]
    fn shards_of_one_group_identify_five_seconds_apart() {
        let (sessions, mut world) = sessions(2);
        let now = Instant::now();
        let mut begin = |shard, at| sessions.begin(&mut world, ((shard, 4), 0), "wss://x", at).is_ok();
        assert!(begin(0, now) && begin(1, now));
        assert!(!begin(2, now + Duration::from_secs(4)));
        assert!(begin(2, now + Duration::from_secs(5)));
    }

    #[test]
    fn events_go_to_the_shard_that_owns_the_guild_and_wants_them() {
        let (sessions, mut world) = sessions(2);
        let now = Instant::now();
        let (_, mut zero) = sessions
            .begin(
                &mut world,
                ((0, 2), intent::GUILDS | intent::GUILD_MESSAGES),
                "",
                now,
            )
            .unwrap();
        let (_, mut one) = sessions
            .begin(&mut world, ((1, 2), intent::GUILDS), "", now)
            .unwrap();
        texts(&mut zero);
        texts(&mut one);
        let mut by_shard = [0, 0];
        for n in 0..40 {
            world.advance(world.now_ms() + 1);
            let guild = world.add_guild(&n.to_string(), world.owner()).unwrap();
            let channel = world.add_channel(guild, "t", ChannelKind::Text).unwrap();
            let owner = world.owner();
            world
                .create_message(channel, owner, Draft::words("secret"))
                .unwrap();
            run(&sessions, &mut world);
            let (a, b) = (texts(&mut zero), texts(&mut one));
            assert!(a.is_empty() != b.is_empty());
            by_shard[usize::from(a.is_empty())] += 1;
            if let Some(message) = a.last() {
                assert_eq!(
                    (message["t"].as_str(), message["d"]["content"].as_str()),
                    (Some("MESSAGE_CREATE"), Some(""))
                );
            }
            assert!(
                b.iter().all(|e| e["t"] != "MESSAGE_CREATE"),
                "not without the intent"
            );
        }
        assert!(by_shard.iter().all(|n| *n > 5), "{by_shard:?}");
    }
}

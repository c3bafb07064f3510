//! A manager on a memory store, and short ways to say things to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use goobster_core::ids::{ChannelId, UserId};
use goobster_core::limits::{Ledger, LimitsConfig, Millis, SlotClaim, Slots};
use goobster_core::session::{
    ClosedSession, Events, Heard, NewSession, Session, SessionConfig, SessionEvent, SessionManager,
    SessionParts, SessionPorts, StartError, TokioClock, WallClock,
};
use goobster_core::time::UtcMillis;
use goobster_store::MemoryStore;
use goobster_tests::sessions::{Chance, PlannedParts, StepFaults, Target, World, admitted};

use crate::scripted::ScriptedStore;

pub(crate) struct Fixture {
    pub(crate) sessions: SessionManager,
    pub(crate) store: MemoryStore,
    pub(crate) world: Arc<World>,
    pub(crate) events: Events,
    pub(crate) clock: Arc<TokioClock>,
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(&LimitsConfig::default(), SessionConfig::default(), None)
    }

    pub(crate) fn with(limits: &LimitsConfig, config: SessionConfig, lease: Option<Duration>) -> Self {
        Self::on(MemoryStore::with_lease(limits, lease).unwrap(), limits, config, 0)
    }

    /// A process on a store, which started so many seconds after the others.
    pub(crate) fn on(store: MemoryStore, limits: &LimitsConfig, config: SessionConfig, after: u64) -> Self {
        let began = UtcMillis::new(1_800_000_000_000).after(secs(after));
        let clock = Arc::new(TokioClock::starting_at(began));
        let ports = SessionPorts {
            slots: Arc::new(store.clone()),
            ledger: Arc::new(store.clone()),
            clock: Arc::clone(&clock) as Arc<dyn WallClock>,
            node: 0,
        };
        let sessions = SessionManager::new(config, *limits, ports).unwrap();
        let events = sessions.subscribe();
        Self {
            sessions,
            store,
            world: World::new(1, 4),
            events,
            clock,
        }
    }

    /// A process whose every call to the store takes so long, and which fails as the test says.
    pub(crate) fn scripted(slow: Duration) -> (Self, Arc<ScriptedStore>) {
        let limits = LimitsConfig::default();
        let store = MemoryStore::new(&limits).unwrap();
        let scripted = Arc::new(ScriptedStore::new(store.clone(), slow));
        let fixture = Self::on(store, &limits, SessionConfig::default(), 0);
        (fixture.through(Arc::clone(&scripted)), scripted)
    }

    /// The same with places and ledger behind something else.
    pub(crate) fn through<S: Slots + Ledger + 'static>(mut self, store: Arc<S>) -> Self {
        let ports = SessionPorts {
            slots: Arc::clone(&store) as Arc<dyn Slots>,
            ledger: store,
            clock: Arc::clone(&self.clock) as Arc<dyn WallClock>,
            node: 0,
        };
        let limits = LimitsConfig::default();
        self.sessions = SessionManager::new(SessionConfig::default(), limits, ports).unwrap();
        self.events = self.sessions.subscribe();
        self
    }

    /// Parts that fail as listed.
    pub(crate) fn parts(&self, guild: u64, listed: BTreeMap<Target, StepFaults>) -> PlannedParts {
        PlannedParts {
            world: Arc::clone(&self.world),
            guild,
            chance: Chance::Listed(listed),
            opening: 0,
            stuck: 0,
            work_fails: false,
        }
    }

    /// A session with sound parts.
    pub(crate) async fn add(&self, user: u64, guild: u64, channel: u64) -> Result<Arc<Session>, StartError> {
        self.add_with(user, guild, channel, self.parts(guild, BTreeMap::new()))
            .await
    }

    pub(crate) async fn add_with(
        &self,
        user: u64,
        guild: u64,
        channel: u64,
        parts: impl SessionParts,
    ) -> Result<Arc<Session>, StartError> {
        self.sessions
            .add(NewSession::new(
                admitted(user, guild, channel),
                ChannelId::new(9),
                parts,
            ))
            .await
    }

    pub(crate) async fn end(&self, user: u64) -> ClosedSession {
        self.sessions
            .end(UserId::new(user))
            .unwrap()
            .closed()
            .await
            .unwrap()
    }

    pub(crate) fn heard(&mut self) -> Vec<SessionEvent> {
        std::iter::from_fn(|| match self.events.try_next()? {
            Heard::Event(event) => Some(event),
            Heard::Missed(events) => panic!("missed {events} events"),
        })
        .collect()
    }

    pub(crate) async fn held(&self) -> u32 {
        self.store.held().await.unwrap().total()
    }

    pub(crate) async fn used(&self, user: u64) -> Millis {
        self.store
            .usage(UserId::new(user), self.clock.utc())
            .await
            .unwrap()
            .used
    }

    pub(crate) async fn record(&self, session: &Session) -> goobster_core::limits::CloseRecord {
        let claim = SlotClaim {
            session: session.id(),
            user: session.owner(),
            guild: session.guild(),
        };
        self.store.close_record(claim).await.unwrap().unwrap()
    }

    /// Nothing of any session is left anywhere.
    pub(crate) async fn assert_nothing_left(&self) {
        // Aborted tasks go at their next poll.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let held = self.held().await as usize;
        goobster_core::invariant::nothing_left(self.sessions.leftovers(held)).unwrap();
        assert_eq!(self.world.parts_alive(), 0, "parts");
        assert_eq!(self.world.lines_up(), 0, "calls");
        assert_eq!(
            self.world.permits.available_permits(),
            self.world.permit_count,
            "permits"
        );
        assert_eq!(self.world.violations(), Vec::<String>::new());
    }
}

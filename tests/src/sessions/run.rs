//! Carries a plan out under paused time and checks every invariant, during the run and after it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::invariant::{self, Violation};
use goobster_core::limits::{Ledger, LimitsConfig, Millis, SlotClaim, Slots};
use goobster_core::session::{
    Actor, Admitted, BotPermissions, Candidate, CloseReason, Consent, Heard, NewSession, Phase,
    SessionConfig, SessionEvent, SessionId, SessionManager, SessionPorts, TokioClock, VoiceChannel,
    WallClock,
};
use goobster_core::time::UtcMillis;
use goobster_store::MemoryStore;
use tokio::task::JoinSet;

use super::parts::{Chance, PlannedParts};
use super::plan::{Action, Plan};
use super::store::FaultyStore;
use super::world::World;

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Everything that must not be and was.
    pub violations: Vec<String>,
    /// Sessions that held a place.
    pub sessions: usize,
    /// Attempts at cleanup steps that failed.
    pub cleanup_errors: usize,
    /// Sessions whose cleanup had to force something.
    pub forced: usize,
    /// How long the run would have taken.
    pub simulated: Duration,
}

/// Runs the plan of a seed on a runtime of its own, with paused time.
///
/// # Errors
/// When no runtime can be made.
pub fn run_seed(seed: u64) -> std::io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    Ok(runtime.block_on(run_plan(Plan::of_seed(seed))))
}

/// Somebody who may have a session.
///
/// # Panics
/// Never: everything about the candidate is in order.
pub fn admitted(user: u64, guild: u64, channel: u64) -> Admitted {
    let candidate = Candidate {
        user: UserId::new(user),
        is_bot: false,
        guild: Some(GuildId::new(guild)),
        voice: Some(VoiceChannel {
            id: ChannelId::new(channel),
            name: format!("Channel {channel}"),
        }),
        permissions: BotPermissions::ALL,
        consent: Consent::Given,
    };
    match candidate.admit() {
        Ok(admitted) => admitted,
        Err(refusal) => unreachable!("{refusal}"),
    }
}

struct Run {
    plan: Plan,
    world: Arc<World>,
    store: Arc<FaultyStore>,
    clock: Arc<TokioClock>,
    limits: LimitsConfig,
    config: SessionConfig,
    sessions: SessionManager,
    violations: Vec<String>,
}

/// What the events say about one session.
#[derive(Debug, Default)]
struct Life {
    claim: Option<SlotClaim>,
    active: bool,
    closed: usize,
    cleaned: usize,
    reason: Option<CloseReason>,
    charged: Millis,
    active_for: Millis,
    lost: Millis,
}

/// Runs a plan on the current runtime, whose time must be paused.
///
/// # Panics
/// When the built-in configuration is refused, which would be a bug.
pub async fn run_plan(plan: Plan) -> Outcome {
    let world = World::new(plan.seed, 8);
    let limits = LimitsConfig {
        voice: Millis::from_secs(plan.voice_s),
        per_guild: 3,
        total: 5,
        ..LimitsConfig::default()
    };
    let mut config = SessionConfig::default();
    config.events_kept = 1 << 14;
    let lease = plan.leased.then_some(Duration::from_secs(30));
    let inner = MemoryStore::with_lease(&limits, lease).unwrap_or_else(|error| unreachable!("{error}"));
    let store = Arc::new(FaultyStore {
        inner,
        world: Arc::clone(&world),
        percent: plan.store_faults,
    });
    let clock = Arc::new(TokioClock::starting_at(UtcMillis::new(1_800_000_000_000)));
    let ports = SessionPorts {
        slots: Arc::clone(&store) as Arc<dyn Slots>,
        ledger: Arc::clone(&store) as Arc<dyn Ledger>,
        clock: Arc::clone(&clock) as Arc<dyn WallClock>,
        node: 0,
    };
    let sessions =
        SessionManager::new(config.clone(), limits, ports).unwrap_or_else(|error| unreachable!("{error}"));
    Run {
        plan,
        world,
        store,
        clock,
        limits,
        config,
        sessions,
        violations: Vec::new(),
    }
    .go()
    .await
}

impl Run {
    async fn go(mut self) -> Outcome {
        let began = tokio::time::Instant::now();
        let mut events = self.sessions.subscribe();
        let mut adding = JoinSet::new();
        for (pause, action) in std::mem::take(&mut self.plan.actions) {
            tokio::time::sleep(pause).await;
            self.perform(action, &mut adding);
            // A few polls, so that what was asked is under way in different stages.
            for _ in 0..self.world.below(6) {
                tokio::task::yield_now().await;
            }
            self.look().await;
        }
        self.end(&mut adding).await;
        let mut lives = BTreeMap::<SessionId, Life>::new();
        let mut outcome = Outcome::default();
        while let Some(heard) = events.try_next() {
            match heard {
                Heard::Event(event) => self.read(&mut lives, &mut outcome, &event),
                Heard::Missed(events) => self.violations.push(format!("{events} events were missed")),
            }
        }
        self.judge(&lives).await;
        outcome.sessions = lives.len();
        outcome.simulated = began.elapsed();
        self.violations.extend(self.world.violations());
        outcome.violations = self.violations;
        outcome
    }

    fn perform(&self, action: Action, adding: &mut JoinSet<()>) {
        let sessions = self.sessions.clone();
        match action {
            Action::Add { user, guild, channel } => {
                let parts = PlannedParts {
                    world: Arc::clone(&self.world),
                    guild,
                    chance: Chance::Percent(self.plan.part_faults),
                    opening: self.plan.part_faults / 5,
                    stuck: self.plan.stuck,
                    work_fails: self.world.chance(20),
                };
                let new = NewSession::new(admitted(user, guild, channel), ChannelId::new(9), parts);
                adding.spawn(async move {
                    let _ = sessions.add(new).await;
                });
            }
            Action::End { user, times } => {
                for _ in 0..times {
                    let _ = sessions.end(UserId::new(user));
                }
            }
            Action::Moderate { user, guild } => {
                if let Some(session) = sessions.get(UserId::new(user)) {
                    let actor = Actor::moderator(UserId::new(99), GuildId::new(guild));
                    let _ = sessions.end_session(session.id(), actor);
                }
            }
            Action::Speak { user } => {
                if let Some(session) = sessions.get(UserId::new(user)) {
                    session.touch(sessions.now());
                }
            }
            Action::Break { user, what } => {
                if let Some(session) = sessions.get(UserId::new(user)) {
                    session.fault(what, "planned fault");
                }
            }
            Action::LoseCall { guild } => {
                sessions.end_call(GuildId::new(guild), CloseReason::ConnectionLost);
            }
        }
    }

    fn check(&mut self, result: Result<(), Violation>) {
        if let Err(violation) = result {
            let now = self.sessions.now();
            self.violations.push(format!("at {now}: {violation}"));
        }
    }

    /// The invariants that hold at every moment.
    async fn look(&mut self) {
        let (list, counts) = (self.sessions.list(), self.sessions.counts());
        let closing = list.iter().filter(|session| !session.phase.is_live()).count();
        if self.plan.store_faults == 0 {
            let held = self
                .store
                .inner
                .held()
                .await
                .map_or(0, |held| held.total() as usize);
            self.check(invariant::slots_match(
                held,
                list.len(),
                counts.starting + closing,
            ));
        }
        for (index, session) in list.iter().enumerate() {
            if self.plan.store_faults == 0 && session.phase == Phase::Active {
                let active = Millis::from(session.active);
                self.check(invariant::charged_within_a_tick(
                    session.id,
                    active,
                    session.charged,
                    self.limits.tick,
                ));
            }
            for other in &list[index + 1..] {
                let live = session.phase.is_live() && other.phase.is_live();
                if live && session.owner == other.owner {
                    self.violations
                        .push(format!("{} has two sessions", session.owner));
                }
                if live && session.guild == other.guild && session.channel.id != other.channel.id {
                    self.violations
                        .push(format!("guild {} has two channels", session.guild));
                }
            }
        }
        let stuck = self.sessions.quarantine().len();
        let taken = self.world.permit_count - self.world.permits.available_permits();
        if stuck > taken {
            self.violations
                .push(format!("{stuck} pieces are stuck and hold only {taken} permits"));
        }
        self.check(invariant::quarantine_bounded(
            stuck,
            taken.saturating_sub(stuck),
            self.world.permit_count,
        ));
    }

    /// Ends everything and lets every lease and reservation run out.
    async fn end(&mut self, adding: &mut JoinSet<()>) {
        if self.plan.shut_down {
            let shutdown = self.sessions.shutdown().await;
            if shutdown.left > 0 {
                self.violations
                    .push(format!("a shutdown left {} sessions", shutdown.left));
            }
        } else {
            for _ in 0..50 {
                for session in self.sessions.list() {
                    let _ = self.sessions.end(session.owner);
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        let all = async { while adding.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_mins(1), all).await.is_err() {
            self.violations
                .push("somebody still waits for a start".to_owned());
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
    }

    fn read(&mut self, lives: &mut BTreeMap<SessionId, Life>, outcome: &mut Outcome, event: &SessionEvent) {
        let Some(session) = event.session() else { return };
        let life = lives.entry(session).or_default();
        if life.closed > 0 {
            self.violations
                .push(format!("session {session}: {event:?} after it was closed"));
        }
        match *event {
            SessionEvent::Starting { user, guild, .. } => {
                life.claim = Some(SlotClaim { session, user, guild });
            }
            SessionEvent::Active { .. } => life.active = true,
            SessionEvent::CleanupError { .. } => outcome.cleanup_errors += 1,
            SessionEvent::ChargeLost { amount, .. } => life.lost = amount,
            SessionEvent::Cleaned { took, forced, .. } => {
                life.cleaned += 1;
                outcome.forced += usize::from(forced);
                self.check(invariant::closed_within(session, took, self.config.cleanup_delay));
            }
            SessionEvent::Closed {
                reason,
                active,
                charged,
                ..
            } => {
                life.closed += 1;
                (life.reason, life.active_for, life.charged) = (Some(reason), active, charged);
            }
            _ => {}
        }
    }

    /// What must hold once everything is over.
    async fn judge(&mut self, lives: &BTreeMap<SessionId, Life>) {
        let now = self.clock.utc();
        // What a faulty store did not take in time is closed as crashed, as after a restart.
        let recovered = self
            .store
            .inner
            .recover(now)
            .await
            .map_or(0, |recovery| recovery.crashed.len());
        if recovered > 0 && self.plan.store_faults == 0 {
            self.violations
                .push(format!("{recovered} sessions were left open in the ledger"));
        }
        for (&session, life) in lives {
            self.check(invariant::one_close_record(session, life.closed));
            if life.cleaned != 1 {
                self.violations
                    .push(format!("session {session} was cleaned {} times", life.cleaned));
            }
            let whole = life.charged.saturating_add(life.lost);
            if life.active {
                self.check(invariant::settled_exactly(session, life.active_for, whole));
            }
            if self.plan.store_faults == 0 && !life.lost.is_zero() {
                self.violations
                    .push(format!("session {session} lost {} with a sound store", life.lost));
            }
            let Some(claim) = life.claim else {
                self.violations.push(format!("session {session} never started"));
                continue;
            };
            let record = self.store.inner.close_record(claim).await.ok().flatten();
            if life.active {
                self.check(invariant::one_close_record(
                    session,
                    usize::from(record.is_some()),
                ));
            }
            if let Some(record) = record {
                // The ledger may have taken a charge whose answer was lost; never more than was used.
                if record.charged < life.charged || record.charged > life.active_for {
                    self.violations.push(format!(
                        "session {session}: {life:?}, but the ledger has {record:?}"
                    ));
                }
                let reason = life.reason.unwrap_or(CloseReason::Crashed);
                if self.plan.store_faults == 0 && record.reason != reason {
                    self.violations.push(format!(
                        "session {session}: {reason:?} became {:?}",
                        record.reason
                    ));
                }
            }
        }
        self.world.returns.cancel();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let held = self
            .store
            .inner
            .held()
            .await
            .map_or(usize::MAX, |held| held.total() as usize);
        self.check(invariant::nothing_left(self.sessions.leftovers(held)));
        let kept = [
            ("parts", self.world.parts_alive()),
            ("calls connected", self.world.lines_up()),
            (
                "permits",
                self.world.permit_count - self.world.permits.available_permits(),
            ),
            ("pieces in quarantine", self.sessions.quarantine().len()),
        ];
        for (what, count) in kept.into_iter().filter(|(_, count)| *count > 0) {
            self.violations.push(format!("{count} {what} left at the end"));
        }
    }
}

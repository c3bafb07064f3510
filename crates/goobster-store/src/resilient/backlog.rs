//! What a process remembers while its store is down: pure, bounded by its sessions.

use std::collections::HashMap;

use goobster_core::ids::UserId;
use goobster_core::limits::{
    Account, Charge, Charged, CloseRecord, Closed, Closing, FixedState, Forget, LimitsConfig, Millis,
    OpenSession, Opening, PolicyKind, Quotas, SlotClaim, Usage, Window,
};
use goobster_core::session::{Epoch, SessionId};
use goobster_core::time::UtcMillis;

/// A session of this process.
#[derive(Debug, Clone)]
pub(super) struct Running {
    /// As the session's close record would have it, were it closed now.
    pub(super) row: OpenSession,
    /// Not in the store yet: it was allowed while the store was down.
    pub(super) opening: Option<Opening>,
    /// A charge that may have reached the store: it is repeated unchanged.
    pub(super) sent: Option<Charge>,
    /// Later charges, as one: they follow on each other, and one charge counts like its parts.
    pub(super) unsent: Option<Charge>,
    /// It ended while the store was down.
    pub(super) closing: Option<Closing>,
    /// The epoch in the store, when it is another than the one the session was given.
    pub(super) adopted: Option<Epoch>,
    /// The store refused it when it came back: it must end.
    pub(super) lost: bool,
    /// What it owes cannot be written before the store's data is repaired.
    pub(super) stuck: bool,
}

impl Running {
    fn new(claim: SlotClaim, epoch: Epoch, at: UtcMillis) -> Self {
        let row = OpenSession {
            claim,
            epoch,
            opened_at: at,
            last_tick: at,
            last_seq: goobster_core::session::ChargeSeq::default(),
            charged: Millis::ZERO,
        };
        Self {
            row,
            opening: None,
            sent: None,
            unsent: None,
            closing: None,
            adopted: None,
            lost: false,
            stuck: false,
        }
    }

    /// Whether the store does not know everything yet.
    pub(super) fn owes(&self) -> bool {
        self.opening.is_some() || self.sent.is_some() || self.unsent.is_some() || self.closing.is_some()
    }
}

/// All of it.
#[derive(Debug)]
pub(super) struct Backlog {
    pub(super) running: HashMap<SessionId, Running>,
    /// What the store last said of the owners of running sessions.
    known: HashMap<UserId, (Usage, UtcMillis)>,
    /// The owners' quotas while the store is down, begun with what was known.
    local: Quotas,
    window: Millis,
}

impl Backlog {
    /// Forgets what is known of a member of whom nothing runs here.
    pub(super) fn forget_user(&mut self, user: UserId) {
        if self
            .running
            .values()
            .all(|running| running.row.claim.user != user)
        {
            self.known.remove(&user);
            self.local.forget(user, Forget::Now, UtcMillis::new(0));
        }
    }

    pub(super) fn new(config: &LimitsConfig) -> Self {
        Self {
            running: HashMap::new(),
            known: HashMap::new(),
            local: Quotas::new(config),
            window: config.window,
        }
    }

    /// Whether anything waits to be written.
    pub(super) fn owes(&self) -> bool {
        self.running.values().any(Running::owes)
    }

    /// Sessions that wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.running.values().filter(|running| running.owes()).count()
    }

    /// The session's entry, made when it is new.
    pub(super) fn entry(&mut self, claim: SlotClaim, epoch: Epoch, at: UtcMillis) -> &mut Running {
        self.running
            .entry(claim.session)
            .or_insert_with(|| Running::new(claim, epoch, at))
    }

    /// The store answered: this is what it says of the owner.
    pub(super) fn learn(&mut self, user: UserId, usage: &Usage, at: UtcMillis) {
        self.known.insert(user, (*usage, at));
        let owes = self
            .running
            .values()
            .any(|running| running.row.claim.user == user && running.owes());
        if !owes {
            // From now on the store's answers count again.
            self.local.restore(user, seed(usage, at, self.window));
        }
    }

    /// A charge that the store has taken.
    pub(super) fn note(&mut self, charge: &Charge) {
        let running = self.entry(charge.claim, charge.epoch, charge.at);
        if charge.seq > running.row.last_seq {
            running.row.last_seq = charge.seq;
            running.row.last_tick = running.row.last_tick.max(charge.at);
            running.row.charged = running.row.charged.saturating_add(charge.delta);
        }
    }

    /// Keeps a charge and answers it from what is known. `sent` says that it may have reached the store.
    pub(super) fn keep(&mut self, charge: Charge, sent: bool) -> Charged {
        let user = charge.claim.user;
        if self.local.account(user).is_none()
            && let Some((usage, at)) = self.known.get(&user)
        {
            self.local.restore(user, seed(usage, *at, self.window));
        }
        let running = self.entry(charge.claim, charge.epoch, charge.at);
        let applied = charge.seq > running.row.last_seq;
        if applied {
            if sent {
                running.sent = Some(charge);
            } else {
                running.unsent = Some(match running.unsent {
                    None => charge,
                    Some(earlier) => Charge {
                        delta: earlier.delta.saturating_add(charge.delta),
                        ..charge
                    },
                });
            }
        }
        self.note(&charge);
        let delta = if applied { charge.delta } else { Millis::ZERO };
        let (usage, granted) = self
            .local
            .charge_and_lease(user, charge.claim.session, charge.at, delta);
        Charged {
            applied,
            usage,
            granted,
            durable: false,
        }
    }

    /// Lets a session begin that the store does not know yet.
    pub(super) fn begin(&mut self, opening: Opening) -> Charged {
        let running = self.entry(opening.claim, opening.epoch, opening.at);
        running.opening = Some(opening);
        let user = opening.claim.user;
        let (usage, granted) =
            self.local
                .charge_and_lease(user, opening.claim.session, opening.at, Millis::ZERO);
        Charged {
            applied: true,
            usage,
            granted,
            durable: false,
        }
    }

    /// Keeps a close and answers it.
    pub(super) fn end(&mut self, closing: Closing) -> Closed {
        let running = self.entry(closing.claim, closing.epoch, closing.at);
        let first = running.closing.is_none();
        let closing = *running.closing.get_or_insert(closing);
        let record: CloseRecord = running.row.close(closing.reason, closing.at);
        self.local
            .refund(closing.claim.user, closing.claim.session, closing.at);
        Closed {
            record,
            first,
            durable: false,
        }
    }

    /// A session that the store knows to be closed is forgotten, and its owner with the last one.
    pub(super) fn forget(&mut self, claim: SlotClaim) {
        self.running.remove(&claim.session);
        if !self
            .running
            .values()
            .any(|running| running.row.claim.user == claim.user)
        {
            self.known.remove(&claim.user);
        }
    }

    /// The usage of a member as far as it is known here.
    pub(super) fn usage(&self, user: UserId, now: UtcMillis) -> Usage {
        if self.local.account(user).is_none()
            && let Some((usage, at)) = self.known.get(&user)
        {
            self.local.restore(user, seed(usage, *at, self.window));
        }
        self.local.check(user, now)
    }

    /// Forgets members of whom nothing has been heard.
    pub(super) fn sweep(&self, now: UtcMillis) {
        self.local.forget_stale(now);
    }
}

/// An account that says what the store said.
fn seed(usage: &Usage, at: UtcMillis, window: Millis) -> Account {
    let start = match (usage.policy, usage.resets_at) {
        (PolicyKind::Fixed, Some(end)) => UtcMillis::new(end.get().saturating_sub(window.get_i64())),
        // A sliding window's parts are not known: all of it counts as if used just now.
        _ => at,
    };
    let used = usage.used;
    let start = (!used.is_zero()).then_some(start);
    Account {
        window: Window::Fixed(FixedState { start, used }),
        last: at,
        ..Account::default()
    }
}

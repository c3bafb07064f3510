//! Who is in a session: one table under one lock, held for a few map operations and never across an await.
//!
//! Everything is removed by identity. A cleanup that comes late removes its own session or nothing; it can never touch
//! the user's next one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::access::{Admitted, Refusal};
use super::call::{CallInfo, Calls, Entry, Line, Role};
use super::core::Core;
use super::session::{ClosedSession, Session, lock};
use super::{CloseReason, SessionId, cleanup};
use crate::ids::{GuildId, UserId};

/// The table.
#[derive(Default)]
pub(super) struct Registry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    shut: bool,
    starting: HashMap<UserId, (SessionId, CancellationToken)>,
    sessions: HashMap<SessionId, Arc<Session>>,
    by_user: HashMap<UserId, Vec<SessionId>>,
    calls: Calls,
    recent: VecDeque<ClosedSession>,
}

/// How full the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests that have no place yet.
    pub starting: usize,
    /// Sessions that are not closed.
    pub sessions: usize,
    /// Users with such a session.
    pub users: usize,
    /// Calls.
    pub calls: usize,
}

/// What the table says to somebody who wants in.
pub(super) enum Door {
    /// They are on their guild's call; a place may be reserved.
    Open(Arc<Line>),
    /// Their last session is closing: try again when it is closed.
    AfterSession(Arc<Session>),
    /// Their guild's call is being destroyed: try again when it is gone.
    AfterCall(Arc<Line>),
}

/// A request under way: one a user. Dropped, it leaves the table, and the call if it was put on one; when it was the
/// last on that call, it hangs up as a session does.
pub(super) struct Ticket<'a> {
    core: &'a Arc<Core>,
    admitted: &'a Admitted,
    pub(super) id: SessionId,
    pub(super) off: CancellationToken,
    granted: bool,
}

impl Registry {
    pub(super) fn get(&self, id: SessionId) -> Option<Arc<Session>> {
        lock(&self.state).sessions.get(&id).cloned()
    }

    /// A user's sessions, oldest first.
    pub(super) fn of_user(&self, user: UserId) -> Vec<Arc<Session>> {
        let state = lock(&self.state);
        let ids = state.by_user.get(&user).map_or(&[][..], Vec::as_slice);
        ids.iter()
            .filter_map(|id| state.sessions.get(id).cloned())
            .collect()
    }

    /// Every session, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        let mut all: Vec<_> = lock(&self.state).sessions.values().cloned().collect();
        all.sort_unstable_by_key(|session| session.id);
        all
    }

    /// A user ends their latest session, and calls their request off. Under one lock: a request that becomes a session
    /// meanwhile is found as the one or the other. Gives the session, if there is one already.
    pub(super) fn end(&self, user: UserId) -> Result<Option<Arc<Session>>, Refusal> {
        let state = lock(&self.state);
        let latest = state.by_user.get(&user).and_then(|ids| ids.last());
        let session = latest.and_then(|id| state.sessions.get(id)).cloned();
        if let Some(session) = &session {
            session.ask_to_end(CloseReason::EndedByOwner);
        }
        let request = state.starting.get(&user);
        if let Some((_, off)) = request {
            off.cancel();
        }
        if request.is_none() && session.is_none() {
            return Err(Refusal::NoSession);
        }
        Ok(session)
    }

    /// Lets nobody in any more, and calls every request off.
    pub(super) fn shut(&self) {
        let mut state = lock(&self.state);
        state.shut = true;
        state.starting.values().for_each(|(_, off)| off.cancel());
    }

    pub(super) fn calls(&self) -> Vec<CallInfo> {
        let state = lock(&self.state);
        let mut calls: Vec<_> = state
            .calls
            .iter()
            .map(|(&guild, call)| call.info(guild))
            .collect();
        calls.sort_unstable_by_key(|call| call.guild);
        calls
    }

    /// Who somebody is that is heard in a guild's call; those without a session are remembered as participants.
    pub(super) fn role(&self, guild: GuildId, user: UserId, most: usize) -> Role {
        let mut state = lock(&self.state);
        if state.calls.get(guild).is_none() {
            return Role::Stranger;
        }
        let own = state.by_user.get(&user).into_iter().flatten();
        let own = own
            .filter_map(|id| state.sessions.get(id))
            .find(|s| s.guild == guild && s.phase().is_live());
        if let Some(session) = own.cloned() {
            return Role::Owner(session);
        }
        state.calls.heard(guild, user, most);
        Role::Participant
    }

    /// Takes a session off its call; gives the line back when it has to be destroyed.
    pub(super) fn leave_call(&self, session: &Session) -> Option<Arc<Line>> {
        lock(&self.state).calls.leave(session.guild, session.id)
    }

    pub(super) fn remove_call(&self, guild: GuildId, line: &Arc<Line>) {
        lock(&self.state).calls.remove(guild, line);
    }

    /// Forgets a session, by identity, and remembers how it ended.
    pub(super) fn forget(&self, session: &Session, closed: ClosedSession, kept: usize) -> bool {
        let mut state = lock(&self.state);
        if state.sessions.remove(&session.id).is_none() {
            return false;
        }
        if let Some(ids) = state.by_user.get_mut(&session.owner) {
            ids.retain(|id| *id != session.id);
            if ids.is_empty() {
                state.by_user.remove(&session.owner);
            }
        }
        state.recent.push_back(closed);
        while state.recent.len() > kept {
            state.recent.pop_front();
        }
        true
    }

    /// Forgets the closed sessions of a user; open ones stay.
    pub(super) fn forget_user(&self, user: UserId) {
        lock(&self.state).recent.retain(|closed| closed.owner != user);
    }

    pub(super) fn recent(&self) -> Vec<ClosedSession> {
        lock(&self.state).recent.iter().cloned().collect()
    }

    pub(super) fn counts(&self) -> Counts {
        let state = lock(&self.state);
        Counts {
            starting: state.starting.len(),
            sessions: state.sessions.len(),
            users: state.by_user.len(),
            calls: state.calls.len(),
        }
    }
}

impl<'a> Ticket<'a> {
    /// Begins a request.
    pub(super) fn begin(core: &'a Arc<Core>, admitted: &'a Admitted, id: SessionId) -> Result<Self, Refusal> {
        let mut state = lock(&core.registry.state);
        if state.shut {
            return Err(Refusal::ShuttingDown);
        }
        if state.starting.contains_key(&admitted.user) {
            return Err(Refusal::AlreadyStarting);
        }
        let off = CancellationToken::new();
        state.starting.insert(admitted.user, (id, off.clone()));
        Ok(Self {
            core,
            admitted,
            id,
            off,
            granted: false,
        })
    }

    /// Knocks: the user's own sessions first, then the guild's call.
    pub(super) fn knock(&self) -> Result<Door, Refusal> {
        let Admitted { user, guild, voice } = self.admitted;
        let mut state = lock(&self.core.registry.state);
        let own = state.by_user.get(user).into_iter().flatten();
        for session in own.filter_map(|id| state.sessions.get(id)) {
            if !session.phase().is_live() {
                return Ok(Door::AfterSession(Arc::clone(session)));
            }
            if session.guild == *guild {
                return Err(Refusal::AlreadyInSession {
                    channel: session.voice.name.clone(),
                });
            }
        }
        match state.calls.join(*guild, voice, self.id)? {
            Entry::Joined(line) => Ok(Door::Open(line)),
            Entry::Wait(line) => Ok(Door::AfterCall(line)),
        }
    }

    /// The request was granted: the session takes its place in the table.
    pub(super) fn grant(mut self, session: &Arc<Session>) {
        let mut state = lock(&self.core.registry.state);
        self.granted = true;
        state.starting.remove(&self.admitted.user);
        state.sessions.insert(self.id, Arc::clone(session));
        state.by_user.entry(session.owner).or_default().push(self.id);
        // Ended while the place was being reserved: the supervisor sees it first thing.
        if state.shut {
            session.ask_to_end(CloseReason::ShuttingDown);
        } else if self.off.is_cancelled() {
            session.ask_to_end(CloseReason::EndedByOwner);
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.granted {
            return;
        }
        let mut state = lock(&self.core.registry.state);
        if state
            .starting
            .get(&self.admitted.user)
            .is_some_and(|(id, _)| *id == self.id)
        {
            state.starting.remove(&self.admitted.user);
        }
        let guild = self.admitted.guild;
        let Some(line) = state.calls.leave(guild, self.id) else {
            return;
        };
        // A call that was made for this request has no connection yet. One that it shared with sessions that ended
        // meanwhile has: it stays closing until that is stopped. Without a runtime the process is going down.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if line.connection().is_some() => {
                let core = Arc::clone(self.core);
                let tasks = core.tasks.clone();
                tasks.spawn_on(
                    async move { cleanup::hang_up_for_nobody(&core, guild, &line).await },
                    &runtime,
                );
            }
            _ => state.calls.remove(guild, &line),
        }
    }
}

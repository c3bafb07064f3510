//! The captions' board: what is written in a text channel, one message a turn, edited as it firms up.
//!
//! A pure state machine, `step(now, event) -> effects`. Messages appear in the order in which their turns became visible.
//! When more is said than a channel takes messages (Discord: one a second), finished turns that wait share one.
//! Partial captions are skipped when there is no time for them; final captions, replies and notices never are: they are
//! tried again, and when they cannot be written at all they are handed back.

mod entry;
mod event;
#[cfg(test)]
mod tests;
mod text;

use std::collections::VecDeque;
use std::time::Duration;

use self::entry::{Entry, Post, Subject};
pub use event::{BoardEffect, BoardEvent, BoardFault, PostKey};

use crate::time::{Moment, UtcMillis};

/// How a board behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardConfig {
    /// The name that stands over replies.
    pub bot_name: String,
    /// Requests within [`window`](Self::window) at most: 8. Discord allows a channel 5 new messages and 5 edits.
    pub requests: usize,
    /// Of these, how many may be partial captions: 4, so that a final caption need not wait behind them.
    pub for_partials: usize,
    /// The time over which requests are counted: 5 s.
    pub window: Duration,
    /// Time between two edits of one partial caption at least: 1 s.
    pub edit_every: Duration,
    /// Characters of a message at most: 2000, Discord's limit.
    pub characters: usize,
    /// Attempts to write something before it is handed back: 10.
    pub attempts: u32,
    /// Turns, replies and notices that may wait: 200.
    pub waiting: usize,
}

impl Default for BoardConfig {
    fn default() -> Self {
        Self {
            bot_name: "Goobster".to_owned(),
            requests: 8,
            for_partials: 4,
            window: Duration::from_secs(5),
            edit_every: Duration::from_secs(1),
            characters: 2000,
            attempts: 10,
            waiting: 200,
        }
    }
}

/// So many finished turns must wait behind one before they share its message.
const GATHERED_FROM: usize = 2;

/// The board of one text channel.
#[derive(Debug, Clone)]
pub struct Board {
    config: BoardConfig,
    /// In the order in which they became visible.
    entries: VecDeque<Entry>,
    next_key: u64,
    /// When the requests of the window began.
    recent: VecDeque<Moment>,
    /// A message is being created: the next one waits, so that they appear in order.
    creating: Option<PostKey>,
    closing: bool,
    idle: bool,
}

impl Board {
    /// An empty board.
    pub const fn new(config: BoardConfig) -> Self {
        Self {
            config,
            entries: VecDeque::new(),
            next_key: 1,
            recent: VecDeque::new(),
            creating: None,
            closing: false,
            idle: false,
        }
    }

    /// When to send a [`BoardEvent::Tick`]; `None` while nothing waits for time.
    pub fn deadline(&self) -> Option<Moment> {
        let order = self.order();
        (0..self.entries.len())
            .flat_map(|index| (0..self.entries[index].posts.len()).map(move |post| (index, post)))
            .filter_map(|(index, post)| self.due(index, post, order))
            .min()
    }

    /// Takes in what happened, and says what to do.
    pub fn step(&mut self, now: Moment, event: BoardEvent) -> Vec<BoardEffect> {
        let mut effects = Vec::new();
        match event {
            BoardEvent::Partial {
                turn,
                speaker,
                at,
                firm,
                tentative,
            } => {
                let pieces = text::partial(
                    &text::header(&speaker, at),
                    &firm,
                    &tentative,
                    self.config.characters,
                );
                self.set(Subject::Turn(turn), pieces, false);
            }
            BoardEvent::Final {
                turn,
                speaker,
                at,
                text,
            } => self.set_final(Subject::Turn(turn), &speaker, at, &text, true),
            BoardEvent::Reply {
                reply,
                at,
                text,
                done,
            } => {
                let name = self.config.bot_name.clone();
                self.set_final(Subject::Reply(reply), &name, at, &text, done);
            }
            BoardEvent::Notice { text } => {
                let subject = Subject::Notice(self.next_key);
                self.set(subject, text::notice(&text, self.config.characters), true);
            }
            BoardEvent::Dropped { turn } => {
                if let Some(entry) = self.entry(Subject::Turn(turn)) {
                    entry.done = true;
                    entry.remove();
                }
            }
            BoardEvent::Posted { key } => self.created(now, key, &mut effects),
            BoardEvent::Edited { key } => self.settled(now, key),
            BoardEvent::Deleted { key } => self.forget(key, &mut effects),
            BoardEvent::PostFailed { key, fault } => {
                self.creating = self.creating.filter(|creating| *creating != key);
                self.failed(now, key, fault, &mut effects);
            }
            BoardEvent::EditFailed { key, fault } => self.failed(now, key, fault, &mut effects),
            BoardEvent::DeleteFailed { key, fault } => match fault {
                BoardFault::Gone | BoardFault::Forbidden => self.forget(key, &mut effects),
                fault => self.failed(now, key, fault, &mut effects),
            },
            BoardEvent::Close => {
                self.closing = true;
                for entry in &mut self.entries {
                    entry.finish();
                }
            }
            BoardEvent::Tick => {}
        }
        self.write(now, &mut effects);
        self.tidy(&mut effects);
        effects
    }

    fn set_final(&mut self, subject: Subject, name: &str, at: UtcMillis, words: &str, done: bool) {
        let header = text::header(name, at);
        let pieces = if done {
            text::whole(&header, words, self.config.characters)
        } else {
            text::partial(&header, words, "", self.config.characters)
        };
        self.set(subject, pieces, done);
    }

    /// This is what should be seen of a turn, a reply or a notice.
    fn set(&mut self, subject: Subject, pieces: Vec<String>, done: bool) {
        if self.entry(subject).is_none() {
            if pieces.is_empty() {
                return;
            }
            self.entries.push_back(Entry::new(subject));
        }
        let mut next = self.next_key;
        if let Some(entry) = self.entry(subject) {
            entry.show(pieces, done, &mut next);
        }
        // A notice's own name is a key, so that no two are the same.
        self.next_key = next.max(self.next_key + 1);
    }

    fn entry(&mut self, subject: Subject) -> Option<&mut Entry> {
        self.entries
            .iter_mut()
            .rev()
            .find(|entry| entry.subject == subject)
    }

    fn post(&mut self, key: PostKey) -> Option<&mut Post> {
        self.entries
            .iter_mut()
            .flat_map(|entry| &mut entry.posts)
            .find(|post| post.key == key)
    }

    fn created(&mut self, now: Moment, key: PostKey, effects: &mut Vec<BoardEffect>) {
        self.creating = self.creating.filter(|creating| *creating != key);
        match self.post(key) {
            Some(post) => {
                post.exists = true;
                self.settled(now, key);
            }
            // It was given up meanwhile; now that it is there, it has to go.
            None => effects.push(BoardEffect::Delete { key }),
        }
    }

    /// A request was done: what was sent is what is seen.
    fn settled(&mut self, now: Moment, key: PostKey) {
        if let Some(post) = self.post(key) {
            post.in_flight = false;
            post.shown = post.sent.take();
            post.attempts = 0;
            post.edited = now;
        }
    }

    fn forget(&mut self, key: PostKey, effects: &mut Vec<BoardEffect>) {
        for entry in &mut self.entries {
            entry.posts.retain(|post| post.key != key);
        }
        effects.push(BoardEffect::Forget { key });
    }

    fn failed(&mut self, now: Moment, key: PostKey, fault: BoardFault, effects: &mut Vec<BoardEffect>) {
        let most = self.config.attempts;
        let fresh = PostKey::new(self.next_key);
        let Some(post) = self.post(key) else { return };
        post.in_flight = false;
        post.sent = None;
        post.attempts += 1;
        let lost = match fault {
            // A message that somebody deleted is written anew; a channel that is gone takes no message.
            BoardFault::Gone if post.exists => {
                post.exists = false;
                post.shown = None;
                post.key = fresh;
                effects.push(BoardEffect::Forget { key });
                self.next_key += 1;
                false
            }
            BoardFault::Gone | BoardFault::Forbidden => true,
            BoardFault::RetryAfter(pause) => {
                post.not_before = now.after(pause);
                post.attempts > most
            }
            BoardFault::Transient => {
                let pause = Duration::from_millis(250 * 2_u64.pow(post.attempts.min(5)));
                post.not_before = now.after(pause);
                post.attempts >= most
            }
        };
        if lost {
            self.give_up(key, effects);
        }
    }

    /// Hands back what cannot be written.
    fn give_up(&mut self, key: PostKey, effects: &mut Vec<BoardEffect>) {
        for entry in &mut self.entries {
            let Some(post) = entry.posts.iter().find(|post| post.key == key) else {
                continue;
            };
            if let Some(what) = post.wanted.clone() {
                effects.push(BoardEffect::Lost { what });
            }
            entry.posts.retain(|post| post.key != key);
            // A turn that cannot be seen is not begun again with its next partial caption.
            entry.given_up = true;
        }
        effects.push(BoardEffect::Forget { key });
    }

    /// Where the first message waits that was not created yet: it holds up those behind it. And whether something final is
    /// among these, which makes it as urgent as that.
    fn order(&self) -> Option<(usize, bool)> {
        let waits = |entry: &Entry| {
            entry
                .posts
                .iter()
                .any(|post| !post.exists && post.wanted.is_some())
        };
        let first = self.entries.iter().position(waits)?;
        let urgent = self
            .entries
            .iter()
            .skip(first)
            .any(|entry| entry.done && waits(entry));
        Some((first, urgent))
    }

    /// When something may be done about a message; `None` while nothing is to be done, or it waits for another.
    fn due(&self, index: usize, post: usize, order: Option<(usize, bool)>) -> Option<Moment> {
        let entry = &self.entries[index];
        let post = &entry.posts[post];
        if post.in_flight || !post.wants() {
            return None;
        }
        let ready = if post.exists {
            let pause = if entry.done {
                Duration::ZERO
            } else {
                self.config.edit_every
            };
            post.not_before.max(post.edited.after(pause))
        } else {
            let next = entry
                .posts
                .iter()
                .find(|post| !post.exists && post.wanted.is_some());
            let its_turn = order.is_some_and(|(first, _)| first == index)
                && next.is_some_and(|next| next.key == post.key);
            if self.creating.is_some() || !its_turn {
                return None;
            }
            post.not_before
        };
        let limit = if entry.done || order == Some((index, true)) {
            self.config.requests
        } else {
            self.config.for_partials
        };
        // So many requests of the window must have passed before the next.
        let over = (self.recent.len() + 1).saturating_sub(limit);
        let free = over.checked_sub(1).and_then(|last| self.recent.get(last));
        Some(free.map_or(ready, |at| ready.max(at.after(self.config.window))))
    }

    /// Sends what may be sent now: what is final first, then what still changes.
    fn write(&mut self, now: Moment, effects: &mut Vec<BoardEffect>) {
        while self
            .recent
            .front()
            .is_some_and(|at| now.since(*at) >= self.config.window)
        {
            self.recent.pop_front();
        }
        for done in [true, false] {
            let mut index = 0;
            // Sending may take entries behind this one along.
            while let Some(entry) = self.entries.get(index) {
                for post in 0..entry.posts.len() {
                    let order = self.order();
                    let final_too = self.entries[index].done || order == Some((index, true));
                    if final_too == done && self.due(index, post, order).is_some_and(|at| at <= now) {
                        self.send(now, index, post, effects);
                    }
                }
                index += 1;
            }
        }
    }

    fn send(&mut self, now: Moment, index: usize, post: usize, effects: &mut Vec<BoardEffect>) {
        self.gather(index);
        let post = &mut self.entries[index].posts[post];
        let key = post.key;
        let effect = match (post.exists, post.wanted.clone()) {
            (false, Some(content)) => {
                self.creating = Some(key);
                post.sent = Some(content.clone());
                BoardEffect::Post { key, content }
            }
            (true, Some(content)) => {
                post.sent = Some(content.clone());
                BoardEffect::Edit { key, content }
            }
            (true, None) => BoardEffect::Delete { key },
            (false, None) => return,
        };
        post.in_flight = true;
        self.recent.push_back(now);
        effects.push(effect);
    }

    /// A message that is to be created takes along what waits finished behind it, once several do: else what is said faster than
    /// messages may be created would appear ever later.
    fn gather(&mut self, index: usize) {
        if !self.entries[index].is_whole() {
            return;
        }
        let waiting = self
            .entries
            .iter()
            .skip(index + 1)
            .filter(|entry| !entry.is_shown());
        if waiting.take_while(|entry| entry.is_whole()).count() < GATHERED_FROM {
            return;
        }
        let mut next = index + 1;
        while let Some(entry) = self.entries.get(next) {
            if entry.is_shown() {
                next += 1;
                continue;
            }
            let whole = entry.is_whole().then(|| entry.posts[0].wanted.clone()).flatten();
            let (Some(more), Some(content)) = (whole, self.entries[index].posts[0].wanted.as_mut()) else {
                return;
            };
            if content.chars().count() + 1 + more.chars().count() > self.config.characters {
                return;
            }
            content.push('\n');
            content.push_str(&more);
            self.entries.remove(next);
        }
    }

    /// Forgets what is done with, keeps the rest within its bound, and says when nothing is left.
    fn tidy(&mut self, effects: &mut Vec<BoardEffect>) {
        self.entries.retain(|entry| {
            let over = entry.is_over();
            if over {
                effects.extend(
                    entry
                        .posts
                        .iter()
                        .map(|post| BoardEffect::Forget { key: post.key }),
                );
            }
            !over
        });
        while self.entries.len() > self.config.waiting {
            // A message that is being created would be deleted again, and nothing were ever written.
            let idle = |entry: &Entry| entry.posts.iter().all(|post| !post.in_flight);
            let unfinished = self.entries.iter().position(|entry| !entry.done);
            let victim = unfinished
                .or_else(|| self.entries.iter().position(idle))
                .unwrap_or(0);
            if let Some(entry) = self.entries.remove(victim) {
                for post in entry.posts {
                    self.creating = self.creating.filter(|creating| *creating != post.key);
                    if let (true, Some(what)) = (entry.done, post.wanted) {
                        effects.push(BoardEffect::Lost { what });
                    }
                    effects.push(BoardEffect::Forget { key: post.key });
                }
            }
        }
        if self.closing && self.entries.is_empty() && !std::mem::replace(&mut self.idle, true) {
            effects.push(BoardEffect::Idle);
        }
    }
}

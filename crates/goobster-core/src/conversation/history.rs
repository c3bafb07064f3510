//! What was said and answered, bounded.

use std::collections::VecDeque;

use crate::ids::UserId;
use crate::ports::{Exchange, Utterance};

/// A remembered exchange; unique within a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry(u64);

/// The last exchanges, oldest first.
#[derive(Debug)]
pub(super) struct History {
    entries: VecDeque<(Entry, UserId, Exchange)>,
    next: u64,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

impl History {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            next: 0,
            bytes: 0,
            max_entries,
            max_bytes,
        }
    }

    pub(super) fn say(&mut self, who: UserId, said: Utterance) -> Entry {
        self.next += 1;
        let entry = Entry(self.next);
        let exchange = Exchange { said, reply: None };
        self.bytes += size(&exchange);
        self.entries.push_back((entry, who, exchange));
        self.trim();
        entry
    }

    /// Notes what was heard of the answer; an exchange already forgotten stays so.
    pub(super) fn answer(&mut self, entry: Entry, spoken: &str) {
        if let Some((_, _, exchange)) = self.entries.iter_mut().find(|(other, ..)| *other == entry) {
            self.bytes -= size(exchange);
            let before = exchange.reply.take();
            exchange.reply =
                Some(before.map_or_else(|| spoken.to_owned(), |before| format!("{before} {spoken}")));
            self.bytes += size(exchange);
        }
        self.trim();
    }

    /// Takes out a turn that another one has swallowed.
    pub(super) fn forget(&mut self, entry: Entry) {
        if let Some(index) = self.entries.iter().position(|(other, ..)| *other == entry)
            && let Some((_, _, exchange)) = self.entries.remove(index)
        {
            self.bytes -= size(&exchange);
        }
    }

    /// Takes out everything that somebody said, with its answers.
    pub(super) fn forget_speaker(&mut self, who: UserId) {
        self.entries.retain(|(_, speaker, _)| *speaker != who);
        self.bytes = self.entries.iter().map(|(_, _, exchange)| size(exchange)).sum();
    }

    /// Everything but this turn.
    pub(super) fn without(&self, turn: Entry) -> Vec<Exchange> {
        self.entries
            .iter()
            .filter(|(entry, ..)| *entry != turn)
            .map(|(_, _, exchange)| exchange.clone())
            .collect()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Exchange> {
        self.entries.iter().map(|(_, _, exchange)| exchange)
    }

    fn trim(&mut self) {
        while self.entries.len() > self.max_entries || self.bytes > self.max_bytes {
            let Some((_, _, exchange)) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= size(&exchange);
        }
    }
}

fn size(exchange: &Exchange) -> usize {
    exchange.said.text.len() + exchange.said.speaker.len() + exchange.reply.as_ref().map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UtcMillis;

    #[test]
    fn what_a_speaker_said_is_forgotten_and_nothing_else() {
        let mut history = History::new(10, 1000);
        // Two people may be shown by one name.
        let said = || Utterance {
            speaker: "Ann".to_owned(),
            text: "hello".to_owned(),
            at: UtcMillis::new(0),
        };
        let (one, other) = (UserId::new(1), UserId::new(2));
        let first = history.say(one, said());
        history.say(other, said());
        history.answer(first, "Hello, Ann.");
        history.forget_speaker(one);
        let left: Vec<UserId> = history.entries.iter().map(|(_, who, _)| *who).collect();
        assert_eq!(left, [other]);
        assert_eq!(history.bytes, "hello".len() + "Ann".len());
        // What is still being answered finds nothing to add to.
        history.answer(first, "more");
        assert_eq!(history.all().count(), 1);
    }
}

//! One turn, reply or notice on the board, and the messages that show it.

use super::PostKey;
use crate::conversation::ReplyId;
use crate::ids::TurnId;
use crate::time::Moment;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Turn(TurnId),
    Reply(ReplyId),
    Notice(u64),
}

/// A message that shows (a part of) an entry.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) key: PostKey,
    /// What it should say; `None`: it should go.
    pub(super) wanted: Option<String>,
    /// What it says.
    pub(super) shown: Option<String>,
    /// What the request under way will make it say.
    pub(super) sent: Option<String>,
    pub(super) exists: bool,
    pub(super) in_flight: bool,
    pub(super) attempts: u32,
    pub(super) not_before: Moment,
    pub(super) edited: Moment,
}

impl Post {
    fn new(key: PostKey) -> Self {
        Self {
            key,
            wanted: None,
            shown: None,
            sent: None,
            exists: false,
            in_flight: false,
            attempts: 0,
            not_before: Moment::ZERO,
            edited: Moment::ZERO,
        }
    }

    /// Whether something is to be done about it.
    pub(super) fn wants(&self) -> bool {
        match &self.wanted {
            Some(wanted) => !self.exists || self.shown.as_ref() != Some(wanted),
            None => self.exists,
        }
    }
}

/// A turn, a reply or a notice.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) subject: Subject,
    pub(super) posts: Vec<Post>,
    /// Whether it will not change any more.
    pub(super) done: bool,
    /// It could not be written: nothing of it is tried any more.
    pub(super) given_up: bool,
}

impl Entry {
    pub(super) const fn new(subject: Subject) -> Self {
        Self {
            subject,
            posts: Vec::new(),
            done: false,
            given_up: false,
        }
    }

    /// This is what should be seen of it. What is final stays as it is.
    pub(super) fn show(&mut self, pieces: Vec<String>, done: bool, next_key: &mut u64) {
        if self.done {
            return;
        }
        self.done = done;
        if self.given_up {
            return;
        }
        let count = pieces.len();
        for (index, piece) in pieces.into_iter().enumerate() {
            if index == self.posts.len() {
                self.posts.push(Post::new(PostKey::new(*next_key)));
                *next_key += 1;
            }
            self.posts[index].wanted = Some(piece);
        }
        for post in &mut self.posts[count..] {
            post.wanted = None;
        }
    }

    /// Nothing of it should be seen.
    pub(super) fn remove(&mut self) {
        for post in &mut self.posts {
            post.wanted = None;
        }
    }

    /// Nothing more comes: what is there is what was said.
    pub(super) fn finish(&mut self) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        for wanted in self.posts.iter_mut().filter_map(|post| post.wanted.as_mut()) {
            super::text::unmark(wanted);
        }
    }

    /// Whether it is one finished message that nobody has begun to create.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.posts.as_slice(), [post] if self.done && !post.exists && !post.in_flight && post.wanted.is_some())
    }

    /// Whether all of its messages are there.
    pub(super) fn is_shown(&self) -> bool {
        self.posts.iter().all(|post| post.exists)
    }

    /// Whether nothing is left to do about it.
    pub(super) fn is_over(&self) -> bool {
        self.done && self.posts.iter().all(|post| !post.in_flight && !post.wants())
    }
}

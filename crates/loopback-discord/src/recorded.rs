//! What the stand-in saw the bot do, in order, and waiting for it with a deadline.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::voice::Mode;
use crate::world::{ChannelId, GuildId, InteractionId, MessageId};

/// Entries kept. A test that needs more than this should look at the world instead.
const MAX_KEPT: usize = 200_000;

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Seen {
    /// A REST request was answered.
    Rest {
        /// The method.
        method: String,
        /// The path without `/api/v10`.
        path: String,
        /// The status of the answer.
        status: u16,
    },
    /// A request for which there is no route: nobody knows what Discord would have answered.
    UnknownRoute {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// A request was sent although its bucket was empty.
    RateLimited {
        /// The path.
        path: String,
    },
    /// The proxy was asked for a host that is not Discord's.
    ForeignHost(String),
    /// A gateway session began.
    Identified {
        /// Names the session.
        session: String,
        /// Which shard of how many.
        shard: (u32, u32),
        /// The intents asked for.
        intents: u64,
    },
    /// A gateway session went on.
    Resumed {
        /// Names the session.
        session: String,
        /// How many events were sent again.
        replayed: usize,
    },
    /// A session could not go on, or was told so.
    SessionInvalid {
        /// Names the session.
        session: String,
    },
    /// A gateway connection ended.
    GatewayClosed {
        /// Names the session, if there was one.
        session: Option<String>,
        /// The close code, whoever sent it.
        code: Option<u16>,
        /// Who ended it.
        by: Closer,
    },
    /// The bot asked to join, move to or leave a voice channel.
    VoiceAsked {
        /// The guild.
        guild: GuildId,
        /// Where to; none to leave.
        channel: Option<ChannelId>,
    },
    /// The bot changed its presence.
    Presence,
    /// A message of the bot appeared.
    MessageCreated {
        /// Where.
        channel: ChannelId,
        /// Which.
        message: MessageId,
    },
    /// A message of the bot changed.
    MessageEdited {
        /// Where.
        channel: ChannelId,
        /// Which.
        message: MessageId,
    },
    /// A message was deleted by the bot.
    MessageDeleted {
        /// Where.
        channel: ChannelId,
        /// Which.
        message: MessageId,
    },
    /// The bot opened a thread.
    ThreadOpened {
        /// The thread.
        thread: ChannelId,
    },
    /// The bot answered an interaction for the first time.
    Answered {
        /// Which.
        interaction: InteractionId,
        /// After this many milliseconds.
        after_ms: u64,
    },
    /// The bot came to a voice server.
    VoiceIdentified {
        /// The guild.
        guild: GuildId,
    },
    /// Keys were agreed on: the bot can hear and speak.
    VoiceDescribed {
        /// The guild.
        guild: GuildId,
        /// How packets are encrypted.
        mode: Mode,
    },
    /// A voice connection went on.
    VoiceResumed {
        /// The guild.
        guild: GuildId,
    },
    /// A voice connection ended.
    VoiceClosed {
        /// The guild, if it got so far.
        guild: Option<GuildId>,
        /// The close code, whoever sent it.
        code: Option<u16>,
        /// Who ended it.
        by: Closer,
    },
    /// A change of keys took effect: the bot was ready for it.
    DaveExecuted {
        /// The guild.
        guild: GuildId,
        /// Its number.
        transition: u16,
    },
    /// The bot could not make sense of a commit or a welcome, and begins anew.
    DaveInvalid {
        /// The guild.
        guild: GuildId,
        /// The number of the transition.
        transition: u16,
    },
    /// The bot sent a key package or a commit that is none.
    DaveRefused {
        /// The guild.
        guild: GuildId,
        /// What is wrong.
        why: String,
    },
    /// The bot said that it speaks, or that it stopped.
    VoiceSpeaking {
        /// The guild.
        guild: GuildId,
        /// Which.
        speaking: bool,
    },
    /// The first packet of the bot after a break.
    BotSpeaks {
        /// The guild.
        guild: GuildId,
    },
    /// The commands of a scope were replaced or one was registered.
    CommandsRegistered {
        /// The guild; none for all.
        guild: Option<GuildId>,
    },
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closer {
    /// The bot.
    Bot,
    /// The stand-in.
    Here,
    /// Nobody said a word: the socket broke.
    Broken,
}

/// Something that was waited for did not happen.
#[derive(Debug, thiserror::Error)]
#[error("waited {waited:?} in vain; the last that was seen:\n{last}")]
pub struct NotSeen {
    waited: Duration,
    last: String,
}

/// One entry of the record.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When, since the start.
    pub at: Duration,
    /// What.
    pub seen: Seen,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:9.3} {:?}", self.at.as_secs_f64(), self.seen)
    }
}

/// The record.
#[derive(Debug)]
pub struct Recorded {
    started: Instant,
    entries: Mutex<Vec<Entry>>,
    length: watch::Sender<usize>,
}

impl Recorded {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            entries: Mutex::new(Vec::new()),
            length: watch::Sender::new(0),
        }
    }

    /// Since the start of the stand-in.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn note(&self, seen: Seen) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() < MAX_KEPT {
            let at = self.elapsed();
            entries.push(Entry { at, seen });
            self.length.send_replace(entries.len());
        }
    }

    /// How much was seen until now: pass it to [`wait_after`](Self::wait_after).
    pub fn mark(&self) -> usize {
        *self.length.borrow()
    }

    /// All entries from `mark` on.
    pub fn since(&self, mark: usize) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(mark..).unwrap_or_default().to_vec()
    }

    /// All entries.
    pub fn all(&self) -> Vec<Entry> {
        self.since(0)
    }

    /// Waits until something was seen that `wanted` accepts, from the start on.
    pub async fn wait_for(
        &self,
        wanted: impl FnMut(&Seen) -> bool,
        within: Duration,
    ) -> Result<Seen, NotSeen> {
        self.wait_after(0, wanted, within).await
    }

    /// Waits until something was seen at or after `mark` that `wanted` accepts.
    pub async fn wait_after(
        &self,
        mark: usize,
        mut wanted: impl FnMut(&Seen) -> bool,
        within: Duration,
    ) -> Result<Seen, NotSeen> {
        let mut length = self.length.subscribe();
        let mut next = mark;
        let search = async {
            loop {
                length.borrow_and_update();
                for entry in self.since(next) {
                    next += 1;
                    if wanted(&entry.seen) {
                        return entry.seen;
                    }
                }
                if length.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(within, search).await.map_err(|_| {
            let all = self.all();
            let last = all.iter().rev().take(20).rev().map(ToString::to_string);
            NotSeen {
                waited: within,
                last: last.collect::<Vec<_>>().join("\n"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_before_and_what_comes_later_are_found() {
        let recorded = std::sync::Arc::new(Recorded::new());
        recorded.note(Seen::ForeignHost("a".into()));
        let is = |name: &'static str| move |s: &Seen| *s == Seen::ForeignHost(name.into());
        assert!(recorded.wait_for(is("a"), Duration::from_secs(1)).await.is_ok());
        let mark = recorded.mark();
        let late = std::sync::Arc::clone(&recorded);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            late.note(Seen::ForeignHost("b".into()));
        });
        assert!(
            recorded
                .wait_after(mark, is("b"), Duration::from_secs(1))
                .await
                .is_ok()
        );
        let vain = recorded
            .wait_after(mark, is("a"), Duration::from_secs(1))
            .await
            .unwrap_err();
        assert!(vain.to_string().contains("ForeignHost(\"b\")"), "{vain}");
    }
}

//! What is written in a call's text channel: the board decides, this carries it to Discord.
//!
//! One task a channel. Requests run beside it, so a slow answer never holds the board up, and their results come back as
//! events. It outlives its call until everything is written, or a few seconds have passed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use goobster_core::captions::{Board, BoardConfig, BoardEffect, BoardEvent, BoardFault, PostKey};
use goobster_core::ids::ChannelId;
use goobster_core::time::Moment;
use serenity::all::{CreateAllowedMentions, CreateMessage, EditMessage, Http, HttpError, MessageId};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// Events that may wait; partial captions are dropped beyond that, and nothing else comes that fast.
const WAITING: usize = 512;

/// Events that may wait besides, when the queue is full.
const LATE: usize = 512;

/// How long the last words may take to be written once the call is over.
const FLUSH: Duration = Duration::from_secs(8);

/// How long one request may take, waiting for Discord's rate limits included.
const REQUEST: Duration = Duration::from_secs(30);

/// Writes to one channel. Clones write to the same; when the last is dropped, what is left is written and the task ends.
#[derive(Debug, Clone)]
pub(crate) struct Captioner {
    channel: ChannelId,
    events: mpsc::Sender<BoardEvent>,
    /// Places for what found the queue full.
    late: Arc<Semaphore>,
}

impl Captioner {
    /// Begins to write to a channel, as the board says.
    pub(crate) fn start(
        http: Arc<Http>,
        channel: ChannelId,
        board: BoardConfig,
        tasks: &TaskTracker,
    ) -> Self {
        let (events, inbox) = mpsc::channel(WAITING);
        let (results, answered) = mpsc::channel(WAITING);
        let task = Task {
            http,
            channel: serenity::all::ChannelId::new(channel.get()),
            board: Board::new(board),
            messages: HashMap::new(),
            results,
            origin: Instant::now(),
        };
        tasks.spawn(task.run(inbox, answered));
        let late = Arc::new(Semaphore::new(LATE));
        Self {
            channel,
            events,
            late,
        }
    }

    /// The channel it writes to.
    pub(crate) fn channel(&self) -> ChannelId {
        self.channel
    }

    /// Writes something, sooner or later. What may be skipped (a partial caption) is skipped when too much waits.
    pub(crate) fn tell(&self, event: BoardEvent) {
        match self.events.try_send(event) {
            Ok(()) | Err(mpsc::error::TrySendError::Full(BoardEvent::Partial { .. })) => {}
            Err(mpsc::error::TrySendError::Full(event)) => {
                let Ok(place) = Arc::clone(&self.late).try_acquire_owned() else {
                    tracing::error!(channel = %self.channel, ?event, "too much waits to be written; this is lost");
                    return;
                };
                let events = self.events.clone();
                tokio::spawn(async move {
                    let _ = events.send(event).await;
                    drop(place);
                });
            }
            Err(mpsc::error::TrySendError::Closed(_)) => {
                tracing::warn!(channel = %self.channel, "nothing can be written any more");
            }
        }
    }

    /// How much waits to be taken up.
    pub(crate) fn waiting(&self) -> usize {
        self.events.max_capacity() - self.events.capacity()
    }

    /// Writes a notice.
    pub(crate) fn notice(&self, text: impl Into<String>) {
        self.tell(BoardEvent::Notice { text: text.into() });
    }
}

struct Task {
    http: Arc<Http>,
    channel: serenity::all::ChannelId,
    board: Board,
    messages: HashMap<PostKey, MessageId>,
    results: mpsc::Sender<Answer>,
    origin: Instant,
}

/// What became of a request.
struct Answer {
    event: BoardEvent,
    posted: Option<(PostKey, MessageId)>,
}

impl Task {
    async fn run(mut self, mut inbox: mpsc::Receiver<BoardEvent>, mut answered: mpsc::Receiver<Answer>) {
        let mut last = None;
        loop {
            let due = self
                .board
                .deadline()
                .map(|at| self.origin + Duration::from_millis(at.as_millis()));
            let until = [due, last].into_iter().flatten().min();
            let tick = async {
                match until {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let event = tokio::select! {
                biased;
                Some(answer) = answered.recv() => {
                    if let Some((key, message)) = answer.posted {
                        self.messages.insert(key, message);
                    }
                    answer.event
                }
                event = inbox.recv(), if last.is_none() => event.unwrap_or_else(|| {
                    last = Some(Instant::now() + FLUSH);
                    BoardEvent::Close
                }),
                () = tick => BoardEvent::Tick,
            };
            if last.is_some_and(|at| at <= Instant::now()) {
                tracing::warn!(channel = %self.channel, "the last words of a call could not be written in time");
                return;
            }
            let now = Moment::ZERO.after(self.origin.elapsed());
            for effect in self.board.step(now, event) {
                if self.carry_out(effect) {
                    return;
                }
            }
        }
    }

    /// Does what the board says; true when nothing is left to do.
    fn carry_out(&mut self, effect: BoardEffect) -> bool {
        match effect {
            BoardEffect::Post { key, content } => {
                let message = CreateMessage::new()
                    .content(content)
                    .allowed_mentions(CreateAllowedMentions::new());
                let (http, channel) = (Arc::clone(&self.http), self.channel);
                self.request(
                    async move {
                        match channel.send_message(&http, message).await {
                            Ok(message) => Answer {
                                event: BoardEvent::Posted { key },
                                posted: Some((key, message.id)),
                            },
                            Err(error) => Answer {
                                event: BoardEvent::PostFailed {
                                    key,
                                    fault: fault(&error),
                                },
                                posted: None,
                            },
                        }
                    },
                    BoardEvent::PostFailed {
                        key,
                        fault: BoardFault::Transient,
                    },
                );
            }
            BoardEffect::Edit { key, content } => {
                let failed = |fault| BoardEvent::EditFailed { key, fault };
                let Some(message) = self.messages.get(&key).copied() else {
                    self.answer(failed(BoardFault::Gone));
                    return false;
                };
                let edit = EditMessage::new()
                    .content(content)
                    .allowed_mentions(CreateAllowedMentions::new());
                let (http, channel) = (Arc::clone(&self.http), self.channel);
                self.request(
                    async move {
                        let event = match channel.edit_message(&http, message, edit).await {
                            Ok(_) => BoardEvent::Edited { key },
                            Err(error) => BoardEvent::EditFailed {
                                key,
                                fault: fault(&error),
                            },
                        };
                        Answer { event, posted: None }
                    },
                    failed(BoardFault::Transient),
                );
            }
            BoardEffect::Delete { key } => {
                let failed = |fault| BoardEvent::DeleteFailed { key, fault };
                // It is forgotten once it is gone: a deletion that fails is tried again.
                let Some(message) = self.messages.get(&key).copied() else {
                    self.answer(BoardEvent::Deleted { key });
                    return false;
                };
                let (http, channel) = (Arc::clone(&self.http), self.channel);
                self.request(
                    async move {
                        let event = match channel.delete_message(&http, message).await {
                            Ok(()) => BoardEvent::Deleted { key },
                            Err(error) => BoardEvent::DeleteFailed {
                                key,
                                fault: fault(&error),
                            },
                        };
                        Answer { event, posted: None }
                    },
                    failed(BoardFault::Transient),
                );
            }
            BoardEffect::Forget { key } => {
                self.messages.remove(&key);
            }
            BoardEffect::Lost { what } => {
                tracing::error!(channel = %self.channel, %what, "could not be written");
            }
            BoardEffect::Idle => return true,
            _ => {}
        }
        false
    }

    fn request(&self, work: impl Future<Output = Answer> + Send + 'static, late: BoardEvent) {
        let results = self.results.clone();
        tokio::spawn(async move {
            let answer = tokio::time::timeout(REQUEST, work).await.unwrap_or(Answer {
                event: late,
                posted: None,
            });
            let _ = results.send(answer).await;
        });
    }

    fn answer(&self, event: BoardEvent) {
        let results = self.results.clone();
        tokio::spawn(async move { results.send(Answer { event, posted: None }).await });
    }
}

/// What an error of Discord's means for the board. serenity waits for rate limits itself.
fn fault(error: &serenity::Error) -> BoardFault {
    tracing::debug!(%error, "writing to a channel");
    match error {
        serenity::Error::Http(HttpError::UnsuccessfulRequest(response)) => {
            match response.status_code.as_u16() {
                404 => BoardFault::Gone,
                401 | 403 | 400 => BoardFault::Forbidden,
                _ => BoardFault::Transient,
            }
        }
        _ => BoardFault::Transient,
    }
}

//! What people see of a call: captions and replies go to the channel and into the transcript, and a word that was heard
//! keeps the call's sessions alive.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goobster_core::captions::BoardEvent;
use goobster_core::conversation::ReplyId;
use goobster_core::ids::{TurnId, UserId};
use goobster_core::session::Session;
use goobster_core::time::{Moment, UtcMillis};
use goobster_core::transcript::{Caption, CaptionKind, Transcript};
use tokio::sync::mpsc;

use super::CallEvent;
use crate::cli::exit::Failure;
use crate::converse::witness::{FinalCaption, PartialCaption, Reply, TurnEnd, Witness};
use crate::discord::captioner::Captioner;
use crate::monitoring::measured;

/// What a call's scribe shares with the call: where captions go may change while it writes.
#[derive(Clone)]
pub(crate) struct Desk {
    /// Where captions are written.
    pub(crate) captioner: Arc<Mutex<Captioner>>,
    /// What was said so far.
    pub(crate) transcript: Arc<Mutex<Transcript>>,
    /// The sessions of the call.
    pub(crate) sessions: Arc<Mutex<Vec<Arc<Session>>>>,
}

impl Desk {
    /// The captioner of the moment.
    pub(crate) fn captioner(&self) -> Captioner {
        self.captioner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Captions go here from now on.
    pub(crate) fn move_to(&self, captioner: Captioner) {
        *self.captioner.lock().unwrap_or_else(PoisonError::into_inner) = captioner;
    }
}

/// Sees a call's conversation.
pub(crate) struct Scribe {
    desk: Desk,
    call: mpsc::WeakSender<CallEvent>,
    bot_name: String,
    begun: UtcMillis,
    /// Replies that are being shown, line by line.
    growing: HashMap<ReplyId, String>,
    /// The last turns, and whose they were: an answer is forgotten with who was answered.
    said: VecDeque<(TurnId, UserId)>,
    now: Box<dyn Fn() -> Moment + Send>,
    /// When people were last told that not everybody can be followed.
    crowded: Option<Moment>,
}

/// How often people are told that not everybody can be followed.
const CROWDED_EVERY: Duration = Duration::from_mins(1);

/// Turns that an answer may still be under way to.
const ANSWERABLE: usize = 256;

impl Scribe {
    pub(crate) fn new(
        desk: Desk,
        call: mpsc::WeakSender<CallEvent>,
        bot_name: String,
        begun: UtcMillis,
        now: Box<dyn Fn() -> Moment + Send>,
    ) -> Self {
        Self {
            desk,
            call,
            bot_name,
            begun,
            growing: HashMap::new(),
            said: VecDeque::new(),
            now,
            crowded: None,
        }
    }

    fn touch(&self) {
        let now = (self.now)();
        let sessions = self.desk.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for session in sessions.iter() {
            session.touch(now);
        }
    }

    fn at(&self, moment: Moment) -> UtcMillis {
        self.begun.after(Duration::from_millis(moment.as_millis()))
    }

    fn words(&self, who: UserId, text: &str) {
        let count = text.split_whitespace().count();
        if let Some(call) = self.call.upgrade() {
            let _ = call.try_send(CallEvent::Words { who, count });
        }
    }

    fn keep(&self, caption: Caption) {
        let mut transcript = self
            .desk
            .transcript
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        transcript.push(caption);
    }
}

impl Witness for Scribe {
    fn partial(&mut self, caption: &PartialCaption<'_>) -> Result<(), Failure> {
        self.touch();
        self.desk.captioner().tell(BoardEvent::Partial {
            turn: caption.turn,
            speaker: caption.speaker.to_owned(),
            at: self.at(caption.from),
            firm: caption.forming.firm.clone(),
            tentative: caption.forming.tentative.clone(),
        });
        Ok(())
    }

    fn caption(&mut self, caption: &FinalCaption<'_>) -> Result<(), Failure> {
        self.touch();
        self.words(caption.who, caption.text);
        if self.said.len() == ANSWERABLE {
            self.said.pop_front();
        }
        self.said.push_back((caption.turn, caption.who));
        self.keep(Caption {
            speaker: caption.speaker.to_owned(),
            start: caption.from,
            end: caption.upto,
            text: caption.text.to_owned(),
            language: caption.language,
            confidence: caption.confidence,
            kind: CaptionKind::Speech,
            whose: Some(caption.who),
        });
        self.desk.captioner().tell(BoardEvent::Final {
            turn: caption.turn,
            speaker: caption.speaker.to_owned(),
            at: self.at(caption.from),
            text: caption.text.to_owned(),
        });
        Ok(())
    }

    fn dropped(&mut self, turn: TurnId) -> Result<(), Failure> {
        self.desk.captioner().tell(BoardEvent::Dropped { turn });
        Ok(())
    }

    fn reply_grows(&mut self, reply: ReplyId, line: &str) -> Result<(), Failure> {
        self.touch();
        let text = self.growing.entry(reply).or_default();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line);
        let text = text.clone();
        self.desk.captioner().tell(BoardEvent::Reply {
            reply,
            at: UtcMillis::new(jiff::Timestamp::now().as_millisecond()),
            text,
            done: false,
        });
        Ok(())
    }

    fn reply(&mut self, over: &Reply<'_>) -> Result<(), Failure> {
        self.touch();
        if let Some(text) = self.growing.remove(&over.reply) {
            let at = over.from.map_or_else(|| self.at(over.upto), |from| self.at(from));
            self.desk.captioner().tell(BoardEvent::Reply {
                reply: over.reply,
                at,
                text,
                done: true,
            });
        }
        if !over.spoken.is_empty() {
            let said = self.said.iter().rev();
            let mut to = said.filter(|(turn, _)| over.turns.contains(turn));
            let whose = to.next().map(|(_, who)| *who);
            self.keep(Caption {
                speaker: self.bot_name.clone(),
                start: over.from.unwrap_or(over.upto),
                end: over.upto,
                text: over.spoken.to_owned(),
                language: over.language,
                confidence: 1.0,
                kind: CaptionKind::Reply,
                whose,
            });
        }
        Ok(())
    }

    fn forgotten(&mut self, who: UserId) -> Result<(), Failure> {
        // What was captioned between the request and now.
        let mut transcript = self
            .desk
            .transcript
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        transcript.forget(who);
        Ok(())
    }

    fn turn(&mut self, end: &TurnEnd<'_>) -> Result<(), Failure> {
        measured::turn(end.times, end.ignored);
        tracing::debug!(
            turn = end.times.turn.get(),
            speaker = %end.times.speaker,
            caption_ms = end.times.ms(end.times.captioned),
            reply_audio_ms = end.times.ms(end.times.audible),
            ignored = end.ignored,
            "a turn is over"
        );
        Ok(())
    }

    fn not_followed(&mut self, speaker: &str, speakers: usize) -> Result<(), Failure> {
        measured::not_followed();
        let now = (self.now)();
        let due = self.crowded.is_none_or(|told| now.since(told) >= CROWDED_EVERY);
        if due {
            self.crowded = Some(now);
            tracing::warn!(speakers, "more people talk than can be followed");
            self.desk.captioner().notice(format!(
                "Sorry, {speaker}: more people are talking at once than I can follow ({speakers}), and I did not catch that. \
                 Please say it again when it is calmer."
            ));
        }
        Ok(())
    }

    fn trouble(&mut self, text: &str) -> Result<(), Failure> {
        tracing::warn!(trouble = text, "in a call");
        self.desk.captioner().notice(text);
        Ok(())
    }

    fn sound(&mut self, _: &[f32]) -> Result<(), Failure> {
        Ok(())
    }
}

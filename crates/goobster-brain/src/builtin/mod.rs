//! The responder that is always there: offline, small, and honest about it.
//!
//! What was said is read as words ([`words`]); the first skill that knows what to do with them answers. A skill answers
//! what is asked of it, not what only mentions its words ("I don't want to die" throws no dice): a request must begin
//! like one, and a question must be about nothing else. Nothing is repeated back: what no skill matches gets a short answer that says what Goobster can do instead.

mod answers;
mod clock;
mod dice;
#[cfg(test)]
mod everyday;
mod quota;
mod recap;
#[cfg(test)]
mod tests;
mod timer;
mod words;

use std::time::Duration;

use goobster_core::ports::{PortFuture, ReplyPiece, ReplyStream, RespondError, RespondRequest, Responder};
use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use words::Words;

/// What the built-in responder answers: words, and perhaps a timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What to say.
    pub text: String,
    /// A timer to ring: after how long, and what to say then.
    pub timer: Option<(Duration, String)>,
}

impl Answer {
    fn say(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            timer: None,
        }
    }
}

/// The built-in responder. The clock is the turn's own time, so an answer depends on the request alone.
#[derive(Debug, Clone)]
pub struct BuiltIn {
    zone: TimeZone,
}

impl Default for BuiltIn {
    fn default() -> Self {
        Self::new()
    }
}

impl BuiltIn {
    /// Tells the time in the machine's own zone.
    pub fn new() -> Self {
        Self::in_zone(TimeZone::system())
    }

    /// Tells the time in this zone.
    pub fn in_zone(zone: TimeZone) -> Self {
        Self { zone }
    }

    /// The answer to a turn: pure, for tests and for callers that need no stream.
    pub fn answer(&self, request: &RespondRequest) -> Answer {
        let words = Words::of(&request.turn.text);
        let (skill, answer) = self.choose(&words, request);
        tracing::debug!(?skill, "the built-in responder answers");
        answer
    }

    /// The first skill that knows what to do with the words, and its answer.
    fn choose(&self, words: &Words, request: &RespondRequest) -> (Skill, Answer) {
        if let Some(foreign) = answers::foreign(request.language, words) {
            return (Skill::Foreign, Answer::say(foreign));
        }
        if let Some(answer) = timer::answer(words) {
            return (Skill::Timer, answer);
        }
        let said = |skill: Skill, text: Option<String>| text.map(|text| (skill, Answer::say(text)));
        said(Skill::Limits, quota::answer(words, request))
            .or_else(|| said(Skill::Repeat, recap::repeat(words, request)))
            .or_else(|| said(Skill::Recap, recap::recap(words, request)))
            .or_else(|| said(Skill::Dice, dice::answer(words, request.seed)))
            .or_else(|| said(Skill::Clock, clock::answer(words, request.turn.at, &self.zone)))
            .or_else(|| said(Skill::Help, answers::help(words)))
            .or_else(|| said(Skill::Courtesy, answers::courtesy(words, request)))
            .unwrap_or_else(|| (Skill::None, Answer::say(answers::unknown(request.seed))))
    }
}

/// What a turn is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skill {
    Foreign,
    Timer,
    Limits,
    Repeat,
    Recap,
    /// Dice, coins and numbers.
    Dice,
    Clock,
    Help,
    Courtesy,
    None,
}

impl Responder for BuiltIn {
    fn respond(&self, request: RespondRequest) -> PortFuture<'_, Result<ReplyStream, RespondError>> {
        Box::pin(async move {
            if request.abort.is_raised() {
                return Err(RespondError::Aborted);
            }
            let Answer { text, timer } = self.answer(&request);
            let (pieces, stream) = mpsc::channel(2);
            let timer = timer.map(|(after, announcement)| ReplyPiece::Timer { after, announcement });
            for piece in [Some(ReplyPiece::Text(text)), timer].into_iter().flatten() {
                // The channel has room for both, and its other end is in our hand.
                let _ = pieces.try_send(Ok(piece));
            }
            Ok(stream)
        })
    }

    fn name(&self) -> String {
        "built-in".to_owned()
    }
}

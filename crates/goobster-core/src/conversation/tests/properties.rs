//! What holds whatever people, responders and voices do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Join(u64),
    Leave(u64),
    Start(u64),
    Voice(u64, u64),
    Stop(u64),
    Partial(u64, usize),
    Final(u64, usize),
    Nothing(u64),
    HearingFailed(u64),
    Text(usize),
    Timer(u64),
    Ended,
    Failed,
    LineStarted,
    Progress(u8),
    LineFinished,
    LineFailed,
    StaleLine(u64),
    Mute(bool),
    Hush,
    Wait(u64),
}

const WORDS: [&str; 8] = [
    "Goobster, hello there.",
    "What is that?",
    "stop",
    "mhm",
    "",
    "Goobster?",
    "a b c d e f",
    "No, wait, Booster!",
];
const TEXTS: [&str; 6] = [
    "Hello. ",
    "A word",
    ", then another, and a longer clause that goes on",
    "? ",
    "\n\n",
    "---",
];

fn act() -> impl Strategy<Value = Act> {
    let who = || 1_u64..4;
    prop_oneof![
        2 => who().prop_map(Act::Join),
        1 => who().prop_map(Act::Leave),
        6 => who().prop_map(Act::Start),
        8 => (who(), 0_u64..2000).prop_map(|(w, v)| Act::Voice(w, v)),
        4 => who().prop_map(Act::Stop),
        3 => (who(), 0..WORDS.len()).prop_map(|(w, t)| Act::Partial(w, t)),
        6 => (who(), 0..WORDS.len()).prop_map(|(w, t)| Act::Final(w, t)),
        3 => who().prop_map(Act::Nothing),
        1 => who().prop_map(Act::HearingFailed),
        9 => (0..TEXTS.len()).prop_map(Act::Text),
        1 => (0_u64..60_000).prop_map(Act::Timer),
        4 => Just(Act::Ended),
        1 => Just(Act::Failed),
        8 => Just(Act::LineStarted),
        2 => any::<u8>().prop_map(Act::Progress),
        8 => Just(Act::LineFinished),
        1 => Just(Act::LineFailed),
        1 => (0_u64..50).prop_map(Act::StaleLine),
        1 => any::<bool>().prop_map(Act::Mute),
        1 => Just(Act::Hush),
        5 => (0_u64..20_000).prop_map(Act::Wait),
    ]
}

/// A transport that does as it is told, and checks what it is told.
#[derive(Default)]
struct Transport {
    open: Option<ReplyId>,
    opened: u64,
    closed: BTreeSet<ReplyId>,
    generating: Option<ReplyId>,
    /// Lines handed over, in order; the flag says whether the first is playing.
    lines: VecDeque<LineId>,
    playing: bool,
    all_lines: BTreeSet<LineId>,
    texts: BTreeMap<ReplyId, Vec<String>>,
}

impl Transport {
    fn take(&mut self, effects: Vec<Effect>) -> Result<(), TestCaseError> {
        for effect in effects {
            match effect {
                Effect::ReplyOpened { reply, .. } => {
                    prop_assert!(self.open.is_none(), "one reply at a time");
                    self.opened += 1;
                    self.open = Some(reply);
                }
                Effect::StartReply { reply, .. } => {
                    prop_assert_eq!(self.open, Some(reply));
                    prop_assert!(self.generating.is_none(), "one generation at a time");
                    self.generating = Some(reply);
                }
                Effect::CancelReply { reply } => {
                    prop_assert_eq!(
                        self.generating.take(),
                        Some(reply),
                        "only what runs is cancelled, once"
                    );
                }
                Effect::Speak {
                    reply, line, text, ..
                } => {
                    prop_assert_eq!(self.open, Some(reply), "no line after the close");
                    prop_assert!(self.all_lines.insert(line), "line ids are unique");
                    prop_assert!(!text.trim().is_empty());
                    self.lines.push_back(line);
                    prop_assert!(self.lines.len() <= ConversationConfig::default().lines_ahead);
                    self.texts.entry(reply).or_default().push(text);
                }
                Effect::StopPlayout { reply } => {
                    prop_assert_eq!(self.open, Some(reply));
                    self.lines.clear();
                    self.playing = false;
                }
                Effect::ShowReply { reply, text, spoken } => {
                    prop_assert_eq!(self.open, Some(reply));
                    prop_assert!(text.is_char_boundary(spoken));
                }
                Effect::ReplyClosed { reply, .. } => {
                    prop_assert_eq!(self.open.take(), Some(reply));
                    prop_assert!(self.closed.insert(reply), "closed once");
                    prop_assert!(self.generating.is_none(), "a closed reply generates nothing");
                    prop_assert!(self.lines.is_empty(), "nothing of a closed reply plays on");
                }
                Effect::TurnIgnored { .. } => {}
            }
        }
        Ok(())
    }
}

struct Run {
    talk: Conversation,
    transport: Transport,
    now: u64,
    turns: u64,
    speaking: BTreeMap<u64, TurnId>,
}

impl Run {
    fn step(&mut self, event: Event) -> Result<(), TestCaseError> {
        match &event {
            Event::ReplyEnded { reply } | Event::ReplyFailed { reply, .. }
                if self.transport.generating == Some(*reply) =>
            {
                self.transport.generating = None;
            }
            Event::LineFinished { line } | Event::LineFailed { line }
                if self.transport.lines.front() == Some(line) =>
            {
                self.transport.lines.pop_front();
                self.transport.playing = false;
            }
            _ => {}
        }
        let effects = self.talk.step(Moment::from_millis(self.now), event);
        prop_assert!(
            effects.len() <= 64,
            "a step does a bounded amount: {}",
            effects.len()
        );
        self.transport.take(effects)?;
        let config = ConversationConfig::default();
        prop_assert!(self.talk.waiting() <= config.queue);
        prop_assert!(self.talk.history().count() <= config.history_exchanges);
        prop_assert_eq!(
            self.talk.phase() == Phase::Listening,
            self.transport.open.is_none()
        );
        Ok(())
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
    fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        let turn_of = |run: &Self, who: u64| run.speaking.get(&who).copied().unwrap_or(TurnId::new(9999));
        let event = match *act {
            Act::Join(who) => Event::Joined {
                who: UserId::new(who),
                name: format!("P{who}"),
            },
            Act::Leave(who) => Event::Left {
                who: UserId::new(who),
            },
            Act::Start(who) => {
                self.turns += 1;
                let turn = TurnId::new(self.turns);
                self.speaking.insert(who, turn);
                Event::SpeechStarted {
                    who: UserId::new(who),
                    turn,
                }
            }
            Act::Voice(who, millis) => Event::Voice {
                who: UserId::new(who),
                turn: turn_of(self, who),
                voiced: Duration::from_millis(millis),
            },
            Act::Stop(who) => Event::SpeechStopped {
                who: UserId::new(who),
                turn: turn_of(self, who),
            },
            Act::Partial(who, text) => Event::Partial {
                who: UserId::new(who),
                turn: turn_of(self, who),
                text: WORDS[text].into(),
            },
            Act::Final(who, text) => Event::Final {
                who: UserId::new(who),
                turn: turn_of(self, who),
                text: WORDS[text].into(),
                language: Language::ENGLISH,
                at: UtcMillis::new(self.now as i64),
            },
            Act::Nothing(who) => Event::Nothing {
                who: UserId::new(who),
                turn: turn_of(self, who),
            },
            Act::HearingFailed(who) => Event::HearingFailed {
                who: UserId::new(who),
                turn: turn_of(self, who),
                language: Language::ENGLISH,
            },
            Act::Text(which) => {
                let Some(reply) = self.transport.generating else {
                    return Ok(());
                };
                Event::ReplyText {
                    reply,
                    text: TEXTS[which].into(),
                }
            }
            Act::Timer(after) => {
                let Some(reply) = self.transport.generating else {
                    return Ok(());
                };
                Event::ReplyTimer {
                    reply,
                    after: Duration::from_millis(after),
                    announcement: "Ring.".into(),
                }
            }
            Act::Ended => {
                let Some(reply) = self.transport.generating else {
                    return Ok(());
                };
                Event::ReplyEnded { reply }
            }
            Act::Failed => {
                let Some(reply) = self.transport.generating else {
                    return Ok(());
                };
                Event::ReplyFailed {
                    reply,
                    why: Failure::BadAnswer,
                }
            }
            Act::LineStarted => {
                let Some(line) = self.transport.lines.front().copied() else {
                    return Ok(());
                };
                self.transport.playing = true;
                Event::LineStarted { line }
            }
            Act::Progress(share) => {
                let Some(line) = self.transport.lines.front().copied() else {
                    return Ok(());
                };
                Event::LineProgress {
                    line,
                    played: f32::from(share) / 200.0,
                }
            }
            Act::LineFinished => {
                let Some(line) = self.transport.lines.front().copied() else {
                    return Ok(());
                };
                Event::LineFinished { line }
            }
            Act::LineFailed => {
                let Some(line) = self.transport.lines.front().copied() else {
                    return Ok(());
                };
                Event::LineFailed { line }
            }
            Act::StaleLine(line) => {
                if self.transport.lines.contains(&LineId(line)) {
                    return Ok(());
                }
                Event::LineFinished { line: LineId(line) }
            }
            Act::Mute(on) => Event::Mute(on),
            Act::Hush => Event::Hush,
            Act::Wait(millis) => {
                self.now += millis;
                Event::Tick
            }
        };
        self.now += 1;
        self.step(event)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_transport_is_never_told_nonsense_and_the_room_comes_to_rest(
        acts in proptest::collection::vec(act(), 0..150),
    ) {
        let talk = Conversation::new(ConversationConfig::default());
        let mut run = Run { talk, transport: Transport::default(), now: 0, turns: 0, speaking: BTreeMap::new() };
        for act in acts {
            run.act(&act)?;
        }
        // From here on nobody says anything, and the responder and the voice are dead: only the clock goes on.
        let mut ticks = 0;
        while let Some(deadline) = run.talk.deadline() {
            ticks += 1;
            prop_assert!(ticks < 500, "it does not come to rest");
            run.now = run.now.max(deadline.as_millis());
            run.step(Event::Tick)?;
        }
        prop_assert_eq!(run.talk.phase(), Phase::Listening);
        prop_assert_eq!(run.transport.closed.len() as u64, run.transport.opened);
        prop_assert!(run.transport.generating.is_none() && run.transport.lines.is_empty());
    }
}

//! What the board writes, in which order, and that no failure loses a word.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::ids::TurnId;

const T: UtcMillis = UtcMillis::new(1_800_000_000_500);

fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

fn board() -> Board {
    Board::new(BoardConfig::default())
}

fn partial(turn: u64, firm: &str, tentative: &str) -> BoardEvent {
    BoardEvent::Partial {
        turn: TurnId::new(turn),
        speaker: "Ada".to_owned(),
        at: T,
        firm: firm.to_owned(),
        tentative: tentative.to_owned(),
    }
}

fn said(turn: u64, text: &str) -> BoardEvent {
    BoardEvent::Final {
        turn: TurnId::new(turn),
        speaker: "Ada".to_owned(),
        at: T,
        text: text.to_owned(),
    }
}

fn notice(text: &str) -> BoardEvent {
    BoardEvent::Notice {
        text: text.to_owned(),
    }
}

/// The one request among the effects.
fn request(effects: &[BoardEffect]) -> (PostKey, &str) {
    let mut requests = effects.iter().filter_map(|effect| match effect {
        BoardEffect::Post { key, content } | BoardEffect::Edit { key, content } => {
            Some((*key, content.as_str()))
        }
        _ => None,
    });
    let first = requests.next().expect("a request");
    assert_eq!(requests.next(), None);
    first
}

#[test]
fn a_turn_is_one_message_that_firms_up() {
    let mut board = board();
    let effects = board.step(at(0), partial(1, "hello", "there"));
    let (key, content) = request(&effects);
    assert_eq!(content, "**Ada** · <t:1800000000:T>\nhello *there* …");
    assert!(
        board.step(at(100), partial(1, "hello there", "my")).is_empty(),
        "one request at a time"
    );
    let effects = board.step(at(200), BoardEvent::Posted { key });
    assert!(effects.is_empty(), "a partial caption is edited once a second");
    let effects = board.step(at(300), said(1, "Hello there, my friend."));
    assert_eq!(
        request(&effects),
        (key, "**Ada** · <t:1800000000:T>\nHello there, my friend.")
    );
    assert_eq!(
        board.step(at(400), BoardEvent::Edited { key }),
        [BoardEffect::Forget { key }]
    );
    assert_eq!(board.deadline(), None);
}

#[test]
fn turns_appear_in_the_order_in_which_they_began() {
    let mut board = board();
    let effects = board.step(at(0), partial(1, "one", ""));
    let (first, _) = request(&effects);
    assert!(
        board.step(at(10), said(2, "two")).is_empty(),
        "the first message is still being made"
    );
    let effects = board.step(at(20), BoardEvent::Posted { key: first });
    assert!(request(&effects).1.ends_with("two"));
}

#[test]
fn a_turn_that_was_no_speech_is_taken_back() {
    let mut board = board();
    let effects = board.step(at(0), partial(1, "um", ""));
    let (key, _) = request(&effects);
    assert!(
        board
            .step(at(10), BoardEvent::Dropped { turn: TurnId::new(1) })
            .is_empty()
    );
    assert_eq!(
        board.step(at(20), BoardEvent::Posted { key }),
        [BoardEffect::Delete { key }]
    );
    assert_eq!(
        board.step(at(30), BoardEvent::Deleted { key }),
        [BoardEffect::Forget { key }]
    );
    // And one that was never shown leaves no trace.
    board.step(at(5100), BoardEvent::Dropped { turn: TurnId::new(9) });
    assert_eq!(board.deadline(), None);
}

#[test]
fn what_people_say_and_are_called_does_nothing() {
    let mut board = board();
    let event = BoardEvent::Final {
        turn: TurnId::new(1),
        speaker: "**Bob** <@1>".to_owned(),
        at: T,
        text: "# @everyone look at `this` <#42> ||now|| [x](y) 1_000".to_owned(),
    };
    let effects = board.step(at(0), event);
    let (_, content) = request(&effects);
    assert_eq!(
        content,
        "**\\*\\*Bob\\*\\* \\<@\u{200B}1\\>** · <t:1800000000:T>\n\\# @\u{200B}everyone look at \\`this\\` \\<#42\\> \\|\\|now\\|\\| \\[x\\](y) 1\\_000"
    );
}

#[test]
fn a_long_turn_goes_on_in_further_messages_without_losing_a_word() {
    let mut board = board();
    let words: Vec<String> = (0..900).map(|n| format!("word{n}")).collect();
    let mut seen = Vec::new();
    let mut effects = board.step(at(0), said(1, &words.join(" ")));
    let mut now = 0;
    while let Some((key, content)) = effects.iter().find_map(|effect| match effect {
        BoardEffect::Post { key, content } => Some((*key, content.clone())),
        _ => None,
    }) {
        assert!(content.chars().count() <= 2000);
        seen.push(content);
        now += 100;
        effects = board.step(at(now), BoardEvent::Posted { key });
        if effects.is_empty() && board.deadline().is_some() {
            now = board.deadline().unwrap().as_millis();
            effects = board.step(at(now), BoardEvent::Tick);
        }
    }
    assert!(seen.len() >= 3, "{}", seen.len());
    let text = seen.join(" ");
    let text = text.split_once('\n').unwrap().1;
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), words);
}

#[test]
fn what_fails_is_tried_again_and_at_last_handed_back() {
    let mut board = board();
    let mut effects = board.step(at(0), said(1, "hello"));
    let mut attempts = 0;
    loop {
        let (key, _) = request(&effects);
        attempts += 1;
        let fault = BoardFault::Transient;
        let now = board.recent.back().copied().unwrap();
        effects = board.step(now, BoardEvent::PostFailed { key, fault });
        if let Some(BoardEffect::Lost { what }) = effects.first() {
            assert!(what.ends_with("hello"));
            break;
        }
        effects = board.step(board.deadline().unwrap(), BoardEvent::Tick);
    }
    assert_eq!(attempts, 10);
    assert_eq!(board.deadline(), None);
}

#[test]
fn a_message_that_somebody_deleted_is_written_anew() {
    let mut board = board();
    let effects = board.step(at(0), partial(1, "hello", ""));
    let (key, _) = request(&effects);
    board.step(at(10), BoardEvent::Posted { key });
    board.step(at(1500), said(1, "Hello!"));
    let fault = BoardFault::Gone;
    let effects = board.step(at(1600), BoardEvent::EditFailed { key, fault });
    let (fresh, content) = request(&effects);
    assert!(fresh != key && content.ends_with("Hello!"));
}

#[test]
fn notices_are_small_print_and_the_board_says_when_all_is_written() {
    let mut board = board();
    let effects = board.step(at(0), notice("I was moved to <#7>."));
    let (key, content) = request(&effects);
    assert_eq!(content, "-# I was moved to <#7>.");
    assert!(board.step(at(1), BoardEvent::Close).is_empty());
    let effects = board.step(at(2), BoardEvent::Posted { key });
    assert_eq!(effects, [BoardEffect::Forget { key }, BoardEffect::Idle]);
    assert!(board.step(at(3), BoardEvent::Tick).is_empty());
}

#[test]
fn an_unfinished_turn_is_finished_when_nothing_more_comes() {
    let mut board = board();
    let effects = board.step(at(0), partial(1, "half a sen", ""));
    let (key, _) = request(&effects);
    board.step(at(1), BoardEvent::Close);
    let effects = board.step(at(2), BoardEvent::Posted { key });
    assert!(request(&effects).1.ends_with("\nhalf a sen"));
}

#[test]
fn nothing_waits_without_bound() {
    let mut board = board();
    let mut lost = 0;
    for turn in 0..500 {
        let effects = board.step(at(0), said(turn, "hello"));
        lost += effects
            .iter()
            .filter(|effect| matches!(effect, BoardEffect::Lost { .. }))
            .count();
    }
    assert_eq!((board.entries.len(), lost), (200, 300));
}

#[test]
fn what_is_said_faster_than_messages_may_be_created_does_not_wait_ever_longer() {
    let mut board = board();
    // Five people end a turn every second, for five minutes; the channel takes a message a second.
    let (mut now, mut open, mut begun, mut slowest) = (0, None, BTreeMap::new(), 0);
    let mut posted = Vec::new();
    for turn in 0..1500_u64 {
        now = turn * 200;
        begun.insert(turn, now);
        let mut effects = board.step(at(now), said(turn, &format!("sentence {turn}.")));
        if let Some((key, asked)) = open
            && now - asked >= 1000
        {
            open = None;
            effects.extend(board.step(at(now), BoardEvent::Posted { key }));
        }
        for effect in effects {
            match effect {
                BoardEffect::Post { key, content } => {
                    assert!(content.chars().count() <= 2000 && open.is_none());
                    open = Some((key, now));
                    posted.extend(content.lines().filter_map(|line| {
                        let turn: u64 = line.strip_prefix("sentence ")?.strip_suffix('.')?.parse().ok()?;
                        slowest = slowest.max(now - begun[&turn]);
                        Some(turn)
                    }));
                }
                BoardEffect::Forget { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(posted.is_sorted() && posted.len() > 1480, "{}", posted.len());
    assert!(slowest <= 2000, "{slowest} ms");
    assert!(now > 0 && board.entries.len() < 12);
}

#[test]
fn two_turns_that_end_together_keep_a_message_each() {
    let mut board = board();
    let effects = board.step(at(0), said(1, "one"));
    let (first, _) = request(&effects);
    board.step(at(10), said(2, "two"));
    board.step(at(20), said(3, "three"));
    let effects = board.step(at(100), BoardEvent::Posted { key: first });
    let (second, content) = request(&effects);
    assert!(content.ends_with("two"), "{content}");
    let effects = board.step(at(200), BoardEvent::Posted { key: second });
    assert!(request(&effects).1.ends_with("three"));
}

#[test]
fn a_full_board_does_not_throw_away_what_is_being_written() {
    let mut board = board();
    let effects = board.step(at(0), said(0, "hello"));
    let (key, _) = request(&effects);
    for turn in 1..500 {
        board.step(at(0), said(turn, "hello"));
    }
    let effects = board.step(at(100), BoardEvent::Posted { key });
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, BoardEffect::Delete { .. })),
        "{effects:?}"
    );
}

#[derive(Debug, Clone)]
enum Act {
    Partial(u64),
    Final(u64),
    Dropped(u64),
    Notice,
    Answer(usize, u8),
    Wait(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..6_u64).prop_map(Act::Partial),
        (0..6_u64).prop_map(Act::Final),
        (0..6_u64).prop_map(Act::Dropped),
        Just(Act::Notice),
        (0..4_usize, 0..10_u8).prop_map(|(which, how)| Act::Answer(which, how)),
        (0..3000_u64).prop_map(Act::Wait),
    ]
}

/// A channel that does what it is asked, or fails.
#[derive(Default)]
struct Channel {
    open: Vec<BoardEffect>,
    messages: BTreeMap<PostKey, String>,
    /// Everything that was ever final, as it was written at last.
    written: Vec<String>,
    lost: Vec<String>,
    starts: Vec<u64>,
}

impl Channel {
    fn take(&mut self, now: u64, effects: Vec<BoardEffect>) {
        for effect in effects {
            match effect {
                BoardEffect::Lost { what } => self.lost.push(what),
                BoardEffect::Forget { .. } | BoardEffect::Idle => {}
                request => {
                    self.starts.push(now);
                    self.open.push(request);
                }
            }
        }
        let creating = self
            .open
            .iter()
            .filter(|open| matches!(open, BoardEffect::Post { .. }))
            .count();
        assert!(creating <= 1, "messages are created one at a time");
    }

    fn answer(&mut self, which: usize, how: u8) -> Option<BoardEvent> {
        if self.open.is_empty() {
            return None;
        }
        let request = self.open.remove(which % self.open.len());
        Some(match (request, how) {
            (BoardEffect::Post { key, .. }, 0) => BoardEvent::PostFailed {
                key,
                fault: BoardFault::Transient,
            },
            (BoardEffect::Post { key, .. }, 1) => BoardEvent::PostFailed {
                key,
                fault: BoardFault::RetryAfter(Duration::from_secs(1)),
            },
            (BoardEffect::Post { key, content }, _) => {
                assert!(content.chars().count() <= 2000);
                self.written.push(content.clone());
                self.messages.insert(key, content);
                BoardEvent::Posted { key }
            }
            (BoardEffect::Edit { key, .. }, 0) => BoardEvent::EditFailed {
                key,
                fault: BoardFault::Transient,
            },
            (BoardEffect::Edit { key, .. }, 1) => {
                self.messages.remove(&key);
                BoardEvent::EditFailed {
                    key,
                    fault: BoardFault::Gone,
                }
            }
            (BoardEffect::Edit { key, content }, _) => {
                assert!(
                    self.messages.insert(key, content.clone()).is_some(),
                    "edited before it was there"
                );
                self.written.push(content);
                BoardEvent::Edited { key }
            }
            (BoardEffect::Delete { key }, 0) => BoardEvent::DeleteFailed {
                key,
                fault: BoardFault::Transient,
            },
            (BoardEffect::Delete { key }, _) => {
                self.messages.remove(&key);
                BoardEvent::Deleted { key }
            }
            (other, _) => panic!("{other:?}"),
        })
    }
}

proptest! {
    #[test]
    fn every_final_word_is_written_or_handed_back(acts in proptest::collection::vec(any_act(), 0..80)) {
        let mut board = board();
        let mut channel = Channel::default();
        let mut now = 0;
        let mut expected = Vec::new();
        let mut over = std::collections::BTreeSet::new();
        for (n, act) in acts.into_iter().enumerate() {
            let event = match act {
                // A turn's number is used once: nothing comes after its end.
                Act::Partial(turn) if !over.contains(&turn) => partial(turn, &format!("part {n}"), "maybe"),
                Act::Final(turn) if over.insert(turn) => { expected.push(format!("final {n}.")); said(turn, &format!("final {n}.")) }
                Act::Dropped(turn) if over.insert(turn) => BoardEvent::Dropped { turn: TurnId::new(turn) },
                Act::Notice => { expected.push(format!("notice {n}.")); notice(&format!("notice {n}.")) }
                Act::Answer(which, how) => match channel.answer(which, how) { Some(event) => event, None => continue },
                Act::Wait(span) => { now += span; BoardEvent::Tick }
                _ => continue,
            };
            let effects = board.step(at(now), event);
            channel.take(now, effects);
        }
        // Then everything works, and all of it is written.
        let effects = board.step(at(now), BoardEvent::Close);
        let mut idle = effects.contains(&BoardEffect::Idle);
        channel.take(now, effects);
        for _ in 0..2000 {
            if idle { break; }
            let event = if let Some(event) = channel.answer(0, 9) { event } else {
                let due = board.deadline();
                prop_assert!(due.is_some_and(|due| due.as_millis() > now), "it waits for nothing");
                now = due.unwrap().as_millis();
                BoardEvent::Tick
            };
            let effects = board.step(at(now), event);
            idle |= effects.contains(&BoardEffect::Idle);
            channel.take(now, effects);
        }
        prop_assert!(idle, "it never said that all is written");
        prop_assert!(channel.lost.is_empty());
        for words in &expected {
            let shown = channel.messages.values().filter(|content| content.contains(words.as_str())).count();
            prop_assert_eq!(shown, 1, "{} in {:?}", words, channel.messages);
        }
        prop_assert!(channel.messages.values().all(|content| !content.ends_with('…')), "{:?}", channel.messages);
        // Discord's limit is kept.
        for (n, start) in channel.starts.iter().enumerate() {
            let within = channel.starts[n..].iter().take_while(|other| **other - start < 5000).count();
            prop_assert!(within <= 8, "{within} requests in 5 s");
        }
    }

    #[test]
    fn any_text_fits_and_keeps_its_words(text in "[ a-z*_@<>#`~|\\\\.0-9\\[\\]é😀-]{0,400}", most in 40..300_usize) {
        let header = text::header("Ada", T);
        for piece in text::whole(&header, &text, most).iter().chain(&text::partial(&header, &text, &text, most)) {
            prop_assert!(piece.chars().count() <= most + 1, "{piece}");
        }
        let plain: String = text::whole(&header, &text, most).join(" ").replacen(&header, "", 1)
            .replace(['\\', '\u{200B}'], "");
        let wanted: String = text.replace('\\', "");
        let squash = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != '…').collect::<String>();
        prop_assert_eq!(squash(&plain), squash(&wanted));
    }
}

//! The group with a bot that is a `davey` session of its own, answering as songbird does.

use std::time::Instant;

use davey::{Codec, DaveSession};
use serde_json::Value;

use super::*;

const CHANNEL: u64 = 77;
const BOT: u64 = 99;

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

/// A bot as songbird is one: it answers each message at once.
struct Bot {
    session: DaveSession,
    transitions: Vec<u16>,
}

impl Bot {
    /// Carries messages to and fro until nobody has anything to say.
    fn answer(&mut self, group: &mut Group, effects: Vec<Effect>) {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            let now = Instant::now();
            let more = match effect {
                Effect::Executed(transition) => {
                    self.transitions.push(transition);
                    Vec::new()
                }
                Effect::Text(text) => self.text(group, &text, now),
                Effect::Binary(bytes) => self.binary(group, &bytes, now),
            };
            queue.extend(more);
        }
    }

    fn text(&mut self, group: &mut Group, text: &str, now: Instant) -> Vec<Effect> {
        let message: Value = serde_json::from_str(text).unwrap();
        match message["op"].as_u64() {
            Some(24) => {
                self.session.reinit(VERSION, BOT, CHANNEL, None).unwrap();
                let package = self.session.create_key_package().unwrap();
                group.key_package(&package, now).unwrap()
            }
            Some(21) => group
                .ready(message["d"]["transition_id"].as_u64().unwrap() as u16, now)
                .unwrap(),
            _ => Vec::new(),
        }
    }

    fn binary(&mut self, group: &mut Group, bytes: &[u8], now: Instant) -> Vec<Effect> {
        let ready = |group: &mut Group| {
            group
                .ready(u16::from_be_bytes([bytes[1], bytes[2]]), now)
                .unwrap()
        };
        match bytes[0] {
            25 => self.session.set_external_sender(&bytes[1..]).unwrap(),
            27 => {
                let commit = self
                    .session
                    .process_proposals(ProposalsOperationType::APPEND, &bytes[2..], None)
                    .unwrap();
                let CommitWelcome { commit, welcome } = commit.unwrap();
                return group
                    .commit(&[commit, welcome.unwrap_or_default()].concat(), now)
                    .unwrap();
            }
            29 => {
                self.session.process_commit(&bytes[3..]).unwrap();
                return ready(group);
            }
            30 => {
                self.session.process_welcome(&bytes[3..]).unwrap();
                return ready(group);
            }
            other => panic!("opcode {other}"),
        }
        Vec::new()
    }
}

fn meet(winner: Winner, before: &[u64]) -> (Group, Bot) {
    let mut group = Group::new(CHANNEL, BOT, winner).unwrap();
    for id in before {
        assert!(
            group.add(user(*id), Instant::now()).unwrap().is_empty(),
            "the bot is not there yet"
        );
    }
    let session = DaveSession::new(VERSION, BOT, CHANNEL, None).unwrap();
    let mut bot = Bot {
        session,
        transitions: Vec::new(),
    };
    let greeting = vec![group.greet()];
    bot.answer(&mut group, greeting);
    let package = bot.session.create_key_package().unwrap();
    let effects = group.key_package(&package, Instant::now()).unwrap();
    bot.answer(&mut group, effects);
    (group, bot)
}

/// Everybody hears everybody.
fn understand(group: &mut Group, bot: &mut Bot, members: &[u64]) {
    for id in members {
        let sent = group.encrypt(user(*id), b"a frame of a member").unwrap();
        assert_ne!(sent, b"a frame of a member");
        let heard = bot.session.decrypt(*id, MediaType::AUDIO, &sent).unwrap();
        assert_eq!(heard, b"a frame of a member");
    }
    let said = bot
        .session
        .encrypt(MediaType::AUDIO, Codec::OPUS, b"a frame of the bot")
        .unwrap()
        .into_owned();
    assert_eq!(group.decrypt(&said), Some((b"a frame of the bot".to_vec(), true)));
}

#[test]
fn a_bot_is_welcomed_and_members_come_and_go() {
    for winner in [Winner::Member, Winner::Bot] {
        let (mut group, mut bot) = meet(winner, &[1, 2]);
        understand(&mut group, &mut bot, &[1, 2]);
        let effects = group.add(user(3), Instant::now()).unwrap();
        bot.answer(&mut group, effects);
        understand(&mut group, &mut bot, &[1, 2, 3]);
        let effects = group.remove(user(1), Instant::now()).unwrap();
        bot.answer(&mut group, effects);
        understand(&mut group, &mut bot, &[2, 3]);
        assert!(group.encrypt(user(1), b"x").is_none());
        assert_eq!(bot.session.epoch().unwrap().as_u64(), group.epoch);
        assert_eq!(bot.transitions.len(), 3, "{winner:?}: {:?}", bot.transitions);
    }
}

#[test]
fn a_bot_that_was_there_first_or_stays_last_commits_itself() {
    let (mut group, mut bot) = meet(Winner::Member, &[]);
    for round in 0..2 {
        for id in [1, 2] {
            let effects = group.add(user(id), Instant::now()).unwrap();
            bot.answer(&mut group, effects);
        }
        understand(&mut group, &mut bot, &[1, 2]);
        for id in [1, 2] {
            let effects = group.remove(user(id), Instant::now()).unwrap();
            bot.answer(&mut group, effects);
        }
        assert_eq!(bot.session.get_user_ids().unwrap(), [BOT], "round {round}");
    }
}

#[test]
fn a_new_group_a_downgrade_and_an_upgrade_are_followed() {
    let (mut group, mut bot) = meet(Winner::Member, &[1, 2]);
    let effects = group.restart(Instant::now()).unwrap();
    bot.answer(&mut group, effects);
    understand(&mut group, &mut bot, &[1, 2]);
    let effects = group.downgrade();
    bot.answer(&mut group, effects);
    assert_eq!(
        (group.version(), group.encrypt(user(1), b"plain")),
        (0, Some(b"plain".to_vec()))
    );
    assert_eq!(group.decrypt(b"plain"), Some((b"plain".to_vec(), false)));
    let effects = group.restart(Instant::now()).unwrap();
    bot.answer(&mut group, effects);
    understand(&mut group, &mut bot, &[1, 2]);
    assert_eq!(group.version(), 1);
}

#[test]
fn a_bot_that_never_answers_holds_nobody_up() {
    let (mut group, mut bot) = meet(Winner::Bot, &[1]);
    let now = Instant::now();
    let proposed = group.add(user(2), now).unwrap();
    assert!(matches!(proposed.as_slice(), [Effect::Binary(b)] if b[0] == 27));
    assert!(group.tick(now + Duration::from_secs(1)).unwrap().is_empty());
    let given_up = group.tick(now + Duration::from_secs(3)).unwrap();
    assert!(given_up.iter().any(|e| matches!(e, Effect::Executed(_))));
    assert!(group.encrypt(user(2), b"frame").is_some());
    // Late, it catches up with what was decided without it.
    let decided = given_up.into_iter().filter(|e| matches!(e, Effect::Binary(_)));
    bot.session
        .process_proposals(
            ProposalsOperationType::APPEND,
            match &proposed[0] {
                Effect::Binary(b) => &b[2..],
                other => panic!("{other:?}"),
            },
            None,
        )
        .unwrap();
    bot.answer(&mut group, decided.collect());
    understand(&mut group, &mut bot, &[1, 2]);
}

#[test]
fn a_bot_that_rejects_its_welcome_is_welcomed_again() {
    let mut group = Group::new(CHANNEL, BOT, Winner::Member).unwrap();
    group.add(user(1), Instant::now()).unwrap();
    let mut bot = Bot {
        session: DaveSession::new(VERSION, BOT, CHANNEL, None).unwrap(),
        transitions: Vec::new(),
    };
    let greeting = vec![group.greet()];
    bot.answer(&mut group, greeting);
    for _ in 0..3 {
        let package = bot.session.create_key_package().unwrap();
        let lost = group.key_package(&package, Instant::now()).unwrap();
        assert!(lost.iter().any(|e| matches!(e, Effect::Binary(b) if b[0] == 30)));
        bot.session.reinit(VERSION, BOT, CHANNEL, None).unwrap();
    }
    let package = bot.session.create_key_package().unwrap();
    let effects = group.key_package(&package, Instant::now()).unwrap();
    bot.answer(&mut group, effects);
    understand(&mut group, &mut bot, &[1]);
    assert!(group.settled());
}

#[test]
fn what_is_no_commit_is_refused() {
    let (mut group, _) = meet(Winner::Bot, &[1]);
    assert!(group.commit(b"nonsense", Instant::now()).is_err());
    assert!(group.key_package(b"nonsense", Instant::now()).is_err());
}

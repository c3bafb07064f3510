//! What people say, as Whisper spells it, and what they get.

use std::time::Duration;

use goobster_core::language::Language;
use goobster_core::ports::{
    AbortFlag, Exchange, LimitsLeft, ReplyPiece, RespondRequest, Responder, Utterance,
};
use goobster_core::time::UtcMillis;
use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;

use super::BuiltIn;

/// Sunday 22 November 2026, 21:05 UTC.
const NOW: UtcMillis = UtcMillis::new(1_795_381_500_000);

pub(super) fn request(text: &str) -> RespondRequest {
    let said = |speaker: &str, text: &str| Utterance {
        speaker: speaker.into(),
        text: text.into(),
        at: NOW,
    };
    RespondRequest {
        turn: said("Ada", text),
        history: vec![
            Exchange {
                said: said("Bob", "I like cheese"),
                reply: None,
            },
            Exchange {
                said: said("Ada", "Hello."),
                reply: Some("Hello, Ada.".into()),
            },
        ],
        language: Language::ENGLISH,
        wake_name: "Goobster".into(),
        limits: None,
        seed: 7,
        abort: AbortFlag::new(),
    }
}

pub(super) fn brain() -> BuiltIn {
    BuiltIn::in_zone(TimeZone::fixed(Offset::UTC))
}

fn reply(text: &str) -> String {
    brain().answer(&request(text)).text
}

#[test]
fn time_and_date_in_the_given_zone() {
    for text in [
        "What time is it?",
        "what's the time",
        "Whats the time please.",
        "Tell me the time.",
        "Do you know what time it is?",
    ] {
        assert_eq!(reply(text), "It is 9:05 PM.", "{text}");
    }
    for text in [
        "What day is it today?",
        "What's the date?",
        "What is today's date?",
        "Which day is today?",
    ] {
        assert_eq!(
            reply(text),
            "Today is Sunday, the 22nd of November 2026.",
            "{text}"
        );
    }
    assert_eq!(
        reply("What day is it tomorrow?"),
        "Tomorrow is Monday, the 23rd of November 2026."
    );
    assert_eq!(reply("What year is it?"), "It is 2026.");
    let tokyo = BuiltIn::in_zone(TimeZone::fixed(Offset::constant(9)));
    assert_eq!(tokyo.answer(&request("What time is it?")).text, "It is 6:05 AM.");
}

#[test]
fn timers_however_the_time_is_said() {
    for (text, seconds) in [
        ("Set a timer for five minutes.", 300),
        ("set a timer for 5 minutes", 300),
        ("Timer, ten seconds!", 10),
        ("Set a 90 second timer.", 90),
        ("Set a timer for an hour and twenty minutes.", 4800),
        ("set a timer for one and a half hours", 5400),
        ("Set a timer for an hour and a half.", 5400),
        ("Start a timer for half an hour", 1800),
        ("Set a timer for twenty-five minutes and thirty seconds", 1530),
        ("Wake me in two hours.", 7200),
    ] {
        let answer = brain().answer(&request(text));
        let (after, announcement) = answer.timer.unwrap_or_else(|| panic!("{text}: {}", answer.text));
        assert_eq!(after.as_secs(), seconds, "{text}");
        assert!(
            announcement.starts_with("Your timer for ") && announcement.ends_with(" is up."),
            "{announcement}"
        );
    }
    for text in [
        "Remind me in five minutes to stretch my legs",
        "Remind me to stretch my legs in 5 minutes.",
    ] {
        let (after, announcement) = brain().answer(&request(text)).timer.unwrap();
        assert_eq!(
            (after.as_secs(), announcement.as_str()),
            (300, "Here is your reminder: stretch your legs."),
            "{text}"
        );
    }
    for text in [
        "Set a timer.",
        "Set a timer for zero minutes",
        "Set a timer for three days",
        "Cancel the timer",
    ] {
        assert_eq!(brain().answer(&request(text)).timer, None, "{text}");
    }
}

#[test]
fn dice_are_fair_seeded_and_bounded() {
    let throw = |text: &str, seed: u64| {
        let mut request = request(text);
        request.seed = seed;
        brain().answer(&request).text
    };
    assert_eq!(throw("Roll a die.", 1), throw("roll a die", 1));
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let one: u32 = throw("Roll a die", seed).trim_end_matches('.').parse().unwrap();
        assert!((1..=6).contains(&one));
        seen.insert(one);
    }
    assert_eq!(seen.len(), 6);
    for text in ["Roll two d20.", "roll 2d20", "Roll two D20s"] {
        let answer = throw(text, 3);
        let (parts, total) = answer.split_once(": ").unwrap();
        let sum: u32 = parts.split(" and ").map(|n| n.parse::<u32>().unwrap()).sum();
        assert_eq!(total, format!("{sum} in all."), "{text}");
    }
    assert!(throw("Roll two dice", 3).contains(" in all."));
    assert!(
        throw("Roll a twenty sided die", 3)
            .trim_end_matches('.')
            .parse::<u32>()
            .is_ok()
    );
    assert!(throw("Roll 5000 dice", 3).starts_with("I can throw up to"));
    assert!(["Heads.", "Tails."].contains(&throw("Flip a coin.", 3).as_str()));
    let picked: u32 = throw("Pick a number between one and ten", 3)
        .trim_end_matches('.')
        .parse()
        .unwrap();
    assert!((1..=10).contains(&picked));
}

#[test]
fn recap_repeat_and_limits() {
    assert_eq!(
        reply("What was said so far?"),
        "Bob said: I like cheese. Ada said: Hello. I answered: Hello, Ada."
    );
    assert_eq!(reply("What did Bob say?"), "Bob said: I like cheese.");
    assert_eq!(reply("Say that again, please."), "Hello, Ada.");
    let mut first = request("Repeat that.");
    first.history.clear();
    assert_eq!(brain().answer(&first).text, "I have not said anything yet.");
    assert_eq!(
        reply("How much time do I have left?"),
        "Nothing limits you here: talk as long as you like."
    );
    let mut limited = request("How long do I have left?");
    limited.limits = Some(LimitsLeft {
        left: Duration::from_secs(75 * 60 + 20),
        resets_at: Some(NOW.after(Duration::from_mins(30))),
    });
    assert_eq!(
        brain().answer(&limited).text,
        "You have 1 hour and 15 minutes of voice time left. It starts afresh in 30 minutes."
    );
}

#[test]
fn courtesies_and_help() {
    assert_eq!(reply("Hello!"), "Hello, Ada.");
    assert_eq!(reply("Thank you very much."), "You are welcome.");
    assert_eq!(reply("Goodbye."), "Goodbye, Ada.");
    assert!(reply("What can you do?").starts_with("I can tell the time"));
    assert!(reply("Help!").starts_with("I can tell the time"));
    assert!(reply("Who are you?").starts_with("I am Goobster"));
}

#[test]
fn what_it_does_not_know_it_says_so_in_words_of_its_own() {
    for text in [
        "And so my fellow Americans, ask not what your country can do for you",
        "What is the capital of France?",
        "Tell me about the time of the Romans",
        "I had a good day yesterday",
        "He died on the way",
        "Give me the long version of it",
        "",
    ] {
        let answer = reply(text);
        assert!(super::answers::unknown(7) == answer, "{text}: {answer}");
    }
}

#[test]
fn other_languages_get_one_honest_sentence() {
    let in_language = |code: &str, text: &str| {
        let mut request = request(text);
        request.language = code.parse().unwrap();
        brain().answer(&request).text
    };
    assert!(in_language("de", "Wie spät ist es?").contains("Englisch"));
    assert!(in_language("fr", "Quelle heure est-il ?").contains("anglais"));
    assert!(in_language("es", "¿Qué hora es?").contains("inglés"));
    assert!(
        in_language("ja", "何時ですか").contains("help") || in_language("ja", "何時ですか").contains("know")
    );
    assert_eq!(
        in_language("de", "What time is it?"),
        "It is 9:05 PM.",
        "short English is often taken for German"
    );
}

#[tokio::test]
async fn the_port_gives_the_text_then_the_timer_then_ends() {
    let mut stream = brain()
        .respond(request("Set a timer for five minutes."))
        .await
        .unwrap();
    assert!(matches!(stream.recv().await, Some(Ok(ReplyPiece::Text(text))) if text.contains("5 minutes")));
    assert!(
        matches!(stream.recv().await, Some(Ok(ReplyPiece::Timer { after, .. })) if after.as_secs() == 300)
    );
    assert!(stream.recv().await.is_none());
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(text in "(?s).{0,200}", seed in any::<u64>(), at in any::<i64>()) {
        let mut request = request(&text);
        request.seed = seed;
        request.turn.at = UtcMillis::new(at);
        prop_assert!(!brain().answer(&request).text.trim().is_empty());
    }

    #[test]
    fn any_command_like_text_is_survived(
        text in "(roll|set a timer for|remind me to|pick a number|d|[0-9.]{1,12}|hour|minutes|and a half|hundred|thousand|between|sided|dice| ){1,14}",
    ) {
        let answer = brain().answer(&request(&text));
        prop_assert!(answer.timer.is_none_or(|(after, _)| after <= Duration::from_hours(24)));
    }
}

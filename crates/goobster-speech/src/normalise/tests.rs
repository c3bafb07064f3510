//! What is written, and what is said for it.

use proptest::prelude::*;

use super::*;

fn english(text: &str) -> String {
    for_speech(text, Language::ENGLISH)
}

#[track_caller]
fn says(cases: &[(&str, &str)]) {
    let wrong: Vec<_> = cases
        .iter()
        .map(|(text, said)| (*text, english(text), *said))
        .filter(|(_, got, said)| got != said)
        .map(|(text, got, said)| format!("{text:?}\n  says {got:?}\n  not  {said:?}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn numbers() {
    says(&[
        ("I have 3 cats.", "I have three cats."),
        (
            "It costs 1,234,567 points",
            "It costs one million two hundred thirty-four thousand five hundred sixty-seven points",
        ),
        ("Pi is 3.14159.", "Pi is three point one four one five nine."),
        ("-5 or - 5", "minus five or five"),
        ("agent 007", "agent zero zero seven"),
        (
            "the 1st, 22nd and 113th",
            "the first, twenty-second and one hundred thirteenth",
        ),
        ("vitamin B12 as mp3", "vitamin B twelve as mp three"),
        ("10k people, 5x faster", "ten thousand people, five times faster"),
        ("We are #1", "We are number one"),
        ("2 + 2 = 4", "two plus two equals four"),
        ("7 - 3 is 4", "seven minus three is four"),
        ("~50 of them", "about fifty of them"),
    ]);
}

#[test]
fn quantities() {
    says(&[
        ("$12.50", "twelve dollars and fifty cents"),
        ("$1", "one dollar"),
        ("£0.99 or 5 €", "ninety-nine pence or five euros"),
        ("$3 million", "three million dollars"),
        ("$2.5bn", "two point five billion dollars"),
        (
            "25% off, 0.5 % left",
            "twenty-five percent off, zero point five percent left",
        ),
        (
            "5 km in 20 min at 15 km/h",
            "five kilometers in twenty minutes at fifteen kilometers per hour",
        ),
        (
            "It is 21°C, or 70 °F",
            "It is twenty-one degrees Celsius, or seventy degrees Fahrenheit",
        ),
        ("16GB of RAM", "sixteen gigabytes of RAM"),
        ("1 kg", "one kilogram"),
        ("pages 10-20", "pages ten to twenty"),
        ("call 555-1234", "call five five five, one two three four"),
        (
            "1/2 of it and 2 3/4 cups",
            "one half of it and two and three quarters cups",
        ),
        (
            "1/2 cup, 1/2 hour or 1/2 was",
            "half a cup, half an hour or one half was",
        ),
        ("open 24/7", "open twenty-four seven"),
        ("2½ hours", "two and a half hours"),
        ("5 m² of it", "five meters squared of it"),
        (
            "version 1.2.3, v2.0",
            "version one point two point three, version two point zero",
        ),
    ]);
}

#[test]
fn dates_and_times() {
    says(&[
        ("at 18:00", "at six p m"),
        ("at 6:05 pm", "at six oh five p m"),
        ("at 9:00 or 10:30", "at nine o'clock or ten thirty"),
        ("at 7 p.m. today", "at seven p m today"),
        ("It ends at 7 p.m.", "It ends at seven p m."),
        ("on 2026-11-22", "on November twenty-second, twenty twenty-six"),
        (
            "2026-11-22T18:00:00Z",
            "November twenty-second, twenty twenty-six at six p m",
        ),
        ("on 12/25/2025", "on December twenty-fifth, twenty twenty-five"),
        ("on Nov 22, 2026", "on November twenty-second, twenty twenty-six"),
        ("before the 1st of May", "before the first of May"),
        ("22 Nov 2026", "November twenty-second, twenty twenty-six"),
        ("3rd of May 1999", "third of May, nineteen ninety-nine"),
        (
            "in 1999 and 2005",
            "in nineteen ninety-nine and two thousand five",
        ),
        ("the 1990s and the 80s", "the nineteen nineties and the eighties"),
        ("1914-1918", "nineteen fourteen to nineteen eighteen"),
        ("the score is 99:98", "the score is ninety-nine to ninety-eight"),
    ]);
}

#[test]
fn links_and_addresses() {
    says(&[
        (
            "See https://www.example.com/a/b?c=1#d.",
            "See example dot com link.",
        ),
        ("(https://example.org/x)", "example dot org link"),
        ("Go to example.com, please", "Go to example dot com, please"),
        (
            "Write to bob.smith@example.com!",
            "Write to bob dot smith at example dot com!",
        ),
        (
            "[the manual](https://example.com/manual) helps",
            "the manual helps",
        ),
        ("<https://example.com>", "example dot com link"),
        ("http://[broken", "a link"),
    ]);
}

#[test]
fn markdown_and_code() {
    says(&[
        (
            "# Title\n\nSome **bold** and *soft* ~~gone~~ text",
            "Title\nSome bold and soft gone text",
        ),
        ("- one\n- two", "one\ntwo"),
        ("1. first\n2. second", "one, first\ntwo, second"),
        ("> quoted", "quoted"),
        ("Run `cargo test` now", "Run cargo test now"),
        ("Use `a => b(c)` here", "Use a piece of code here"),
        (
            "Look:\n```rust\nfn main() {}\n```\nDone.",
            "Look:\na piece of code.\nDone.",
        ),
        ("An open ```block that never ends", "An open a piece of code."),
        ("The end is ||he dies||.", "The end is a spoiler."),
        ("| a | b |\n|---|---|\n| c | d |", "a, b,\nc, d,"),
        ("_really_ snake_case", "really snake case"),
        ("Fish &amp; chips", "Fish and chips"),
    ]);
}

#[test]
fn discord_marks() {
    says(&[
        ("Hi <@123> and <@!456>", "Hi someone and someone"),
        ("<@&99> in <#12>", "a role in a channel"),
        ("nice <:party_parrot:123>", "nice party parrot"),
        ("<a:wave:1>", "wave"),
        (
            "see you <t:1795370400:R>",
            "see you November twenty-second, twenty twenty-six at six p m U T C",
        ),
        ("use </play song:123>", "use play song"),
        ("@everyone look @here", "everyone look here"),
    ]);
}

#[test]
fn emoji() {
    says(&[
        ("Great 👍", "Great, thumbs up,"),
        ("😂😂😂", "laughing with tears,"),
        ("👍🏽 ok", "thumbs up, ok"),
        ("👨‍👩‍👧 family 🦤", "family"),
        ("I ❤️ it", "I, heart, it"),
    ]);
}

#[test]
fn letters_and_abbreviations() {
    says(&[
        ("Dr. Smith met Mrs. Jones.", "Doctor Smith met Missus Jones."),
        (
            "fruit, e.g. apples, etc.",
            "fruit, for example apples, et cetera.",
        ),
        ("cats vs. dogs", "cats versus dogs"),
        ("St. Paul lives on Main St.", "Saint Paul lives on Main Street"),
        ("sooooo goooood!!!!!", "soo good!"),
        ("WHAT?!?! NO WAY THAT HAPPENED", "what? no way that happened"),
        ("The CPU, the API and NASA", "The C P U, the A P I and NASA"),
        ("in the U.S. today", "in the U S today"),
        ("btw idk, plsql", "by the way I don't know, plsql"),
        ("salt & pepper w/ rice", "salt and pepper with rice"),
        ("𝓱𝓮𝓵𝓵𝓸 ｗｏｒｌｄ", "hello world"),
        ("wait... what", "wait. what"),
        ("a — b (c) d", "a, b, c, d"),
    ]);
}

#[test]
fn other_languages_keep_their_numbers() {
    let german = |text: &str| for_speech(text, "de".parse().unwrap());
    assert_eq!(
        german("Um 18:00 kostet es 3,50 € 👍 **heute**"),
        "Um 18:00 kostet es 3,50 € heute"
    );
    assert_eq!(
        german("Siehe https://example.com/a. Gut!"),
        "Siehe example dot com. Gut!"
    );
    assert_eq!(
        for_speech("早上好。今天25°", "zh".parse().unwrap()),
        "早上好. 今天25°"
    );
    assert_eq!(for_speech("नमस्ते दुनिया", "hi".parse().unwrap()), "नमस्ते दुनिया");
}

#[test]
fn nothing_speakable_is_nothing() {
    for text in ["", "   ", "...", "***", "🦤", "\u{0}\u{7}", "--- | ---"] {
        assert_eq!(english(text), "", "{text:?}");
    }
}

/// Pieces of messages that rules read, to be thrown together.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[a-zA-Z0-9 .,:/$%#@<>()|*_~`'!?&+=-]{0,16}",
        "[0-9]{1,5}[.,:/-][0-9]{1,4}(st|pm| km|%|x|k)?",
        prop::sample::select(vec![
            "https://example.com/a",
            "<@123>",
            "<t:99999:R>",
            "👍",
            "e.g.",
            "Dr.",
            "```",
            "||",
            "**",
            "1/2",
            "2026-11-22",
            "\n",
            "USB",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn only_what_can_be_spoken_is_left(parts in prop::collection::vec(fragment(), 0..8)) {
        let text = parts.concat();
        let said = english(&text);
        for c in said.chars() {
            let speakable = c.is_alphanumeric()
                || unicode_normalization::char::is_combining_mark(c)
                || " \n.,;:?!'-".contains(c);
            prop_assert!(speakable && !c.is_ascii_digit(), "{:?} in {:?} from {:?}", c, said, text);
        }
        prop_assert!(!said.contains("  "), "{:?}", said);
    }

    #[test]
    fn twice_is_the_same_as_once(parts in prop::collection::vec(fragment(), 0..8)) {
        let once = english(&parts.concat());
        prop_assert_eq!(english(&once), once);
    }

    #[test]
    fn other_languages_never_panic(parts in prop::collection::vec(fragment(), 0..8)) {
        let said = for_speech(&parts.concat(), "de".parse().unwrap());
        prop_assert!(!said.chars().any(char::is_control) || said.contains('\n'));
    }

    #[test]
    fn every_cardinal_has_words(number: u64) {
        prop_assert!(numbers::cardinal(number).chars().all(|c| c.is_ascii_lowercase() || " -".contains(c)));
        prop_assert!(!numbers::ordinal(number).is_empty() && !numbers::year(number % 10_000).is_empty());
    }
}

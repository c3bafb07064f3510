//! The gate's figures, phrase by phrase.

use proptest::prelude::*;

use super::*;

const STRONG: Evidence = Evidence {
    no_speech: 0.01,
    log_probability: -0.2,
    seconds: 3.0,
};
const WEAK: Evidence = Evidence {
    no_speech: 0.4,
    log_probability: -0.7,
    seconds: 3.0,
};

#[test]
fn clear_speech_passes_even_when_it_is_a_stock_phrase() {
    for text in [
        "What time is it?",
        "Thank you.",
        "Bye.",
        "You",
        "Thanks for watching!",
        "No, no, no!",
    ] {
        assert_eq!(doubt(&STRONG, text, None), None, "{text}");
    }
}

#[test]
fn stock_phrases_on_weak_evidence_do_not() {
    for text in [
        "Thank you.",
        "you",
        "Bye. Bye.",
        "Thank you. Thank you.",
        "Thanks for watching and see you in the next one!",
        "Subtitles by the Amara.org community",
        "Untertitel der Amara.org-Community",
        "ご視聴ありがとうございました",
    ] {
        assert_eq!(doubt(&WEAK, text, None), Some(Doubt::StockPhrase), "{text}");
    }
    assert_eq!(doubt(&WEAK, "Thank you for the music.", None), None);
}

#[test]
fn either_figure_makes_the_evidence_weak() {
    let quiet = Evidence {
        no_speech: 0.3,
        ..STRONG
    };
    let unsure = Evidence {
        log_probability: -0.9,
        ..STRONG
    };
    for evidence in [quiet, unsure] {
        assert_eq!(doubt(&evidence, "Thank you.", None), Some(Doubt::StockPhrase));
    }
}

#[test]
fn no_speech_needs_both_figures_and_improbable_words_only_one() {
    let text = "The quick brown fox jumps.";
    assert_eq!(
        doubt(
            &Evidence {
                no_speech: 0.9,
                ..STRONG
            },
            text,
            None
        ),
        None
    );
    let both = Evidence {
        no_speech: 0.7,
        log_probability: -1.1,
        seconds: 3.0,
    };
    assert_eq!(doubt(&both, text, None), Some(Doubt::NoSpeech));
    for hopeless in [-1.7, f32::NEG_INFINITY, f32::NAN] {
        let evidence = Evidence {
            log_probability: hopeless,
            ..STRONG
        };
        assert_eq!(
            doubt(&evidence, text, None),
            Some(Doubt::Improbable),
            "{hopeless}"
        );
    }
}

#[test]
fn loops_are_caught_and_emphasis_is_not() {
    for text in [
        "I'm going to go. I'm going to go. I'm going to go. I'm going to go.",
        "no no no no no no no no",
        "And then we go to the and then we go to the and then we go to the and then we go to the",
        "Aaaaaaaaaaaaaaaaa",
        "hahahahahahahahahahahahaha",
        "啊啊啊啊啊啊啊啊啊啊啊啊",
    ] {
        assert!(is_loop(text), "{text}");
    }
    for text in [
        "no no no no",
        "Very, very, very good.",
        "bye bye",
        "Hahaha!",
        "one two three four five six seven",
    ] {
        assert!(!is_loop(text), "{text}");
    }
}

#[test]
fn more_letters_than_a_mouth_can_say() {
    let text = "This is a rather long sentence that nobody could ever say in half a second";
    let evidence = Evidence {
        seconds: 1.0,
        ..STRONG
    };
    assert_eq!(doubt(&evidence, text, None), Some(Doubt::TooFast));
    assert_eq!(
        doubt(
            &Evidence {
                seconds: 4.0,
                ..STRONG
            },
            text,
            None
        ),
        None
    );
}

#[test]
fn the_prompt_cannot_speak_for_silence() {
    assert_eq!(
        doubt(&WEAK, "Goobster.", Some("Goobster")),
        Some(Doubt::PromptEcho)
    );
    assert_eq!(
        doubt(&WEAK, "Goobster, Goobster", Some("Hey Goobster!")),
        Some(Doubt::PromptEcho)
    );
    assert_eq!(doubt(&STRONG, "Goobster!", Some("Goobster")), None);
    assert_eq!(doubt(&WEAK, "Goobster, stop the music", Some("Goobster")), None);
}

#[test]
fn annotations_are_not_speech() {
    for (raw, said) in [
        ("[Music]", ""),
        ("(applause) Good evening.", "Good evening."),
        ("♪ la la la ♪", ""),
        (" *sighs* Fine. ", "Fine."),
        (">> Hello there.", "Hello there."),
        ("- Yes. - No.", "Yes. - No."),
        ("[Music", "Music"),
        ("It's 5 > 3.", "It's 5 > 3."),
        ("【音楽】こんにちは", "こんにちは"),
        ("♪", ""),
        ("well-known", "well-known"),
    ] {
        assert_eq!(clean(raw), said, "{raw}");
    }
    for nothing in ["", "...", "- -", "♪♪"] {
        assert_eq!(
            doubt(&STRONG, &clean(nothing), None),
            Some(Doubt::NothingSaid),
            "{nothing}"
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_cleaned_and_judged(text in "\\PC{0,200}", no_speech in 0.0..1.0_f32, log in -5.0..0.0_f32) {
        let said = clean(&text);
        prop_assert_eq!(said.trim(), &said);
        prop_assert!(!said.contains(['[', ']', '♪', '♫']));
        let evidence = Evidence { no_speech, log_probability: log, seconds: 2.0 };
        let _ = doubt(&evidence, &said, Some(&text));
    }
}

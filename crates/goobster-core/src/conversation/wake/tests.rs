//! What counts as the name, and what must not.

use super::*;

fn goobster() -> WakeName {
    WakeName::new("Goobster")
}

#[test]
fn spellings_of_the_name_are_heard_anywhere() {
    for spelling in [
        "Goobster",
        "goobster",
        "Gobster",
        "Goopster",
        "Goob stir",
        "Goob ster",
        "Gubster",
        "Goobstah",
        "Guupster",
        "Goobsters",
        "Kubster",
        "Goo bster",
    ] {
        let text = format!("I think {spelling} knows more about it");
        assert!(goobster().is_called(&text), "{text}");
    }
}

#[test]
fn far_spellings_are_heard_where_one_calls() {
    for spelling in ["Ghoster", "Booster", "Gooster"] {
        for text in [
            format!("{spelling}?"),
            format!("{spelling}, what time is it?"),
            format!("Hey {spelling} what time is it?"),
            format!("What time is it, {spelling}?"),
        ] {
            assert!(goobster().is_called(&text), "{text}");
        }
        let text = format!("the {spelling} is on the table");
        assert!(!goobster().is_called(&text) || spelling == "Gooster", "{text}");
    }
}

#[test]
fn ordinary_words_are_not_the_name() {
    let name = goobster();
    let near: Vec<&str> = COMMON
        .split_whitespace()
        .filter(|w| name.closeness(w) == Some(Closeness::Near))
        .collect();
    assert!(near.is_empty(), "{near:?}");
    for sentence in SENTENCES.lines() {
        assert!(!name.is_called(sentence), "{sentence}");
    }
}

#[test]
fn the_call_is_taken_out_and_a_mention_is_spelt_right() {
    let name = goobster();
    for (text, left) in [
        ("Gobster, what time is it?", "What time is it?"),
        ("Hey goob stir, roll a die.", "Roll a die."),
        ("What time is it, Goopster?", "What time is it?"),
        ("Tell Gubster about it.", "Tell Goobster about it."),
        ("Goobster?", ""),
        ("Hey, Booster!", ""),
    ] {
        assert_eq!(name.without_call(text).as_deref(), Some(left), "{text}");
    }
    assert_eq!(name.without_call("What time is it?"), None);
}

#[test]
fn other_names_work_too() {
    let name = WakeName::new("Computer");
    assert!(name.is_called("Commuter, lights on") && name.is_called("the computer"));
    assert!(!name.is_called("Come here, Peter"));
    assert!(!WakeName::new("  ").is_called("anything at all"));
    assert!(!WakeName::new("日本").is_called("anything at all"));
    assert!(WakeName::new("Hal").is_called("Open the doors, Hal."));
}

#[test]
fn hostile_text_is_survived() {
    let name = goobster();
    for text in [
        "",
        ",,,",
        "é\u{301}goob\u{200d}ster",
        &"goob ".repeat(5000),
        "\u{1F600} ster",
    ] {
        let _ = name.without_call(text);
    }
}

const COMMON: &str = "lobster mobster booster rooster monster poster toaster coaster roaster boaster gangster hamster \
    master faster plaster cluster buster duster custard mustard webster foster sister minister register blister \
    good goods goose ghost gopher gold google global goblin gutter butter bust best boast gist guest gusto august \
    custer costar custom customer cluster compost composter imposter computer disaster Gloucester Manchester \
    upstairs upstart obstacle goes to go stir cookbook cupboard oyster youngster barrister pollster dumpster \
    hipster tipster oldster spinster punster holster bolster fluster luster adjuster kick-starter group groups \
    robust robber rubber grubby cops stop store story stare stairs steer Easter western lister tester gestures \
    the be to of and a in that have it for not on with he as you do at this but his by from they we say her she or \
    an will my one all would there their what so up out if about who get which go me when make can like time no \
    just him know take people into year your good some could them see other than then now look only come its over";

const SENTENCES: &str = "Ask not what your country can do for you\n\
    I had a good story to tell you about the ghost\n\
    He goes to the store and then upstairs\n\
    She is a gangster in the film, master of disguise.\n\
    We could stir the soup a little\n\
    The lobster was cooked in butter\n\
    The rooster crowed, and the monster woke up.\n\
    My sister bought a toaster and a poster yesterday\n\
    This group started last August\n\
    I got a booster shot on Monday\n\
    The customer said it was good stuff\n\
    Go up stairs and turn left\n\
    A coaster is good to put your cup on\n\
    What a disaster, said the minister.\n\
    The rocket booster separated and fell back into the sea\n\
    You could start by opening the cupboard\n\
    Who boosted the signal of the cluster\n\
    Get some compost for the garden";

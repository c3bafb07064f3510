//! What is read, and what is refused with which words.

use std::time::Duration;

use super::*;

const WHOLE: &str = r#"
title = "Everything at once"
seed = 9
dave = false
members = ["Ann", { name = "Ben", manages = true }]
voice_channels = ["Lounge", "Attic"]

[bot.conversation]
wake_name = "Goobster"

[[step]]
member = "Ann"
joins = "Lounge"

[[step]]
label = "start"
member = "Ann"
command = "/voice start"

[[step]]
label = "hello"
after = "listening"
wait = 0.5
member = "Ann"
clip = "jfk.wav"
text = "And so"
loss = 0.05
reorder = true

[[step]]
after = "hello.began"
wait = 2
fault = "voice-close"
code = 4006

[[step]]
at = 30.0
fault = "rest"
status = 429
retry_after = 2.0
method = "POST"
path = "/messages"
times = 3

[[expect]]
caption = "hello"
word_errors = 10
within = 5

[[expect]]
bot = "listening"
after = "start"
within = 1.5
"#;

#[test]
fn a_whole_scenario_is_read() {
    let scenario = Scenario::parse(WHOLE).unwrap();
    assert_eq!(
        (scenario.seed, scenario.dave, scenario.members.len()),
        (9, false, 2)
    );
    assert!(scenario.members[1].manages);
    assert_eq!(
        scenario.bot["conversation"]["wake_name"].as_str(),
        Some("Goobster")
    );
    assert_eq!(scenario.steps[0].label, "step 1");
    let Action::Speak(speech) = &scenario.steps[2].action else {
        panic!("{:?}", scenario.steps[2])
    };
    assert_eq!((speech.loss, speech.jitter), (0.05, Duration::from_millis(40)));
    assert_eq!(scenario.steps[3].action, Action::Fault(Fault::VoiceClose(4006)));
    assert_eq!(scenario.steps[4].when, When::At(Duration::from_secs(30)));
    assert_eq!(
        scenario.expectations[1].to_string(),
        "the bot listens in a voice channel, within 1.50 s after 'start'"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_a_remedy() {
    let head = "title = \"t\"\nmembers = [\"Ann\"]\n";
    for (text, line, words) in [
        ("speed = 3\n", 3, "speed"),
        ("[[step]]\nmember = \"Ann\"\njoin = \"Lounge\"\n", 5, "join"),
        (
            "[[step]]\nmember = \"Bob\"\njoins = \"Lounge\"\n",
            3,
            "nobody is called 'Bob'",
        ),
        (
            "[[step]]\nmember = \"Ann\"\njoins = \"Cellar\"\n",
            3,
            "no voice channel 'Cellar'",
        ),
        (
            "[[step]]\nmember = \"Ann\"\njoins = \"Lounge\"\nleaves = true\n",
            3,
            "make two steps",
        ),
        ("[[step]]\njoins = \"Lounge\"\n", 3, "no `member`"),
        (
            "[[step]]\nfault = \"earthquake\"\n",
            3,
            "choose one of gateway-reconnect",
        ),
        ("[[step]]\nfault = \"voice-close\"\n", 3, "needs `code`"),
        (
            "[[step]]\nmember = \"Ann\"\nleaves = true\nloss = 0.1\n",
            3,
            "`loss` goes only with clip",
        ),
        ("[[step]]\nat = -1\n", 3, "no time in seconds"),
        ("[[step]]\nat = 1\nafter = \"listening\"\n", 3, "keep one of them"),
        (
            "[[step]]\nafter = \"later\"\n[[step]]\nlabel = \"later\"\n",
            3,
            "comes later",
        ),
        (
            "[[step]]\nafter = \"nothing\"\n",
            3,
            "nothing is called 'nothing'",
        ),
        (
            "[[step]]\nlabel = \"a\"\n[[step]]\nlabel = \"a\"\n",
            5,
            "there twice",
        ),
        (
            "[[step]]\nmember = \"Ann\"\nclip = \"x.wav\"\nloss = 5\n",
            3,
            "no share",
        ),
        ("[[expect]]\nwithin = 1\n", 3, "expects nothing"),
        (
            "[[expect]]\ncaption = \"a\"\n",
            3,
            "no step in which somebody speaks",
        ),
        (
            "[[expect]]\nsession_kept = true\nnothing_lost = true\n",
            3,
            "an [[expect]] for each",
        ),
        ("members = 3\n", 3, "duplicate key"),
        ("title = \n", 3, ""),
    ] {
        let error = Scenario::parse(&format!("{head}{text}")).unwrap_err();
        let told = error.clone().in_file("a.toml").to_string();
        assert_eq!(error.line, Some(line), "{text}: {told}");
        assert!(
            told.contains(words) && told.starts_with("a.toml, line "),
            "{text}: {told}"
        );
    }
}

#[test]
fn every_fault_that_is_named_can_be_ordered_and_nothing_else() {
    for name in Fault::NAMES {
        let text = format!(
            "title = \"t\"\nmembers = [\"Ann\"]\nvoice_channels = [\"Lounge\"]\n[[step]]\nfault = \"{name}\"\n\
             code = 4006\nlasts = 1.5\nmember = \"Ann\"\nchannel = \"Lounge\"\n"
        );
        let scenario = Scenario::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(matches!(scenario.steps[0].action, Action::Fault(_)), "{name}");
    }
}

#[test]
fn the_plain_scenario_lets_each_recording_wait_for_the_reply_before() {
    let files = ["a.wav".to_owned(), "b.wav".to_owned()];
    let one = Scenario::plain(&files, false);
    let several = Scenario::plain(&files, true);
    assert_eq!((one.members.len(), several.members.len()), (1, 2));
    let awaited = |s: &Scenario| {
        let of = |s: &Step| match &s.when {
            When::After { event, .. } => event.clone(),
            When::At(_) => None,
        };
        s.steps.iter().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(awaited(&one), ["listening", "turn 1.replied", "turn 2.replied"]);
    assert_eq!(awaited(&several), awaited(&one));
}

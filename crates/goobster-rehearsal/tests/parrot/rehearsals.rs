//! What the stage makes of the parrot.

use std::path::Path;

use goobster_audio::wav::WavWriter;
use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::{
    BotCommand, Happening, Nobody, Outcome, RehearsalError, RehearsalOptions, Scenario, Watcher, rehearse,
};

use crate::bot::{ANSWER, WORDS};

/// Two seconds of a buzz in syllables, with silence around them.
fn recording(folder: &Path) {
    let sound: Vec<f32> = (0..48_000)
        .map(|n| {
            let loud = (8_000..40_000).contains(&n) && n % 4_000 < 3_200;
            if loud { (n % 90) as f32 / 180.0 - 0.25 } else { 0.0 }
        })
        .collect();
    let mut wav = WavWriter::create(folder.join("buzz.wav"), 16_000, 1).unwrap();
    wav.write(&sound).unwrap();
    wav.finish().unwrap();
}

/// The parrot's command line: this program again, running only what is the bot. What the stage adds is taken for the names of
/// other tests.
fn parrot(habit: &str) -> BotCommand {
    BotCommand {
        program: std::env::current_exe().unwrap(),
        args: ["--exact", "--ignored", "--nocapture", "--", "bot::the_parrot"]
            .map(Into::into)
            .to_vec(),
        env: vec![("PARROT".into(), habit.into())],
    }
}

async fn played(scenario: &str, habit: &str, watcher: &mut dyn Watcher) -> (Outcome, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    let mut options = RehearsalOptions::new(Scenario::parse(scenario).unwrap(), parrot(habit));
    options.shelf = Shelf {
        beside: Some(folder.path().to_owned()),
        samples: None,
    };
    options.out = Some(folder.path().join("out"));
    (rehearse(options, watcher).await.unwrap(), folder)
}

/// Keeps the lines of JSON.
#[derive(Default)]
struct Lines(Vec<serde_json::Value>);

impl Watcher for Lines {
    fn told(&mut self, happening: &Happening<'_>) {
        self.0.push(happening.to_json());
    }
}

const TALK: &str = r#"
title = "A talk with a parrot"
members = ["Ann", "Ben"]

[[step]]
member = "Ann"
joins = "Lounge"

[[step]]
label = "start"
wait = 0.3
member = "Ann"
command = "/voice start"

[[step]]
label = "first"
after = "listening"
wait = 0.5
member = "Ann"
clip = "buzz.wav"
text = "ten of clubs"

[[step]]
label = "second"
after = "first.replied"
patience = 10
member = "Ann"
clip = "buzz.wav"
text = "ten of hearts"

[[step]]
label = "stop"
after = "second.replied"
patience = 10
member = "Ann"
command = "/voice stop"

[[step]]
wait = 2.0

[[expect]]
bot = "listening"
after = "start.began"
within = 2

[[expect]]
caption = "first"
within = 2

[[expect]]
caption = "second"
word_errors = 34

[[expect]]
reply = "wants a cracker"

[[expect]]
answer = "start"
words = "listening"
hidden = true

[[expect]]
audible = true
after = "first"
within = 3

[[expect]]
bot = "out"
after = "stop"
within = 1.5

[[expect]]
nothing_lost = true
word_errors = 34

[[expect]]
exit_code = 0

[[expect]]
no_caption = "Ben"

[[expect]]
caption = "second"
"#;

#[tokio::test]
async fn a_talk_is_seen_measured_judged_and_written_down() {
    let mut lines = Lines::default();
    let (outcome, _folder) = played(TALK, "", &mut lines).await;
    // The last expectation cannot be met: the parrot heard clubs again.
    let met: Vec<bool> = outcome.verdicts.iter().map(|v| v.met).collect();
    assert!(
        met[..10].iter().all(|m| *m) && !met[10],
        "{:#?}",
        outcome.failures()
    );
    assert_eq!(outcome.failures().len(), 1, "{:?}", outcome.failures());
    let figures = &outcome.figures;
    assert_eq!(figures.turns.len(), 2);
    for turn in &figures.turns {
        assert_eq!(turn.heard, WORDS);
        // The recording is quiet for its last half second, then the parrot waits as long and 100 ms more for its caption.
        let caption = turn.caption_ms.unwrap();
        assert!((1_000..2_500).contains(&caption), "{caption}");
        assert!(turn.reply_audio_ms.unwrap() >= caption - 50, "{turn:?}");
    }
    assert_eq!((figures.word_errors.words, figures.word_errors.errors), (6, 1));
    let caption = &outcome.timeline.captions[0];
    assert_eq!(
        (caption.revisions.len(), caption.revisions[0].is_final),
        (2, false)
    );
    let of = |event: &str| lines.0.iter().filter(|l| l["event"] == event).count();
    assert_eq!(
        (of("turn"), of("expectation"), of("speaks"), of("asks")),
        (2, 11, 2, 2)
    );
    assert_eq!((of("caption"), of("reply")), (4, 2));
    for file in &outcome.files {
        assert!(std::fs::metadata(file).unwrap().len() > 0, "{}", file.display());
    }
    let read = |name: &str| {
        let file = outcome.files.iter().find(|f| f.ends_with(name)).unwrap();
        std::fs::read_to_string(file).unwrap()
    };
    assert!(read("transcript.txt").contains(&format!("Ann: {WORDS}")));
    assert!(read("captions.vtt").contains(ANSWER));
    assert!(read("report.html").contains("A talk with a parrot"));
}

#[tokio::test]
async fn panics_leaks_kills_and_what_is_waited_for_in_vain_come_out() {
    let scenario = |steps: &str| format!("title = \"t\"\nmembers = [\"Ann\"]\nlinger = 0.5\n{steps}");
    let (outcome, _folder) = played(&scenario(""), "leaks", &mut Nobody).await;
    assert_eq!(outcome.failures().len(), 1, "{:?}", outcome.failures());
    assert!(
        outcome.failures()[0].contains("its token"),
        "{:?}",
        outcome.failures()
    );
    assert!(
        outcome.said.iter().any(|l| l.contains("my token is (token)")),
        "{:?}",
        outcome.said
    );

    let (outcome, _folder) = played(&scenario(""), "panics", &mut Nobody).await;
    assert_eq!((outcome.panics, outcome.passed()), (1, false));

    let killed = "[[step]]\nlabel = \"kill\"\nfault = \"kill-bot\"\n[[step]]\nfault = \"start-bot\"\n\
                  [[step]]\nafter = \"listening\"\npatience = 0.2\n[[expect]]\nexit_code = 0\n";
    let (outcome, _folder) = played(&scenario(killed), "", &mut Nobody).await;
    assert!(outcome.passed(), "{:?}", outcome.failures());
    assert_eq!(outcome.timeline.exits.len(), 2);
    assert!(
        outcome
            .timeline
            .remarks
            .iter()
            .any(|r| r.what.contains("in vain"))
    );
}

#[tokio::test]
async fn a_bot_that_does_not_start_is_an_error_with_its_last_words() {
    let scenario = Scenario::parse("title = \"t\"\nmembers = []\n").unwrap();
    let shell = |script: &str| BotCommand {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: Vec::new(),
    };
    let options = RehearsalOptions::new(scenario.clone(), shell("echo no model for me >&2; exit 4"));
    let told = rehearse(options, &mut Nobody).await.unwrap_err().to_string();
    assert!(
        told.contains("exit code 4") && told.contains("no model for me"),
        "{told}"
    );
    let mut options = RehearsalOptions::new(scenario, shell(""));
    options.bot.program = "/no/such/program".into();
    let error = rehearse(options, &mut Nobody).await.unwrap_err();
    assert!(
        matches!(&error, RehearsalError::Io { path, .. } if path.ends_with("program")),
        "{error}"
    );
}

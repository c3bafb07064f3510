//! Whom the bot contacts when `network = "discord-only"`: asked of the kernel, call by call, during a rehearsal; and that it does
//! not start with a configuration that would have it contact anybody else.

#![allow(clippy::unwrap_used, clippy::expect_used)] // all of this is tests

use std::path::PathBuf;
use std::process::Command;

use goobster_models::Cache;
use goobster_rehearsal::contacts::{Whose, tracer};
use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::{BotCommand, Nobody, RehearsalOptions, Scenario, rehearse};

/// A member talks and is captioned; the voice server moves meanwhile, so that a second one is contacted.
const SCENARIO: &str = r#"
title = "Discord alone"
engines = "scripted"
members = ["Ann"]

[bot]
network = "discord-only"

[[step]]
member = "Ann"
joins = "Lounge"

[[step]]
wait = 0.3
member = "Ann"
command = "/voice start"

[[step]]
label = "words"
after = "listening"
wait = 0.5
member = "Ann"
clip = "librivox/0930"

[[step]]
after = "words.captioned"
patience = 15
fault = "move-voice-server"

[[step]]
after = "listening"
patience = 10
member = "Ann"
command = "/voice stop"

[[expect]]
caption = "words"
word_errors = 35
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discord_only_contacts_discord_only() {
    if tracer().is_none() {
        eprintln!("skipped: strace is not installed");
        return;
    }
    let bot = BotCommand {
        program: env!("CARGO_BIN_EXE_goobster").into(),
        args: vec!["run".into(), "-v".into(), "--offline".into()],
        env: Vec::new(),
    };
    let mut options = RehearsalOptions::new(Scenario::parse(SCENARIO).unwrap(), bot);
    options.shelf = Shelf {
        beside: None,
        samples: Some(Cache::locate().unwrap().root().join("speech")),
    };
    options.out = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("network"));
    options.log_connects = true;
    let outcome = rehearse(options, &mut Nobody).await.unwrap();
    let contacts = outcome.contacts.clone().unwrap();
    let said = outcome.said.join("\n");
    assert!(outcome.failures().is_empty(), "{:#?}\n{said}", outcome.failures());
    let of = |whose| {
        contacts
            .iter()
            .filter(move |contact| contact.whose == whose)
            .count()
    };
    assert_eq!(of(Whose::Stranger), 0, "{contacts:?}");
    // REST and gateway, two voice servers and their packets; and the engines, which are on this machine.
    assert!(of(Whose::Discord) >= 4, "{contacts:?}");
    assert_eq!(of(Whose::Engines), 1, "{contacts:?}");
}

/// What the bot says when it is started so.
fn refused(variables: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_goobster"))
        .args(["run", "--offline", "--network", "discord-only"])
        .env("DISCORD_TOKEN", "MTIz.G1.abcdefgh-_x")
        .env("GOOBSTER_DATA", env!("CARGO_TARGET_TMPDIR"))
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_server_elsewhere_is_refused_with_its_host_and_its_setting() {
    for (variable, address, setting) in [
        ("GOOBSTER_BRAIN_URL", "https://chat.example.com/v1", "brain.url"),
        (
            "GOOBSTER_RECOGNISER_URL",
            "http://10.1.2.3:8000",
            "recogniser.url",
        ),
        (
            "GOOBSTER_SYNTHESISER_URL",
            "https://[2001:db8::1]/v1",
            "synthesiser.url",
        ),
        (
            "GOOBSTER_STORE_REDIS",
            "redis://me:s3cret-pass@redis.example.com/",
            "store.redis",
        ),
    ] {
        let said = refused(&[(variable, address)]);
        let host = address.split("//").nth(1).unwrap();
        let host = host.rsplit('@').next().unwrap();
        let host = host.split('/').next().unwrap().trim_end_matches(":8000");
        for needed in [setting, host, "discord-only", "network = \"open\""] {
            assert!(said.contains(needed), "{needed}: {said}");
        }
        assert!(!said.contains("s3cret-pass"), "{said}");
    }
}

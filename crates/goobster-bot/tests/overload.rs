//! Overload at a small scale: four people talk at once, one can be followed. Whoever finds no seat is told, queues stay short,
//! new sessions are refused, and everything comes back. `goobster rehearse --overload` is the same at full scale.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // all of this is tests

use std::time::Duration;

use goobster_bot::cli::overload::Watched;
use goobster_models::Cache;
use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::scenario::Engines;
use goobster_rehearsal::soak::{Overload, judge_overload};
use goobster_rehearsal::{BotCommand, Nobody, RehearsalOptions, rehearse};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_times_the_speakers_are_borne() {
    let settings = "[admission]\nspeakers = 1\nrise = \"500ms\"\nfall = \"1s\"\n";
    let overload = Overload {
        seed: 5,
        talkers: 4,
        lasts: Duration::from_secs(15),
        refuses_after: Duration::from_secs(8),
        rest: Duration::from_secs(14),
        engines: Engines::Scripted,
        bot: settings.parse().unwrap(),
        alone: 1,
    };
    let mut bot = BotCommand {
        program: env!("CARGO_BIN_EXE_goobster").into(),
        args: vec!["run".into(), "-v".into(), "--offline".into()],
        env: Vec::new(),
    };
    let watched = Watched::begin(&mut bot).unwrap();
    let mut options = RehearsalOptions::new(overload.scenario(), bot);
    options.shelf = Shelf {
        beside: None,
        samples: Some(Cache::locate().unwrap().root().join("speech")),
    };
    let outcome = rehearse(options, &mut Nobody).await.unwrap();
    let samples = watched.end();
    let said = outcome.said.join("\n");
    assert!(outcome.failures().is_empty(), "{:?}\n{said}", outcome.failures());
    let findings = judge_overload(&overload, &outcome.timeline, &outcome.figures, &samples);
    assert!(
        findings.iter().all(|finding| finding.kept),
        "{findings:#?}\n{said}"
    );
}

//! Three hosts share the shards of one bot, and one is killed: its shards are taken over, its sessions closed, nothing else is
//! disturbed. `cargo xtask cluster` is the same at full scale.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // all of this is tests

use std::time::Duration;

use goobster_models::Cache;
use goobster_rehearsal::BotCommand;
use goobster_rehearsal::hosts::{Hosts, rehearse_hosts};
use goobster_rehearsal::recording::Shelf;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_host_is_succeeded() {
    let report = rehearse_hosts(Hosts {
        bot: BotCommand {
            program: env!("CARGO_BIN_EXE_goobster").into(),
            args: vec!["run".into(), "-v".into(), "--offline".into()],
            env: Vec::new(),
        },
        shelf: Shelf {
            beside: None,
            samples: Some(Cache::locate().unwrap().root().join("speech")),
        },
        clip: "cards/005".to_owned(),
        hosts: 3,
        shards: 3,
        guilds: 1,
        calm: Duration::from_secs(3),
        rolling: true,
    })
    .await
    .unwrap();
    assert!(report.kept(), "{:#?}", report.findings);
}

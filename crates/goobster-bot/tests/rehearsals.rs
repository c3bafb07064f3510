//! The library of scenarios, played to the real bot: each line of what a bot goes through on Discord, with its expectations.
//!
//! The scenarios with scripted engines need no model; those that hear with Whisper are named `inference_…`.

#![allow(clippy::unwrap_used, clippy::expect_used)] // all of this is tests: what fails here is what they find

use std::path::PathBuf;

use goobster_models::Cache;
use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::soak::{Clips, SoakOptions, soak};
use goobster_rehearsal::{BotCommand, Nobody, RehearsalOptions, Scenario, rehearse};

fn bot() -> BotCommand {
    BotCommand {
        program: env!("CARGO_BIN_EXE_goobster").into(),
        args: vec!["run".into(), "-v".into(), "--offline".into()],
        env: Vec::new(),
    }
}

fn shelf() -> Shelf {
    Shelf {
        beside: None,
        samples: Some(Cache::locate().unwrap().root().join("speech")),
    }
}

/// Where a rehearsal's report is left, for whoever wants to know why it failed.
fn out(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("rehearsals")
        .join(name)
}

async fn plays(name: &str) {
    let scenario = Scenario::named(name).expect("it is in the library").unwrap();
    let mut options = RehearsalOptions::new(scenario, bot());
    options.shelf = shelf();
    options.out = Some(out(name));
    let outcome = rehearse(options, &mut Nobody).await.unwrap();
    let failures = outcome.failures();
    assert!(
        failures.is_empty(),
        "{}\nreport: {}\nthe bot said:\n{}",
        failures.join("\n"),
        out(name).join("report.html").display(),
        outcome.said.join("\n")
    );
}

macro_rules! library {
    ($($test:ident = $name:literal,)*) => {
        /// Every scenario of the library is a test here.
        #[test]
        fn every_scenario_is_played() {
            let played = [$($name),*];
            let missing: Vec<_> = Scenario::names().filter(|name| !played.contains(name)).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }

        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                plays($name).await;
            }
        )*
    };
}

library! {
    captions_in_a_thread = "captions-in-a-thread",
    commands_for_all = "commands-for-all",
    commands_for_moderators = "commands-for-moderators",
    consent_asked = "consent-asked",
    consent_late_joiner = "consent-late-joiner",
    consent_withdrawn = "consent-withdrawn",
    inference_conversation = "conversation",
    dave_bot_commits = "dave-bot-commits",
    dave_come_and_go = "dave-come-and-go",
    dave_down_and_up = "dave-down-and-up",
    dave_garbled = "dave-garbled",
    dave_new_group = "dave-new-group",
    ended_alone = "ended-alone",
    ended_channel_deleted = "ended-channel-deleted",
    ended_guild_removed = "ended-guild-removed",
    ended_kicked = "ended-kicked",
    ended_owner_gone = "ended-owner-gone",
    ended_voice_4014 = "ended-voice-4014",
    ended_voice_4017 = "ended-voice-4017",
    ended_voice_4021 = "ended-voice-4021",
    ended_voice_4022 = "ended-voice-4022",
    kept_black_hole = "kept-black-hole",
    kept_dragged = "kept-dragged",
    kept_gateway_cut = "kept-gateway-cut",
    kept_gateway_invalid = "kept-gateway-invalid",
    kept_gateway_reconnect = "kept-gateway-reconnect",
    kept_gateway_resumable = "kept-gateway-resumable",
    kept_owner_returns = "kept-owner-returns",
    kept_voice_4006 = "kept-voice-4006",
    kept_voice_4015 = "kept-voice-4015",
    kept_voice_cut = "kept-voice-cut",
    kept_voice_server_moved = "kept-voice-server-moved",
    killed = "killed",
    limit_reached = "limit-reached",
    rest_refuses_deletion = "rest-refuses-deletion",
    rest_unwell = "rest-unwell",
    speak = "speak",
    terminated = "terminated",
    inference_three_speakers_with_loss = "three-speakers-with-loss",
    inference_two_speakers = "two-speakers",
    voice_refused = "voice-refused",
    voice_stop = "voice-stop",
}

/// Ten random fault scripts; `cargo xtask soak --rehearse N` plays as many as one likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_faults_leave_no_panic_no_zombie_and_no_lost_message() {
    let options = SoakOptions {
        bot: bot(),
        shelf: shelf(),
        clips: Clips::default(),
        seed_start: 1,
        runs: 10,
        at_once: 3,
        out: Some(out("soak")),
    };
    let soaked = soak(options, |_| {}).await.unwrap();
    let ailing: Vec<String> = soaked
        .ailing()
        .map(|run| {
            let ailments: Vec<String> = run.ailments.iter().map(ToString::to_string).collect();
            format!("{} ({}): {}", run.title, run.repeat(), ailments.join("; "))
        })
        .collect();
    assert!(ailing.is_empty(), "{}", ailing.join("\n"));
}

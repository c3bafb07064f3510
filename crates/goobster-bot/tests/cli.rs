//! The `goobster` binary as its users run it: exit codes, what goes to stdout and what to stderr.
//!
//! Tests that load a model begin with `inference_`; they need what `cargo xtask setup` fetches.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // The helpers of a test are tests too.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn goobster() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goobster"));
    command
        .env_remove("GOOBSTER_PROFILE")
        .env("GOOBSTER_OFFLINE", "1")
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    goobster().args(args).output().expect("the binary starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("ended by itself")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

/// Every line of stdout as JSON; each must have an `event`.
fn events(output: &Output) -> Vec<Value> {
    let lines: Vec<Value> = stdout(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("no JSON: {line}: {e}")))
        .collect();
    assert!(lines.iter().all(|line| line["event"].is_string()), "{lines:?}");
    lines
}

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

/// A recording that set-up fetched.
fn recording(name: &str) -> PathBuf {
    let cache = goobster_models::Cache::locate().expect("a cache folder");
    let path = cache.root().join("speech").join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo xtask setup`",
        path.display()
    );
    path
}

fn wav(path: &Path, samples: impl IntoIterator<Item = f32>) {
    let mut writer = goobster_audio::wav::WavWriter::create(path, 16_000, 1).unwrap();
    writer.write(&samples.into_iter().collect::<Vec<_>>()).unwrap();
    writer.finish().unwrap();
}

#[test]
fn help_has_examples_and_the_exit_codes() {
    let help = run(&["--help"]);
    assert_eq!(code(&help), 0);
    for word in ["Examples:", "Exit codes:", "transcribe", "converse", "doctor"] {
        assert!(stdout(&help).contains(word), "{word}");
    }
    assert!(!stdout(&help).contains('\u{1b}'), "colours in a pipe");
    for command in ["transcribe", "say", "converse"] {
        let help = run(&[command, "--help"]);
        assert!(
            code(&help) == 0 && stdout(&help).contains("Examples:"),
            "{command}"
        );
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for args in [
        &[][..],
        &["transcribe"],
        &["sing"],
        &["transcribe", "a", "--format", "pdf"],
        &["say"],
    ] {
        let output = run(args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(
            stdout(&output).is_empty() && !stderr(&output).is_empty(),
            "{args:?}"
        );
    }
}

#[test]
fn a_wrong_configuration_ends_with_5_and_names_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("g.toml");
    std::fs::write(&file, "profile = \"standard\"\n\n[brain]\nurll = \"http://x\"\n").unwrap();
    let output = run(&["converse", "x.wav", "--config", file.to_str().unwrap()]);
    assert_eq!(code(&output), 5);
    assert!(
        stderr(&output).contains("line 4") && stderr(&output).contains("urll"),
        "{}",
        stderr(&output)
    );
    let output = run(&["converse", "x.wav", "--brain-url", "gopher://x"]);
    assert_eq!(code(&output), 5, "{}", stderr(&output));
}

#[test]
fn offline_without_a_model_ends_with_4_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.wav");
    wav(&file, [0.0; 1600]);
    let output = goobster()
        .env("GOOBSTER_CACHE", dir.path())
        .arg("transcribe")
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("goobster models pull"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_store_that_is_no_store_is_refused_and_can_be_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("goobster.redb");
    std::fs::write(&file, b"not a store, and much too short for one").unwrap();
    let store = |args: &[&str]| {
        goobster()
            .arg("store")
            .args(args)
            .arg("--file")
            .arg(&file)
            .output()
            .unwrap()
    };
    let output = store(&["check"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("goobster store repair"),
        "{}",
        stderr(&output)
    );
    let output = store(&["repair", "--start-over"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let output = store(&["check"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("sound"));
}

#[test]
#[cfg(not(feature = "host-voice"))]
fn listen_says_how_to_build_it() {
    let output = run(&["listen"]);
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("--features host-voice"));
}

#[test]
fn inference_bad_files_are_reported_and_the_rest_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("empty.wav"), b"").unwrap();
    std::fs::write(
        path("text.mp3"),
        b"this is no sound at all, just words\n".repeat(50),
    )
    .unwrap();
    let good = recording("jfk.wav");
    let whole = std::fs::read(&good).unwrap();
    std::fs::write(path("header.wav"), &whole[..30]).unwrap();
    let bad = ["missing.flac", "empty.wav", "text.mp3", "header.wav"];
    for name in bad {
        let output = run(&["transcribe", "--profile", "small", path(name).to_str().unwrap()]);
        assert_eq!(code(&output), 3, "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains(name), "{name}: {}", stderr(&output));
    }
    let mut all: Vec<PathBuf> = bad.iter().map(|name| path(name)).collect();
    all.insert(2, good.clone());
    let output = goobster()
        .args(["transcribe", "--profile", "small", "--json"])
        .args(&all)
        .output()
        .unwrap();
    assert_eq!(code(&output), 3);
    let events = events(&output);
    let heard: String = of(&events, "segment")
        .iter()
        .map(|s| s["text"].as_str().unwrap())
        .collect();
    assert!(
        heard.to_lowercase().contains("ask not what your country"),
        "{heard}"
    );
    assert!(
        of(&events, "segment")
            .iter()
            .all(|s| s["file"] == good.to_str().unwrap())
    );
    let summary = events.last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["failed"].as_array().unwrap().len(), 4);
    assert!(summary.get("text").is_none());
}

#[test]
fn inference_segments_carry_what_is_documented() {
    let good = recording("jfk.wav");
    let output = goobster()
        .args(["transcribe", "--json"])
        .arg(&good)
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let events = events(&output);
    let segments = of(&events, "segment");
    assert!(!segments.is_empty());
    let mut last = 0.0;
    for segment in segments {
        let (start, end) = (
            segment["start_s"].as_f64().unwrap(),
            segment["end_s"].as_f64().unwrap(),
        );
        assert!(start >= last && end > start && end <= 11.1, "{segment}");
        last = start;
        assert_eq!(segment["language"], "en");
        assert!((0.0..=1.0).contains(&segment["confidence"].as_f64().unwrap()));
        assert_eq!(segment["file"], good.to_str().unwrap());
    }
    let summary = events.last().unwrap();
    assert_eq!(summary["model"], "base-q8_0");
    assert!((summary["audio_s"].as_f64().unwrap() - 11.0).abs() < 0.1);
    assert!(summary["wall_s"].as_f64().unwrap() > 0.0);
}

#[test]
fn inference_silence_gives_no_segment_and_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("silence.wav");
    wav(&file, std::iter::repeat_n(0.0, 16_000 * 20));
    let output = goobster()
        .args(["transcribe", "--profile", "small", "--json"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(events(&output).len(), 1, "the summary alone");
}

#[test]
fn inference_subtitles_are_subtitles() {
    let good = recording("jfk.wav");
    let subtitles = |format: &str| {
        let output = goobster()
            .args(["transcribe", "--profile", "small", "--format", format])
            .arg(&good)
            .output()
            .unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output).to_owned()
    };
    let srt = subtitles("srt");
    assert!(srt.starts_with("1\n00:00:0") && srt.contains(" --> "), "{srt}");
    assert!(
        !srt.contains("jfk.wav"),
        "one recording has no speakers to name: {srt}"
    );
    assert!(subtitles("vtt").starts_with("WEBVTT\n\n"));
}

#[test]
fn inference_an_unwritable_output_is_told() {
    let output = run(&[
        "say",
        "--profile",
        "small",
        "Hello.",
        "-o",
        "/nonexistent/folder/x.wav",
    ]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("/nonexistent/folder"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn inference_a_corrupt_model_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model.bin");
    std::fs::write(&model, b"lmgg and then nothing that makes sense").unwrap();
    let output = goobster()
        .arg("transcribe")
        .arg("--model")
        .arg(&model)
        .arg(recording("jfk.wav"))
        .output()
        .unwrap();
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("model.bin"), "{}", stderr(&output));
}

#[test]
fn inference_a_reader_that_goes_away_is_no_failure() {
    let mut child = goobster()
        .args(["transcribe", "--profile", "small", "--json"])
        .arg(recording("jfk.wav"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
}

#[test]
fn inference_a_conversation_is_captioned_answered_and_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let output = goobster()
        .args(["converse", "--fast", "--profile", "small", "--json", "--out"])
        .arg(dir.path())
        .arg(recording("jfk.wav"))
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let events = events(&output);
    let finals: Vec<_> = of(&events, "caption")
        .into_iter()
        .filter(|c| c["final"] == true)
        .collect();
    assert!(!finals.is_empty() && !of(&events, "reply").is_empty() && !of(&events, "turn").is_empty());
    assert_eq!(events.last().unwrap()["event"], "summary");
    for name in ["captions.srt", "captions.vtt", "transcript.json", "reply.wav"] {
        assert!(dir.path().join(name).metadata().unwrap().len() > 44, "{name}");
    }
    let transcript: Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("transcript.json")).unwrap()).unwrap();
    let kinds: Vec<&str> = transcript
        .as_array()
        .unwrap()
        .iter()
        .map(|caption| caption["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"speech") && kinds.contains(&"reply"), "{kinds:?}");
}

/// Variables that are set to nothing.
mod environment {
    use super::*;

    const VARIABLES: [&str; 6] = [
        "GOOBSTER_PROFILE",
        "GOOBSTER_OFFLINE",
        "GOOBSTER_BRAIN_URL",
        "GOOBSTER_BRAIN_MODEL",
        "GOOBSTER_LOG",
        "GOOBSTER_CACHE",
    ];

    #[test]
    fn empty_variables_count_as_unset() {
        for args in [&["models", "list"][..], &["converse", "no-such-file.wav"]] {
            let with = |set: bool| {
                let mut command = goobster();
                for name in VARIABLES {
                    command.env_remove(name);
                    if set {
                        command.env(name, "");
                    }
                }
                command.args(args).output().unwrap()
            };
            let (unset, empty) = (with(false), with(true));
            assert_eq!(
                (code(&empty), stdout(&empty), stderr(&empty)),
                (code(&unset), stdout(&unset), stderr(&unset)),
                "{args:?}"
            );
            assert_ne!(code(&empty), 2, "{}", stderr(&empty));
        }
    }

    #[test]
    fn variables_that_say_something_are_heeded() {
        let output = goobster()
            .env("GOOBSTER_PROFILE", "huge")
            .arg("doctor")
            .output()
            .unwrap();
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        let output = goobster()
            .env("GOOBSTER_BRAIN_URL", "gopher://x")
            .args(["converse", "no-such-file.wav"])
            .output()
            .unwrap();
        assert_eq!(code(&output), 5, "{}", stderr(&output));
    }

    #[test]
    fn inference_an_onnx_runtime_of_ones_own_speaks() {
        let dir = tempfile::tempdir().unwrap();
        let ours = goobster_models::Cache::locate()
            .unwrap()
            .path_of(&goobster_models::manifest::ONNX_RUNTIME);
        let own = dir.path().join("own-onnxruntime.so");
        std::fs::copy(&ours, &own).unwrap();
        let say = |library: &Path| {
            goobster()
                .env("ORT_DYLIB_PATH", library)
                .args(["say", "Hello.", "-o"])
                .arg(dir.path().join("hello.wav"))
                .output()
                .unwrap()
        };
        let spoken = say(&own);
        assert_eq!(code(&spoken), 0, "{}", stderr(&spoken));
        for nothing in ["/nowhere/onnxruntime.so", "own-onnxruntime.so"] {
            let refused = say(Path::new(nothing));
            assert_ne!(code(&refused), 0, "{nothing}");
            assert!(
                stderr(&refused).contains(nothing) && stderr(&refused).contains("ORT_DYLIB_PATH"),
                "{}",
                stderr(&refused)
            );
        }
        assert_eq!(code(&say(Path::new(""))), 0, "set to nothing is unset");
    }

    #[test]
    fn the_list_of_models_shows_where_they_come_from() {
        let listed = run(&["models", "list", "--json"]);
        assert_eq!(code(&listed), 0, "{}", stderr(&listed));
        let lines = events(&listed);
        let questions = lines
            .iter()
            .find(|line| line["name"] == "speech-questions")
            .unwrap();
        assert_eq!(questions["source"], "PyPI google-assistant-sdk 0.6.0");
        assert!(stdout(&run(&["models", "list"])).contains("PyPI silero-vad"));
    }
}

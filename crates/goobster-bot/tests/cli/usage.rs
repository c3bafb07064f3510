//! The command line itself: help, usage errors, configuration, what needs no model.

use super::*;

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
        stderr(&output).contains(":4:1: brain.urll: ") && stderr(&output).contains("urll"),
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

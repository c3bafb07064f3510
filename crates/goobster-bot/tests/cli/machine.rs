//! `goobster doctor`, `models` and `say`, and the last JSON line that every command prints.

use super::*;

#[test]
fn every_command_ends_its_json_with_one_summary() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none.wav");
    let missing = missing.to_str().unwrap();
    let store = dir.path().join("none.redb");
    for (args, expected) in [
        (&["models", "list"][..], 0),
        (&["models", "pull", "no-such-model"], 2),
        (&["models", "remove", "silero-vad-16k"], 0),
        (&["converse", missing], 3),
        (&["say", "Hello.", "--profile", "small"], 4),
        (&["store", "check", "--file", store.to_str().unwrap()], 1),
        (&["transcribe", missing, "--language", "english"], 5),
    ] {
        let output = goobster()
            .env("GOOBSTER_CACHE", dir.path())
            .args(args)
            .arg("--json")
            .output()
            .unwrap();
        assert_eq!(code(&output), expected, "{args:?}: {}", stderr(&output));
        let events = events(&output);
        assert_eq!(of(&events, "summary").len(), 1, "{args:?}: {events:?}");
        let last = events.last().unwrap();
        assert_eq!(last["event"], "summary", "{args:?}");
        assert!(last.get("text").is_none(), "{args:?}");
        if expected > 0 {
            assert_eq!(last["exit_code"], expected, "{args:?}: {last}");
            assert!(last["error"].as_str().unwrap().len() > 10, "{args:?}: {last}");
        }
    }
}

#[test]
fn inference_doctor_names_what_does_not_answer_and_examines_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("g.toml");
    // Port 9 of this machine: nobody answers there.
    let dead = "http://127.0.0.1:9/v1";
    std::fs::write(
        &file,
        format!("profile = \"small\"\n[brain]\nurl = \"{dead}\"\nmodel = \"m\"\n[recogniser]\nurl = \"{dead}\"\n[synthesiser]\nurl = \"{dead}\"\n"),
    )
    .unwrap();
    let output = goobster()
        .args(["doctor", "--json", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    let events = events(&output);
    let check = |what: &str| {
        let found = of(&events, "check").into_iter().find(|c| c["what"] == what);
        found
            .unwrap_or_else(|| panic!("no check of {what}: {events:?}"))
            .clone()
    };
    assert_eq!(check("configuration file")["found"], file.to_str().unwrap());
    assert_eq!(check("voice activity")["ok"], true);
    for what in ["brain", "speech recognition", "speech synthesis"] {
        let check = check(what);
        assert_eq!(check["ok"], false, "{check}");
        assert!(check["mend"].as_str().unwrap().contains(dead), "{check}");
    }
    assert_eq!(events.last().unwrap()["complaints"], 3);
}

#[test]
fn inference_doctor_finds_a_machine_that_was_set_up_in_order() {
    let output = run(&["doctor", "--profile", "small"]);
    assert_eq!(code(&output), 0, "{}\n{}", stdout(&output), stderr(&output));
    for word in [
        "speech recognition",
        "tiny.en",
        "built-in",
        "Everything is in order",
    ] {
        assert!(stdout(&output).contains(word), "{word}: {}", stdout(&output));
    }
}

#[test]
fn inference_a_book_is_too_long_to_say_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.wav");
    let output = goobster()
        .args(["say", "--profile", "small", "-o"])
        .arg(&file)
        .arg("No. ".repeat(3000))
        .output()
        .unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("split"), "{}", stderr(&output));
    assert!(!file.exists());
}

#[test]
#[cfg(unix)]
fn a_device_is_no_configuration() {
    let output = run(&["doctor", "--config", "/dev/zero"]);
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    assert!(stderr(&output).contains("/dev/zero"), "{}", stderr(&output));
}

#[test]
fn a_name_that_cannot_be_called_is_refused() {
    let output = run(&["converse", "x.wav", "--wake-name", "!!!"]);
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    assert!(stderr(&output).contains("!!!"), "{}", stderr(&output));
}

//! Environment variables: what they set, and that nothing in them sets nothing.

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

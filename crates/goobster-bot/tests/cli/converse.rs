//! `goobster converse`.

use super::*;

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
    let spoken = samples(&dir.path().join("reply.wav"));
    assert!(
        spoken.iter().any(|sample| sample.abs() > 0.05),
        "nothing is heard"
    );
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

fn samples(path: &Path) -> Vec<f32> {
    let mut file = goobster_audio::file::AudioFile::open(path).unwrap();
    file.read_all(16_000 * 600).unwrap()
}

fn converse(dir: &Path, settings: &str, file: &Path) -> Output {
    let config = dir.join("g.toml");
    std::fs::write(&config, format!("profile = \"small\"\n{settings}")).unwrap();
    goobster()
        .args(["converse", "--fast", "--json", "--config"])
        .arg(&config)
        .arg("--out")
        .arg(dir.join("out"))
        .arg(file)
        .output()
        .unwrap()
}

#[test]
fn inference_a_dead_brain_is_told_aloud_and_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let output = converse(
        dir.path(),
        "[brain]\nurl = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\n",
        &recording("questions/what-time-is-it.wav"),
    );
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("127.0.0.1:9"), "{}", stderr(&output));
    let events = events(&output);
    let replies = of(&events, "reply");
    assert!(!replies[0]["spoken"].as_str().unwrap().is_empty(), "{replies:?}");
    let spoken = samples(&dir.path().join("out/reply.wav"));
    assert!(
        spoken.iter().any(|sample| sample.abs() > 0.05),
        "nothing is heard"
    );
    assert_eq!(events.last().unwrap()["event"], "summary");
}

#[test]
fn inference_turns_that_cannot_be_recognised_are_told_and_are_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let url = server::start(|_| (400, r#"{"error":{"message":"broken"}}"#.to_owned()));
    let output = converse(
        dir.path(),
        &format!("[recogniser]\nurl = \"{url}\"\n"),
        &recording("questions/what-time-is-it.wav"),
    );
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("not understood"), "{}", stderr(&output));
    let events = events(&output);
    let turns = of(&events, "turn");
    assert_eq!(turns.len(), 1, "{events:?}");
    assert_eq!(turns[0]["ignored"], "not_understood");
    assert!(turns[0]["caption_ms"].is_null());
}

#[test]
fn inference_a_truncated_recording_is_played_and_is_bad_input() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(recording("jfk.wav")).unwrap();
    let file = dir.path().join("cut.wav");
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let output = converse(dir.path(), "", &file);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("cut.wav"), "{}", stderr(&output));
    let events = events(&output);
    assert!(
        of(&events, "caption")
            .iter()
            .any(|caption| caption["final"] == true)
    );
    assert_eq!(events.last().unwrap()["event"], "summary");
}

#[test]
#[cfg(unix)]
fn inference_a_conversation_that_is_ended_from_outside_leaves_its_captions() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = goobster()
        .args(["converse", "--profile", "small", "--json", "--out"])
        .arg(dir.path())
        .arg(recording("questions/what-time-is-it.wav"))
        .arg(recording("jfk.wav"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let first = lines
        .by_ref()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .find(|event| event["event"] == "caption" && event["final"] == true)
        .unwrap();
    let told = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(told.success());
    let rest: Vec<String> = lines.map(|line| line.unwrap()).collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(rest.last().unwrap().contains("\"summary\""), "{rest:?}");
    let captions = std::fs::read_to_string(dir.path().join("captions.srt")).unwrap();
    assert!(captions.contains(first["text"].as_str().unwrap()), "{captions}");
}

//! `goobster transcribe`.

use super::*;

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

/// Three sentences, 2.5 s apart: three utterances.
fn three_sentences(path: &Path) {
    let mut all = Vec::new();
    for name in ["librivox/0880.wav", "librivox/0930.wav", "librivox/0880.wav"] {
        let mut file = goobster_audio::file::AudioFile::open(recording(name)).unwrap();
        all.extend(file.read_all(16_000 * 60).unwrap());
        all.extend(std::iter::repeat_n(0.0, 40_000));
    }
    wav(path, all);
}

fn with_recogniser(dir: &Path, url: &str) -> PathBuf {
    let file = dir.join("g.toml");
    std::fs::write(
        &file,
        format!("profile = \"small\"\n[recogniser]\nurl = \"{url}\"\n"),
    )
    .unwrap();
    file
}

#[test]
fn inference_a_failed_utterance_is_told_and_the_rest_of_the_file_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("three.wav");
    three_sentences(&file);
    // The second utterance fails, and so does its second try.
    let url = server::start(|number| match number {
        1 | 2 => (400, r#"{"error":{"message":"no"}}"#.to_owned()),
        _ => server::transcription("A sentence."),
    });
    let output = goobster()
        .args(["transcribe", "--json", "--config"])
        .arg(with_recogniser(dir.path(), &url))
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let events = events(&output);
    let starts: Vec<f64> = of(&events, "segment")
        .iter()
        .map(|s| s["start_s"].as_f64().unwrap())
        .collect();
    assert_eq!(starts.len(), 2, "{events:?}");
    assert!(starts[0] < 3.0 && starts[1] > 10.0, "{starts:?}");
    let summary = events.last().unwrap();
    let error = summary["failed"][0]["error"].as_str().unwrap();
    assert!(
        error.contains("1 utterance(s)") && error.contains("00:00:05"),
        "{error}"
    );
    assert!(summary["audio_s"].as_f64().unwrap() > 15.0, "{summary}");
}

#[test]
fn inference_a_server_that_stays_down_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("three.wav");
    three_sentences(&file);
    let url = server::start(|_| (400, "{}".to_owned()));
    let output = goobster()
        .args(["transcribe", "--config"])
        .arg(with_recogniser(dir.path(), &url))
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("given up"), "{}", stderr(&output));
}

#[test]
fn inference_recordings_of_one_name_and_a_missing_one_keep_their_transcripts() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for (folder, source) in [("a", "librivox/0880.wav"), ("b", "librivox/0930.wav")] {
        std::fs::create_dir(path(folder)).unwrap();
        std::fs::copy(recording(source), path(folder).join("talk.wav")).unwrap();
    }
    std::fs::create_dir(path("out")).unwrap();
    std::fs::write(path("out/gone.wav.txt"), "an old transcript").unwrap();
    let output = goobster()
        .args(["transcribe", "--profile", "small", "-o"])
        .arg(path("out"))
        .args([path("a/talk.wav"), path("b/talk.wav"), path("gone.wav")])
        .output()
        .unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let read = |name: &str| std::fs::read_to_string(path("out").join(name)).unwrap();
    assert!(read("talk.wav.txt").contains("young man"));
    assert!(!read("talk.wav-2.txt").contains("young man") && read("talk.wav-2.txt").len() > 20);
    assert_eq!(read("gone.wav.txt"), "an old transcript");
}

#[test]
fn inference_a_language_that_the_model_lacks_is_refused_before_anything_is_heard() {
    let file = recording("jfk.wav");
    for command in ["transcribe", "converse"] {
        let output = goobster()
            .args([command, "--profile", "small", "--language", "de"])
            .arg(&file)
            .output()
            .unwrap();
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        assert!(stdout(&output).is_empty(), "{}", stdout(&output));
        assert!(
            stderr(&output).contains("'de'") && stderr(&output).contains("--profile standard"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
#[cfg(unix)]
fn inference_a_pipe_is_refused_at_once_and_named_once() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe.wav");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let output = goobster()
        .args(["transcribe", "--profile", "small"])
        .arg(&pipe)
        .output()
        .unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("a pipe"), "{}", stderr(&output));
    assert_eq!(
        stderr(&output).matches("pipe.wav").count(),
        1,
        "{}",
        stderr(&output)
    );
}

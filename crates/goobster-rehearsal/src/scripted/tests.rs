//! What the scripted engines hear and say.

use goobster_audio::file::AudioFile;

use super::hearing::Memory;
use super::*;

/// Noise in syllables whose lengths and loudness come from a seed: like speech, and no two alike.
fn speech(seed: u32, seconds: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let mut sound = vec![0.0; 4_800];
    while sound.len() < seconds * 16_000 {
        let (length, loud, pause) = (
            (1_200.0 + 3_000.0 * next()) as usize,
            0.05 + 0.3 * next(),
            (1_600.0 * next()) as usize,
        );
        sound.extend(
            (0..length)
                .map(|n| loud * (std::f32::consts::PI * n as f32 / length as f32).sin() * (next() - 0.5)),
        );
        sound.resize(sound.len() + pause, 0.0);
    }
    sound.resize(sound.len() + 4_800, 0.0);
    sound
}

fn known() -> Vec<Recording> {
    (1..=6)
        .map(|n| {
            let mut recording = Recording::of(&format!("{n}.wav"), speech(n * 7_919, 3));
            recording.text = Some((0..10).map(|w| format!("w{n}{w}")).collect::<Vec<_>>().join(" "));
            recording
        })
        .collect()
}

#[test]
fn each_recording_is_told_from_the_others_even_quieter_and_with_holes() {
    let known = known();
    let memory = Memory::new(&known);
    for recording in &known {
        let mut heard: Vec<f32> = recording.sound.iter().map(|s| s * 0.5).collect();
        heard[20_000..20_320].fill(0.0);
        heard[30_000..30_320].fill(0.0);
        assert_eq!(memory.words(&heard), recording.text, "{}", recording.name);
    }
    assert_eq!(memory.words(&speech(99, 3)), None);
    assert_eq!(memory.words(&vec![0.0; 16_000]), None);
    assert_eq!(memory.words(&[]), None);
}

#[test]
fn half_a_recording_gives_half_of_its_words() {
    let known = known();
    let memory = Memory::new(&known);
    let half = memory.words(&known[2].sound[..29_000]).unwrap();
    let count = half.split(' ').count();
    assert!((4..=6).contains(&count) && half.starts_with("w30 w31"), "{half}");
    let rest = memory.words(&known[2].sound[29_000..]).unwrap();
    assert!(rest.ends_with("w38 w39"), "{rest}");
}

#[tokio::test]
async fn the_server_is_asked_as_any_other() {
    let known = known();
    let server = Scripted::start(known.clone(), Duration::ZERO).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let mut wav = goobster_audio::wav::WavWriter::create(&path, 16_000, 1).unwrap();
    wav.write(&known[1].sound).unwrap();
    wav.finish().unwrap();
    let form = |bytes: &[u8]| {
        let mut body =
            b"--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n".to_vec();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--xx--\r\n");
        body
    };
    let heard = post(
        &server,
        "/v1/audio/transcriptions",
        "multipart/form-data; boundary=xx",
        form(&std::fs::read(&path).unwrap()),
    )
    .await;
    let heard: Value = serde_json::from_slice(&heard.1).unwrap();
    assert_eq!(heard["text"].as_str(), known[1].text.as_deref());
    let (status, said) = post(
        &server,
        "/v1/audio/speech",
        "application/json",
        br#"{"input":"Hello there."}"#.to_vec(),
    )
    .await;
    assert_eq!(status, 200);
    let sound = AudioFile::from_reader(std::io::Cursor::new(said), "x.wav")
        .unwrap()
        .read_all(1 << 20)
        .unwrap();
    assert!((9_000..12_000).contains(&sound.len()), "{}", sound.len());
    for (path, kind, body) in [
        (
            "/v1/audio/transcriptions",
            "multipart/form-data; boundary=xx",
            form(b"no sound"),
        ),
        ("/v1/audio/transcriptions", "text/plain", Vec::new()),
        ("/v1/audio/speech", "application/json", b"{}".to_vec()),
    ] {
        assert_eq!(post(&server, path, kind, body).await.0, 400, "{path} {kind}");
    }
    assert_eq!(post(&server, "/v1/models", "text/plain", Vec::new()).await.0, 404);
    server.stop().await;
}

#[tokio::test]
async fn a_configuration_is_pointed_at_it_and_keeps_the_rest() {
    let server = Scripted::start(Vec::new(), Duration::ZERO).await.unwrap();
    let mut config: toml::Table =
        toml::from_str("profile = \"small\"\n[recogniser]\nmodel = \"m\"\n").unwrap();
    server.configure(&mut config);
    assert_eq!(config["recogniser"]["url"].as_str(), Some(server.url().as_str()));
    assert_eq!(config["recogniser"]["model"].as_str(), Some("m"));
    assert_eq!(config["synthesiser"]["url"].as_str(), Some(server.url().as_str()));
}

/// The smallest client there is: status and body.
async fn post(server: &Scripted, path: &str, kind: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let split = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    (status, answer[split + 4..].to_vec())
}

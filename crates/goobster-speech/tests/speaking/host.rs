//! The host's voice through a speech-dispatcher of its own, into a file, heard by Whisper.
//!
//! A private speech-dispatcher listens on a socket in a temporary folder and plays into ALSA's `file` device, so that
//! no sound card is needed and nothing of the user's is touched.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use goobster_core::language::Language;
use goobster_speech::scoring::word_errors;
use goobster_speech::tts::host::{HostEvent, HostSpeech, HostVoice};

use crate::support::{hear, listener};

/// Tells the second process what to say.
const TEXT: &str = "GOOBSTER_TEST_HOST_TEXT";

/// A speech-dispatcher that ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a private speech-dispatcher in `folder` that plays into `folder/spoken.wav`.
fn start(folder: &Path) -> Service {
    let (socket, conf) = (folder.join("speechd.sock"), folder.join("conf"));
    std::fs::create_dir_all(conf.join("modules")).unwrap();
    let system = Path::new("/etc/speech-dispatcher/modules/espeak-ng.conf");
    assert!(
        system.is_file(),
        "speech-dispatcher is missing: apt-get install speech-dispatcher speech-dispatcher-espeak-ng"
    );
    std::fs::copy(system, conf.join("modules/espeak-ng.conf")).unwrap();
    std::fs::write(
        conf.join("speechd.conf"),
        "LogLevel 3\nAudioOutputMethod \"alsa\"\nAudioALSADevice \"default\"\nDefaultLanguage \"en\"\n\
         DefaultRate 0\nDefaultVolume 100\nDefaultPunctuationMode \"none\"\n\
         AddModule \"espeak-ng\" \"sd_espeak-ng\" \"espeak-ng.conf\"\nDefaultModule espeak-ng\n",
    )
    .unwrap();
    let file = folder.join("spoken.wav");
    std::fs::write(
        folder.join(".asoundrc"),
        format!(
            "pcm.!default {{ type file slave.pcm \"null\" file \"{}\" format \"wav\" }}\n\
             ctl.!default {{ type hw card 0 }}\n",
            file.display()
        ),
    )
    .unwrap();
    let child = Command::new("speech-dispatcher")
        .args([
            "--run-single",
            "--communication-method",
            "unix_socket",
            "--timeout",
            "0",
            "--log-level",
            "3",
        ])
        .arg("--socket-path")
        .arg(&socket)
        .arg("--config-dir")
        .arg(&conf)
        .arg("--log-dir")
        .arg(folder)
        .arg("--pid-file")
        .arg(folder.join("speechd.pid"))
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect(
            "speech-dispatcher is missing: apt-get install speech-dispatcher speech-dispatcher-espeak-ng",
        );
    let service = Service(child);
    let begun = Instant::now();
    while !socket.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "speech-dispatcher did not open its socket"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    service
}

#[test]
fn inference_what_the_host_says_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path());
    let text = "The meeting starts at 6 pm, and everyone is welcome to bring 2 friends.";
    in_another_process(folder.path(), "host::says_what_it_is_told", text);
    drop(service);

    let spoken = folder.path().join("spoken.wav");
    if let Some(kept) = std::env::var_os("GOOBSTER_TEST_KEEP") {
        std::fs::create_dir_all(&kept).unwrap();
        std::fs::copy(&spoken, Path::new(&kept).join("host-voice.wav")).unwrap();
    }
    let (samples, rate) = read_wav(&spoken);
    let heard = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(hear(&listener(), &samples, rate));
    let expected = "The meeting starts at 6 pm and everyone is welcome to bring two friends.";
    let score = word_errors(expected, &heard);
    println!(
        "heard {heard:?}: {} of {} words wrong",
        score.errors(),
        score.words
    );
    // espeak-ng's formant voice is understood to about 87 %.
    assert!(score.rate() <= 0.25, "heard {heard:?}");
}

#[test]
fn what_the_host_says_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let _service = start(folder.path());
    // Nothing paces a file, so the text must be too long to be over before it is stopped.
    let text = "This is never heard to its end. ".repeat(300);
    in_another_process(folder.path(), "host::stops_when_it_is_told", &text);
}

/// Runs an ignored test in a process of its own: the service's address is read from the environment, which only such a
/// process may have changed safely.
fn in_another_process(folder: &Path, test: &str, text: &str) {
    let said = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(
            "SPEECHD_ADDRESS",
            format!("unix_socket:{}", folder.join("speechd.sock").display()),
        )
        .env("HOME", folder)
        .env(TEXT, text)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr),
    );
    assert!(said.status.success(), "{out}{err}");
}

#[test]
#[ignore = "run by another test, which starts a speech service for it"]
fn says_what_it_is_told() {
    let text = std::env::var(TEXT).expect("the test that starts the service says what to say");
    let voice = HostSpeech::connect().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut utterance = voice.say(&text, Language::ENGLISH).unwrap();
        assert_eq!(utterance.next().await.unwrap(), HostEvent::Begun);
        assert_eq!(utterance.finished().await.unwrap(), HostEvent::Ended);
    });
}

#[test]
#[ignore = "run by another test, which starts a speech service for it"]
fn stops_when_it_is_told() {
    let text = std::env::var(TEXT).expect("the test that starts the service says what to say");
    let voice = HostSpeech::connect().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut utterance = voice.say(&text, Language::ENGLISH).unwrap();
        assert_eq!(utterance.next().await.unwrap(), HostEvent::Begun);
        voice.stop().unwrap();
        assert_eq!(utterance.finished().await.unwrap(), HostEvent::Stopped);
    });
}

/// Reads 16-bit PCM; the sizes in the head are not set when a player is ended early.
fn read_wav(path: &Path) -> (Vec<f32>, u32) {
    let bytes = std::fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(&bytes[..4], b"RIFF");
    let (channels, rate) = (usize::from(bytes[22]), word(24));
    let samples = bytes[44..].chunks_exact(2 * channels);
    (
        samples
            .map(|s| f32::from(i16::from_le_bytes([s[0], s[1]])) / 32_768.0)
            .collect(),
        rate,
    )
}

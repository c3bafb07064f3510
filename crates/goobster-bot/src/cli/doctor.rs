//! `goobster doctor`: what is installed, what this machine can do, what is wrong and how to mend it.
//!
//! Nothing is guessed: the recogniser, the detector and the voice really run, on a recording when there is one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use goobster_audio::file::AudioFile;
use goobster_core::admission::Fit;
use goobster_core::language::Language;
use goobster_core::ports::{
    AbortFlag, DecodeClass, LanguageChoice, RecogniseRequest, ReplyPiece, RespondError, RespondRequest,
    SpeakRequest, SpeechToText, Utterance,
};
use goobster_core::time::UtcMillis;
use goobster_models::{Cache, State, manifest};
use owo_colors::OwoColorize as _;
use serde::Serialize;

use super::args::Common;
use super::exit::Failure;
use super::models::{needed, state_word};
use super::terminal::Terminal;
use crate::admission::calibrate::Calibration;
use crate::config::Config;
use crate::engines::Engines;

/// The real-time factor below which captions keep up with one speaker, partial captions included.
const COMFORTABLE: f64 = 0.35;

#[derive(Serialize)]
struct Check<'a> {
    event: &'static str,
    what: &'a str,
    ok: bool,
    found: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<&'a str>,
}

struct Doctor {
    terminal: Terminal,
    complaints: usize,
    missing: usize,
}

impl Doctor {
    /// Tells that something cannot be run, why, and how to mend it.
    fn fails(&mut self, what: &str, failure: Failure, mend: &str) -> Result<(), Failure> {
        match failure {
            // Ours to end with, not the patient's.
            Failure::ReaderGone | Failure::Output { .. } => Err(failure),
            other => self.say(what, &other.to_string(), Some(mend)),
        }
    }

    fn say(&mut self, what: &str, found: &str, mend: Option<&str>) -> Result<(), Failure> {
        let ok = mend.is_none();
        self.complaints += usize::from(!ok);
        self.terminal.event(&Check {
            event: "check",
            what,
            ok,
            found,
            mend,
        })?;
        let mark = if ok {
            "ok".green().to_string()
        } else {
            "!!".red().bold().to_string()
        };
        self.terminal.line(&format!("{mark}  {what:<28} {found}"))?;
        mend.map_or(Ok(()), |mend| {
            self.terminal.line(&format!("    {:<28} -> {mend}", ""))
        })
    }
}

fn listen_word() -> &'static str {
    if cfg!(feature = "host-voice") {
        "built in"
    } else {
        "not built in (feature host-voice)"
    }
}

fn recogniser_mend(config: &Config) -> String {
    config.recogniser.url.as_ref().map_or_else(
        || "goobster models remove the model named above, then goobster models pull".to_owned(),
        |url| {
            format!("start the server at {url}, or correct [recogniser] url, model and api_key_env in the configuration")
        },
    )
}

fn synthesiser_mend(config: &Config) -> String {
    config.synthesiser.url.as_ref().map_or_else(
        || "goobster models pull; goobster say --list-voices shows what can be chosen".to_owned(),
        |url| {
            format!(
                "start the server at {url}, or correct [synthesiser] url, model, voice and api_key_env in the configuration"
            )
        },
    )
}

fn brain_mend(config: &Config) -> String {
    config.brain.url.as_ref().map_or_else(
        || "report this: the built-in responder needs nothing".to_owned(),
        |url| {
            format!(
                "start the chat server at {url} (for Ollama: ollama serve), or correct [brain] url, model and api_key_env"
            )
        },
    )
}

/// Examines the machine; exit code 4 when something is missing.
pub(super) async fn run(config: &Config, common: &Common, terminal: Terminal) -> Result<(), Failure> {
    let mut doctor = Doctor {
        terminal,
        complaints: 0,
        missing: 0,
    };
    machine(&mut doctor, config, common)?;
    pieces(&mut doctor, config)?;
    // Nothing is fetched by an examination.
    let engines = Engines::new(config, true, terminal);
    if doctor.missing == 0 {
        listening(&mut doctor, &engines)?;
        // What cannot be run is one complaint more; the rest is examined all the same.
        let heard = match hearing(&mut doctor, &engines).await {
            Ok(recogniser) => capacity(&mut doctor, &engines, config, recogniser.as_ref()).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = heard {
            let mend = recogniser_mend(config);
            doctor.fails("speech recognition", failure, &mend)?;
        }
        if let Err(failure) = speaking(&mut doctor, &engines, config).await {
            let mend = synthesiser_mend(config);
            doctor.fails("speech synthesis", failure, &mend)?;
        }
    }
    if let Err(failure) = brain(&mut doctor, &engines).await {
        let mend = brain_mend(config);
        doctor.fails("brain", failure, &mend)?;
    }
    doctor.say("goobster listen", listen_word(), None)?;
    terminal.summary(&serde_json::json!({ "event": "summary", "complaints": doctor.complaints }))?;
    match doctor.complaints {
        0 => terminal.line("\nEverything is in order."),
        n => Err(Failure::SetupMissing(format!(
            "{n} thing(s) to mend, see the arrows above"
        ))),
    }
}

fn machine(doctor: &mut Doctor, config: &Config, common: &Common) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    doctor.say(
        "processor",
        &format!("{cores} core(s), {}", std::env::consts::ARCH),
        None,
    )?;
    doctor.say("profile", config.profile.name(), None)?;
    let own = || Config::default_file().filter(|file| file.is_file());
    let file = common.config.clone().or_else(own);
    let found = file.map_or_else(|| "none (defaults)".to_owned(), |file| file.display().to_string());
    doctor.say("configuration file", &found, None)?;
    let cache = Cache::locate()?;
    let shipped = cache.shipped().map_or_else(String::new, |folder| {
        format!(", and {} that came with it", folder.display())
    });
    doctor.say("cache", &format!("{}{shipped}", cache.root().display()), None)
}

fn pieces(doctor: &mut Doctor, config: &Config) -> Result<(), Failure> {
    let cache = Cache::locate()?;
    for artefact in needed(config.profile) {
        if let Err(elsewhere) = artefact.runs_here() {
            doctor.say(artefact.id, &format!("not for this system: {elsewhere}"), None)?;
            continue;
        }
        let state = cache.state(artefact);
        let mend = (state != State::Present).then(|| format!("goobster models pull {}", artefact.id));
        doctor.missing += usize::from(mend.is_some());
        let found = format!(
            "{} ({:.0} MB)",
            state_word(state),
            artefact.contents.size() as f64 / 1e6
        );
        doctor.say(artefact.id, &found, mend.as_deref())?;
    }
    Ok(())
}

/// A recording of speech when set-up fetched one; else three seconds of tone, which cost the same.
fn sample() -> Arc<[f32]> {
    let recording = Cache::locate()
        .ok()
        .map(|cache| cache.path_of(&manifest::SPEECH_JFK));
    let samples = recording
        .and_then(|path| AudioFile::open(path).ok())
        .and_then(|mut file| file.read_all(16_000 * 60).ok())
        .unwrap_or_else(|| (0..48_000).map(|n| 0.1 * (n as f32 * 0.2).sin()).collect());
    samples.into()
}

fn listening(doctor: &mut Doctor, engines: &Engines<'_>) -> Result<(), Failure> {
    let audio = sample();
    let seconds = audio.len() as f64 / 16_000.0;
    let mut detector = engines.detector();
    let window = detector.window();
    let begun = Instant::now();
    for chunk in audio.chunks_exact(window) {
        detector.probability(chunk);
    }
    let speakers = seconds / begun.elapsed().as_secs_f64();
    doctor.say(
        "voice activity",
        &format!("{speakers:.0} speakers at once on one core"),
        None,
    )
}

async fn hearing(doctor: &mut Doctor, engines: &Engines<'_>) -> Result<Arc<dyn SpeechToText>, Failure> {
    let audio = sample();
    let seconds = audio.len() as f64 / 16_000.0;
    let recogniser = engines.recogniser(None)?;
    let mut best = Duration::MAX;
    let mut text = String::new();
    for _ in 0..3 {
        let request = RecogniseRequest {
            audio: Arc::clone(&audio),
            language: LanguageChoice::Fixed(Language::ENGLISH),
            class: DecodeClass::Final,
            source: 0,
            prompt: None,
            abort: AbortFlag::new(),
        };
        let begun = Instant::now();
        text = recogniser.recognise(request).await?.text();
        best = best.min(begun.elapsed());
    }
    let factor = best.as_secs_f64() / seconds;
    let found = format!(
        "{}: {seconds:.0} s of speech in {:.2} s (real-time factor {factor:.2})",
        recogniser.model(),
        best.as_secs_f64()
    );
    let slow = "captions will lag on this machine: use --profile small, or a server ([recogniser] url)";
    doctor.say(
        "speech recognition",
        &found,
        (factor > COMFORTABLE).then_some(slow),
    )?;
    doctor.say("it heard", &text.chars().take(60).collect::<String>(), None)?;
    Ok(recogniser)
}

/// How many people can be followed: the measurement that the bot makes when it starts, and what it makes of it.
async fn capacity(
    doctor: &mut Doctor,
    engines: &Engines<'_>,
    config: &Config,
    recogniser: &dyn SpeechToText,
) -> Result<(), Failure> {
    let own = config.recogniser.url.is_none().then_some(recogniser);
    let smaller = engines.smaller_recogniser()?;
    let calibration = Calibration::measure(own, smaller.as_deref(), engines.detector()).await?;
    let seats = calibration.seats(&config.admission);
    doctor.terminal.event(&serde_json::json!({
        "event": "capacity", "measured": calibration, "speakers": seats.own, "speakers_under_load": seats.smaller,
        "set": config.admission.speakers,
    }))?;
    let mut found = calibration.words();
    if let Some(set) = config.admission.speakers {
        found = format!("{set}, as set in [admission] speakers; measured: {found}");
    }
    let slow = match calibration.fit() {
        Fit::Own => None,
        Fit::Smaller => {
            Some("this model is too slow here, the smaller one hears instead: use --profile small")
        }
        Fit::Neither => Some("no model keeps up with one speaker here: use a server ([recogniser] url)"),
    };
    doctor.say("speakers at once", &found, slow)
}

async fn speaking(doctor: &mut Doctor, engines: &Engines<'_>, config: &Config) -> Result<(), Failure> {
    let voices = engines.voices()?;
    let request = SpeakRequest {
        text: "This is how long the first words of a reply take.".to_owned(),
        language: Language::ENGLISH,
        voice: config.voice.clone(),
        abort: AbortFlag::new(),
    };
    let begun = Instant::now();
    let mut stream = voices.speak(request).await?;
    let (mut first, mut samples) = (None, 0);
    while let Some(chunk) = stream.chunks.recv().await {
        first.get_or_insert_with(|| begun.elapsed());
        samples += chunk?.samples.len();
    }
    let seconds = samples as f64 / f64::from(stream.rate);
    let found = format!(
        "{}: first audio after {} ms, real-time factor {:.2}",
        stream.voice,
        first.unwrap_or_default().as_millis(),
        begun.elapsed().as_secs_f64() / seconds.max(0.001)
    );
    // A notice says that something else speaks than was asked for.
    let mend = stream
        .notice
        .map(|notice| format!("{notice}; {}", synthesiser_mend(config)));
    doctor.say("speech synthesis", &found, mend.as_deref())?;
    doctor.say(
        "voices",
        &format!("{} (goobster say --list-voices)", voices.voices().len()),
        None,
    )
}

/// Asks the brain something, as a speaker would: an address that answers pings may still not answer questions.
async fn brain(doctor: &mut Doctor, engines: &Engines<'_>) -> Result<(), Failure> {
    let responder = engines.responder()?;
    let request = RespondRequest {
        turn: Utterance {
            speaker: "Doctor".to_owned(),
            text: "Say hello.".to_owned(),
            at: UtcMillis::new(jiff::Timestamp::now().as_millisecond()),
        },
        history: Vec::new(),
        language: Language::ENGLISH,
        wake_name: "Goobster".to_owned(),
        limits: None,
        seed: 0,
        abort: AbortFlag::new(),
    };
    let begun = Instant::now();
    let mut pieces = responder.respond(request).await?;
    let silent = || RespondError::BadAnswer {
        url: responder.name(),
        what: "without a word".to_owned(),
    };
    loop {
        let piece = pieces.recv().await.ok_or_else(silent)??;
        if matches!(piece, ReplyPiece::Text(_)) {
            break;
        }
    }
    let found = format!(
        "{}: first words after {} ms",
        responder.name(),
        begun.elapsed().as_millis()
    );
    doctor.say("brain", &found, None)
}

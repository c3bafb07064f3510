//! `goobster say`: a text in, a WAV file out.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Instant;

use comfy_table::{Table, presets};
use goobster_audio::wav::WavWriter;
use goobster_core::language::Language;
use goobster_core::ports::{AbortFlag, SpeakRequest, SynthesiseError, TextToSpeech, VoiceQuality};
use serde::Serialize;

use super::args::{Common, Say};
use super::exit::Failure;
use super::terminal::Terminal;
use crate::config::Config;
use crate::engines::Engines;

/// More than this is a book, not a text to speak: about ten hours of speech.
const LONGEST_TEXT: u64 = 512 * 1024;

#[derive(Debug, Serialize)]
struct Summary<'a> {
    event: &'static str,
    output: &'a str,
    voice: &'a str,
    audio_s: f64,
    wall_s: f64,
    first_audio_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct VoiceLine<'a> {
    event: &'static str,
    name: &'a str,
    language: Language,
    quality: &'static str,
    engine: &'static str,
}

/// Speaks a text into a file, or lists the voices.
pub(super) async fn run(
    args: &Say,
    config: &Config,
    common: &Common,
    terminal: Terminal,
) -> Result<(), Failure> {
    let engines = Engines::new(config, common.offline, terminal);
    let voices = engines.voices()?;
    if args.list_voices {
        return list(voices.as_ref(), terminal);
    }
    let text = match args.text.as_deref() {
        Some("-") => read_stdin()?,
        Some(text) => text.to_owned(),
        None => {
            return Err(Failure::Usage(
                "give a text to say, or - to read it from standard input".to_owned(),
            ));
        }
    };
    let language = language(config, voices.as_ref())?;
    let begun = Instant::now();
    let request = SpeakRequest {
        text,
        language,
        voice: config.voice.clone(),
        abort: AbortFlag::new(),
    };
    let mut stream = voices.speak(request).await?;
    if let Some(notice) = &stream.notice {
        terminal.warn(notice);
    }
    let bad = |cause| Failure::Output {
        path: PathBuf::from(&args.output),
        cause: std::io::Error::other(cause),
    };
    let mut first_audio_ms = None;
    let mut writer = None;
    while let Some(chunk) = stream.chunks.recv().await {
        let chunk = chunk?;
        if !chunk.samples.is_empty() {
            first_audio_ms.get_or_insert_with(|| begun.elapsed().as_millis() as u64);
        }
        // Made with the first samples, so that a text that cannot be spoken does not leave an empty file.
        let wav = match &mut writer {
            Some(wav) => wav,
            None => writer.insert(WavWriter::create(&args.output, stream.rate, 1).map_err(bad)?),
        };
        wav.write(&chunk.samples).map_err(bad)?;
    }
    let Some(writer) = writer else {
        return Err(SynthesiseError::NothingToSay.into());
    };
    let length = writer.finish().map_err(bad)?.as_secs_f64();
    let output = args.output.display().to_string();
    terminal.line(&format!("{output}: {length:.1} s, spoken by {}", stream.voice))?;
    terminal.summary(&Summary {
        event: "summary",
        output: &output,
        voice: &stream.voice,
        audio_s: length,
        wall_s: begun.elapsed().as_secs_f64(),
        first_audio_ms,
    })
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(LONGEST_TEXT + 1)
        .read_to_string(&mut text)
        .map_err(|e| Failure::BadInput(format!("standard input: {e}")))?;
    if text.len() as u64 > LONGEST_TEXT {
        return Err(Failure::BadInput(format!(
            "standard input: more than {LONGEST_TEXT} bytes; split it"
        )));
    }
    Ok(text)
}

/// The language of the text: as chosen, else the chosen voice's own, else English.
fn language(config: &Config, voices: &dyn TextToSpeech) -> Result<Language, Failure> {
    if let Some(code) = config.language.as_deref().filter(|code| *code != "auto") {
        return code
            .parse()
            .map_err(|e| Failure::Usage(format!("--language: {e}")));
    }
    let named = config.voice.as_deref();
    let own = voices
        .voices()
        .into_iter()
        .find(|voice| Some(voice.name.as_str()) == named);
    Ok(own.map_or(Language::ENGLISH, |voice| voice.language))
}

fn list(voices: &dyn TextToSpeech, terminal: Terminal) -> Result<(), Failure> {
    let voices = voices.voices();
    let quality = |quality| match quality {
        VoiceQuality::Neural => "neural",
        VoiceQuality::Formant => "formant",
        VoiceQuality::Host => "host",
        _ => "other",
    };
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["voice", "language", "quality", "engine"]);
    for voice in &voices {
        terminal.event(&VoiceLine {
            event: "voice",
            name: &voice.name,
            language: voice.language,
            quality: quality(voice.quality),
            engine: voice.engine,
        })?;
        let cells = [
            &voice.name,
            voice.language.code(),
            quality(voice.quality),
            voice.engine,
        ];
        table.add_row(cells.map(str::to_owned));
    }
    terminal.line(&table.to_string())?;
    terminal.summary(&serde_json::json!({ "event": "summary", "voices": voices.len() }))
}

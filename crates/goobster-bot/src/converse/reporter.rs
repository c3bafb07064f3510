//! The witness of `converse` and `demo`: captions and replies on the terminal, or as JSON lines, and the files.

use std::fs::{self, File};
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use goobster_audio::wav::WavWriter;
use goobster_core::conversation::Outcome;
use goobster_core::conversation::ReplyId;
use goobster_core::ids::TurnId;
use goobster_core::language::Language;
use goobster_core::transcript::{Caption, CaptionFormat, CaptionKind, Transcript};
use owo_colors::OwoColorize as _;
use serde::Serialize;

use super::playout::PLAYOUT_RATE;
use super::turnbook::Latencies;
use super::witness::{FinalCaption, PartialCaption, Reply, TurnEnd, Witness};
use crate::cli::exit::Failure;
use crate::cli::terminal::Terminal;

/// How often the captions are written while a conversation goes on, at most.
const KEEP_EVERY: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct CaptionLine<'a> {
    event: &'static str,
    turn: TurnId,
    speaker: &'a str,
    #[serde(rename = "final")]
    is_final: bool,
    start_s: f64,
    end_s: f64,
    text: &'a str,
    /// How many bytes of a partial caption's text are firm.
    #[serde(skip_serializing_if = "Option::is_none")]
    firm: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f32>,
}

#[derive(Serialize)]
struct ReplyLine<'a> {
    event: &'static str,
    reply: u64,
    turns: &'a [TurnId],
    outcome: &'static str,
    text: &'a str,
    spoken: &'a str,
    start_s: Option<f64>,
    end_s: f64,
}

#[derive(Serialize)]
struct TurnLine<'a> {
    event: &'static str,
    turn: TurnId,
    speaker: &'a str,
    /// The marked end of speech, in seconds from the start.
    end_of_speech_s: f64,
    endpoint_ms: Option<u64>,
    caption_ms: Option<u64>,
    reply_text_ms: Option<u64>,
    reply_audio_ms: Option<u64>,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<&'static str>,
}

/// The last line of a conversation.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    /// Always "summary".
    pub event: &'static str,
    /// How long the conversation lasted.
    pub audio_s: f64,
    /// How long it took.
    pub wall_s: f64,
    /// The speech model.
    pub model: &'a str,
    /// What answered.
    pub brain: &'a str,
    /// The latencies.
    #[serde(flatten)]
    pub latencies: Latencies,
    /// The files that were written.
    pub files: Vec<String>,
}

/// Shows a conversation and writes it down.
pub struct Reporter {
    terminal: Terminal,
    /// Whether a partial caption stands on the line that the cursor is in.
    unfinished: bool,
    live: bool,
    transcript: Transcript,
    /// When the captions were last written.
    written: Instant,
    out: Option<PathBuf>,
    sound: Option<(PathBuf, WavWriter)>,
}

impl Reporter {
    /// A reporter that writes its files into `out`; the folder is made, and its files begun, at once, so that a folder
    /// that cannot be written is told before anybody speaks.
    pub fn new(terminal: Terminal, out: Option<&Path>) -> Result<Self, Failure> {
        let sound = out.map(begin_sound).transpose()?;
        Ok(Self {
            terminal,
            unfinished: false,
            live: !terminal.is_json() && std::io::stdout().is_terminal(),
            transcript: Transcript::default(),
            written: Instant::now(),
            out: out.map(Path::to_owned),
            sound,
        })
    }

    /// Writes what is left to write; the files, as paths.
    pub fn finish(mut self) -> Result<Vec<String>, Failure> {
        self.end_line()?;
        let mut files = self.write_captions()?;
        if let Some((path, writer)) = self.sound.take() {
            writer
                .finish()
                .map_err(|e| Failure::output(&path, std::io::Error::other(e)))?;
            files.push(path.display().to_string());
        }
        Ok(files)
    }

    /// Adds a caption, and now and then writes them all: a process that is killed loses no more than the last seconds.
    fn keep(&mut self, caption: Caption) -> Result<(), Failure> {
        self.transcript.push(caption);
        if self.written.elapsed() < KEEP_EVERY {
            return Ok(());
        }
        self.write_captions().map(drop)
    }

    /// Writes every caption so far, each file as a whole or not at all.
    fn write_captions(&mut self) -> Result<Vec<String>, Failure> {
        self.written = Instant::now();
        let Some(out) = &self.out else {
            return Ok(Vec::new());
        };
        let mut files = Vec::new();
        for (name, format) in [
            ("captions.srt", CaptionFormat::SubRip),
            ("captions.vtt", CaptionFormat::WebVtt),
            ("transcript.json", CaptionFormat::Json),
        ] {
            let (path, part) = (out.join(name), out.join(format!("{name}.part")));
            File::create(&part)
                .and_then(|file| self.transcript.write(format, BufWriter::new(file)))
                .and_then(|mut written| written.flush())
                .and_then(|()| fs::rename(&part, &path))
                .map_err(|e| Failure::output(&path, e))?;
            files.push(path.display().to_string());
        }
        Ok(files)
    }

    fn end_line(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.unfinished) {
            self.terminal.raw("\r\x1b[2K")
        } else {
            Ok(())
        }
    }
}

fn begin_sound(out: &Path) -> Result<(PathBuf, WavWriter), Failure> {
    fs::create_dir_all(out).map_err(|e| Failure::output(out, e))?;
    let path = out.join("reply.wav");
    let writer = WavWriter::create(&path, PLAYOUT_RATE, 1)
        .map_err(|e| Failure::output(&path, std::io::Error::other(e)))?;
    Ok((path, writer))
}

impl Witness for Reporter {
    fn partial(&mut self, caption: &PartialCaption<'_>) -> Result<(), Failure> {
        let (firm, tentative) = (caption.forming.firm.as_str(), caption.forming.tentative.as_str());
        let text = [firm, tentative].join(" ").trim().to_owned();
        if self.live {
            self.unfinished = true;
            // One line that is written over; a long caption shows its end.
            let tail: String = text
                .chars()
                .rev()
                .take(60)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect();
            return self.terminal.raw(&format!(
                "\r\x1b[2K{:>8}  {}: {} …",
                "",
                caption.speaker,
                tail.dimmed()
            ));
        }
        self.terminal.line(&format!(
            "{:>7.1}s  {}: {text} …",
            caption.upto.as_secs_f64(),
            caption.speaker
        ))?;
        self.terminal.event(&CaptionLine {
            event: "caption",
            turn: caption.turn,
            speaker: caption.speaker,
            is_final: false,
            start_s: caption.from.as_secs_f64(),
            end_s: caption.upto.as_secs_f64(),
            firm: Some(firm.len()),
            text: &text,
            language: None,
            confidence: None,
        })
    }

    fn caption(&mut self, caption: &FinalCaption<'_>) -> Result<(), Failure> {
        self.end_line()?;
        self.keep(Caption {
            speaker: caption.speaker.to_owned(),
            start: caption.from,
            end: caption.upto,
            text: caption.text.to_owned(),
            language: caption.language,
            confidence: caption.confidence,
            kind: CaptionKind::Speech,
            whose: None,
        })?;
        let (at, speaker) = (caption.upto.as_secs_f64(), caption.speaker.bold());
        self.terminal
            .line(&format!("{at:>7.1}s  {speaker}: {}", caption.text))?;
        self.terminal.event(&CaptionLine {
            event: "caption",
            turn: caption.turn,
            speaker: caption.speaker,
            is_final: true,
            start_s: caption.from.as_secs_f64(),
            end_s: caption.upto.as_secs_f64(),
            text: caption.text,
            firm: None,
            language: Some(caption.language),
            confidence: Some((caption.confidence * 1000.0).round() / 1000.0),
        })
    }

    fn dropped(&mut self, _: TurnId) -> Result<(), Failure> {
        self.end_line()
    }

    fn reply_grows(&mut self, _: ReplyId, line: &str) -> Result<(), Failure> {
        self.end_line()?;
        self.terminal
            .line(&format!("{:>8}  {}: {line}", "", "Goobster".green().bold()))
    }

    fn reply(&mut self, reply: &Reply<'_>) -> Result<(), Failure> {
        let outcome = match reply.outcome {
            Outcome::Finished => "finished",
            Outcome::Interrupted => "interrupted",
            Outcome::Superseded => "superseded",
            Outcome::Silenced => "silenced",
            Outcome::Failed => "failed",
            _ => "ended",
        };
        if let Some(start) = reply.from
            && !reply.spoken.is_empty()
        {
            self.keep(Caption {
                speaker: "Goobster".to_owned(),
                start,
                end: reply.upto,
                text: reply.spoken.to_owned(),
                language: reply.language,
                confidence: 1.0,
                kind: CaptionKind::Reply,
                whose: None,
            })?;
        }
        if outcome == "interrupted" {
            self.end_line()?;
            self.terminal.line(&format!("{:>8}  (interrupted)", ""))?;
        }
        self.terminal.event(&ReplyLine {
            event: "reply",
            reply: reply.reply.get(),
            turns: reply.turns,
            outcome,
            text: reply.text,
            spoken: reply.spoken,
            start_s: reply.from.map(goobster_core::time::Moment::as_secs_f64),
            end_s: reply.upto.as_secs_f64(),
        })
    }

    fn turn(&mut self, end: &TurnEnd<'_>) -> Result<(), Failure> {
        let times = end.times;
        self.terminal.event(&TurnLine {
            event: "turn",
            turn: times.turn,
            speaker: &times.speaker,
            end_of_speech_s: times.speech_ended.as_secs_f64(),
            endpoint_ms: times.ms(Some(times.endpointed)),
            caption_ms: times.ms(times.captioned),
            reply_text_ms: times.ms(times.answered),
            reply_audio_ms: times.ms(times.audible),
            ignored: end.ignored,
        })
    }

    fn trouble(&mut self, text: &str) -> Result<(), Failure> {
        self.end_line()?;
        self.terminal.warn(text);
        Ok(())
    }

    fn sound(&mut self, frame: &[f32]) -> Result<(), Failure> {
        match &mut self.sound {
            Some((path, writer)) => writer
                .write(frame)
                .map_err(|e| Failure::output(&*path, std::io::Error::other(e))),
            None => Ok(()),
        }
    }
}

//! The `espeak-ng` program as a subprocess: for machines that have the program but no loadable library.
//!
//! Slower to the first sample than the library (about 13 ms a call), otherwise the same voice.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use goobster_core::ports::SynthesiseError;

use super::ffi::ListedVoice;
use crate::tts::failure::{engine_error, voice_error, voice_error_because};
use crate::tts::wav;

/// A sentence takes milliseconds; a program that takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// Nothing the program prints is longer: 10 minutes of 22.05 kHz 16-bit audio.
const MAX_OUTPUT: u64 = 22_050 * 2 * 600;

/// The program, found and tried.
pub(super) struct Program {
    path: PathBuf,
    voices: Vec<ListedVoice>,
    rate: u32,
}

impl Program {
    /// Tries the program: lists its voices and speaks one word to learn the rate.
    pub(super) fn open(path: &Path) -> Result<Self, SynthesiseError> {
        let listing = run(path, &["--voices"], "", &|| false)?;
        let voices = parse_voices(&String::from_utf8_lossy(&listing));
        if voices.is_empty() {
            return Err(voice_error(format!(
                "{} lists no voices: it is not espeak-ng",
                path.display()
            )));
        }
        let mut program = Self {
            path: path.to_owned(),
            voices,
            rate: 22_050,
        };
        let spoken = run(path, &["--stdout", "-v", "en", "--stdin"], "a", &|| false)?;
        program.rate = wav::parse(&spoken)
            .map_err(|what| voice_error(format!("{} speaks no WAV: {what}", path.display())))?
            .rate;
        Ok(program)
    }

    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    pub(super) fn voices(&self) -> &[ListedVoice] {
        &self.voices
    }

    /// As [`super::ffi::Library::synthesise`].
    pub(super) fn synthesise(
        &self,
        voice: &str,
        text: &str,
        limit: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, SynthesiseError> {
        let spoken = run(&self.path, &["--stdout", "-v", voice, "--stdin"], text, stop)?;
        let mut audio = wav::parse(&spoken)
            .map_err(|what| engine_error(format!("espeak-ng's answer is no WAV: {what}")))?;
        audio.samples.truncate(limit);
        Ok(audio.samples)
    }

    /// As [`super::ffi::Library::phonemes`].
    pub(super) fn phonemes(&self, voice: &str, text: &str) -> Result<String, SynthesiseError> {
        let ipa = run(
            &self.path,
            &["-q", "--ipa", "-v", voice, "--stdin"],
            text,
            &|| false,
        )?;
        let ipa = String::from_utf8_lossy(&ipa);
        Ok(ipa
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(" "))
    }
}

/// Runs the program on a text and returns what it prints; `stop` is asked every few milliseconds.
fn run(path: &Path, args: &[&str], text: &str, stop: &dyn Fn() -> bool) -> Result<Vec<u8>, SynthesiseError> {
    let mut child = Command::new(path)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| voice_error_because(format!("the program {} cannot be started", path.display()), e))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let text = text.to_owned();
    // Both pipes are served by threads of their own, so that neither side can block the other.
    let writer = std::thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(text.as_bytes())));
    let reader = std::thread::spawn(move || {
        let mut output = Vec::new();
        match stdout {
            Some(pipe) => pipe.take(MAX_OUTPUT).read_to_end(&mut output).map(|_| output),
            None => Ok(output),
        }
    });
    let begun = Instant::now();
    let mut called_off = None;
    while !reader.is_finished() {
        if stop() {
            called_off = Some(SynthesiseError::Aborted);
        } else if begun.elapsed() > PATIENCE {
            called_off = Some(engine_error(format!(
                "{} did not finish within {PATIENCE:?}",
                path.display()
            )));
        }
        if called_off.is_some() {
            // An error means that it has ended already.
            let _ = child.kill();
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = reader.join();
    // A program that ends before reading all closes the pipe: its status tells, not the writer.
    let _ = writer.join();
    let status = child.wait();
    if let Some(error) = called_off {
        return Err(error);
    }
    match (output, status) {
        (Ok(Ok(output)), Ok(status)) if status.success() => Ok(output),
        (_, status) => Err(engine_error(format!(
            "{} failed: {}",
            path.display(),
            status.map_or_else(|e| e.to_string(), |status| status.to_string())
        ))),
    }
}

/// Reads the table of `espeak-ng --voices`: priority, language, age/gender, name, file, other languages.
fn parse_voices(table: &str) -> Vec<ListedVoice> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let priority = fields.next()?.parse().ok()?;
            let tag = fields.next()?.to_owned();
            let file = fields.nth(2)?.to_owned();
            Some(ListedVoice { tag, file, priority })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_voices_is_read() {
        let table = "Pty Language       Age/Gender VoiceName          File                 Other Languages\n \
                     5  af              --/M      Afrikaans          gmw/af\n 2  en-us --/M English_(America) gmw/en-US (en 3)\n";
        let voices = parse_voices(table);
        assert_eq!(voices.len(), 2);
        assert_eq!(
            voices[1],
            ListedVoice {
                tag: "en-us".to_owned(),
                file: "gmw/en-US".to_owned(),
                priority: 2
            }
        );
        assert!(parse_voices("nonsense\nmore nonsense").is_empty());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let Err(error) = Program::open(Path::new("/nowhere/espeak-ng")) else {
            panic!("opened nothing")
        };
        assert!(error.to_string().contains("/nowhere/espeak-ng"), "{error}");
    }

    #[test]
    fn a_program_that_is_something_else_is_refused() {
        assert!(Program::open(Path::new("/bin/true")).is_err());
        assert!(Program::open(Path::new("/bin/false")).is_err());
    }
}

//! Where the captions of a recording go: lines, a subtitle file on stdout, or a file in a folder.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use goobster_core::transcript::{Caption, CaptionFormat, CaptionWriter};

use super::recording::clock;
use crate::cli::args::{Format, Transcribe};
use crate::cli::exit::Failure;
use crate::cli::terminal::Terminal;

/// Where the captions of one file go besides JSON lines.
pub(super) enum Sink {
    /// Nowhere: JSON lines are enough.
    None,
    /// A line a segment.
    Lines(Terminal),
    /// A subtitle file on stdout.
    Stdout(CaptionWriter<Box<dyn Write>>),
    /// A file in the folder that was asked for.
    File(PathBuf, CaptionWriter<Box<dyn Write>>),
}

impl Sink {
    pub(super) fn new(
        args: &Transcribe,
        terminal: Terminal,
        file: &Path,
        names: &mut HashSet<OsString>,
    ) -> Result<Self, Failure> {
        let (format, extension) = match args.format {
            Format::Text => (CaptionFormat::Text, "txt"),
            Format::Srt => (CaptionFormat::SubRip, "srt"),
            Format::Vtt => (CaptionFormat::WebVtt, "vtt"),
            Format::Json => (CaptionFormat::Json, "json"),
        };
        if let Some(folder) = &args.out {
            std::fs::create_dir_all(folder).map_err(|e| Failure::output(folder, e))?;
            let path = folder.join(own_name(file, extension, names));
            let writer = File::create(&path)
                .and_then(|created| {
                    CaptionWriter::new(format, Box::new(BufWriter::new(created)) as Box<dyn Write>)
                })
                .map_err(|e| Failure::output(&path, e))?;
            return Ok(Self::File(path, writer));
        }
        if terminal.is_json() {
            return Ok(Self::None);
        }
        if args.format == Format::Text {
            if args.files.len() > 1 {
                terminal.line(&format!("== {}", file.display()))?;
            }
            return Ok(Self::Lines(terminal));
        }
        CaptionWriter::new(format, Box::new(io::stdout()) as Box<dyn Write>)
            .map(Self::Stdout)
            .map_err(|e| Failure::output("stdout", e))
    }

    pub(super) fn write(&mut self, caption: &Caption) -> Result<(), Failure> {
        match self {
            Self::None => Ok(()),
            Self::Lines(terminal) => {
                let (start, end) = (clock(caption.start), clock(caption.end));
                terminal.line(&format!("[{start} - {end}] {}", caption.text))
            }
            Self::Stdout(writer) => writer
                .append(caption)
                .and_then(|()| writer.sink().flush())
                .map_err(|e| Failure::output("stdout", e)),
            Self::File(path, writer) => writer
                .append(caption)
                .and_then(|()| writer.sink().flush())
                .map_err(|e| Failure::output(&*path, e)),
        }
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::None | Self::Lines(_) => Ok(()),
            Self::Stdout(writer) => writer
                .finish()
                .map(drop)
                .map_err(|e| Failure::output("stdout", e)),
            Self::File(path, writer) => writer.finish().map(drop).map_err(|e| Failure::output(path, e)),
        }
    }
}

/// The name of a recording's transcript: its own and the extension, numbered when another recording has it already.
fn own_name(file: &Path, extension: &str, taken: &mut HashSet<OsString>) -> OsString {
    let base = file.file_name().unwrap_or(file.as_os_str());
    let mut number = 1;
    loop {
        let mut name = base.to_owned();
        if number > 1 {
            name.push(format!("-{number}"));
        }
        name.push(".");
        name.push(extension);
        if taken.insert(name.clone()) {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_of_one_name_get_transcripts_of_their_own() {
        let mut taken = HashSet::new();
        let names = ["a/talk.wav", "b/talk.wav", "talk.wav-2", "c/talk.wav"]
            .map(|file| own_name(Path::new(file), "srt", &mut taken));
        assert_eq!(
            names,
            [
                "talk.wav.srt",
                "talk.wav-2.srt",
                "talk.wav-2-2.srt",
                "talk.wav-3.srt"
            ]
        );
    }
}

//! Caption files, one caption at a time.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use super::cue::one_line;
use super::stamp::{Stamp, StampStyle};
use super::{Caption, subtitle};

/// A caption file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CaptionFormat {
    /// `[00:00:01] Name: words`, a caption a line.
    Text,
    /// SubRip, `.srt`.
    SubRip,
    /// WebVTT, `.vtt`, with voice tags.
    WebVtt,
    /// A JSON array of objects: `speaker`, `start_s`, `end_s`, `text`, `language`, `confidence`, `kind`.
    Json,
}

/// Why a text names no caption format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no caption format: choose text, srt, vtt or json")]
pub struct UnknownFormat(String);

impl FromStr for CaptionFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text.to_ascii_lowercase().as_str() {
            "text" | "txt" => Ok(Self::Text),
            "srt" | "subrip" => Ok(Self::SubRip),
            "vtt" | "webvtt" => Ok(Self::WebVtt),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for CaptionFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::SubRip => "srt",
            Self::WebVtt => "vtt",
            Self::Json => "json",
        })
    }
}

/// Writes captions as they come. Each [`append`](Self::append) leaves a file that players can read (JSON: once
/// [`finish`](Self::finish)ed). Captions must come in order of their start, as [`Transcript`](super::Transcript)
/// keeps them: `WebVTT` players skip a cue that starts before the last one. Pass a buffered sink and flush as needed.
#[derive(Debug)]
pub struct CaptionWriter<W: Write> {
    sink: W,
    format: CaptionFormat,
    written: u64,
}

impl<W: Write> CaptionWriter<W> {
    /// Begins a file.
    pub fn new(format: CaptionFormat, mut sink: W) -> io::Result<Self> {
        match format {
            CaptionFormat::WebVtt => sink.write_all(b"WEBVTT\n\n")?,
            CaptionFormat::Json => sink.write_all(b"[")?,
            CaptionFormat::Text | CaptionFormat::SubRip => {}
        }
        Ok(Self {
            sink,
            format,
            written: 0,
        })
    }

    /// Adds a caption; one without words adds nothing.
    pub fn append(&mut self, caption: &Caption) -> io::Result<()> {
        let text = one_line(&caption.text);
        if text.is_empty() {
            return Ok(());
        }
        match self.format {
            CaptionFormat::Text => {
                let at = Stamp(caption.start, StampStyle::Seconds);
                writeln!(self.sink, "[{at}] {}{text}", subtitle::lead(caption))?;
                self.written += 1;
            }
            CaptionFormat::SubRip => self.written = subtitle::subrip(&mut self.sink, caption, self.written)?,
            CaptionFormat::WebVtt => {
                subtitle::webvtt(&mut self.sink, caption)?;
                self.written += 1;
            }
            CaptionFormat::Json => {
                self.sink
                    .write_all(if self.written == 0 { b"\n  " } else { b",\n  " })?;
                serde_json::to_writer(&mut self.sink, caption)?;
                self.written += 1;
            }
        }
        Ok(())
    }

    /// The sink, to flush it between captions.
    pub fn sink(&mut self) -> &mut W {
        &mut self.sink
    }

    /// Ends the file, flushes it, and gives the sink back.
    pub fn finish(mut self) -> io::Result<W> {
        if self.format == CaptionFormat::Json {
            self.sink
                .write_all(if self.written == 0 { b"]\n" } else { b"\n]\n" })?;
        }
        self.sink.flush()?;
        Ok(self.sink)
    }
}

#[cfg(test)]
mod tests;

//! The two subtitle formats: one cue as SubRip or WebVTT text.

use std::io::{self, Write};

use super::cue::{Cue, cues, one_line};
use super::stamp::{Stamp, StampStyle};
use super::{Caption, CaptionKind};

/// Names are cut here: a name of a megabyte must not fill the screen.
const NAME_CHARS: usize = 64;

/// The speaker's name, on one line and bounded; `None` for speech whose speaker has no name (a transcribed file).
pub(super) fn name(caption: &Caption) -> Option<String> {
    let name: String = one_line(&caption.speaker).chars().take(NAME_CHARS).collect();
    match (name.is_empty(), caption.kind) {
        (false, _) => Some(name),
        (true, CaptionKind::Reply) => Some("Goobster".to_owned()),
        (true, CaptionKind::Speech) => None,
    }
}

/// The name as it leads a line: `Ada: `, or nothing.
pub(super) fn lead(caption: &Caption) -> String {
    name(caption).map_or_else(String::new, |name| format!("{name}: "))
}

/// Writes a caption as SubRip cues numbered from `number + 1`; returns the last number used.
///
/// SubRip has no escapes: what players would take for an arrow, a tag or a style override is replaced by its
/// typographic twin.
pub(super) fn subrip(sink: &mut impl Write, caption: &Caption, mut number: u64) -> io::Result<u64> {
    for Cue { start, end, lines } in cues(caption, &lead(caption)) {
        number += 1;
        let (start, end) = (Stamp(start, StampStyle::SubRip), Stamp(end, StampStyle::SubRip));
        write!(sink, "{number}\n{start} --> {end}\n")?;
        for line in lines {
            writeln!(sink, "{}", plain(&line))?;
        }
        writeln!(sink)?;
    }
    Ok(number)
}

fn plain(line: &str) -> String {
    line.chars()
        .map(|c| match c {
            '<' => '\u{2039}',
            '>' => '\u{203a}',
            '{' => '(',
            '}' => ')',
            other => other,
        })
        .collect()
}

/// Writes a caption as WebVTT cues, each with its speaker as a voice tag.
/// (W3C, WebVTT: The Web Video Text Tracks Format, section 4.2.2: cue text escapes `&`, `<` and `>`.)
pub(super) fn webvtt(sink: &mut impl Write, caption: &Caption) -> io::Result<()> {
    let voice = name(caption).map_or_else(String::new, |name| format!("<v {}>", escaped(&name)));
    for Cue { start, end, lines } in cues(caption, "") {
        let (start, end) = (Stamp(start, StampStyle::WebVtt), Stamp(end, StampStyle::WebVtt));
        write!(sink, "{start} --> {end}\n{voice}")?;
        for line in lines {
            writeln!(sink, "{}", escaped(&line))?;
        }
        writeln!(sink)?;
    }
    Ok(())
}

fn escaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            other => text.push(other),
        }
    }
    text
}

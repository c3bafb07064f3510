//! What a file is, from its first bytes, whatever its name says.
//!
//! Containers that can be decoded are told apart so that their structure can be checked before a demuxer sees it;
//! everything else that people hand over by mistake is recognised so that the message can say what it is.

/// Containers that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Wav,
    Aiff,
    Flac,
    Mpeg,
    Adts,
    Ogg,
    OggOpus,
    Mp4,
    Matroska,
    /// Only a stream that can be joined anywhere (MP3, AAC) may still be found in it.
    Unknown,
}

impl Container {
    const ALL: [Self; 10] = [
        Self::Wav,
        Self::Aiff,
        Self::Flac,
        Self::Mpeg,
        Self::Adts,
        Self::Ogg,
        Self::OggOpus,
        Self::Mp4,
        Self::Matroska,
        Self::Unknown,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Wav => "WAV",
            Self::Aiff => "AIFF",
            Self::Flac => "FLAC",
            Self::Mpeg => "MP3",
            Self::Adts => "AAC",
            Self::Ogg | Self::OggOpus => "Ogg",
            Self::Mp4 => "MP4",
            Self::Matroska => "Matroska",
            Self::Unknown => "audio",
        }
    }

    pub(super) fn from_name(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|container| container.name() == name)
            .unwrap_or(Self::Unknown)
    }
}

/// What the first bytes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sniffed {
    Audio(Container),
    /// Sound, but in a format that nothing here decodes.
    Unsupported(&'static str),
    Encrypted(&'static str),
    NotAudio(&'static str),
}

/// How many bytes [`sniff`] wants to see.
pub(super) const SNIFF_LEN: usize = 4096;

/// Marks at the very start of files that are no supported audio.
const OTHERS: &[(&[u8], Sniffed)] = &[
    (
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
        Sniffed::Unsupported("Windows Media (WMA, ASF)"),
    ),
    (b"RF64", Sniffed::Unsupported("RF64, a WAV file beyond 4 GB,")),
    (b"BW64", Sniffed::Unsupported("BW64, a WAV file beyond 4 GB,")),
    (b"caff", Sniffed::Unsupported("Apple CAF")),
    (b"#!AMR", Sniffed::Unsupported("AMR")),
    (b"wvpk", Sniffed::Unsupported("WavPack")),
    (b"MAC ", Sniffed::Unsupported("Monkey's Audio")),
    (b"MPCK", Sniffed::Unsupported("Musepack")),
    (b"MP+", Sniffed::Unsupported("Musepack")),
    (b"TTA1", Sniffed::Unsupported("True Audio")),
    (b"DSD ", Sniffed::Unsupported("DSD")),
    (b"FRM8", Sniffed::Unsupported("DSDIFF")),
    (b"FLV\x01", Sniffed::Unsupported("Flash video")),
    (b".snd", Sniffed::Unsupported("Sun AU")),
    (
        b"MThd",
        Sniffed::Unsupported("MIDI, which holds notes and no sound,"),
    ),
    (b"\x0b\x77", Sniffed::Unsupported("Dolby AC-3")),
    (b"Salted__", Sniffed::Encrypted("OpenSSL")),
    (b"age-encryption.org/", Sniffed::Encrypted("age")),
    (b"-----BEGIN PGP MESSAGE", Sniffed::Encrypted("PGP")),
    (b"-----BEGIN AGE ENCRYPTED", Sniffed::Encrypted("age")),
    (b"\x89PNG", Sniffed::NotAudio("a PNG picture")),
    (b"\xff\xd8\xff", Sniffed::NotAudio("a JPEG picture")),
    (b"GIF8", Sniffed::NotAudio("a GIF picture")),
    (b"%PDF", Sniffed::NotAudio("a PDF document")),
    (
        b"PK\x03\x04",
        Sniffed::NotAudio("a ZIP archive or an Office document"),
    ),
    (b"\x1f\x8b", Sniffed::NotAudio("a gzip archive")),
    (b"7z\xbc\xaf\x27\x1c", Sniffed::NotAudio("a 7-Zip archive")),
    (b"Rar!", Sniffed::NotAudio("a RAR archive")),
    (b"BZh", Sniffed::NotAudio("a bzip2 archive")),
    (b"\xfd7zXZ", Sniffed::NotAudio("an xz archive")),
    (b"\x28\xb5\x2f\xfd", Sniffed::NotAudio("a Zstandard archive")),
    (b"\x7fELF", Sniffed::NotAudio("a Linux program")),
    (b"MZ", Sniffed::NotAudio("a Windows program")),
    (b"SQLite format 3", Sniffed::NotAudio("an SQLite database")),
    (b"ggml", Sniffed::NotAudio("a speech model")),
    (b"lmgg", Sniffed::NotAudio("a speech model")),
    (b"GGUF", Sniffed::NotAudio("a language model")),
];

/// Judges a file by its first [`SNIFF_LEN`] bytes (fewer only if it is shorter), after any tag.
pub(super) fn sniff(bytes: &[u8]) -> Sniffed {
    if let Some(container) = container(bytes) {
        return Sniffed::Audio(container);
    }
    if bytes.starts_with(b"RIFF") {
        return match bytes.get(8..12) {
            Some(b"AVI ") => Sniffed::Unsupported("AVI video"),
            Some(b"WEBP") => Sniffed::NotAudio("a WebP picture"),
            _ => Sniffed::Unsupported("this kind of RIFF file"),
        };
    }
    if let Some((_, found)) = OTHERS.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return found.clone();
    }
    if is_transport_stream(bytes) {
        return Sniffed::Unsupported("an MPEG transport stream");
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Sniffed::NotAudio("nothing but zero bytes; an interrupted download or copy looks like this");
    }
    if is_text(bytes) {
        return Sniffed::NotAudio("text");
    }
    Sniffed::Audio(Container::Unknown)
}

fn container(bytes: &[u8]) -> Option<Container> {
    let form = bytes.get(8..12);
    Some(match bytes {
        [b'R', b'I', b'F', b'F', ..] if form == Some(b"WAVE") => Container::Wav,
        [b'F', b'O', b'R', b'M', ..] if form == Some(b"AIFF") || form == Some(b"AIFC") => Container::Aiff,
        [b'f', b'L', b'a', b'C', ..] => Container::Flac,
        [b'O', b'g', b'g', b'S', ..] if has_opus(bytes) => Container::OggOpus,
        [b'O', b'g', b'g', b'S', ..] => Container::Ogg,
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Container::Mp4,
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Container::Matroska,
        // ADTS: twelve bits of sync, layer 0.
        [0xff, second, ..] if second & 0xf6 == 0xf0 => Container::Adts,
        [0xff, second, ..] if is_mpeg_frame(bytes, *second) => Container::Mpeg,
        _ => return None,
    })
}

/// Whether one of the streams that begin here is Opus and none is one of symphonia's.
fn has_opus(bytes: &[u8]) -> bool {
    let holds = |mark: &[u8]| bytes.windows(mark.len()).any(|window| window == mark);
    holds(b"OpusHead") && !holds(b"\x01vorbis") && !holds(b"\x7fFLAC")
}

/// An MPEG audio frame header: sync, a version, a layer, a bit rate and a sample rate that exist.
fn is_mpeg_frame(bytes: &[u8], second: u8) -> bool {
    let Some(third) = bytes.get(2) else { return false };
    second & 0xe0 == 0xe0
        && second & 0x18 != 0x08
        && second & 0x06 != 0
        && third >> 4 != 0xf
        && third >> 4 != 0
        && third & 0x0c != 0x0c
}

/// Packets of 188 bytes, each beginning with 0x47.
fn is_transport_stream(bytes: &[u8]) -> bool {
    (0..4).all(|packet| bytes.get(packet * 188) == Some(&0x47))
}

/// Printable throughout: valid UTF-8 (except for a character cut at the end) without control characters.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if bytes.len() - e.valid_up_to() < 4 && bytes.len() > 16 => {
            std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}

/// The length of an ID3 tag at the start of a file, with its header; `None` when there is no tag.
pub(super) fn id3_len(bytes: &[u8]) -> Option<u64> {
    match bytes {
        [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] if [a, b, c, d].iter().all(|n| **n < 0x80) => {
            let size = [a, b, c, d]
                .iter()
                .fold(0u64, |size, n| size << 7 | u64::from(**n));
            let footer = if flags & 0x10 != 0 { 10 } else { 0 };
            Some(10 + size + footer)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_does_not_matter() {
        assert_eq!(sniff(b"RIFF\0\0\0\0WAVEfmt "), Sniffed::Audio(Container::Wav));
        assert_eq!(sniff(b"\0\0\0\x20ftypM4A "), Sniffed::Audio(Container::Mp4));
        assert_eq!(sniff(b"\xff\xf1\x50\x80"), Sniffed::Audio(Container::Adts));
        assert_eq!(sniff(b"\xff\xfb\x90\x64"), Sniffed::Audio(Container::Mpeg));
        assert_eq!(sniff(b"fLaC"), Sniffed::Audio(Container::Flac));
    }

    #[test]
    fn what_is_no_sound_is_named() {
        assert_eq!(sniff(b"\x89PNG\r\n"), Sniffed::NotAudio("a PNG picture"));
        assert_eq!(sniff("Dear diary, häh?\n".as_bytes()), Sniffed::NotAudio("text"));
        assert_eq!(sniff(b"Salted__abcdefgh"), Sniffed::Encrypted("OpenSSL"));
        assert!(matches!(sniff(&[0; 100]), Sniffed::NotAudio(what) if what.contains("zero bytes")));
        assert_eq!(sniff(b"RIFF\0\0\0\0AVI LIST"), Sniffed::Unsupported("AVI video"));
        assert_eq!(sniff(b"\x01\x02\x03\xf0\x9f"), Sniffed::Audio(Container::Unknown));
    }

    #[test]
    fn tag_lengths_are_syncsafe() {
        assert_eq!(id3_len(b"ID3\x04\0\0\0\0\x02\x01rest"), Some(10 + 257));
        assert_eq!(id3_len(b"ID3\x04\0\x10\0\0\0\x05rest"), Some(10 + 5 + 10));
        assert_eq!(id3_len(b"ID3\x04\0\0\xff\0\x02\x01"), None);
        assert_eq!(id3_len(b"RIFF"), None);
    }

    #[test]
    fn names_lead_back_to_containers() {
        assert_eq!(Container::from_name("MP3"), Container::Mpeg);
        assert_eq!(Container::from_name("?"), Container::Unknown);
    }
}

//! Ogg pages and Opus headers: the bytes begin as an Opus stream does, so that every input gets past the first look.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// The first page's header, up to its checksum (which the `ogg` crate does not verify when fuzzed).
const FIRST_PAGE: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0";

fuzz_target!(|bytes: &[u8]| {
    goobster_fuzz::allow_contained_panics();
    if bytes.starts_with(b"OggS") {
        goobster_fuzz::read_recording(bytes);
        return;
    }
    // A header packet of 19 to 29 bytes as the input has it, then pages as the input has them.
    let Some((len, rest)) = bytes.split_first() else { return };
    let len = 11 + usize::from(len % 11);
    if rest.len() < len {
        return;
    }
    let (head, rest) = rest.split_at(len);
    let mut stream = FIRST_PAGE.to_vec();
    stream.extend_from_slice(&[1, 8 + len as u8]);
    stream.extend_from_slice(b"OpusHead");
    stream.extend_from_slice(head);
    stream.extend_from_slice(rest);
    goobster_fuzz::read_recording(&stream);
});

//! A chat server's stream: events cut anywhere, messages in them, thoughts taken out.
#![no_main]

use goobster_brain::sse::{EVENT_BYTES, SseParser};
use goobster_brain::{ThinkFilter, fuzz_message};
use libfuzzer_sys::fuzz_target;

fn events(bytes: &[u8], portion: usize) -> Vec<String> {
    let mut parser = SseParser::new();
    let mut all = Vec::new();
    for part in bytes.chunks(portion) {
        match parser.push(part) {
            Ok(some) => all.extend(some),
            Err(_) => return all,
        }
    }
    all.extend(parser.finish());
    all
}

fuzz_target!(|bytes: &[u8]| {
    let Some((portion, bytes)) = bytes.split_first() else { return };
    let whole = events(bytes, usize::MAX >> 1);
    assert_eq!(whole, events(bytes, usize::from(*portion).max(1)), "where the stream is cut does not matter");
    let (mut filter, mut said) = (ThinkFilter::new(), String::new());
    for event in &whole {
        // Each byte that is no UTF-8 becomes three.
        assert!(event.len() <= 3 * EVENT_BYTES);
        assert!(fuzz_message(event).chars().count() <= 1_000);
        said.push_str(&filter.push(event));
    }
    said.push_str(&filter.finish());
    assert!(said.len() <= whole.iter().map(String::len).sum());
});

//! Server-sent events, parsed as they arrive (WHATWG HTML, section 9.2.6 "Interpreting an event stream"), with a
//! bound on what is held.

/// What is held of one event at most, in bytes.
pub const EVENT_BYTES: usize = 256 * 1024;

/// The stream is not one we can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SseError {
    /// One event is longer than [`EVENT_BYTES`].
    #[error("an event of more than {EVENT_BYTES} bytes")]
    TooLong,
}

/// An incremental parser: bytes in, the `data` of complete events out. Cut the stream wherever you like.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The last byte was a carriage return: a line feed right after it belongs to the same line end.
    after_return: bool,
}

impl SseParser {
    /// At the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes, in any portion, and gives the data of the events they complete. Bytes that are no
    /// UTF-8 become replacement characters. After an error the parser must not be used on.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, SseError> {
        let mut events = Vec::new();
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => self.end_line(&mut events),
                other => {
                    if self.line.len() + self.data.len() >= EVENT_BYTES {
                        return Err(SseError::TooLong);
                    }
                    self.line.push(*other);
                }
            }
        }
        Ok(events)
    }

    /// The stream has ended: gives an event whose closing blank line is missing, as some servers leave it.
    pub fn finish(&mut self) -> Option<String> {
        let mut events = Vec::new();
        self.end_line(&mut events);
        self.end_line(&mut events);
        events.pop()
    }

    fn end_line(&mut self, events: &mut Vec<String>) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                events.push(String::from_utf8_lossy(&std::mem::take(&mut self.data)).into_owned());
            }
            return;
        }
        // A byte order mark may begin the stream.
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
        let Some(value) = text.strip_prefix(b"data") else {
            return;
        };
        let value = match value {
            [] => value,
            [b':', b' ', rest @ ..] | [b':', rest @ ..] => rest,
            _ => return,
        };
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Vec<String> {
        let mut parser = SseParser::new();
        let mut events = parser.push(bytes).unwrap();
        events.extend(parser.finish());
        events
    }

    #[test]
    fn events_comments_and_line_ends() {
        assert_eq!(
            whole(b"data: a\n\ndata:b\r\n\r\n: ping\n\ndata: c\rdata: d\r\r"),
            ["a", "b", "c\nd"]
        );
        assert_eq!(whole(b"event: x\nid: 1\ndata: y\n\ndatabase: z\n\n"), ["y"]);
        assert_eq!(
            whole(b"\xef\xbb\xbfdata: a\n\ndata: unfinished"),
            ["a", "unfinished"]
        );
        assert!(whole(b"\n\n\n").is_empty());
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = SseParser::new();
        let chunk = vec![b'x'; 64 * 1024];
        let result = (0..8).try_for_each(|_| parser.push(&chunk).map(|_| ()));
        assert_eq!(result, Err(SseError::TooLong));
        let mut parser = SseParser::new();
        let many = b"data: 0123456789\n".repeat(40_000);
        assert_eq!(
            parser.push(&many),
            Err(SseError::TooLong),
            "many lines of one event count together"
        );
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b'd'), any::<u8>()], 0..300),
            text in "(data: ?[a-zé]{0,5}\r?\n\n?){0,20}",
            cuts in proptest::collection::vec(1_usize..9, 1..200),
        ) {
            for input in [bytes.as_slice(), text.as_bytes()] {
                let mut parser = SseParser::new();
                let mut events = Vec::new();
                let mut rest = input;
                for cut in cuts.iter().cycle() {
                    if rest.is_empty() { break; }
                    let (now, later) = rest.split_at((*cut).min(rest.len()));
                    events.extend(parser.push(now).unwrap());
                    rest = later;
                }
                events.extend(parser.finish());
                prop_assert_eq!(events, whole(input));
            }
        }
    }
}

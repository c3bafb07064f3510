//! Reasoning models think aloud between `<think>` and `</think>`; nobody wants to hear that.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Takes thoughts out of streamed text, however the tags are cut.
#[derive(Debug, Default)]
pub struct ThinkFilter {
    thinking: bool,
    /// What may be the beginning of a tag.
    held: String,
}

impl ThinkFilter {
    /// Before the first word.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next text and gives what is to be heard of it.
    pub fn push(&mut self, text: &str) -> String {
        self.held.push_str(text);
        let mut out = String::new();
        loop {
            let tag = if self.thinking { CLOSE } else { OPEN };
            if let Some(at) = self.held.find(tag) {
                if !self.thinking {
                    out.push_str(&self.held[..at]);
                }
                self.held.drain(..at + tag.len());
                self.thinking = !self.thinking;
                continue;
            }
            // Keep only what may still become the tag.
            let keep = (1..tag.len())
                .rev()
                .find(|length| self.held.ends_with(&tag[..*length]))
                .unwrap_or(0);
            let ready: String = self.held.drain(..self.held.len() - keep).collect();
            if !self.thinking {
                out.push_str(&ready);
            }
            return out;
        }
    }

    /// The text has ended: gives what was held back.
    pub fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.held);
        if self.thinking { String::new() } else { rest }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thoughts_go_and_the_rest_stays() {
        let mut filter = ThinkFilter::new();
        let heard = ["<thi", "nk>hm</th", "ink>Hello, 1 <", " 2 <thin"]
            .map(|part| filter.push(part))
            .concat();
        assert_eq!(heard + &filter.finish(), "Hello, 1 < 2 <thin");
        let mut filter = ThinkFilter::new();
        assert_eq!(filter.push("a<think>endless") + &filter.finish(), "a");
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(text in "(<think>|</think>|[a-z<>/é ]){0,30}", cuts in proptest::collection::vec(0_usize..80, 0..12)) {
            let mut whole = ThinkFilter::new();
            let expected = whole.push(&text) + &whole.finish();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| text.is_char_boundary(*c)).collect();
            cuts.sort_unstable();
            let mut filter = ThinkFilter::new();
            let (mut out, mut from) = (String::new(), 0);
            for cut in cuts {
                out += &filter.push(&text[from..cut]);
                from = cut;
            }
            out += &filter.push(&text[from..]);
            out += &filter.finish();
            prop_assert_eq!(out, expected);
        }
    }
}

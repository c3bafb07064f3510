//! Text of others as HTML: nothing in it is markup any more.

use std::fmt;

/// Text that is written into HTML, in elements or in quoted attributes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Safe<'a>(pub(super) &'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Not allowed in HTML, whatever way they are written.
                '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}' => {
                    f.write_str("\u{fffd}")?;
                }
                // Would turn the direction of what follows.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_str("\u{fffd}")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// A text cut to a length, with a sign that it was.
pub(super) fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    text.chars().take(chars.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_markup_survives(text in "[<>&\"'a-z\u{0}\u{202e}]{0,40}") {
            let safe = Safe(&text).to_string();
            let markup = safe.contains(['<', '>', '"', '\'', '\0', '\u{202e}']);
            prop_assert!(!markup, "{}", safe);
            let back = safe.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
            let expected: String = text.chars().map(|c| if matches!(c, '\0' | '\u{202e}') { '\u{fffd}' } else { c }).collect();
            prop_assert_eq!(back, expected);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(
            (cut("abcd", 4).as_str(), cut("abcde", 4).as_str()),
            ("abcd", "abc…")
        );
    }
}

//! What the bot writes, as people read it: captions (its replies among them), notices, and everything else.
//!
//! A caption is one message: `**Name** · <t:SECONDS:T>`, and under it the words; while it may still change they end in ` …`. When much
//! is said at once several share a message, one under the other.
//! Notices begin with `-# `. Words and names carry a backslash before what Discord would take for markup.

/// A message, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// What somebody said.
    Caption {
        /// Who.
        name: String,
        /// When, in seconds of Unix time.
        unix_s: i64,
        /// The words.
        words: String,
        /// Whether they will not change any more.
        is_final: bool,
    },
    /// A word about the session.
    Notice(String),
    /// Anything else.
    Other(String),
}

impl Written {
    /// Reads everything that a message holds: at least one.
    pub fn read_all(content: &str) -> Vec<Self> {
        if matches!(Self::read(content), Self::Other(_)) {
            return vec![Self::read(content)];
        }
        let mut parts: Vec<String> = Vec::new();
        for line in content.split('\n') {
            let begins = caption(line).is_some() || line.starts_with("-# ");
            match parts.last_mut().filter(|_| !begins) {
                Some(part) => {
                    part.push('\n');
                    part.push_str(line);
                }
                None => parts.push(line.to_owned()),
            }
        }
        parts.iter().map(|part| Self::read(part)).collect()
    }

    /// Reads the content of a message that holds one thing.
    pub fn read(content: &str) -> Self {
        caption(content).unwrap_or_else(|| match content.strip_prefix("-# ") {
            Some(notice) => Self::Notice(plain(notice)),
            None => Self::Other(plain(content)),
        })
    }
}

fn caption(content: &str) -> Option<Written> {
    let (head, words) = content.split_once('\n').unwrap_or((content, ""));
    let (name, rest) = head.strip_prefix("**")?.rsplit_once("** · <t:")?;
    let (seconds, _) = rest.split_once(":T>")?;
    let unix_s = seconds.parse().ok()?;
    let words = words.trim();
    let (words, is_final) = match words
        .strip_suffix('…')
        .filter(|w| w.is_empty() || w.ends_with(' '))
    {
        Some(words) => (words.trim_end(), false),
        None => (words, true),
    };
    Some(Written::Caption {
        name: plain(name),
        unix_s,
        words: plain(words),
        is_final,
    })
}

/// Text without the backslashes that keep Discord from reading markup into it.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' || !chars.peek().is_some_and(char::is_ascii_punctuation) {
            plain.push(c);
        } else if let Some(escaped) = chars.next() {
            plain.push(escaped);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> (String, String, bool) {
        match Written::read(content) {
            Written::Caption {
                name,
                words,
                is_final,
                unix_s: 1_700_000_000,
            } => (name, words, is_final),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn several_captions_may_share_a_message() {
        let ann = "**Ann** · <t:1700000000:T>\nask not.";
        let ben = "**Ben** · <t:1700000000:T>\nwhat **not** · <t: is";
        let all = Written::read_all(&format!("{ann}\n{ben}\n-# Ann left.\n{ann}"));
        let each = [ann, ben, "-# Ann left.", ann].map(Written::read);
        assert_eq!(all, each);
        let other = format!("Sessions:\n{ann}");
        assert_eq!(Written::read_all(&other), [Written::read(&other)]);
        assert_eq!(Written::read_all(""), [Written::Other(String::new())]);
    }

    #[test]
    fn captions_firm_up() {
        assert_eq!(
            read("**Ann** · <t:1700000000:T>\nask not …"),
            ("Ann".into(), "ask not".into(), false)
        );
        assert_eq!(
            read("**Ann** · <t:1700000000:T>\nask not."),
            ("Ann".into(), "ask not.".into(), true)
        );
        assert_eq!(
            read("**Ann** · <t:1700000000:T>\n…"),
            ("Ann".into(), String::new(), false)
        );
        assert_eq!(
            read("**Ann** · <t:1700000000:T>\nwell…"),
            ("Ann".into(), "well…".into(), true)
        );
    }

    #[test]
    fn escapes_are_taken_out_of_names_and_words() {
        let (name, words, _) = read("**a\\*\\* · b** · <t:1700000000:T>\n5 \\* 3 \\\\ C:\\dir");
        assert_eq!((name.as_str(), words.as_str()), ("a** · b", "5 * 3 \\ C:\\dir"));
    }

    #[test]
    fn the_rest_is_told_apart() {
        assert_eq!(
            Written::read("-# I listen here."),
            Written::Notice("I listen here.".into())
        );
        for text in ["**bold** words", "**Ann** · <t:x:T>\na", "", "**Ann · <t:1:T>\na"] {
            assert_eq!(Written::read(text), Written::Other(text.into()));
        }
    }
}

//! What a message says: other people's names and words, so that they read as what was said and do nothing else.

use crate::time::UtcMillis;

/// What a partial caption ends in.
const MARK: &str = " …";

/// The first line of a caption or a reply: who, and when on the reader's own clock.
pub(super) fn header(name: &str, at: UtcMillis) -> String {
    let name: String = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let name: String = name.chars().take(100).collect();
    format!(
        "**{}** · <t:{}:T>\n",
        escape(&name, false),
        at.get().div_euclid(1000)
    )
}

/// A text as it is, in as many messages as it takes.
pub(super) fn whole(header: &str, words: &str, most: usize) -> Vec<String> {
    if words.trim().is_empty() {
        return Vec::new();
    }
    pieces(header, words, most)
}

/// A text that may still change: the tentative words in italics, and a mark at the end.
pub(super) fn partial(header: &str, firm: &str, tentative: &str, most: usize) -> Vec<String> {
    let tentative = tentative.split_whitespace().collect::<Vec<_>>().join(" ");
    if firm.trim().is_empty() && tentative.is_empty() {
        return Vec::new();
    }
    let room = most - MARK.chars().count();
    let italic = if tentative.is_empty() {
        String::new()
    } else {
        format!("*{}*", escape(&tentative, false))
    };
    let mut texts = pieces(header, firm, room);
    match texts.last_mut() {
        Some(last) if length(last) + 1 + length(&italic) <= room => {
            if !italic.is_empty() {
                if !last.ends_with('\n') {
                    last.push(' ');
                }
                last.push_str(&italic);
            }
        }
        // Too long for the message: without the italics it can be cut.
        _ => texts = pieces(header, &format!("{firm} {tentative}"), room),
    }
    if let Some(last) = texts.last_mut() {
        last.push_str(MARK);
    }
    texts
}

/// A notice in Discord's small print. Our own words: mentions and formatting in them are meant.
pub(super) fn notice(text: &str, most: usize) -> Vec<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return Vec::new();
    }
    let room = most - 4;
    let cut: String = if length(&line) > room {
        line.chars().take(room).chain(std::iter::once('…')).collect()
    } else {
        line
    };
    vec![format!("-# {cut}")]
}

/// Takes the mark of a partial caption away.
pub(super) fn unmark(content: &mut String) {
    if let Some(without) = content.strip_suffix(MARK) {
        content.truncate(without.len());
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Cuts words into messages of at most `most` characters, at spaces where there are any.
fn pieces(header: &str, words: &str, most: usize) -> Vec<String> {
    let mut texts = vec![header.to_owned()];
    let mut used = length(header);
    let mut fresh = true;
    for word in words.split_whitespace() {
        let escaped = escape(word, fresh);
        let size = length(&escaped);
        if used + usize::from(!fresh) + size <= most {
            if let Some(last) = texts.last_mut() {
                if !fresh {
                    last.push(' ');
                }
                last.push_str(&escaped);
            }
            used += usize::from(!fresh) + size;
        } else if size <= most {
            let escaped = escape(word, true);
            used = length(&escaped);
            texts.push(escaped);
        } else {
            // A word longer than a message: cut between its characters.
            let mut part = String::new();
            used = 0;
            for character in word.chars() {
                let escaped = escape(character.encode_utf8(&mut [0; 4]), part.is_empty());
                let size = length(&escaped);
                if used + size > most {
                    texts.push(std::mem::take(&mut part));
                    used = 0;
                }
                part.push_str(&escaped);
                used += size;
            }
            texts.push(part);
        }
        fresh = false;
    }
    // A header that got no word: the first word is longer than what it left.
    if texts.len() > 1 && texts[0] == header {
        texts[0].push('…');
    }
    texts
}

/// The text so that Discord shows it as it is. `at_start`: it stands at the beginning of a line, where more characters mean
/// something.
pub(super) fn escape(text: &str, at_start: bool) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut rest = text;
    if at_start {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        if digits > 0 && rest[digits..].starts_with(['.', ')']) {
            // "1. " would become a list.
            escaped.push_str(&rest[..digits]);
            escaped.push('\\');
            rest = &rest[digits..];
        } else if rest.starts_with(['#', '-', '+', '>']) {
            escaped.push('\\');
        }
    }
    let mut characters = rest.chars().peekable();
    let mut first = !escaped.is_empty();
    while let Some(character) = characters.next() {
        match character {
            // Already escaped at the start of the line.
            '>' if first => escaped.push('>'),
            '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' => {
                escaped.push('\\');
                escaped.push(character);
            }
            // A mention needs its name right behind the sign.
            '@' => {
                escaped.push('@');
                if characters.peek().is_some_and(|next| !next.is_whitespace()) {
                    escaped.push('\u{200B}');
                }
            }
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
        first = false;
    }
    escaped
}

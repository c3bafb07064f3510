//! A reply as it streams in, cut into lines to speak: sentences, and for the first one a clause, so that the voice
//! can begin before the responder has finished a long sentence.

use unicode_segmentation::UnicodeSegmentation;

/// A first line this long need not wait for the end of its sentence.
const FIRST_CLAUSE: usize = 40;
/// A clause shorter than this sounds chopped.
const SHORTEST_CLAUSE: usize = 20;
/// A sentence longer than this is cut, at a clause if there is one.
const LONGEST: usize = 280;

/// Abbreviations that do not end a sentence, lower case, without the last full stop.
const ABBREVIATIONS: [&str; 34] = [
    "mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "mt", "vs", "e.g", "i.e", "no", "fig", "approx",
    "dept", "gen", "sen", "rep", "capt", "lt", "col", "sgt", "rev", "hon", "jan", "feb", "aug", "sept",
    "oct", "nov", "dec", "z.b", "bzw",
];

/// Cuts streamed text into lines. Lines joined by spaces are the text again, white space aside.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    pending: String,
    begun: bool,
}

impl Lines {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more text and gives the lines it completes, trimmed, none empty.
    pub fn push(&mut self, text: &str) -> Vec<String> {
        self.pending.push_str(text);
        let mut lines = Vec::new();
        while let Some(end) = self.cut() {
            let rest = self.pending.split_off(end);
            let line = std::mem::replace(&mut self.pending, rest);
            self.keep(&line, &mut lines);
        }
        lines
    }

    /// The text has ended: gives what is left.
    pub fn finish(&mut self) -> Vec<String> {
        let mut lines = self.push("\n\n");
        let rest = std::mem::take(&mut self.pending);
        self.keep(&rest, &mut lines);
        lines
    }

    fn keep(&mut self, line: &str, lines: &mut Vec<String>) {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if !line.is_empty() {
            self.begun = true;
            lines.push(line);
        }
    }

    /// Where the next line ends, if that is certain already.
    fn cut(&self) -> Option<usize> {
        let text = &self.pending;
        let mut end = 0;
        for piece in text.split_sentence_bounds() {
            end += piece.len();
            // The last piece may still go on.
            if end == text.len() {
                break;
            }
            if ends_sentence(&text[..end]) && !text[..end].trim().is_empty() {
                // A whole text of very long sentences is cut like one long sentence.
                return (text[..end].chars().count() <= LONGEST)
                    .then_some(end)
                    .or_else(|| long_cut(text));
            }
        }
        let length = text.chars().count();
        if !self.begun
            && length > FIRST_CLAUSE
            && let Some(end) =
                clauses(text).find(|end| text[..*end].trim().chars().count() >= SHORTEST_CLAUSE)
        {
            return Some(end);
        }
        if length > LONGEST { long_cut(text) } else { None }
    }
}

/// Where to cut a text that is too long: after the last clause or word that still fits.
fn long_cut(text: &str) -> Option<usize> {
    let limit = text
        .char_indices()
        .nth(LONGEST)
        .map_or(text.len(), |(index, _)| index);
    let clause = clauses(text).take_while(|end| *end <= limit).last();
    let space = || {
        text[..limit]
            .rfind(char::is_whitespace)
            .map(|at| at + 1)
            .filter(|at| !text[..*at].trim().is_empty())
    };
    clause
        .or_else(|| space().and_then(|at| text.is_char_boundary(at).then_some(at)))
        .or(Some(limit))
        .filter(|at| *at > 0)
}

/// The ends of clauses: after a comma, semicolon, colon or dash that is followed by white space.
fn clauses(text: &str) -> impl Iterator<Item = usize> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        while let Some((_, c)) = chars.next() {
            if matches!(c, ',' | ';' | ':' | '\u{2013}' | '\u{2014}')
                && let Some((at, next)) = chars.peek()
                && next.is_whitespace()
            {
                return Some(*at);
            }
            if matches!(c, '\u{3001}' | '\u{ff0c}')
                && let Some((at, _)) = chars.peek()
            {
                return Some(*at);
            }
        }
        None
    })
}

/// Whether a sentence really ends here: Unicode's boundaries also fall inside addresses and after "Dr.".
fn ends_sentence(text: &str) -> bool {
    if text.ends_with('\n') {
        return true;
    }
    let trimmed = text.trim_end();
    if trimmed.len() == text.len() {
        // No space after the full stop: only scripts that use none end a sentence like this.
        return trimmed.ends_with(['\u{3002}', '\u{ff01}', '\u{ff1f}']);
    }
    let Some(body) = trimmed.strip_suffix('.') else {
        return true;
    };
    let word = body.rsplit(char::is_whitespace).next().unwrap_or(body);
    let word = word
        .trim_start_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_alphabetic) && word != "i";
    // A number alone on its line so far counts items: "1. First".
    let item = body.trim_start().chars().all(|c| c.is_ascii_digit()) && !body.trim().is_empty();
    !(initial || item || ABBREVIATIONS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut lines = Lines::new();
        let mut out = lines.push(text);
        out.extend(lines.finish());
        out
    }

    #[test]
    fn sentences_are_told_from_abbreviations_numbers_and_addresses() {
        assert_eq!(
            all("Dr. Smith paid 3.50 euros. Ask J. Doe."),
            ["Dr. Smith paid 3.50 euros.", "Ask J. Doe."]
        );
        assert_eq!(
            all("See https://example.org/a?b=c.d now! Really? Yes."),
            ["See https://example.org/a?b=c.d now!", "Really?", "Yes."]
        );
        assert_eq!(
            all("1. First one\n2. Second one"),
            ["1. First one", "2. Second one"]
        );
        assert_eq!(all("你好。再见。"), ["你好。", "再见。"]);
        assert_eq!(all("No full stop"), ["No full stop"]);
        assert!(all(" \n ").is_empty());
    }

    #[test]
    fn the_first_line_may_end_at_a_clause_but_later_ones_wait() {
        let mut lines = Lines::new();
        assert!(
            lines.push("Well, that is a question").is_empty(),
            "too short to cut"
        );
        let first = lines.push(", and the answer takes a while");
        assert_eq!(first, ["Well, that is a question,"]);
        assert!(
            lines
                .push(", because it is long, and winding, and full of commas")
                .is_empty()
        );
        assert_eq!(lines.push(". Then").len(), 1);
    }

    #[test]
    fn a_sentence_without_end_is_cut_between_words() {
        let lines = all(&"word ".repeat(300));
        assert!(
            lines.len() > 4 && lines.iter().all(|l| l.chars().count() <= LONGEST),
            "{lines:?}"
        );
        let lines = all(&"x".repeat(1000));
        assert!(lines.iter().all(|l| l.chars().count() <= LONGEST));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_wherever_the_stream_is_cut(
            text in "([a-zA-Z0-9.,;:!? é。\n-]|Dr\\. ){0,400}", cuts in proptest::collection::vec(0_usize..400, 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| text.is_char_boundary(*c)).collect();
            cuts.sort_unstable();
            let mut lines = Lines::new();
            let (mut out, mut from) = (Vec::new(), 0);
            for cut in cuts {
                out.extend(lines.push(&text[from..cut]));
                from = cut;
            }
            out.extend(lines.push(&text[from..]));
            out.extend(lines.finish());
            let solid = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(solid(&out.concat()), solid(&text));
            for line in &out {
                prop_assert!(!line.is_empty() && line.chars().count() <= LONGEST, "{}", line);
                prop_assert_eq!(line.trim(), line);
            }
        }
    }
}

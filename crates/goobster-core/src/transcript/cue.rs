//! Long captions as readable cues: at most two lines of about 42 characters, with times in proportion to the text.

use unicode_segmentation::UnicodeSegmentation;

use super::Caption;
use crate::time::Moment;

/// Characters a line at most: what broadcasters' subtitle guidelines allow (42 at Netflix, 37-42 at the BBC and EBU).
pub const LINE_CHARS: usize = 42;
/// Lines a cue at most.
pub const LINES: usize = 2;

/// A part of a caption that fits on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    /// When it appears.
    pub start: Moment,
    /// When it vanishes; later than `start`.
    pub end: Moment,
    /// One or two lines, none empty, none with a line break or control character.
    pub lines: Vec<String>,
}

/// The text on one line: every run of white space and control characters becomes one space, the ends are trimmed.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Cuts a caption into cues. No text, no cues. `lead` (a speaker's name) is put before the words of the first cue
/// and counts towards its first line.
pub fn cues(caption: &Caption, lead: &str) -> Vec<Cue> {
    let text = one_line(&format!("{lead}{}", one_line(&caption.text)));
    if one_line(&caption.text).is_empty() {
        return Vec::new();
    }
    let lines = wrap(&text);
    let groups: Vec<&[String]> = lines.chunks(LINES).collect();
    let weights: Vec<u64> = groups
        .iter()
        .map(|group| group.iter().map(|line| line.chars().count() as u64).sum())
        .collect();
    let total: u64 = weights.iter().sum::<u64>().max(1);
    // Every cue lasts at least a millisecond, so that players do not drop it.
    let start = caption.start.as_millis().min(u64::MAX - 1 - groups.len() as u64);
    let span = caption
        .end
        .as_millis()
        .saturating_sub(start)
        .max(groups.len() as u64);
    let mut before = 0_u64;
    let mut from = start;
    let mut cues = Vec::with_capacity(groups.len());
    for (index, (group, weight)) in groups.iter().zip(&weights).enumerate() {
        before += weight;
        let share = u128::from(span) * u128::from(before) / u128::from(total);
        let left = (groups.len() - index - 1) as u64;
        let latest = start.saturating_add(span - left);
        let to = start
            .saturating_add(u64::try_from(share).unwrap_or(u64::MAX))
            .clamp(from + 1, latest.max(from + 1));
        cues.push(Cue {
            start: Moment::from_millis(from),
            end: Moment::from_millis(to),
            lines: group.to_vec(),
        });
        from = to;
    }
    cues
}

/// Breaks one line of text into lines of at most [`LINE_CHARS`] graphemes, at spaces where there are any.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut graphemes = word.graphemes(true).count();
        if length > 0 && length + 1 + graphemes > LINE_CHARS {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        if graphemes <= LINE_CHARS {
            line.push_str(word);
            length += graphemes;
            continue;
        }
        // A word longer than a line (an address, a language without spaces) is cut between graphemes.
        for grapheme in word.graphemes(true) {
            if length == LINE_CHARS {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            line.push_str(grapheme);
            length += 1;
            graphemes -= 1;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transcript::caption;

    #[test]
    fn a_short_caption_is_one_cue_with_its_own_times() {
        let cues = cues(&caption("Ada", 1000, 2500, "Hello there."), "");
        assert_eq!(cues.len(), 1);
        assert_eq!((cues[0].start.as_millis(), cues[0].end.as_millis()), (1000, 2500));
        assert_eq!(cues[0].lines, ["Hello there."]);
    }

    #[test]
    fn a_long_caption_is_cut_with_times_in_proportion() {
        let text = "one two three four five six seven eight nine ten ".repeat(6);
        let cues = cues(&caption("Ada", 0, 10_000, &text), "");
        assert!(cues.len() >= 3, "{cues:?}");
        let first: usize = cues[0].lines.iter().map(|l| l.chars().count()).sum();
        let share = cues[0].end.as_millis() as f64 / 10_000.0;
        let all: usize = cues
            .iter()
            .flat_map(|c| &c.lines)
            .map(|l| l.chars().count())
            .sum();
        assert!((share - first as f64 / all as f64).abs() < 0.01);
    }

    #[test]
    fn nothing_said_gives_no_cue_even_with_a_name() {
        assert!(cues(&caption("Ada", 0, 5, " \n\t "), "Ada: ").is_empty());
    }

    proptest! {
        #[test]
        fn cues_keep_every_word_fit_the_screen_and_follow_each_other(
            text in "\\PC{0,400}", start in 0_u64..u64::MAX, length in 0_u64..100_000,
        ) {
            let caption = caption("x", start, start.saturating_add(length), &text);
            let cues = cues(&caption, "");
            let joined: String = cues.iter().flat_map(|c| &c.lines).flat_map(|l| l.chars()).filter(|c| *c != ' ').collect();
            let said: String = one_line(&text).chars().filter(|c| *c != ' ').collect();
            prop_assert_eq!(joined, said);
            for cue in &cues {
                prop_assert!(cue.start < cue.end);
                prop_assert!(!cue.lines.is_empty() && cue.lines.len() <= LINES);
                for line in &cue.lines {
                    prop_assert!(!line.is_empty() && line.graphemes(true).count() <= LINE_CHARS);
                }
            }
            for pair in cues.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
        }
    }
}

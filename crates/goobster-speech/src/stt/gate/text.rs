//! Cleaning what Whisper writes: annotations of sounds are not speech.

/// Opening brackets of annotations and what closes them.
const BRACKETS: [(char, char); 7] = [
    ('[', ']'),
    ('(', ')'),
    ('{', '}'),
    ('*', '*'),
    ('♪', '♪'),
    ('【', '】'),
    ('（', '）'),
];

/// Removes annotations (`[Music]`, `(applause)`, `*sighs*`, `♪ la la ♪`), speaker dashes and spare white space.
///
/// An opening bracket without its closing one loses only itself, as does everything musical.
pub fn clean(text: &str) -> String {
    let mut spoken = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if let Some((_, close)) = BRACKETS.iter().find(|(open, _)| *open == c) {
            rest = after.split_once(*close).map_or(after, |(_, behind)| behind);
            spoken.push(' ');
        } else {
            if !matches!(
                c,
                '♫' | '♬' | '♩' | '♭' | '♯' | ']' | '}' | '】' | '）' | ')' | '\u{fffd}'
            ) {
                spoken.push(c);
            }
            rest = after;
        }
    }
    let mut words: Vec<&str> = spoken.split_whitespace().collect();
    // ">> " and "- " mark a change of speaker in subtitles.
    while words
        .first()
        .is_some_and(|word| word.chars().all(|c| matches!(c, '>' | '-' | '–' | '—')))
    {
        words.remove(0);
    }
    words.join(" ").trim_start_matches(['>', ' ']).to_owned()
}

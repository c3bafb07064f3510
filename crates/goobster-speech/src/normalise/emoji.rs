//! Emoji: the common ones by a short name, the others dropped.

/// The most used emoji, with what is said for them (shorter than their official names).
const NAMES: &[(char, &str)] = &[
    ('😀', "grinning"),
    ('😃', "grinning"),
    ('😄', "grinning"),
    ('😁', "beaming"),
    ('😆', "laughing"),
    ('😅', "nervous laugh"),
    ('🤣', "rolling on the floor laughing"),
    ('😂', "laughing with tears"),
    ('🙂', "smile"),
    ('🙃', "upside-down smile"),
    ('😉', "wink"),
    ('😊', "smile"),
    ('😇', "halo"),
    ('🥰', "in love"),
    ('😍', "heart eyes"),
    ('🤩', "star-struck"),
    ('😘', "kiss"),
    ('😋', "yummy"),
    ('😛', "tongue out"),
    ('😜', "tongue out"),
    ('🤔', "thinking"),
    ('🤨', "raised eyebrow"),
    ('😐', "straight face"),
    ('🙄', "eye roll"),
    ('😏', "smirk"),
    ('😬', "grimace"),
    ('😌', "relieved"),
    ('😴', "asleep"),
    ('🤒', "ill"),
    ('🤯', "mind blown"),
    ('🥳', "party"),
    ('😎', "cool"),
    ('🤓', "nerd"),
    ('😕', "confused"),
    ('😮', "surprised"),
    ('😱', "screaming"),
    ('😢', "crying"),
    ('😭', "sobbing"),
    ('😤', "huffing"),
    ('😡', "angry"),
    ('🤬', "swearing"),
    ('💀', "skull"),
    ('💩', "poop"),
    ('🤡', "clown"),
    ('👻', "ghost"),
    ('👽', "alien"),
    ('🤖', "robot"),
    ('❤', "heart"),
    ('💔', "broken heart"),
    ('💕', "hearts"),
    ('💯', "one hundred"),
    ('💥', "boom"),
    ('🔥', "fire"),
    ('✨', "sparkles"),
    ('⭐', "star"),
    ('🌟', "star"),
    ('👋', "wave"),
    ('👌', "okay"),
    ('✌', "peace"),
    ('🤞', "fingers crossed"),
    ('👍', "thumbs up"),
    ('👎', "thumbs down"),
    ('👏', "clapping"),
    ('🙌', "hands up"),
    ('🙏', "please"),
    ('💪', "strong"),
    ('👀', "eyes"),
    ('🎉', "party popper"),
    ('🎂', "cake"),
    ('🎁', "present"),
    ('✅', "check"),
    ('✔', "check"),
    ('❌', "cross"),
    ('❓', "question mark"),
    ('❗', "exclamation mark"),
    ('⚠', "warning"),
    ('🚀', "rocket"),
    ('☀', "sun"),
    ('🌧', "rain"),
    ('❄', "snow"),
    ('🐱', "cat"),
    ('🐶', "dog"),
    ('☕', "coffee"),
    ('🍕', "pizza"),
    ('🍺', "beer"),
    ('🎮', "game"),
    ('🎵', "music"),
    ('🎶', "music"),
    ('🤷', "shrug"),
    ('🤦', "facepalm"),
    ('🫡', "salute"),
];

/// The text with emoji named (English) or dropped. A run of the same one is named once.
pub(super) fn named(text: &str, english: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut previous = None;
    for c in text.chars() {
        if is_joiner(c) {
            continue;
        }
        if !is_emoji(c) {
            if !c.is_whitespace() {
                previous = None;
            }
            out.push(c);
            continue;
        }
        let name = NAMES
            .iter()
            .find(|(known, _)| *known == c)
            .map(|(_, name)| *name)
            .filter(|_| english);
        match name {
            Some(name) if previous != Some(name) => {
                previous = Some(name);
                // Set apart by commas, as a person reading a message aloud would.
                out.push_str(", ");
                out.push_str(name);
                out.push_str(", ");
            }
            _ => out.push(' '),
        }
    }
    out
}

/// Selectors, joiners and skin tones: parts of emoji that are nothing by themselves.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{20e3}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}

fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{1f000}'..='\u{1f0ff}' | '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f300}'..='\u{1faff}'
        | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{231a}' | '\u{231b}' | '\u{23e9}'..='\u{23fa}')
}

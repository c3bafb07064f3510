//! Words as sounds, and how far two of them lie apart.
//!
//! Metaphone (Philips, "Hanging on the Metaphone", 1990) drops vowels and voicing, which makes "Goobster" and
//! "copyist, or" too much alike; so vowels are kept here and every confusion has its price, as in weighted edit
//! distance over phonemes (Kondrak, "A New Algorithm for the Alignment of Phonetic Sequences", 2000).

/// A sound, coarser than a phoneme: recognisers mishear within these classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    /// A vowel by its place: `u`, `o`, `a`, `e`, `i`.
    Vowel(u8),
    /// A consonant by its letter: `b d f g h j k l m n p r s t v w z`, `S` for "sh" and "ch", `0` for "th".
    Consonant(u8),
}

use Sound::{Consonant, Vowel};

/// Sounds of one comparison at most: names are short.
const LONGEST: usize = 32;

/// A rough reading of English (and most Latin) spelling. Other scripts give no sounds.
pub(super) fn sounds(text: &str) -> Vec<Sound> {
    let letters: Vec<u8> = text
        .chars()
        .flat_map(char::to_lowercase)
        .filter_map(|c| match c {
            'a'..='z' => Some(c as u8),
            'ä' | 'à' | 'á' | 'â' => Some(b'a'),
            'ö' | 'ó' | 'ò' | 'ô' | 'ø' => Some(b'o'),
            'ü' | 'ú' | 'ù' | 'û' => Some(b'u'),
            'é' | 'è' | 'ê' | 'ë' => Some(b'e'),
            _ => None,
        })
        .take(LONGEST * 2)
        .collect();
    let mut out: Vec<Sound> = Vec::with_capacity(letters.len());
    let mut at = 0;
    while at < letters.len() && out.len() < LONGEST {
        let (sound, used) = read(&letters, at);
        at += used;
        for sound in sound.into_iter().flatten() {
            // Doubled letters are one sound.
            if out.last() != Some(&sound) {
                out.push(sound);
            }
        }
    }
    out
}

/// The sounds at `at`, and the letters they took.
fn read(letters: &[u8], at: usize) -> ([Option<Sound>; 2], usize) {
    let rest = letters.get(at..).unwrap_or_default();
    let next = rest.get(1).copied().unwrap_or(0);
    let front = matches!(next, b'e' | b'i' | b'y');
    let one = |sound| ([Some(sound), None], 1);
    let two = |sound| ([Some(sound), None], 2);
    // A final "e" after a consonant is silent, and "h" is heard at the beginning only.
    let silent_e = rest == [b'e'] && at > 1 && !is_vowel(letters.get(at - 1).copied());
    if silent_e || (at > 0 && rest.first() == Some(&b'h')) {
        return ([None, None], 1);
    }
    match rest {
        [b'o', b'o' | b'u', ..] | [b'u', b'e' | b'i', ..] | [b'e', b'w' | b'u', ..] => two(Vowel(b'u')),
        [b'o', b'a' | b'w' | b'e' | b'h', ..] | [b'a', b'w' | b'u', ..] => two(Vowel(b'o')),
        [b'e', b'e' | b'a' | b'y', ..] | [b'i', b'e', ..] => two(Vowel(b'i')),
        [b'a', b'i' | b'y' | b'e', ..] | [b'e', b'i', ..] => two(Vowel(b'e')),
        [b'e' | b'i' | b'u', b'r', ..] => ([Some(Vowel(b'e')), Some(Consonant(b'r'))], 2),
        [v @ (b'a' | b'e' | b'i' | b'o' | b'u'), ..] => one(Vowel(*v)),
        [b'y', ..] if at == 0 => one(Consonant(b'j')),
        [b'y', ..] => one(Vowel(b'i')),
        [b'g', b'h', ..] if at == 0 => two(Consonant(b'g')),
        [b'g', b'h', ..] => ([None, None], 2),
        [b's' | b'c', b'h', ..] => two(Consonant(b'S')),
        [b'p', b'h', ..] => two(Consonant(b'f')),
        [b't', b'h', ..] => two(Consonant(b'0')),
        [b'c', b'k', ..] => two(Consonant(b'k')),
        [b'q', b'u', ..] => ([Some(Consonant(b'k')), Some(Consonant(b'w'))], 2),
        [b'c', ..] if front => one(Consonant(b's')),
        [b'c' | b'q', ..] => one(Consonant(b'k')),
        [b'g', ..] if front && at > 0 => one(Consonant(b'j')),
        [b'x', ..] => ([Some(Consonant(b'k')), Some(Consonant(b's'))], 1),
        [c, ..] => one(Consonant(*c)),
        [] => ([None, None], 1),
    }
}

fn is_vowel(letter: Option<u8>) -> bool {
    matches!(letter, Some(b'a' | b'e' | b'i' | b'o' | b'u' | b'y'))
}

/// What it costs to miss a sound, or to hear one that is not there.
fn gap(sound: Sound) -> f32 {
    match sound {
        // "Goobstah": many speakers drop the "r" after a vowel.
        Vowel(_) | Consonant(b'r' | b'h') => 0.4,
        Consonant(_) => 0.9,
    }
}

/// What it costs to hear one sound for another.
fn swap(a: Sound, b: Sound) -> f32 {
    match (a, b) {
        _ if a == b => 0.0,
        (Vowel(_), Vowel(_)) => 0.3,
        (Vowel(_), Consonant(_)) | (Consonant(_), Vowel(_)) => 1.2,
        (Consonant(a), Consonant(b)) => {
            let pair = |x: u8, y: u8| (a, b) == (x, y) || (a, b) == (y, x);
            if pair(b'g', b'k')
                || pair(b'b', b'p')
                || pair(b'd', b't')
                || pair(b's', b'z')
                || pair(b'f', b'v')
            {
                0.25
            } else if pair(b'g', b'b') || pair(b'b', b'v') || pair(b'm', b'n') || pair(b's', b'S') {
                0.6
            } else {
                1.0
            }
        }
    }
}

/// The most two readings can differ.
pub(super) fn weight(sounds: &[Sound]) -> f32 {
    sounds.iter().copied().map(gap).sum::<f32>().max(f32::EPSILON)
}

/// Weighted edit distance.
pub(super) fn distance(a: &[Sound], b: &[Sound]) -> f32 {
    let mut row: Vec<f32> = std::iter::once(0.0)
        .chain(b.iter().scan(0.0, |sum, sound| {
            *sum += gap(*sound);
            Some(*sum)
        }))
        .collect();
    for from in a {
        let mut diagonal = row[0];
        row[0] += gap(*from);
        for (index, to) in b.iter().enumerate() {
            let best = (diagonal + swap(*from, *to))
                .min(row[index] + gap(*to))
                .min(row[index + 1] + gap(*from));
            diagonal = row[index + 1];
            row[index + 1] = best;
        }
    }
    row.last().copied().unwrap_or(0.0)
}

//! "Roll two d20", "flip a coin", "pick a number between one and ten".

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::words::{Words, number};

/// More dice than this would take longer to say than to throw.
const MOST_DICE: usize = 20;
const MOST_SIDES: u32 = 1000;

pub(super) fn answer(words: &Words, seed: u64) -> Option<String> {
    let mut random = StdRng::seed_from_u64(seed);
    if (words.asks(&["flip", "toss", "throw"]) && words.any(&["coin"]))
        || words.asks_only(&["heads or tails", "coin flip", "a coin flip", "coin toss"], &[])
    {
        return Some(if random.random() { "Heads." } else { "Tails." }.to_owned());
    }
    if asks_number(words) {
        let list = words.list();
        // "Pick one number between two and ten": the range follows its word.
        let range = list
            .iter()
            .position(|word| matches!(word.as_str(), "between" | "from"));
        let numbers = numbers(&list[range.map_or(0, |at| at + 1)..]);
        let (low, high) = match numbers[..] {
            [a, b, ..] => (a.min(b), a.max(b)),
            [a] => (1, a.max(1)),
            [] => (1, 100),
        };
        return Some(format!("{}.", random.random_range(low..=high)));
    }
    let die = words
        .list()
        .iter()
        .enumerate()
        .find_map(|(at, word)| die(word).map(|die| (at, die)));
    if !(asks_throw(words) && (die.is_some() || has_dice(words.list()))) {
        return None;
    }
    let (count, sides) = if let Some((at, (count, sides))) = die {
        (
            count.or_else(|| number_before(words.list(), at).map(|(count, _)| count)),
            sides,
        )
    } else {
        plain_dice(words.list())?
    };
    let count = count.unwrap_or(1);
    if count == 0 || count > MOST_DICE || !(2..=MOST_SIDES).contains(&sides) {
        return Some(format!(
            "I can throw up to {MOST_DICE} dice with 2 to {MOST_SIDES} sides."
        ));
    }
    let throws: Vec<u32> = (0..count).map(|_| random.random_range(1..=sides)).collect();
    let total: u32 = throws.iter().sum();
    Some(match &throws[..] {
        [one] => format!("{one}."),
        [before @ .., last] => {
            let before: Vec<String> = before.iter().map(u32::to_string).collect();
            format!("{} and {last}: {total} in all.", before.join(", "))
        }
        [] => return None,
    })
}

/// "Pick a number", "give me a random number", "a number between one and six"; not "pick up the phone, a number rang".
fn asks_number(words: &Words) -> bool {
    let noun = words.phrase(&[
        "a number",
        "random number",
        "one number",
        "any number",
        "number between",
        "number from",
    ]);
    let range = words.any(&["random", "between", "from"]);
    noun && (words.asks(&[
        "pick a",
        "pick one",
        "pick any",
        "pick me a",
        "choose a",
        "choose one",
        "choose any",
    ]) || (range
        && words.asks(&[
            "give", "say", "generate", "draw", "a number", "random", "a random", "number",
        ])))
}

/// "Roll a die", "throw two dice", or no more than "two dice, please".
fn asks_throw(words: &Words) -> bool {
    words.asks(&["roll", "throw", "toss", "cast"])
        || words.requests().any(|request| {
            request.len() <= 4
                && request
                    .first()
                    .is_some_and(|first| first == "dice" || die(first).is_some() || number(request).is_some())
        })
}

/// Whether dice are spoken of. "Die" is also what people do, so it must stand where a thing stands.
fn has_dice(words: &[String]) -> bool {
    words.iter().enumerate().any(|(at, word)| match word.as_str() {
        "dice" => true,
        "die" => at.checked_sub(1).is_some_and(|before| {
            matches!(
                words[before].as_str(),
                "a" | "the" | "one" | "another" | "sided" | "your" | "my" | "fair"
            )
        }),
        _ => false,
    })
}

/// "d20" or "2d6": how many, and how many sides.
fn die(word: &str) -> Option<(Option<usize>, u32)> {
    let (count, sides) = word.split_once('d')?;
    let sides = sides.trim_end_matches('s').parse().ok()?;
    match count {
        "" => Some((None, sides)),
        count => Some((Some(count.parse().ok()?), sides)),
    }
}

/// "Three dice", "a twenty-sided die", "two ten-sided dice": how many, and how many sides.
fn plain_dice(words: &[String]) -> Option<(Option<usize>, u32)> {
    let dice = words
        .iter()
        .position(|word| matches!(word.as_str(), "dice" | "die"))?;
    let marker = words.iter().position(|word| word == "sided");
    let Some((at, (sides, used))) = marker.and_then(|at| Some((at, number_before(words, at)?))) else {
        return Some((number_before(words, dice).map(|(count, _)| count), 6));
    };
    let count = number_before(words, at - used).map(|(count, _)| count);
    Some((count, u32::try_from(sides).unwrap_or(u32::MAX)))
}

/// The number that ends right before `at`, and how many words it takes.
fn number_before(words: &[String], at: usize) -> Option<(usize, usize)> {
    (1..=at.min(3)).rev().find_map(|back| {
        let (value, used) = number(&words[at - back..at])?;
        (used == back).then_some((value as usize, used))
    })
}

fn numbers(words: &[String]) -> Vec<u64> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match number(&words[at..]).filter(|_| !matches!(words[at].as_str(), "a" | "an")) {
            Some((value, used)) => {
                found.push(value as u64);
                at += used;
            }
            None => at += 1,
        }
    }
    found
}

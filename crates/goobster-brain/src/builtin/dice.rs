//! "Roll two d20", "flip a coin", "pick a number between one and ten".

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::words::{Words, number};

/// More dice than this would take longer to say than to throw.
const MOST_DICE: usize = 20;
const MOST_SIDES: u32 = 1000;

pub(super) fn answer(words: &Words, seed: u64) -> Option<String> {
    let mut random = StdRng::seed_from_u64(seed);
    if words.any(&["flip", "toss", "throw"]) && words.any(&["coin"]) {
        return Some(if random.random() { "Heads." } else { "Tails." }.to_owned());
    }
    if words.any(&["pick", "choose", "random"]) && words.any(&["number"]) {
        let numbers = numbers(words.list());
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
    if !(words.any(&["roll", "throw", "dice", "die"])
        && (die.is_some() || words.any(&["dice", "die", "roll"])))
    {
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

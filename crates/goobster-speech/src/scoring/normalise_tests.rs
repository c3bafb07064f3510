//! What the normaliser makes of real writing. The expectations follow Whisper's own, stated as pairs.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn same(pairs: &[(&str, &str)]) {
    for (text, expected) in pairs {
        assert_eq!(normalise_english(text), *expected, "{text:?}");
    }
}

#[test]
fn contractions_are_written_out() {
    same(&[
        ("I won't", "i will not"),
        ("can't", "can not"),
        ("Let's go", "let us go"),
        ("he's here", "he is here"),
        ("he's been here", "he has been here"),
        ("she'd gone", "she had gone"),
        ("she'd go", "she would go"),
        ("they’re", "they are"),
        ("I've, you'll, we'd, I'm", "i have you will we would i am"),
        ("isn't", "is not"),
        ("gonna wanna gotta", "going to want to got to"),
        ("y'all", "you all"),
    ]);
}

#[test]
fn titles_are_written_out() {
    same(&[
        ("Mr. Smith", "mister smith"),
        ("Mrs. Dashwood", "missus dashwood"),
        ("Dr. St. John", "doctor saint john"),
        ("first", "1st"),
    ]);
}

#[test]
fn brackets_fillers_and_marks_vanish() {
    same(&[
        ("[Music] Hello (laughs) there!", "hello there"),
        ("Um, hmm, yes uh no", "yes no"),
        ("well-known", "well known"),
        ("  What?!  ", "what"),
        ("(unclosed", "unclosed"),
        ("naïve café", "naive cafe"),
        ("the boys' toys", "the boys toys"),
        ("", ""),
    ]);
}

#[test]
fn numbers_become_digits() {
    same(&[
        ("two hundred and one", "201"),
        ("twenty-one", "21"),
        ("one thousand two hundred and thirty-four", "1234"),
        ("three million", "3000000"),
        ("two point five", "2.5"),
        ("zero point one four", "0.14"),
        ("1,000", "1000"),
        ("twenty first", "21st"),
        ("the second", "the 2nd"),
        ("forty-third", "43rd"),
        ("one hundredth", "100th"),
        ("nineteen ninety nine", "1999"),
        ("twenty twenty six", "2026"),
        ("double seven", "77"),
        ("triple zero", "000"),
        ("oh one two", "012"),
        ("one oh one", "101"),
        ("sixties", "60s"),
        ("minus five", "-5"),
        ("minus 500", "-500"),
        ("ten percent", "10%"),
        ("10 per cent", "10%"),
        ("twenty dollars", "$20"),
        ("$20", "$20"),
        ("two dollars and fifty cents", "$2.50"),
        ("three euros", "€3"),
        ("five pounds", "£5"),
        ("and one", "and one"),
        ("one and two", "one and 2"),
        ("five twenty four", "524"),
        ("two point five million", "2500000"),
        ("four point two billions", "4200000000s"),
        ("200 thousand dollars", "$200000"),
        ("$20 million", "$20000000"),
        ("€52.4 million", "€52400000"),
        ("two double o eight", "2008"),
        ("forty three thousand two hundred and sixty", "43260"),
        ("nineteen fifties", "1950s"),
        (
            "thirty three thousand and three hundred and thirty third",
            "33333rd",
        ),
        ("millions", "1000000s"),
        ("august twenty sixth twenty twenty one", "august 26th 2021"),
        ("3 14", "3 14"),
        ("3 point 14", "3.14"),
        ("two point two five dollars", "$2.25"),
        ("seventy six per cent", "76%"),
        ("double oh seven", "007"),
        ("nine double one", "911"),
        ("one triple oh one", "10001"),
        ("thirty two thousandth", "32000th"),
        ("positive twenty thousand", "+20000"),
        ("3 cents", "¢3"),
        ("$0.36", "¢36"),
        ("three and a half million", "3500000"),
        ("b747", "b 747"),
        ("10 th", "10th"),
        ("a hundred", "a 100"),
        ("two and a half", "2.5"),
        ("ones", "ones"),
        ("one two three", "123"),
        ("twenty one pilots", "21 pilots"),
        ("it is 3.5 metres", "it is 3.5 meters"),
        ("the 1960s", "the 1960s"),
    ]);
}

#[test]
fn british_becomes_american() {
    same(&[
        ("the colour of honour", "the color of honor"),
        ("organised travellers", "organized travelers"),
        ("centre theatre", "center theater"),
        ("grey catalogue", "gray catalog"),
        ("our four hours", "our 4 hours"),
        (
            "advise, promise, rise, wise, exercise",
            "advise promise rise wise exercise",
        ),
    ]);
}

#[test]
fn huge_numbers_do_not_overflow() {
    let long = "nine hundred ninety nine quadrillion ".repeat(50);
    assert!(!normalise_english(&long).is_empty());
    assert!(!normalise_english(&"nine ".repeat(500)).is_empty());
    assert!(!normalise_english(&"9".repeat(500)).is_empty());
}

proptest! {
    #[test]
    fn any_text_normalises(text in "\\PC{0,120}") {
        let normal = normalise_english(&text);
        prop_assert!(!normal.contains("  "));
        prop_assert_eq!(normal.trim(), &normal);
    }

    #[test]
    fn numbers_survive_a_round_through_words(n in 1..1_000_000_u64) {
        prop_assert_eq!(normalise_english(&spelled(n)), n.to_string());
    }
}

/// A number in English words, as people read it out.
fn spelled(n: u64) -> String {
    const ONES: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 10] = [
        "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    let rest = |whole: String, left: u64, and: &str| {
        if left == 0 {
            whole
        } else {
            format!("{whole} {and}{}", spelled(left))
        }
    };
    match n {
        0..=19 => ONES[n as usize].to_owned(),
        20..=99 => rest(TENS[(n / 10) as usize].to_owned(), n % 10, ""),
        100..=999 => rest(format!("{} hundred", ONES[(n / 100) as usize]), n % 100, "and "),
        _ => rest(
            format!("{} thousand", spelled(n / 1000)),
            n % 1000,
            if n % 1000 < 100 { "and " } else { "" },
        ),
    }
}

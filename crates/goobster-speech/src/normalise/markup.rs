//! Markdown and Discord's own marks: what is said for them, or left when they are taken away.

use std::borrow::Cow;

use regex::{Captures, Regex};

use super::patterns;

/// What stands for things that cannot be read out.
pub(super) struct Words {
    code: &'static str,
    spoiler: &'static str,
    member: &'static str,
    role: &'static str,
    channel: &'static str,
    timestamps: bool,
}

/// For English.
pub(super) const ENGLISH: Words = Words {
    code: "a piece of code",
    spoiler: "a spoiler",
    member: "someone",
    role: "a role",
    channel: "a channel",
    timestamps: true,
};
/// For other languages: nothing is better than a word in the wrong language.
pub(super) const NEUTRAL: Words = Words {
    code: "",
    spoiler: "",
    member: "",
    role: "",
    channel: "",
    timestamps: false,
};

patterns! {
    FENCE = r"(?s)```.*?(?:```|\z)";
    SPOILER = r"(?s)\|\|.+?\|\|";
    INLINE_CODE = r"`+([^`\n]*)`+";
    MEMBER = r"<@!?[0-9]{1,20}>";
    ROLE = r"<@&[0-9]{1,20}>";
    CHANNEL = r"<#[0-9]{1,20}>";
    CUSTOM_EMOJI = r"<a?:([A-Za-z0-9_]{1,40}):[0-9]{1,20}>";
    COMMAND = r"</([A-Za-z0-9_ -]{1,100}):[0-9]{1,20}>";
    TIMESTAMP = r"<t:(-?[0-9]{1,13})(?::[tTdDfFR])?>";
    IMAGE_OR_LINK = r"!?\[([^\[\]\n]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)?\)";
    LINE_MARK = r"(?m)^[ \t]*(?:#{1,6}[ \t]+|(?:>[ \t]*)+|-#[ \t]+|[-*+][ \t]+)+";
    NUMBERED = r"(?m)^[ \t]*([0-9]{1,3})[.)][ \t]+";
    RULE = r"(?m)^[ \t]*(?:[-*_=][ \t]*){3,}$";
    TABLE_RULE = r"(?m)^[ \t|:-]*\|[ \t|:-]*$";
    EMPHASIS = r"\*{1,3}|~~|__";
    UNDERSCORE = r"(^|[\s(])_([^_\n]+)_($|[\s).,;:!?])";
    ENTITY = r"&(amp|lt|gt|quot|apos|nbsp|#39);";
    TAG = r"</?[A-Za-z][A-Za-z0-9]{0,15}(?:\s[^<>\n]{0,200})?/?>";
    ALL_OR_HERE = r"@(everyone|here)\b";
}

/// The text without marks.
pub(super) fn plain(text: &str, words: &Words) -> String {
    let text = replace(&FENCE, text, &format!(" {}. ", words.code));
    let text = replace(&SPOILER, &text, &format!(" {} ", words.spoiler));
    let text = INLINE_CODE.replace_all(&text, |found: &Captures<'_>| inline_code(&found[1], words));
    let text = replace(&MEMBER, &text, words.member);
    let text = replace(&ROLE, &text, words.role);
    let text = replace(&CHANNEL, &text, words.channel);
    let text = CUSTOM_EMOJI.replace_all(&text, |found: &Captures<'_>| {
        format!(" {} ", found[1].replace('_', " "))
    });
    let text = COMMAND.replace_all(&text, " $1 ");
    let text = TIMESTAMP.replace_all(&text, |found: &Captures<'_>| {
        if words.timestamps {
            found[1].parse().map_or_else(|_| String::new(), moment)
        } else {
            String::new()
        }
    });
    let text = ALL_OR_HERE.replace_all(&text, "$1");
    let text = IMAGE_OR_LINK.replace_all(&text, "$1");
    let text = ENTITY.replace_all(&text, |found: &Captures<'_>| match &found[1] {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "nbsp" => " ",
        _ => "'",
    });
    let text = TAG.replace_all(&text, " ");
    let text = RULE.replace_all(&text, "");
    let text = TABLE_RULE.replace_all(&text, "");
    let text = LINE_MARK.replace_all(&text, "");
    let text = NUMBERED.replace_all(&text, "$1, ");
    let text = EMPHASIS.replace_all(&text, "");
    UNDERSCORE.replace_all(&text, "$1$2$3").into_owned()
}

fn replace<'a>(pattern: &Regex, text: &'a str, by: &str) -> Cow<'a, str> {
    pattern.replace_all(text, regex::NoExpand(by))
}

/// A command or a name is read out; what is more than words is named only.
fn inline_code(code: &str, words: &Words) -> String {
    let readable = code.chars().all(|c| c.is_alphanumeric() || " -_./'".contains(c));
    if readable && code.chars().count() <= 40 {
        code.to_owned()
    } else {
        words.code.to_owned()
    }
}

/// A Unix time as a date and time, UTC, in the form that the English rules read.
fn moment(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    if !(1..=9999).contains(&year) {
        return String::new();
    }
    format!(
        "{year:04}-{month:02}-{day:02} at {:02}:{:02} UTC",
        second / 3600,
        second % 3600 / 60
    )
}

/// The date of a day counted from 1970-01-01, by Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_times_are_dates() {
        assert_eq!(moment(0), "1970-01-01 at 00:00 UTC");
        assert_eq!(moment(1_795_370_400), "2026-11-22 at 18:00 UTC");
        assert_eq!(moment(-1), "1969-12-31 at 23:59 UTC");
        assert_eq!(moment(951_782_400), "2000-02-29 at 00:00 UTC");
        assert_eq!(moment(i64::from(i32::MAX) * 4000), "");
    }
}

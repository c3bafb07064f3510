//! Which of espeak-ng's voices speaks a language.

use goobster_core::language::Language;

use super::ffi::ListedVoice;

/// Languages whose code (as recognisers write it) is not the tag espeak-ng knows them by.
const OTHER_NAMES: [(&str, &str); 6] = [
    ("zh", "cmn"),
    ("no", "nb"),
    ("jw", "jv"),
    ("tl", "fil"),
    ("iw", "he"),
    ("in", "id"),
];

/// The best voice for a language; `None` when espeak-ng does not speak it.
pub(super) fn best(voices: &[ListedVoice], language: Language) -> Option<&ListedVoice> {
    let code = language.code();
    // The American voice is the one that English Piper voices were trained with.
    let wanted = if code == "en" { "en-us" } else { code };
    let exact = named(voices, wanted);
    let regional = || {
        voices
            .iter()
            .filter(|voice| voice.tag.split('-').next() == Some(code))
            .min_by_key(|voice| (voice.priority, voice.tag.len()))
    };
    let renamed = || {
        let (_, other) = OTHER_NAMES.iter().find(|(name, _)| *name == code)?;
        named(voices, other)
    };
    exact.or_else(regional).or_else(renamed)
}

/// The best voice of exactly this tag, in any case.
pub(super) fn named<'a>(voices: &'a [ListedVoice], tag: &str) -> Option<&'a ListedVoice> {
    voices
        .iter()
        .filter(|voice| voice.tag.eq_ignore_ascii_case(tag))
        .min_by_key(|voice| voice.priority)
}

/// Every tag once, in order.
pub(super) fn distinct(voices: &[ListedVoice]) -> Vec<&str> {
    let mut tags: Vec<_> = voices.iter().map(|voice| voice.tag.as_str()).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// A line that tells what there is, without printing a hundred names.
pub(super) fn summary(voices: &[ListedVoice]) -> String {
    let tags = distinct(voices);
    let shown = tags
        .iter()
        .take(12)
        .map(|tag| format!("espeak-{tag}"))
        .collect::<Vec<_>>()
        .join(", ");
    format!("{shown} and {} more", tags.len().saturating_sub(12))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(tag: &str, priority: u8) -> ListedVoice {
        ListedVoice {
            tag: tag.to_owned(),
            file: format!("x/{tag}"),
            priority,
        }
    }

    fn voices() -> Vec<ListedVoice> {
        [
            ("en-gb", 2),
            ("en", 2),
            ("en-us", 3),
            ("fr-be", 8),
            ("fr-fr", 5),
            ("fr", 7),
            ("cmn", 5),
            ("pt-br", 5),
            ("pt", 6),
        ]
        .map(|(tag, priority)| listed(tag, priority))
        .to_vec()
    }

    #[test]
    fn the_best_voice_of_a_language() {
        let voices = voices();
        for (code, tag) in [("en", "en-us"), ("fr", "fr"), ("zh", "cmn"), ("pt", "pt")] {
            assert_eq!(best(&voices, code.parse().unwrap()).unwrap().tag, tag, "{code}");
        }
        assert_eq!(best(&voices, "xx".parse().unwrap()), None);
    }

    #[test]
    fn a_regional_voice_stands_in_for_its_language() {
        let voices = [("es-419", 6), ("es-mx", 5)].map(|(tag, priority)| listed(tag, priority));
        assert_eq!(best(&voices, "es".parse().unwrap()).unwrap().tag, "es-mx");
    }

    #[test]
    fn the_summary_is_short() {
        assert!(summary(&voices()).len() < 200);
    }
}

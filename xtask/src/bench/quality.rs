//! What the benchmarks write beside their times: how good each side is, and which peers could not be had.
//!
//! `quality/<group>.json` below the target folder is an object by side (`ours` and the peers). A side may tell `ripple_db`,
//! `alias_db`, `latency_ms`, a `response` of `[hertz, decibel]` pairs, word `errors` of so many `words`, any `text`, a
//! `limit`, or why it was `left_out`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use super::results;
use super::units::three;

/// By group, by side.
#[derive(Debug, Default)]
pub(super) struct Quality(BTreeMap<String, Value>);

impl Quality {
    /// Files written since then; one that cannot be read is told on standard error and does without.
    pub(super) fn read(folder: &Path, since: SystemTime) -> Self {
        let mut groups = BTreeMap::new();
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            let fresh = entry
                .metadata()
                .and_then(|about| about.modified())
                .is_ok_and(|written| written >= since);
            let Some(group) = path.file_stem().filter(|_| fresh).map(|s| s.to_string_lossy()) else {
                continue;
            };
            match results::read_json(&path) {
                Ok(sides) => drop(groups.insert(group.into_owned(), sides)),
                Err(why) => eprintln!("{why:#}"),
            }
        }
        Self(groups)
    }

    /// One side's figures in a few words; empty when nothing is known.
    pub(super) fn shown(&self, group: &str, side: &str) -> String {
        let Some(figures) = self.side(group, side) else {
            return String::new();
        };
        let number = |key: &str| figures[key].as_f64();
        let mut words = Vec::new();
        words.extend(number("ripple_db").map(|db| format!("ripple {db:.3} dB")));
        words.extend(number("alias_db").map(|db| format!("alias {} dB", three(db))));
        words.extend(number("latency_ms").map(|ms| format!("latency {} ms", three(ms))));
        if let (Some(errors), Some(count)) = (figures["errors"].as_u64(), figures["words"].as_u64()) {
            words.push(format!("{errors} of {count} words wrong"));
        }
        words.extend(figures["text"].as_str().map(str::to_owned));
        words.join(", ")
    }

    /// What the machine allows at best, where the benchmark knows.
    pub(super) fn limit(&self, group: &str) -> Option<&str> {
        self.side(group, results::OURS)?["limit"].as_str()
    }

    /// The frequency responses of a group: side and (hertz, decibel).
    pub(super) fn responses(&self, group: &str) -> Vec<(String, Vec<(f64, f64)>)> {
        let sides = self.0.get(group).and_then(Value::as_object);
        let mut curves: Vec<_> = sides
            .into_iter()
            .flatten()
            .filter_map(|(side, figures)| {
                let points = figures["response"].as_array()?;
                let pair = |point: &Value| Some((point[0].as_f64()?, point[1].as_f64()?));
                Some((side.clone(), points.iter().filter_map(pair).collect::<Vec<_>>()))
            })
            .filter(|(_, points)| points.len() > 1)
            .collect();
        // Ours first: it gets the first colour.
        curves.sort_by_key(|(side, _)| side != results::OURS);
        curves
    }

    /// A word for each peer that was not measured.
    pub(super) fn left_out(&self) -> Vec<String> {
        let mut told = Vec::new();
        for (group, sides) in &self.0 {
            for (side, figures) in sides.as_object().into_iter().flatten() {
                if let Some(why) = figures["left_out"].as_str() {
                    told.push(format!("{group}: {side}: {why}"));
                }
            }
        }
        told
    }

    fn side(&self, group: &str, side: &str) -> Option<&Value> {
        self.0.get(group)?.get(side)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(group: &str, json: &str) -> Quality {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(format!("{group}.json")), json).unwrap();
        fs::write(dir.path().join("broken.json"), "{").unwrap();
        Quality::read(dir.path(), SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn figures_become_words() {
        let quality = of(
            "decimate",
            r#"{"ours": {"ripple_db": 0.0031, "alias_db": 95.4, "latency_ms": 2.45, "limit": "1.34 µs"},
                "soxr": {"left_out": "libsoxr is not here"}}"#,
        );
        assert_eq!(
            quality.shown("decimate", "ours"),
            "ripple 0.003 dB, alias 95.4 dB, latency 2.45 ms"
        );
        assert_eq!(quality.shown("decimate", "rubato"), "");
        assert_eq!(quality.limit("decimate"), Some("1.34 µs"));
        assert_eq!(quality.left_out(), ["decimate: soxr: libsoxr is not here"]);
    }

    #[test]
    fn word_errors_are_counted_out() {
        let quality = of(
            "transcribe_3s",
            r#"{"ours": {"errors": 1, "words": 27, "text": "8-bit"}}"#,
        );
        assert_eq!(
            quality.shown("transcribe_3s", "ours"),
            "1 of 27 words wrong, 8-bit"
        );
    }

    #[test]
    fn ours_is_the_first_curve() {
        let quality = of(
            "decimate",
            r#"{"a": {"response": [[0, 0], [1, -1]]}, "ours": {"response": [[0, 0], [1, -2]]}, "z": {"response": [[0, 0]]}}"#,
        );
        let curves = quality.responses("decimate");
        assert_eq!(curves.len(), 2);
        assert_eq!((curves[0].0.as_str(), curves[0].1[1]), ("ours", (1.0, -2.0)));
    }
}

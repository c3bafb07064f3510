//! What criterion left behind, as comparisons.
//!
//! A group of benchmarks is a comparison, named alike; its function `ours` is ours, every other one a peer.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::units;

/// The function of a group that is ours.
pub(super) const OURS: &str = "ours";
/// Folders deep that criterion's results lie at most: group, function, value, `new`.
const DEPTH: usize = 4;

/// One benchmark's result.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) group: String,
    pub(super) function: String,
    /// Median of the samples, in nanoseconds an iteration.
    pub(super) ns: f64,
    /// Bounds of its 95 % confidence interval.
    pub(super) between: (f64, f64),
}

/// Ours beside one peer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    pub(super) bench: String,
    pub(super) peer: String,
    pub(super) ours_ns: f64,
    pub(super) peer_ns: f64,
}

impl Comparison {
    /// How many times faster ours is.
    pub(super) fn ratio(&self) -> f64 {
        self.peer_ns / self.ours_ns
    }

    /// The line of `--json`.
    pub(super) fn json(&self) -> Value {
        json!({
            "bench": self.bench, "peer": self.peer, "ours_ns": self.ours_ns, "peer_ns": self.peer_ns,
            "ratio": self.ratio(),
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<16} ours {:>9}   {:<18} {:>9}   ratio {}",
            self.bench,
            units::time(self.ours_ns),
            self.peer,
            units::time(self.peer_ns),
            units::three(self.ratio())
        )
    }
}

/// Every result below criterion's folder that was written since then, in order of group and function.
pub(super) fn read(folder: &Path, since: SystemTime) -> Result<Vec<Measured>> {
    let mut found = Vec::new();
    if folder.is_dir() {
        search(folder, DEPTH, since, &mut found)?;
    }
    found.sort_by(|a, b| (&a.group, &a.function).cmp(&(&b.group, &b.function)));
    Ok(found)
}

fn search(folder: &Path, depth: usize, since: SystemTime, found: &mut Vec<Measured>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        if path.ends_with("new") {
            found.extend(result(&path, since)?);
        } else if depth > 1 {
            search(&path, depth - 1, since, found)?;
        }
    }
    Ok(())
}

fn result(folder: &Path, since: SystemTime) -> Result<Option<Measured>> {
    let estimates = folder.join("estimates.json");
    let written = fs::metadata(&estimates).and_then(|about| about.modified());
    if !written.is_ok_and(|written| written >= since) {
        return Ok(None);
    }
    let (about, estimates) = (read_json(&folder.join("benchmark.json"))?, read_json(&estimates)?);
    let median = &estimates["median"];
    let number = |value: &Value| value.as_f64().filter(|ns| ns.is_finite() && *ns > 0.0);
    let bound = |key: &str| number(&median["confidence_interval"][key]);
    let name = |key: &str| about[key].as_str().map(str::to_owned);
    // A benchmark outside any group has its name as the group.
    let group = name("group_id").with_context(|| format!("{} has no group", folder.display()))?;
    let function = [name("function_id"), name("value_str")]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("/");
    let ns =
        number(&median["point_estimate"]).with_context(|| format!("{} has no median", folder.display()))?;
    Ok(Some(Measured {
        group,
        function,
        ns,
        between: (
            bound("lower_bound").unwrap_or(ns),
            bound("upper_bound").unwrap_or(ns),
        ),
    }))
}

pub(super) fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// Ours beside each peer of the groups that have both.
pub(super) fn comparisons(measured: &[Measured]) -> Vec<Comparison> {
    let ours = |group: &str| measured.iter().find(|m| m.group == group && m.function == OURS);
    let peers = measured.iter().filter(|m| m.function != OURS);
    peers
        .filter_map(|peer| {
            Some(Comparison {
                bench: peer.group.clone(),
                peer: peer.function.clone(),
                ours_ns: ours(&peer.group)?.ns,
                peer_ns: peer.ns,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// What criterion writes, shortened.
    fn write(folder: &Path, group: &str, function: &str, median: f64) {
        let new = folder.join(group).join(function.replace('/', "_")).join("new");
        fs::create_dir_all(&new).unwrap();
        let about =
            json!({ "group_id": group, "function_id": function, "value_str": null, "throughput": null });
        fs::write(new.join("benchmark.json"), about.to_string()).unwrap();
        let interval =
            json!({ "confidence_level": 0.95, "lower_bound": median * 0.9, "upper_bound": median * 1.1 });
        let estimates = json!({ "median": { "confidence_interval": interval, "point_estimate": median } });
        fs::write(new.join("estimates.json"), estimates.to_string()).unwrap();
    }

    #[test]
    fn groups_with_ours_become_comparisons_and_the_rest_stays_a_figure() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "decimate", "ours", 1500.0);
        write(dir.path(), "decimate", "rubato", 3000.0);
        write(dir.path(), "limits", "governor/keyed_check", 60.0);
        fs::create_dir(dir.path().join("report")).unwrap();
        let since = SystemTime::now() - Duration::from_mins(1);
        let measured = read(dir.path(), since).unwrap();
        assert_eq!(measured.len(), 3);
        assert_eq!(measured[2].function, "governor/keyed_check");
        assert!((measured[0].between.0 - 1350.0).abs() < 1e-9);
        let comparisons = comparisons(&measured);
        assert_eq!(comparisons.len(), 1);
        let line = comparisons[0].json();
        assert_eq!(
            line,
            json!({ "bench": "decimate", "peer": "rubato", "ours_ns": 1500.0, "peer_ns": 3000.0, "ratio": 2.0 })
        );
    }

    #[test]
    fn results_of_earlier_runs_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "vad", "ours", 10.0);
        let later = SystemTime::now() + Duration::from_mins(1);
        assert_eq!(read(dir.path(), later).unwrap(), []);
        assert_eq!(read(&dir.path().join("nothing"), later).unwrap(), []);
    }

    #[test]
    fn a_result_that_is_no_time_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "vad", "ours", 0.0);
        let error = read(dir.path(), SystemTime::UNIX_EPOCH).unwrap_err().to_string();
        assert!(error.contains("vad") && error.contains("no median"), "{error}");
    }
}

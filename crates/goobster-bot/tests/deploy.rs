//! What is deployed beside the bot: the dashboard and the alerts ask for metrics that exist, all of them, and Prometheus
//! understands the rules.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // all of this is tests

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use goobster_bot::monitoring::names;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use serde_json::Value;

fn deployed(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(file)
}

/// Remembers what is described.
#[derive(Clone, Default)]
struct Described(Arc<Mutex<BTreeMap<String, &'static str>>>);

impl Described {
    fn keep(&self, name: &KeyName, kind: &'static str) {
        self.0.lock().unwrap().insert(name.as_str().to_owned(), kind);
    }
}

impl Recorder for Described {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.keep(&name, "counter");
    }
    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.keep(&name, "gauge");
    }
    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.keep(&name, "histogram");
    }
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Every metric that the bot describes, as Prometheus sees its series: the name, and what it belongs to.
fn series() -> BTreeMap<String, String> {
    let described = Described::default();
    metrics::with_local_recorder(&described, names::describe);
    let described = described.0.lock().unwrap();
    assert!(described.len() > 30, "{}", described.len());
    let mut series = BTreeMap::new();
    for (name, kind) in described.iter() {
        match *kind {
            "histogram" => {
                for end in ["bucket", "sum", "count"] {
                    series.insert(format!("{name}_{end}"), name.clone());
                }
            }
            kind => {
                assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
                series.insert(name.clone(), name.clone());
            }
        }
    }
    series
}

/// The metrics that a query names.
fn named(query: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    query
        .split(|c| !word(c))
        .filter(|word| word.starts_with("goobster_"))
        .map(str::to_owned)
        .collect()
}

fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" || name == "query" => found.push(text.clone()),
                    other => queries(other, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_names_only_metrics_that_exist_and_shows_all_of_them() {
    let board: Value =
        serde_json::from_str(&std::fs::read_to_string(deployed("grafana/goobster.json")).unwrap()).unwrap();
    let mut found = Vec::new();
    queries(&board, &mut found);
    assert!(found.len() > 30);
    let series = series();
    let mut shown = BTreeSet::new();
    for query in &found {
        for name in named(query) {
            let metric = series
                .get(&name)
                .unwrap_or_else(|| panic!("no metric {name}, in: {query}"));
            shown.insert(metric.clone());
        }
    }
    let missing: Vec<_> = series
        .values()
        .filter(|metric| !shown.contains(*metric))
        .collect();
    assert!(missing.is_empty(), "not on the dashboard: {missing:?}");
    // Panels are told apart by their ids.
    let ids: Vec<_> = board["panels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn the_alerts_name_only_metrics_that_exist() {
    let rules = std::fs::read_to_string(deployed("prometheus/alerts.yml")).unwrap();
    let series = series();
    let queries: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "))
        .collect();
    assert!(queries.len() > 10);
    for query in queries {
        let named = named(query);
        assert!(!named.is_empty() || query.contains("up{"), "{query}");
        for name in named {
            assert!(series.contains_key(&name), "no metric {name}, in: {query}");
        }
    }
}

#[test]
fn prometheus_understands_the_rules() {
    let checked = Command::new("promtool")
        .args(["check", "rules"])
        .arg(deployed("prometheus/alerts.yml"))
        .output();
    match checked {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: promtool is not installed (Debian's package prometheus has it)");
        }
        Err(error) => panic!("promtool: {error}"),
    }
}

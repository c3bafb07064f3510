//! A rehearsal whose turns are traced: a member asks and is answered, and a collector receives one trace of it, in
//! OpenTelemetry's protocol, with every step below its parent and no word of what was said. Needs the feature `otel`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // all of this is tests

mod collector;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use goobster_models::Cache;
use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::{BotCommand, Nobody, RehearsalOptions, Scenario, rehearse};

use collector::Collector;
use wire::Span;

const SCENARIO: &str = r#"
title = "Traced"
engines = "scripted"
members = ["Ann"]

[[step]]
member = "Ann"
joins = "Lounge"

[[step]]
wait = 0.3
member = "Ann"
command = "/voice start"

[[step]]
label = "question"
after = "listening"
wait = 0.5
member = "Ann"
clip = "questions/what-time-is-it"

[[step]]
label = "a while"
after = "question.replied"
wait = 3.0
patience = 20
"#;

/// Spans of one trace by their names; no step may be there twice but decodes.
fn by_name<'a>(spans: &[&'a Span]) -> BTreeMap<&'a str, &'a Span> {
    let mut named = BTreeMap::new();
    for span in spans {
        let before = named.insert(span.name.as_str(), *span);
        assert!(before.is_none() || span.name == "decode", "{} twice", span.name);
    }
    named
}

/// Each step is below its parent and follows the one before; gives the milliseconds of the whole.
fn shape(trace: &[&Span]) -> u64 {
    let named = by_name(trace);
    for (name, parent) in [
        ("listen", "turn"),
        ("endpoint", "turn"),
        ("decode", "turn"),
        ("recognise", "turn"),
        ("decide", "turn"),
        ("reply", "turn"),
        ("respond", "reply"),
        ("synthesise", "reply"),
        ("play", "reply"),
    ] {
        let (span, parent) = (named[name], named[parent]);
        assert_eq!(span.parent, parent.id, "{name}");
        assert!(
            parent.from <= span.from && span.from <= span.upto && span.upto <= parent.upto,
            "{name}"
        );
    }
    for pair in ["listen", "endpoint", "recognise", "decide", "reply"].windows(2) {
        assert_eq!(named[pair[0]].upto, named[pair[1]].from, "{pair:?}");
    }
    assert!(named["synthesise"].upto <= named["play"].from);
    (named["turn"].upto - named["turn"].from) / 1_000_000
}

/// A bot that sends its traces there, and logs in JSON.
fn bot(collector: SocketAddr) -> BotCommand {
    let env = [
        (
            "GOOBSTER_MONITORING_OTLP_ENDPOINT",
            format!("http://{collector}/"),
        ),
        (
            "GOOBSTER_MONITORING_OTLP_HEADERS_ENV",
            "HEADERS_OF_THE_COLLECTOR".to_owned(),
        ),
        (
            "HEADERS_OF_THE_COLLECTOR",
            "x-tenant=open%20sesame%20open".to_owned(),
        ),
        (
            "GOOBSTER_MONITORING_OTLP_SERVICE_NAME",
            "traced goobster".to_owned(),
        ),
        ("GOOBSTER_LOG_FORMAT", "json".to_owned()),
        (
            "GOOBSTER_LOG",
            "info,goobster_bot::monitoring::traces=debug".to_owned(),
        ),
    ];
    BotCommand {
        program: env!("CARGO_BIN_EXE_goobster").into(),
        args: vec!["run".into(), "--offline".into()],
        env: env
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traces_of_a_rehearsal_reach_a_collector_one_a_turn_without_a_word() {
    let collector = Collector::begin();
    let mut options = RehearsalOptions::new(Scenario::parse(SCENARIO).unwrap(), bot(collector.address()));
    options.shelf = Shelf {
        beside: None,
        samples: Some(Cache::locate().unwrap().root().join("speech")),
    };
    options.out = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("traces"));
    let outcome = rehearse(options, &mut Nobody).await.unwrap();
    let said = outcome.said.join("\n");
    assert!(outcome.failures().is_empty(), "{:?}\n{said}", outcome.failures());

    // What arrived, and how.
    let posts = collector.end();
    assert!(!posts.is_empty(), "{said}");
    let mut spans = Vec::new();
    for post in &posts {
        assert!(
            post.head.starts_with("POST /v1/traces HTTP/1.1\r\n"),
            "{}",
            post.head
        );
        let head = post.head.to_ascii_lowercase();
        assert!(
            head.contains("content-type: application/x-protobuf\r\n"),
            "{head}"
        );
        assert!(head.contains("x-tenant: open sesame open\r\n"), "{head}");
        let (resource, more) = wire::request(&post.body);
        assert_eq!(resource["service.name"], "traced goobster");
        spans.extend(more);
    }
    assert!(!said.contains("open sesame"), "a header is a secret");

    // No word of what was said, no name.
    let bytes: Vec<u8> = posts.iter().flat_map(|post| post.body.clone()).collect();
    let bytes = String::from_utf8_lossy(&bytes).to_lowercase();
    for word in ["ann\u{12}", "what time", "time is", "it is", "lounge"] {
        assert!(!bytes.contains(word), "{word} is in a trace");
    }
    assert!(spans.iter().all(|span| {
        let fields = span.fields.values();
        fields.into_iter().all(|value| value != "Ann")
    }));

    // The turn that was answered is one trace, and its log line names it.
    let roots: Vec<&Span> = spans.iter().filter(|span| span.parent.is_empty()).collect();
    assert!(roots.iter().all(|span| span.name == "turn"), "{roots:#?}");
    let answered: Vec<&&Span> = roots
        .iter()
        .filter(|span| span.fields["goobster.outcome"] == "answered")
        .collect();
    let [root] = answered[..] else {
        panic!("one turn was answered: {roots:#?}\n{said}");
    };
    let trace: Vec<&Span> = spans.iter().filter(|span| span.trace == root.trace).collect();
    assert_eq!(trace.iter().filter(|span| span.parent.is_empty()).count(), 1);
    let took = shape(&trace);
    // It was spoken and played in real time: a second of it, and less than the rehearsal.
    assert!((1_000..60_000).contains(&took), "{took} ms");
    assert_eq!(root.fields["goobster.speaker"], "1");
    let line = outcome
        .said
        .iter()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line.get(line.find('{')?..)?).ok())
        .find(|line| line["message"] == "a turn is over" && line["outcome"] == "answered")
        .unwrap_or_else(|| panic!("a line of the turn\n{said}"));
    assert_eq!(line["trace_id"], root.trace.as_str());
    assert!(line["play_ms"].as_u64() > Some(0), "{line}");
}

//! The page: one file with everything in it, readable without a network and without scripts, in light and in dark.

use std::fmt::Write as _;

use super::drawing::draw;
use super::markup::Safe;
use crate::figures::{Percentiles, Turn};
use crate::rehearse::Outcome;
use crate::timeline::{Remark, Timeline};
use crate::words::WordErrors;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Rows of a table that may be long.
const ROWS: usize = 2_000;

/// The page of an outcome.
pub fn html(outcome: &Outcome) -> String {
    let timeline = &outcome.timeline;
    let mut page = String::with_capacity(64 * 1024);
    let title = Safe(&outcome.title);
    // Nothing may be loaded from anywhere, even if some text got through.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · rehearsal</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\
         <style>\n{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    );
    let failures = outcome.failures();
    let (class, told) = match failures.len() {
        0 => ("met", "Everything went as expected.".to_owned()),
        1 => ("missed", "One thing did not go as expected.".to_owned()),
        count => ("missed", format!("{count} things did not go as expected.")),
    };
    let _ = writeln!(
        page,
        "<p class=\"{class}\">{told}</p>\n<p class=\"soft\">Seed {}, {:.1} s of rehearsal. Times are counted from the moment at \
         which {} was ready, {:.1} s after its start.</p>",
        outcome.seed,
        timeline.over.as_secs_f64(),
        Safe(&timeline.bot),
        timeline.ready_after.as_secs_f64()
    );
    figures(&mut page, outcome);
    page.push_str("<h2>Timeline</h2>\n<label class=\"zoom\">Zoom <input id=\"zoom\" type=\"range\" min=\"-1\" max=\"3\" step=\"0.1\" value=\"0\"></label>\n<div class=\"scroll\">");
    page.push_str(&draw(timeline));
    page.push_str("</div>\n");
    expectations(&mut page, outcome, &failures);
    turns(&mut page, &outcome.figures.turns);
    requests(&mut page, timeline);
    messages(&mut page, timeline);
    faults(&mut page, timeline);
    remarks(&mut page, "What went otherwise", &timeline.remarks, true);
    remarks(&mut page, "What the connections saw", &timeline.protocol, false);
    let _ = write!(
        page,
        "<details><summary>What the bot wrote to its standard error and output, last {} lines</summary><div class=\"scroll\"><pre>",
        outcome.said.len()
    );
    for line in &outcome.said {
        let _ = writeln!(page, "{}", Safe(line));
    }
    let _ = write!(
        page,
        "</pre></div></details>\n<script>\n{SCRIPT}</script></body></html>\n"
    );
    page
}

fn millis(value: Option<i64>) -> String {
    value.map_or("–".to_owned(), |ms| format!("{ms} ms"))
}

fn figures(page: &mut String, outcome: &Outcome) {
    let figures = &outcome.figures;
    let both = |p: Percentiles| format!("{} / {}", millis(p.p50), millis(p.p95));
    let errors = match figures.word_errors.words {
        0 => "–".to_owned(),
        _ => format!("{:.1} %", figures.word_errors.percent()),
    };
    page.push_str("<ul class=\"figures\">");
    for (what, value) in [
        ("turns", figures.turns.len().to_string()),
        (
            "end of speech → final caption, p50 / p95",
            both(figures.caption_ms),
        ),
        (
            "end of speech → first reply sound, p50 / p95",
            both(figures.reply_audio_ms),
        ),
        ("wrong words", errors),
        ("/voice start → listening", millis(figures.listening_ms)),
    ] {
        let _ = write!(
            page,
            "<li><b>{}</b><span class=\"soft\">{what}</span></li>",
            Safe(&value)
        );
    }
    page.push_str("</ul>\n");
}

/// A table with a heading; nothing if it has no rows.
fn table(page: &mut String, heading: &str, columns: &[&str], rows: impl Iterator<Item = Vec<Cell>>) {
    let mut rows = rows.take(ROWS).peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = write!(
        page,
        "<h2>{heading}</h2>\n<div class=\"scroll\"><table><thead><tr>"
    );
    for column in columns {
        let (class, name) = match column.strip_prefix('#') {
            Some(name) => (" class=\"n\"", name),
            None => ("", *column),
        };
        let _ = write!(page, "<th{class}>{name}</th>");
    }
    page.push_str("</tr></thead><tbody>");
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            let _ = match cell {
                Cell::Words(words) => write!(page, "<td>{}</td>", Safe(&words)),
                Cell::Number(number) => write!(page, "<td class=\"n\">{}</td>", Safe(&number)),
                Cell::Met(true) => write!(page, "<td class=\"met\">met</td>"),
                Cell::Met(false) => write!(page, "<td class=\"missed\">not met</td>"),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

enum Cell {
    Words(String),
    Number(String),
    Met(bool),
}

fn words(text: &str) -> Cell {
    Cell::Words(text.to_owned())
}

fn time(at: goobster_core::time::Moment) -> Cell {
    Cell::Number(format!("{:.2} s", at.as_secs_f64()))
}

fn expectations(page: &mut String, outcome: &Outcome, failures: &[String]) {
    let rows = outcome
        .verdicts
        .iter()
        .map(|v| vec![Cell::Met(v.met), words(&v.expected), words(&v.found)]);
    table(page, "Expectations", &["", "expected", "found"], rows);
    let told = outcome.verdicts.iter().filter(|v| !v.met).count();
    let rest = failures.iter().skip(told).map(|f| vec![words(f)]);
    table(page, "Besides", &["what went wrong"], rest);
}

fn turns(page: &mut String, turns: &[Turn]) {
    let rows = turns.iter().map(|t| {
        let errors = t
            .word_errors
            .map_or("–".to_owned(), |e| format!("{:.1} %", WordErrors::percent(e)));
        vec![
            words(&t.label),
            words(&t.speaker),
            words(t.said.as_deref().unwrap_or("–")),
            words(&t.heard),
            Cell::Number(errors),
            Cell::Number(millis(t.caption_ms)),
            Cell::Number(millis(t.reply_audio_ms)),
        ]
    });
    let columns = [
        "turn",
        "who",
        "said",
        "captioned",
        "#wrong words",
        "#caption after",
        "#reply after",
    ];
    table(page, "Turns", &columns, rows);
}

fn requests(page: &mut String, timeline: &Timeline) {
    let rows = timeline.requests.iter().enumerate().map(|(n, r)| {
        let answers = timeline.messages.iter().filter(|m| m.answers == Some(n));
        let told: Vec<&str> = answers.map(|m| m.words.as_str()).collect();
        let told = r.refused.clone().unwrap_or_else(|| told.join(" / "));
        let after = r.answered.map(|a| crate::figures::millis_after(a, r.at));
        vec![
            time(r.at),
            words(&r.member),
            words(&r.what),
            Cell::Number(millis(after)),
            words(&told),
        ]
    });
    table(
        page,
        "What was asked of the bot",
        &["#at", "who", "what", "#first reaction after", "answer"],
        rows,
    );
}

fn messages(page: &mut String, timeline: &Timeline) {
    let others = timeline.messages.iter().filter(|m| m.answers.is_none());
    let rows = others.map(|m| {
        let kind = if m.notice { "notice" } else { "message" };
        let extra: Vec<String> = m
            .buttons
            .iter()
            .map(|b| format!("[{b}]"))
            .chain(m.files.iter().cloned())
            .collect();
        vec![
            time(m.at),
            words(&m.channel),
            words(kind),
            words(&m.words),
            words(&extra.join(" ")),
        ]
    });
    table(
        page,
        "What else the bot wrote",
        &["#at", "where", "kind", "words", "buttons, files"],
        rows,
    );
}

fn faults(page: &mut String, timeline: &Timeline) {
    let rows = timeline.faults.iter().map(|f| {
        let hit = if f.hit { "" } else { "there was nothing to break" };
        vec![time(f.at), words(&f.what), words(hit)]
    });
    table(page, "What broke", &["#at", "what", ""], rows);
}

fn remarks(page: &mut String, heading: &str, remarks: &[Remark], open: bool) {
    if remarks.is_empty() {
        return;
    }
    let open = if open { " open" } else { "" };
    let _ = write!(
        page,
        "<details{open}><summary>{heading} ({})</summary><div class=\"scroll\"><pre>",
        remarks.len()
    );
    for remark in remarks.iter().take(ROWS) {
        let _ = writeln!(page, "{:9.3}  {}", remark.at.as_secs_f64(), Safe(&remark.what));
    }
    page.push_str("</pre></div></details>\n");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use goobster_core::time::Moment;

    use super::*;
    use crate::expectations::Verdict;
    use crate::figures::Figures;
    use crate::scenario::Fault;
    use crate::timeline::{self, Caption, Place, Revision, Sound, Speech};

    const EVIL: &str = "</script><script>alert(\"x\")</script> & 'y'";

    fn evil() -> Outcome {
        let at = Moment::from_millis;
        let timeline = Timeline {
            over: at(12_000),
            bot: EVIL.into(),
            speeches: vec![Speech {
                label: EVIL.into(),
                member: EVIL.into(),
                clip: EVIL.into(),
                text: Some(EVIL.into()),
                from: at(1_000),
                to: at(9_000),
                voice_from: at(1_000),
                end_of_speech: at(8_900),
                loss: 0.0,
                sent: true,
            }],
            captions: vec![Caption {
                channel: EVIL.into(),
                name: EVIL.into(),
                is_reply: false,
                stamp: at(1_000),
                revisions: vec![Revision {
                    at: at(9_500),
                    words: EVIL.into(),
                    is_final: true,
                }],
                deleted: None,
            }],
            sounds: vec![Sound {
                from: at(9_700),
                to: at(11_000),
            }],
            places: vec![Place {
                at: at(0),
                channel: Some(EVIL.into()),
                connected: true,
            }],
            faults: vec![timeline::Fault {
                label: EVIL.into(),
                at: at(3_000),
                until: Some(at(8_000)),
                what: EVIL.into(),
                hit: true,
                order: Fault::VoiceCut,
            }],
            remarks: vec![Remark {
                at: at(1),
                what: EVIL.into(),
                fails: true,
            }],
            ..Timeline::default()
        };
        Outcome {
            title: EVIL.into(),
            seed: 1,
            figures: Figures::of(&timeline),
            timeline,
            verdicts: vec![Verdict {
                expected: EVIL.into(),
                line: 3,
                met: false,
                found: EVIL.into(),
            }],
            said: vec![EVIL.into()],
            contacts: None,
            panics: 0,
            files: Vec::new(),
            wall: Duration::from_secs(1),
        }
    }

    #[test]
    fn the_page_is_whole_and_no_text_of_others_is_markup() {
        let page = html(&evil());
        assert_eq!(page.matches("<script>").count(), 1, "ours");
        assert!(!page.contains("alert(\"x\")"));
        for needed in [
            "<svg",
            "Expectations",
            "not met",
            "Turns",
            "What broke",
            "600 ms",
            "800 ms",
            "prefers-color-scheme",
        ] {
            assert!(page.contains(needed), "{needed}");
        }
        for outside in ["src=", "@import", "url(", "href="] {
            assert!(!page.contains(outside), "{outside} would load something");
        }
    }

    #[test]
    fn every_element_is_closed() {
        let page = html(&evil());
        for element in [
            "svg", "g", "table", "tr", "td", "div", "details", "pre", "text", "title", "ul", "li",
        ] {
            let opened =
                page.matches(&format!("<{element}>")).count() + page.matches(&format!("<{element} ")).count();
            assert_eq!(
                opened,
                page.matches(&format!("</{element}>")).count(),
                "{element}"
            );
        }
    }
}

//! The status page in headless Chromium, with a rehearsal behind it: found accessible by axe on a desk and on a phone, in light
//! and in dark; up to date by itself, without talking over a screen reader; and a session ended with the keyboard alone.
//!
//! `cargo xtask browser` installs what it needs; without that it is skipped, with a word. Screenshots are left in
//! `target/tmp/status-page`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // all of this is tests

mod chromium;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chromium::Page;
use goobster_models::{Cache, State, manifest};
use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::{BotCommand, Nobody, RehearsalOptions, Scenario, rehearse};
use serde_json::{Value, json};

const TOKEN: &str = "a-token-for-the-status-page-alone";
/// Widths of a desk and of a phone.
const WIDTHS: [(u32, &str); 2] = [(1280, "desktop"), (390, "phone")];

/// Two members are in a call, one talks; a third has opted out. The session is ended from the page.
const SCENARIO: &str = r#"
title = "Looked at"
engines = "scripted"
members = ["Ann", "Benjamin with a name that is long", "Cleo"]
linger = 1

[[step]]
member = "Cleo"
command = "/privacy optout"

[[step]]
member = "Ann"
joins = "Lounge"

[[step]]
member = "Benjamin with a name that is long"
joins = "Lounge"

[[step]]
member = "Cleo"
joins = "Lounge"

[[step]]
wait = 0.3
member = "Ann"
command = "/voice start"

[[step]]
label = "words"
after = "listening"
wait = 0.5
member = "Ann"
clip = "librivox/0930"

[[step]]
after = "words.captioned"
patience = 20
wait = 0.2

[[step]]
after = "left"
patience = 60

[[expect]]
caption = "words"
word_errors = 35
"#;

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What the status says, if it answers.
fn status(at: SocketAddr) -> Option<Value> {
    let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(
        stream,
        "GET /api/status HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

/// What axe finds wrong, each with where.
async fn violations(page: &mut Page) -> Vec<String> {
    let found = page
        .evaluate("axe.run(document, { resultTypes: ['violations'] }).then(it => it.violations)")
        .await;
    let words = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let of = |it: &Value| {
        let nodes = it["nodes"].as_array().cloned().unwrap_or_default();
        let nodes: Vec<String> = nodes
            .iter()
            .map(|node| format!("{} ({})", words(&node["html"]), words(&node["failureSummary"])))
            .collect();
        format!(
            "{}: {}: {}",
            words(&it["id"]),
            words(&it["help"]),
            nodes.join("; ")
        )
    };
    found.as_array().expect("axe answers").iter().map(of).collect()
}

/// Looks at the page in every way, leaves screenshots, and collects what is wrong with it.
async fn inspected(page: &mut Page, what: &str, out: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for (width, device) in WIDTHS {
        for (dark, scheme) in [(false, "light"), (true, "dark")] {
            page.look(width, dark).await;
            let shot = page.screenshot().await;
            std::fs::write(out.join(format!("{what}-{device}-{scheme}.png")), shot).unwrap();
            let name = format!("{what}, {device}, {scheme}");
            let found = violations(page).await;
            wrong.extend(found.into_iter().map(|it| format!("{name}: {it}")));
            let wide = page.evaluate("document.documentElement.scrollWidth").await;
            if wide.as_u64() > Some(u64::from(width)) {
                wrong.push(format!(
                    "{name}: it is {wide} wide, and must be scrolled sideways"
                ));
            }
            // Fingers need 24 CSS pixels at least (WCAG 2.2, target size).
            let small = page
                .evaluate("[...document.querySelectorAll('button, input')].filter(it => it.offsetParent && (it.offsetHeight < 24 || it.offsetWidth < 24)).length")
                .await;
            if small != json!(0) {
                wrong.push(format!("{name}: {small} controls are too small to touch"));
            }
        }
    }
    page.look(WIDTHS[0].0, false).await;
    wrong
}

/// Goes on by Tab until the focus is where an expression says.
async fn tab_to(page: &mut Page, wanted: &str) {
    for _ in 0..30 {
        if page.evaluate(wanted).await == json!(true) {
            return;
        }
        page.press("Tab").await;
    }
    panic!("the keyboard does not get to {wanted}");
}

async fn drive(page: &mut Page, at: SocketAddr, out: &Path) -> Vec<String> {
    let mut wrong = inspected(page, "entrance", out).await;

    // A wrong token is told, and the field is there to try again.
    tab_to(page, "document.activeElement.id === 'token'").await;
    page.write("not-the-token-at-all").await;
    page.press("Enter").await;
    page.until("document.getElementById('said').textContent.includes('does not open')")
        .await;
    wrong.extend(inspected(page, "refused", out).await);
    tab_to(page, "document.activeElement.id === 'token'").await;
    page.write(TOKEN).await;
    page.press("Enter").await;
    page.until("document.querySelectorAll('#sessions tr').length === 1")
        .await;
    page.until("document.querySelectorAll('#people tr').length === 3")
        .await;
    assert_eq!(
        page.evaluate("location.href.includes('token')").await,
        json!(false)
    );

    // It is up to date by itself, and says nothing about it to who listens: what is announced did not change meanwhile.
    page.evaluate(
        "window.announced = 0; for (const it of document.querySelectorAll('[aria-live], [role=status], [role=alert], [role=log]')) \
         new MutationObserver(() => window.announced++).observe(it, { childList: true, characterData: true, subtree: true })",
    )
    .await;
    let quiet = "document.querySelector('#sessions td[data-name=\"Quiet for\"]').textContent";
    let before = page.evaluate(quiet).await;
    page.until(&format!("{quiet} !== {before}")).await;
    page.until("document.getElementById('caption-sum').textContent.includes('turns')")
        .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        page.evaluate("window.announced").await,
        json!(0),
        "it talks over a screen reader"
    );
    wrong.extend(inspected(page, "status", out).await);

    // The keyboard alone ends the session; what becomes of it is said, once.
    tab_to(page, "document.activeElement.matches('#sessions button')").await;
    let name = page
        .evaluate("document.activeElement.getAttribute('aria-label')")
        .await;
    assert!(name.as_str().unwrap().contains("Lounge"), "{name}");
    page.press("Enter").await;
    page.until("document.getElementById('said').textContent.includes('being ended')")
        .await;
    assert!(
        page.dialogs.iter().any(|asked| asked.contains("Lounge")),
        "{:?}",
        page.dialogs
    );
    page.until("!document.getElementById('no-sessions').hidden").await;
    let announced = page.evaluate("window.announced").await.as_u64().unwrap();
    assert!((1..=2).contains(&announced), "{announced} announcements");
    // Whoever had the focus on what is gone now is not thrown back to the top.
    let focused = page.evaluate("document.activeElement.tagName").await;
    assert_ne!(focused, json!("BODY"), "the focus is lost");
    assert_eq!(status(at).unwrap()["sessions"], json!([]));
    wrong.extend(inspected(page, "empty", out).await);
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_page_works_for_everybody() {
    let cache = Cache::locate().unwrap();
    let (Some(program), State::Present) = (chromium::program(), cache.state(&manifest::AXE)) else {
        eprintln!("skipped: Chromium or axe is not installed (cargo xtask browser installs both)");
        return;
    };
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("status-page");
    std::fs::create_dir_all(&out).unwrap();
    let at = free();
    let bot = BotCommand {
        program: env!("CARGO_BIN_EXE_goobster").into(),
        args: vec!["run".into(), "-v".into(), "--offline".into()],
        env: vec![
            ("GOOBSTER_STATUS_LISTEN".into(), at.to_string().into()),
            ("GOOBSTER_STATUS_TOKEN".into(), TOKEN.into()),
        ],
    };
    let mut options = RehearsalOptions::new(Scenario::parse(SCENARIO).unwrap(), bot);
    options.shelf = Shelf {
        beside: None,
        samples: Some(cache.root().join("speech")),
    };
    options.out = Some(out.join("rehearsal"));
    let rehearsal = tokio::spawn(async move { rehearse(options, &mut Nobody).await });
    let talked = |report: &Value| report["caption"]["count"].as_u64() > Some(0);
    for _ in 0..600 {
        if tokio::task::spawn_blocking(move || status(at))
            .await
            .unwrap()
            .as_ref()
            .is_some_and(talked)
        {
            break;
        }
        assert!(!rehearsal.is_finished(), "{:?}", rehearsal.await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut page = Page::open(&program, &format!("http://{at}/")).await;
    let axe = std::fs::read_to_string(cache.path_of(&manifest::AXE)).unwrap();
    page.evaluate(&format!("{axe}; true")).await;
    let wrong = drive(&mut page, at, &out).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);
    drop(page);
    let outcome = rehearsal.await.unwrap().unwrap();
    assert!(
        outcome.failures().is_empty(),
        "{:?}\n{}",
        outcome.failures(),
        outcome.said.join("\n")
    );
    println!("screenshots are in {}", out.display());
}

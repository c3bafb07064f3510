//! docs/rehearsal.md is true: its examples can be read, and it tells of every key and every fault.

#![allow(
    clippy::panic,
    reason = "tests, and what they share, fail loudly; clippy knows only of the functions marked as tests"
)]

use std::path::Path;

use goobster_rehearsal::Scenario;
use goobster_rehearsal::scenario::Fault;

/// What the examples of parts lean on.
const HEAD: &str = "title = \"t\"\nmembers = [\"Ann\", \"Ben\"]\n[[step]]\nlabel = \"start\"\nmember = \"Ann\"\ncommand = \"/voice start\"\n\
                    [[step]]\nlabel = \"stop\"\nmember = \"Ann\"\ncommand = \"/voice stop\"\n";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_example_can_be_read() {
    let page = read("../../docs/rehearsal.md");
    let mut examples = 0;
    for block in page.split("\n```toml").skip(1) {
        let (info, rest) = block.split_once('\n').unwrap();
        let text = rest.split("\n```").next().unwrap();
        let whole = if info.trim() == "step" {
            format!("{HEAD}{text}\n")
        } else {
            text.to_owned()
        };
        let scenario = Scenario::parse(&whole).unwrap_or_else(|e| panic!("{e}\n{whole}"));
        assert!(!scenario.steps.is_empty());
        examples += 1;
    }
    assert!(examples >= 4, "{examples}");
}

#[test]
fn every_key_and_every_fault_is_told_of() {
    let page = read("../../docs/rehearsal.md");
    let source = read("src/scenario/file.rs");
    let keys = source
        .lines()
        .filter_map(|l| l.trim().strip_prefix("pub(super) ")?.split_once(':'));
    let mut count = 0;
    for (key, _) in keys.filter(|(k, _)| !k.contains(' ')) {
        // `step` and `expect` are tables, shown as such.
        let written = ["`", "`[", "`[[", "{ "]
            .iter()
            .any(|mark| page.contains(&format!("{mark}{key}")));
        let shown = page.contains(&format!(", {key} =")) || page.contains(&format!("[[{key}]]"));
        assert!(written || shown, "docs/rehearsal.md does not tell of `{key}`");
        count += 1;
    }
    assert!(count > 50, "{count} keys found: has file.rs changed its form?");
    for fault in Fault::NAMES {
        assert!(
            page.contains(&format!("`{fault}`")),
            "docs/rehearsal.md does not tell of the fault {fault}"
        );
    }
}

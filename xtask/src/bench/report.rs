//! `docs/performance.md`: what was measured between two marks, everything around them written by hand and left alone.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::catalogue;
use super::quality::Quality;
use super::results::{Comparison, Measured, OURS};
use super::svg::{self, Axis};
use super::units;
use crate::shell;

/// What is between these marks is written anew.
const BEGIN: &str = "<!-- measured: written by `cargo xtask bench` -->";
const END: &str = "<!-- end of what was measured -->";
/// A new file.
const HEAD: &str = "# Performance\n\n";

/// Everything one run of the benchmarks gave.
pub(super) struct Run<'a> {
    pub(super) measured: &'a [Measured],
    pub(super) comparisons: &'a [Comparison],
    pub(super) quality: &'a Quality,
    pub(super) left_out: &'a [String],
    pub(super) quick: bool,
}

/// Writes the report and its plots, which lie in a folder of the report's name beside it.
pub(super) fn write(run: &Run<'_>, file: &Path) -> Result<()> {
    let folder = file.with_extension("");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, svg) in plots(run) {
        let plot = folder.join(name);
        fs::write(&plot, svg).with_context(|| format!("cannot write {}", plot.display()))?;
    }
    let old = fs::read_to_string(file).unwrap_or_else(|_| HEAD.to_owned());
    let new = within_marks(&old, &body(run, &machine(), &folder));
    fs::write(file, new).with_context(|| format!("cannot write {}", file.display()))
}

/// The old text with `body` between the marks; without marks it comes at the end.
fn within_marks(old: &str, body: &str) -> String {
    let (before, after) = match (old.split_once(BEGIN), old.split_once(END)) {
        (Some((before, _)), Some((_, after))) => (before, after),
        _ => (old, "\n"),
    };
    format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", body.trim())
}

fn plots(run: &Run<'_>) -> Vec<(&'static str, String)> {
    let mut plots = Vec::new();
    let responses: Vec<_> = run
        .quality
        .responses("decimate")
        .into_iter()
        .map(|(side, points)| (catalogue::side(&side).to_owned(), points))
        .collect();
    if !responses.is_empty() {
        let hertz = Axis {
            label: "frequency at 48 kHz, kHz",
            from: 0.0,
            to: 24_000.0,
            step: 4_000.0,
            unit: 1_000.0,
        };
        let decibels = Axis {
            label: "dB",
            from: -140.0,
            to: 0.0,
            step: 20.0,
            unit: 1.0,
        };
        let title = "48 kHz to 16 kHz: what each resampler lets through";
        plots.push(("response.svg", svg::curves(title, hertz, decibels, &responses)));
        let near = Axis {
            from: 6_000.0,
            to: 10_000.0,
            step: 500.0,
            ..hertz
        };
        let title = "The same around the edge of the band";
        plots.push((
            "response-edge.svg",
            svg::curves(title, near, decibels, &responses),
        ));
    }
    if !run.comparisons.is_empty() {
        let rows: Vec<_> = ordered(run.comparisons)
            .into_iter()
            .map(|c| (format!("{}, {}", c.bench, c.peer), c.ratio()))
            .collect();
        plots.push(("ratios.svg", svg::bars("Times as fast as the peer", &rows)));
    }
    plots
}

fn body(run: &Run<'_>, machine: &str, folder: &Path) -> String {
    let pace = if run.quick {
        " This was a quick run: fewer and shorter samples than a full one takes."
    } else {
        ""
    };
    let mut text = format!(
        "Criterion's medians, ours and the peers in the same run on {machine}.{pace} Ratio: the peer's time through ours, so \
         more than 1 means that ours is faster. Machines differ and are never quite idle: ratios count, times less.\n\n"
    );
    text += "| bench | peer | ours | peer's | ratio | quality, ours | quality, peer's | limit |\n|---|---|---|---|---|---|---|---|\n";
    for comparison in ordered(run.comparisons) {
        let quality = |side: &str| run.quality.shown(&comparison.bench, side);
        let cells = [
            comparison.bench.clone(),
            comparison.peer.clone(),
            units::time(comparison.ours_ns),
            units::time(comparison.peer_ns),
            format!("**{}**", units::three(comparison.ratio())),
            quality(OURS),
            quality(&comparison.peer),
            limits(comparison, run.quality),
        ];
        row(&mut text, &cells);
    }
    text += "\nWhat each one measures:\n\n";
    let mut told: Vec<&str> = Vec::new();
    for comparison in ordered(run.comparisons) {
        if !told.contains(&comparison.bench.as_str()) {
            told.push(&comparison.bench);
            if let Some(bench) = catalogue::of(&comparison.bench) {
                let _ = writeln!(text, "- `{}`: {}.", comparison.bench, bench.what);
            }
        }
    }
    let links = plot_links(folder);
    if !links.is_empty() {
        let _ = write!(text, "\n{links}");
    }
    others(run, &mut text);
    if !run.left_out.is_empty() {
        text += "\nLeft out:\n\n";
        for told in run.left_out {
            let _ = writeln!(text, "- {}", told.replace('\n', " "));
        }
    }
    text
}

/// Benchmarks that are no comparison by name: their times alone.
fn others(run: &Run<'_>, text: &mut String) {
    let compared = |m: &&Measured| run.comparisons.iter().any(|c| c.bench == m.group);
    let mut rest: Vec<&Measured> = run.measured.iter().filter(|m| !compared(m)).collect();
    if rest.is_empty() {
        return;
    }
    rest.sort_by_key(|m| catalogue::place(&m.group));
    *text += "\nEvery other benchmark of the run, the median and its 95 % confidence interval:\n\n";
    *text += "| group | benchmark | median | between |\n|---|---|---|---|\n";
    for m in rest {
        let between = format!("{} and {}", units::time(m.between.0), units::time(m.between.1));
        row(
            text,
            &[m.group.clone(), m.function.clone(), units::time(m.ns), between],
        );
    }
}

fn limits(comparison: &Comparison, quality: &Quality) -> String {
    let bound = quality.limit(&comparison.bench).map(|l| format!("machine: {l}"));
    let words = [
        catalogue::verdict(comparison),
        catalogue::own_verdict(&comparison.bench, comparison.ours_ns),
        bound,
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Pictures of the plots that are there.
fn plot_links(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let mut links = String::new();
    for (file, caption) in [
        ("ratios.svg", "How many times as fast as each peer"),
        (
            "response.svg",
            "Frequency responses of the decimator and its peers",
        ),
        ("response-edge.svg", "The same around 8 kHz"),
    ] {
        if folder.join(file).is_file() {
            let _ = writeln!(links, "![{caption}]({name}/{file})");
        }
    }
    links
}

fn ordered(comparisons: &[Comparison]) -> Vec<&Comparison> {
    let mut ordered: Vec<&Comparison> = comparisons.iter().collect();
    // Stable: families and peers keep the order of their names.
    ordered.sort_by_key(|c| catalogue::place(&c.bench));
    ordered
}

fn row(text: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// The machine in a few words.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|about| {
        let line = about.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let compiler = shell::output(std::process::Command::new("rustc").arg("--version")).unwrap_or_default();
    let compiler: Vec<&str> = compiler.split_whitespace().take(2).collect();
    let what = model.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("{what}, {cores} cores, {}", compiler.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(group: &str, function: &str, ns: f64) -> Measured {
        Measured {
            group: group.to_owned(),
            function: function.to_owned(),
            ns,
            between: (ns * 0.9, ns * 1.1),
        }
    }

    #[test]
    fn the_report_holds_every_result_and_keeps_what_was_written_by_hand() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("performance.md");
        fs::write(&file, "# Performance\n\nBy hand.\n\n## After\n").unwrap();
        let measured = [
            measured("transcribe_3s", "faster-whisper", 640e6),
            measured("transcribe_3s", "ours", 320e6),
            measured("touch", "one thread", 5.0),
        ];
        let run = |left_out: &[String]| {
            let comparisons = super::super::results::comparisons(&measured);
            let run = Run {
                measured: &measured,
                comparisons: &comparisons,
                quality: &Quality::default(),
                left_out,
                quick: true,
            };
            write(&run, &file).unwrap();
            fs::read_to_string(&file).unwrap()
        };
        let first = run(&["soxr: not here".to_owned()]);
        assert!(first.contains("| transcribe_3s | faster-whisper | 320 ms | 640 ms | **2.00** |"));
        assert!(first.contains("at least 1.50: held") && first.contains("| touch | one thread | 5.00 ns |"));
        assert!(first.contains("- soxr: not here") && first.contains("quick run"));
        assert!(first.contains("(performance/ratios.svg)") && !first.contains("response.svg"));
        assert!(dir.path().join("performance/ratios.svg").is_file());
        let second = run(&[]);
        assert_eq!(second.matches(BEGIN).count(), 1);
        assert!(second.starts_with("# Performance\n\nBy hand.\n\n## After\n") && !second.contains("soxr"));
    }
}

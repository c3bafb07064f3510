//! The report: sections of text and tables, printed as they are made and written as Markdown.
//!
//! A section that is measured again replaces the one of the same heading; the others in the file stay.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use comfy_table::{Table, presets};

/// What stands above the sections of a new file.
const HEAD: &str = "# Accuracy and latency

Made by `cargo xtask eval` on recordings of people that `cargo xtask setup` fetches; it measures the parts that users run.
Machines differ: compare figures of one run.
";

/// Sections so far.
pub(crate) struct Report {
    file: Option<PathBuf>,
    head: String,
    sections: Vec<(String, String)>,
}

impl Report {
    /// A report that is written to `file` as well as printed; what the file holds already is kept.
    pub(crate) fn new(file: Option<PathBuf>) -> anyhow::Result<Self> {
        let text = match &file {
            Some(path) if path.is_file() => fs::read_to_string(path).context(path.display().to_string())?,
            _ => HEAD.to_owned(),
        };
        let mut parts = text.split("\n## ");
        let head = parts.next().unwrap_or_default().trim_end().to_owned();
        let sections = parts
            .filter_map(|part| part.split_once('\n'))
            .map(|(heading, body)| (heading.to_owned(), body.trim().to_owned()))
            .collect();
        Ok(Self { file, head, sections })
    }

    /// Adds a section, or replaces the one of that heading, and writes the file.
    pub(crate) fn section(&mut self, heading: &str, body: &str) -> anyhow::Result<()> {
        print(&format!("\n## {heading}\n\n{body}"));
        match self.sections.iter_mut().find(|(known, _)| known == heading) {
            Some((_, old)) => body.clone_into(old),
            None => self.sections.push((heading.to_owned(), body.to_owned())),
        }
        self.write()
    }

    /// Says where the report is.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.write()?;
        if let Some(path) = &self.file {
            print(&format!("\nwrote {}", path.display()));
        }
        Ok(())
    }

    fn write(&self) -> anyhow::Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        let mut text = format!("{}\n", self.head);
        for (heading, body) in &self.sections {
            text.extend(["\n## ", heading, "\n\n", body.trim(), "\n"]);
        }
        fs::write(path, text).context(path.display().to_string())
    }
}

/// A Markdown table.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    table.add_rows(rows);
    table.to_string()
}

#[expect(clippy::print_stdout, reason = "the report is what this program prints")]
fn print(text: &str) {
    println!("{text}");
}

/// Shows what is being done, on stderr.
#[expect(clippy::print_stderr, reason = "progress is what standard error is for")]
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_measured_again_replaces_the_old_one_and_leaves_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("accuracy.md");
        let write = |heading: &str, body: &str| {
            let mut report = Report::new(Some(file.clone())).unwrap();
            report.section(heading, body).unwrap();
            report.finish().unwrap();
        };
        write("Words", "old words");
        write("Noise", "some noise");
        write("Words", "new words");
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(
            text,
            format!(
                "{}\n\n## Words\n\nnew words\n\n## Noise\n\nsome noise\n",
                HEAD.trim_end()
            )
        );
    }
}

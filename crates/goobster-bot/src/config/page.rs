//! The commented file that `goobster config init` writes, and the tables of `docs/configuration.md`: both made of the table
//! of settings.

use std::fmt::Write as _;

use super::settings::Config;
use super::table::{Change, SECTIONS, SETTINGS, Setting};

/// Columns of the commented file.
const WIDTH: usize = 110;

/// A configuration file in which everything is explained and nothing is set: each setting stands there with its default,
/// behind a `#`.
pub fn commented() -> String {
    let mut page = String::from(
        "# Goobster's configuration. Every setting stands here with its default; remove the # before one to change it.\n\
         # Environment variables come before this file (sessions.timeout is GOOBSTER_SESSIONS_TIMEOUT), flags before both.\n\
         # `goobster config check FILE` examines it, `goobster config show` prints what is in force and where it came from,\n\
         # SIGHUP makes a running bot read it again. Lengths of time are written \"90s\", \"5m\" or \"1h 30m\".\n\
         # Secrets do not belong here: DISCORD_TOKEN is read from the environment, or from the file that discord.token_file names.\n",
    );
    let defaults = Config::default();
    for (section, about) in SECTIONS {
        page.push('\n');
        for line in wrapped(about) {
            let _ = writeln!(page, "# {line}");
        }
        if !section.is_empty() {
            let _ = writeln!(page, "[{section}]");
        }
        for setting in of(section) {
            let unset = if setting.unset.is_empty() {
                String::new()
            } else {
                format!(" Unset: {}.", setting.unset)
            };
            let told = format!(
                "{}.{unset} Takes {}.{}",
                setting.meaning,
                setting.kind.range(),
                after(setting.change)
            );
            for line in wrapped(&told) {
                let _ = writeln!(page, "# {line}");
            }
            let _ = writeln!(page, "#{} = {}", setting.split().1, example(setting, &defaults));
        }
    }
    page
}

/// The reference: a table a section, in Markdown.
pub fn reference() -> String {
    let mut page = String::new();
    let defaults = Config::default();
    for (section, about) in SECTIONS {
        if section.is_empty() {
            page.push_str("### At the top\n\n");
        } else {
            let _ = write!(page, "### [{section}]\n\n{about}\n\n");
        }
        page.push_str(
            "| setting | default | takes | meaning | a change |\n| --- | --- | --- | --- | --- |\n",
        );
        for setting in of(section) {
            let default = match setting.value(&defaults) {
                Some(value) => format!("`{}`", value.to_toml()),
                None => format!("unset: {}", setting.unset),
            };
            let when = match setting.change {
                Change::Now => "live",
                Change::Calls => "next call",
                Change::Restart => "restart",
            };
            let _ = writeln!(
                page,
                "| `{}` | {default} | {} | {} | {when} |",
                setting.split().1,
                setting.kind.range(),
                setting.meaning
            );
        }
        page.push('\n');
    }
    page
}

fn of(section: &str) -> impl Iterator<Item = &'static Setting> {
    SETTINGS
        .iter()
        .filter(move |setting| setting.split().0 == section)
}

fn after(change: Change) -> &'static str {
    match change {
        Change::Now => " Changes live.",
        Change::Calls => " Changes with the next call.",
        Change::Restart => "",
    }
}

/// What stands behind the `#`: the default, or something that could be set.
fn example(setting: &Setting, defaults: &Config) -> String {
    setting
        .value(defaults)
        .map_or_else(|| setting.kind.example(), |value| value.to_toml())
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

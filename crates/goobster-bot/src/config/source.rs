//! A configuration file, read key by key: what it sets and where, and everything that is wrong with it at once.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kind::Kind;
use super::problem::{Place, Problem, position};
use super::table::{self, SECTIONS, SETTINGS, Setting, Unit};
use super::value::Value;

/// A file that was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// What it sets.
    pub(super) set: Vec<(&'static Setting, Value, Place)>,
    /// What is wrong with it.
    pub(super) problems: Vec<Problem>,
    /// Words on what still works but is called otherwise now.
    pub(super) notes: Vec<String>,
}

/// Problems told at most: a file that is no configuration must not fill the screen.
const MOST: usize = 50;

/// What people look for in a configuration file and must not put there, with what to do.
const NEVER: &[(&str, &str)] = &[
    (
        "token",
        "remove it: the bot's token is read from the environment variable DISCORD_TOKEN, the status page's from the one that status.token_env names",
    ),
    (
        "api_key",
        "remove it: name an environment variable that holds the key in api_key_env",
    ),
    ("password", "remove it: no password belongs into this file"),
];

/// Reads a file's text; `name` is how it is called in messages.
pub(super) fn read(name: &str, text: &str) -> Read {
    let mut reader = Reader {
        name,
        text,
        read: Read::default(),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut broken: Vec<usize> = Vec::new();
    for error in &errors {
        let offset = error.span().map_or(0, |span| span.start);
        let (line, _) = position(text, offset);
        // One mistake often breaks the rest of its line as well.
        if !broken.contains(&line) {
            broken.push(line);
            reader.syntax(offset, error.message());
        }
    }
    reader.table("", table.get_ref());
    let Read {
        mut set,
        mut problems,
        notes,
    } = reader.read;
    let syntax = broken.len();
    broken.extend(orphans(text, &broken));
    let on_broken_line = |place: &Place| matches!(place, Place::File { line, .. } if broken.contains(line));
    // What was recovered of a broken line is a guess.
    let mut kept = 0;
    problems.retain(|problem| {
        kept += 1;
        kept <= syntax || !on_broken_line(&problem.place)
    });
    set.retain(|(_, _, place)| !on_broken_line(place));
    problems.sort_by_key(|problem| match problem.place {
        Place::File { line, column, .. } => (line, column),
        _ => (0, 0),
    });
    problems.truncate(MOST);
    Read { set, problems, notes }
}

/// The lines below the header of a section that is broken itself: which section they would be in is a guess.
fn orphans(text: &str, broken: &[usize]) -> Vec<usize> {
    let mut lost = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with('[') {
            lost = broken.contains(&number);
        } else if lost {
            found.push(number);
        }
    }
    found
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    read: Read,
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        let (line, column) = position(self.text, offset);
        Place::File {
            file: self.name.to_owned(),
            line,
            column,
        }
    }

    fn problem(&mut self, offset: usize, key: &str, reason: impl Into<String>, remedy: impl Into<String>) {
        let place = self.place(offset);
        self.read.problems.push(Problem {
            place,
            key: key.to_owned(),
            reason: reason.into(),
            remedy: remedy.into(),
        });
    }

    /// A line that is no TOML.
    fn syntax(&mut self, offset: usize, message: &str) {
        let (line, _) = position(self.text, offset);
        let written = self.text.lines().nth(line - 1).unwrap_or_default().trim();
        let (key, value) = match written.split_once('=') {
            Some((key, value)) => (key.trim(), value.trim()),
            None => (written, ""),
        };
        let key: String = key.trim_matches(['[', ']']).chars().take(40).collect();
        let key = if key.is_empty() {
            "(no key)".to_owned()
        } else {
            key
        };
        let bare = value.starts_with(|c: char| c.is_alphanumeric() || c == '/' || c == '.')
            && !value.contains(['"', '\'']);
        let remedy = if written.starts_with('[') {
            "write a section as [name], on a line of its own and once".to_owned()
        } else if message.contains("duplicate") {
            "keep one of the two".to_owned()
        } else if bare && !value.is_empty() {
            "write text and lengths of time in quotes, such as \"5m\"".to_owned()
        } else if value.matches('"').count() % 2 == 1 {
            "close the quotes".to_owned()
        } else {
            "write key = value, text in quotes, one a line".to_owned()
        };
        self.problem(offset, &key, message.trim(), remedy);
    }

    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = if section.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{section}.{}", name.get_ref())
            };
            self.entry(&key, name.span().start, value);
        }
    }

    fn entry(&mut self, key: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        if let Some(setting) = table::find(key) {
            return self.setting(setting, value);
        }
        let former = SETTINGS.iter().find_map(|setting| {
            setting
                .formerly
                .filter(|(old, _)| *old == key)
                .map(|(_, unit)| (setting, unit))
        });
        if let Some((setting, unit)) = former {
            return self.former(setting, unit, key, at, value);
        }
        let inside = format!("{key}.");
        let section = SECTIONS
            .iter()
            .any(|(name, _)| *name == key || name.starts_with(&inside))
            || SETTINGS
                .iter()
                .any(|setting| setting.formerly.is_some_and(|(old, _)| old.starts_with(&inside)));
        match value.get_ref() {
            DeValue::Table(table) if section => self.table(key, table),
            _ if section => self.problem(
                at,
                key,
                "this is a section",
                format!("write [{key}] on a line of its own, and its settings below"),
            ),
            _ => self.unknown(key, at, matches!(value.get_ref(), DeValue::Table(_))),
        }
    }

    fn setting(&mut self, setting: &'static Setting, value: &Spanned<DeValue<'_>>) {
        let at = value.span().start;
        match setting.kind.read(value.get_ref()) {
            Ok(value) => {
                let place = self.place(at);
                self.take(setting, value, place);
            }
            Err((reason, remedy)) => self.problem(at, setting.key, reason, remedy),
        }
    }

    fn take(&mut self, setting: &'static Setting, value: Value, place: Place) {
        if self.read.set.iter().any(|(known, _, _)| known.key == setting.key) {
            self.read.problems.push(Problem {
                place,
                key: setting.key.to_owned(),
                reason: "it is set twice, once by its former name".to_owned(),
                remedy: format!("keep {}", setting.key),
            });
            return;
        }
        self.read.set.push((setting, value, place));
    }

    /// A setting by the name it had before, as a number.
    fn former(
        &mut self,
        setting: &'static Setting,
        unit: Unit,
        key: &str,
        at: usize,
        value: &Spanned<DeValue<'_>>,
    ) {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| number.as_str().parse::<u64>().ok());
        let Some(number) = number else {
            let remedy = format!("write {}: {}", setting.key, setting.kind.range());
            return self.problem(value.span().start, key, "this is no whole number", remedy);
        };
        let text = match unit {
            Unit::Seconds => format!("{number}s"),
            Unit::Millis => format!("{number}ms"),
        };
        let Kind::Span(..) = setting.kind else { return };
        match setting.kind.read_text(&text) {
            Ok(value) => {
                let place = self.place(at);
                let (section, name) = setting.split();
                self.read.notes.push(format!(
                    "{place}: {key} still works; it is now called {name} in [{section}]: {name} = {}",
                    value.to_toml()
                ));
                self.take(setting, value, place);
            }
            Err((reason, remedy)) => {
                let remedy = format!("{remedy} (as {})", setting.key);
                self.problem(value.span().start, key, reason, remedy);
            }
        }
    }

    fn unknown(&mut self, key: &str, at: usize, is_section: bool) {
        let last = key.rsplit('.').next().unwrap_or(key);
        if let Some((_, remedy)) = NEVER.iter().find(|(word, _)| last.eq_ignore_ascii_case(word)) {
            return self.problem(at, key, "a secret does not belong into this file", *remedy);
        }
        let reason = if is_section {
            "there is no such section"
        } else {
            "there is no such setting"
        };
        let remedy = match nearest(key, is_section) {
            Some(near) if is_section => format!("did you mean [{near}]?"),
            Some(near) => format!("did you mean {near}?"),
            None => "`goobster config init` writes every one there is".to_owned(),
        };
        self.problem(at, key, reason, remedy);
    }
}

/// The known key, or section, that looks most like this one.
pub(super) fn nearest(key: &str, section: bool) -> Option<&'static str> {
    /// Less alike is more likely something else altogether.
    const ALIKE: f64 = 0.6;
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let written = plain(key);
    let (_, last) = written.rsplit_once('.').unwrap_or(("", &written));
    let known: Vec<&'static str> = if section {
        SECTIONS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !name.is_empty())
            .collect()
    } else {
        SETTINGS.iter().map(|setting| setting.key).collect()
    };
    // The right name in the wrong section.
    let mut elsewhere = known.iter().filter(|key| key.rsplit('.').next() == Some(last));
    if let (Some(found), None) = (elsewhere.next(), elsewhere.next()) {
        return Some(found);
    }
    known
        .into_iter()
        .map(|key| (key, strsim::normalized_damerau_levenshtein(key, &written)))
        .filter(|(_, alike)| *alike >= ALIKE)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(key, _)| key)
}

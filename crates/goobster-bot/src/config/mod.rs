//! The configuration: defaults, then the file, then the environment, then the command line.
//!
//! - `table`: every setting, once: all else is made of it. `settings`: the typed configuration that the program uses;
//!   `operating`: the part of it that is for who runs it.
//! - `value`, `kind`: what a setting takes. `source`: a file, with everything that is wrong with it. `relations`: what
//!   settings must be to each other. `problem`: how that is told.
//! - [`page`]: the commented file and the reference. [`reload`]: what a change takes in a running bot.

mod kind;
mod operating;
pub mod page;
mod problem;
mod relations;
pub mod reload;
mod settings;
mod source;
pub mod table;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use goobster_core::language::Language;
use goobster_core::ports::LanguageChoice;

pub use kind::{Kind, Sort};
pub use operating::{Admission, Cluster, Log, LogFormat, Monitoring, Status, Store};
pub use problem::{Place, Problem};
pub use settings::{Brain, Captions, Config, Consent, Discord, Profile, Recogniser, Synthesiser, Talk};
pub use value::{Value, read_span, show_span};

use crate::cli::exit::Failure;
use relations::Clash;
use table::{SETTINGS, Setting};

/// What the command line sets over the file: a key, the flag's name, and what was typed.
#[derive(Debug, Clone, Default)]
pub struct Overrides(Vec<(&'static str, &'static str, String)>);

impl Overrides {
    /// With a flag more, when it was given.
    #[must_use]
    pub fn with(mut self, key: &'static str, flag: &'static str, value: Option<impl Into<String>>) -> Self {
        self.0.extend(value.map(|value| (key, flag, value.into())));
        self
    }
}

/// A configuration, and where each of its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file, when there was one.
    pub file: Option<PathBuf>,
    /// Words on settings by their former names.
    pub notes: Vec<String>,
    places: BTreeMap<&'static str, Place>,
}

impl Loaded {
    /// Where a setting was made.
    pub fn place(&self, key: &str) -> Place {
        self.places.get(key).cloned().unwrap_or(Place::Default)
    }
}

/// Reads an environment variable.
type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Puts a configuration together: defaults, file (its name and text), variables, flags.
///
/// # Errors
/// Everything that is wrong.
pub fn resolve(
    file: Option<(&str, &str)>,
    variables: Variables<'_>,
    flags: &Overrides,
) -> Result<Loaded, Vec<Problem>> {
    let source::Read {
        set,
        mut problems,
        notes,
    } = file
        .map(|(name, text)| source::read(name, text))
        .unwrap_or_default();
    let mut loaded = Loaded {
        config: Config::default(),
        file: None,
        notes,
        places: BTreeMap::new(),
    };
    for (setting, value, place) in set {
        loaded.set(setting, value, place, &mut problems);
    }
    for setting in SETTINGS {
        let name = setting.variable();
        let Some(text) = variables(&name).filter(|text| !text.is_empty()) else {
            continue;
        };
        loaded.set_text(setting, &text, Place::Variable(name), &mut problems);
    }
    for (key, flag, text) in &flags.0 {
        let Some(setting) = table::find(key) else { continue };
        // clap has taken the variable for the flag already: both say the same.
        let from_variable = matches!(loaded.places.get(key), Some(Place::Variable(_)))
            && setting
                .value(&loaded.config)
                .is_some_and(|value| setting.kind.read_text(text) == Ok(value));
        if !from_variable {
            loaded.set_text(setting, text, Place::Flag(flag), &mut problems);
        }
    }
    let followed = {
        let places = &loaded.places;
        relations::follow(&mut loaded.config, |key| places.contains_key(key))
    };
    if problems.is_empty() {
        let clashes = relations::clashes(&loaded.config, |key| loaded.places.contains_key(key));
        problems.extend(clashes.into_iter().map(|clash| loaded.blame(clash)));
    }
    for (key, of) in followed {
        loaded.places.insert(key, Place::Follows(of));
    }
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(problems)
    }
}

impl Loaded {
    fn set(&mut self, setting: &'static Setting, value: Value, place: Place, problems: &mut Vec<Problem>) {
        if (setting.set)(&mut self.config, value) {
            self.places.insert(setting.key, place);
        } else {
            problems.push(Problem {
                place,
                key: setting.key.to_owned(),
                reason: "it does not fit".to_owned(),
                remedy: format!("write {}", setting.kind.range()),
            });
        }
    }

    fn set_text(&mut self, setting: &'static Setting, text: &str, place: Place, problems: &mut Vec<Problem>) {
        match setting.kind.read_text(text) {
            Ok(value) => self.set(setting, value, place, problems),
            Err((reason, remedy)) => problems.push(Problem {
                place,
                key: setting.key.to_owned(),
                reason,
                remedy,
            }),
        }
    }

    /// A clash as a problem, at the first of its settings that somebody made.
    fn blame(&self, clash: Clash) -> Problem {
        let set = clash.keys.iter().find(|key| self.places.contains_key(*key));
        let key = set.or_else(|| clash.keys.first()).copied().unwrap_or_default();
        Problem {
            place: self.place(key),
            key: key.to_owned(),
            reason: clash.reason,
            remedy: clash.remedy,
        }
    }
}

impl Config {
    /// Reads `file` (or the user's own, when there is one), then the environment, then `flags`.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place and a remedy.
    pub fn load(file: Option<&Path>, flags: &Overrides) -> Result<Loaded, Failure> {
        let own = Self::default_file();
        let path = file.or_else(|| own.as_deref().filter(|path| path.is_file()));
        let text = path.map(|path| Ok::<_, Failure>((path.display().to_string(), read_file(path)?)));
        let text = text.transpose()?;
        let named = text.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
        let mut loaded =
            resolve(named, &|name| std::env::var(name).ok(), flags).map_err(Failure::Problems)?;
        loaded.file = path.map(Path::to_owned);
        Ok(loaded)
    }

    /// Where the user's own configuration is looked for.
    pub fn default_file() -> Option<PathBuf> {
        directories::ProjectDirs::from("", "", "goobster").map(|dirs| dirs.config_dir().join("goobster.toml"))
    }

    /// Reads a configuration from TOML alone; the message of an error names each line.
    ///
    /// # Errors
    /// Everything that is wrong, a line each.
    pub fn parse(text: &str) -> Result<Self, String> {
        resolve(Some(("configuration", text)), &|_| None, &Overrides::default())
            .map(|loaded| loaded.config)
            .map_err(|problems| Failure::Problems(problems).to_string())
    }

    /// The language to listen for; `unset` when nobody chose.
    ///
    /// # Errors
    /// A language that is none.
    pub fn language_choice(&self, unset: LanguageChoice) -> Result<LanguageChoice, Failure> {
        match self.language.as_deref() {
            None => Ok(unset),
            Some("auto") => Ok(LanguageChoice::Detect),
            Some(code) => code
                .parse::<Language>()
                .map(LanguageChoice::Fixed)
                .map_err(|e| Failure::Configuration(format!("language: {e}, or 'auto'"))),
        }
    }
}

/// The text of a configuration file.
///
/// # Errors
/// A file that cannot be read, or is none.
pub fn read_file(path: &Path) -> Result<String, Failure> {
    /// Larger than any configuration a person writes.
    const LARGEST: u64 = 1 << 20;
    let say = |what: String| Failure::Configuration(format!("{}: {what}", path.display()));
    // Looked at before it is opened (a pipe would wait), and read with a bound (a device says that it is empty).
    let kind = std::fs::metadata(path).map_err(|e| {
        say(format!(
            "{e}; `goobster config init {}` writes one",
            path.display()
        ))
    })?;
    if !kind.is_file() {
        return Err(say(
            "this is no file; name a file, such as goobster.toml".to_owned()
        ));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|e| say(e.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(say(format!(
            "over {LARGEST} bytes: this is no configuration file"
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before =
            String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        let (line, column) = problem::position(&before, before.len());
        Failure::Problems(vec![Problem {
            place: Place::File {
                file: path.display().to_string(),
                line,
                column,
            },
            key: "(text)".to_owned(),
            reason: "this is not UTF-8".to_owned(),
            remedy: "save the file as UTF-8".to_owned(),
        }])
    })
}

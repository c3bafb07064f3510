//! What a setting takes: its kind and range, how it is read from TOML and from an environment variable, and the remedy
//! when something else was written.

use std::time::Duration;

use goobster_core::language::Language;
use toml::de::DeValue;

use super::value::{Value, read_span, show_span};

/// What a setting takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A length of time within these bounds, milliseconds.
    Span(u64, u64),
    /// A whole number within these bounds.
    Count(u64, u64),
    /// true or false.
    Switch,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Discord's ids.
    Ids,
    /// Words of this sort.
    Words(Sort),
}

/// Sorts of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Any, but not none.
    Name,
    /// What can be called: 1 to 40 characters, a letter among them.
    WakeName,
    /// The name of an environment variable.
    Variable,
    /// An http:// or https:// address.
    Web,
    /// A redis:// or rediss:// address.
    Redis,
    /// A file's path.
    Path,
    /// An address to listen on: IP and port.
    Listen,
    /// A language's code, or "auto".
    Language,
    /// A filter of log lines.
    Filter,
}

/// Why a value is refused, and what to write instead.
pub(super) type Refused = (String, String);

impl Sort {
    /// What is expected, in words.
    const fn expected(self) -> &'static str {
        match self {
            Self::Name => "a name in quotes",
            Self::WakeName => "something that can be called: 1 to 40 characters, letters among them",
            Self::Variable => {
                "the name of an environment variable, such as \"MY_KEY\" (never the key itself)"
            }
            Self::Web => "an http:// or https:// address, such as \"http://localhost:11434/v1\"",
            Self::Redis => "a redis:// or rediss:// address, such as \"redis://localhost/\"",
            Self::Path => "a file's path in quotes",
            Self::Listen => "an IP address with a port, such as \"127.0.0.1:9464\"",
            Self::Language => "a language's code such as \"en\" or \"de\", or \"auto\"",
            Self::Filter => {
                "a level (error, warn, info, debug, trace) or directives such as \"info,songbird=debug\""
            }
        }
    }

    const fn example(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::WakeName => "Goobster",
            Self::Variable => "MY_KEY",
            Self::Web => "http://localhost:11434/v1",
            Self::Redis => "redis://localhost/",
            Self::Path => "/var/lib/goobster/goobster.redb",
            Self::Listen => "127.0.0.1:9464",
            Self::Language => "en",
            Self::Filter => "info",
        }
    }

    /// Whether the words are of this sort; if not, why.
    fn check(self, text: &str) -> Result<(), String> {
        let scheme = |wanted: [&str; 2]| {
            url::Url::parse(text)
                .ok()
                .filter(|url| wanted.contains(&url.scheme()) && url.has_host())
                .map(drop)
                .ok_or_else(|| "this is no such address".to_owned())
        };
        let fits = match self {
            Self::Name | Self::Path => !text.trim().is_empty() && !text.contains('\0'),
            Self::WakeName => {
                let name = text.trim();
                name.chars().any(char::is_alphabetic) && name.chars().count() <= 40
            }
            Self::Variable => {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && text.len() <= 64
                    && text.chars().all(word)
            }
            Self::Web => return scheme(["http", "https"]),
            Self::Redis => return scheme(["redis", "rediss"]),
            Self::Listen => {
                return text
                    .parse::<std::net::SocketAddr>()
                    .map(drop)
                    .map_err(|e| e.to_string());
            }
            Self::Language if text == "auto" => true,
            Self::Language => return text.parse::<Language>().map(drop).map_err(|e| e.to_string()),
            Self::Filter => {
                return tracing_subscriber::EnvFilter::try_new(text)
                    .map(drop)
                    .map_err(|e| e.to_string());
            }
        };
        if fits {
            Ok(())
        } else {
            Err("this is none".to_owned())
        }
    }
}

impl Kind {
    /// The range in words, for people.
    pub fn range(self) -> String {
        let span = |millis| show_span(Duration::from_millis(millis));
        match self {
            Self::Span(from, to) => format!("{} to {}", span(from), span(to)),
            Self::Count(from, to) => format!("{from} to {to}"),
            Self::Switch => "true or false".to_owned(),
            Self::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                words.join(" or ")
            }
            Self::Ids => "Discord ids in brackets, such as [81384788765712384]".to_owned(),
            Self::Words(sort) => sort.expected().to_owned(),
        }
    }

    /// Something that could be set, as TOML.
    pub(super) fn example(self) -> String {
        match self {
            Self::Span(from, _) => format!("\"{}\"", show_span(Duration::from_millis(from))),
            Self::Count(from, _) => from.to_string(),
            Self::Switch => "true".to_owned(),
            Self::OneOf(words) => format!("\"{}\"", words.first().copied().unwrap_or_default()),
            Self::Ids => "[81384788765712384]".to_owned(),
            Self::Words(sort) => format!("\"{}\"", sort.example()),
        }
    }

    fn remedy(self) -> String {
        match self {
            Self::Span(..) => format!(
                "write {}, for example \"90s\", \"5m\" or \"1h 30m\"",
                self.range()
            ),
            _ => format!("write {}", self.range()),
        }
    }

    /// Reads a value of a file.
    pub(super) fn read(self, value: &DeValue<'_>) -> Result<Value, Refused> {
        let read = match (self, value) {
            (Self::Span(..), DeValue::Integer(_) | DeValue::Float(_)) => {
                return Err(("a length of time needs its unit".to_owned(), self.remedy()));
            }
            (Self::Count(..), DeValue::Integer(number)) => number
                .as_str()
                .parse::<i128>()
                .or_else(|_| i128::from_str_radix(number.as_str(), number.radix()))
                .ok()
                .map(|number| u64::try_from(number).map_err(|_| number)),
            (Self::Switch, DeValue::Boolean(on)) => return Ok(Value::Switch(*on)),
            (Self::Span(..) | Self::OneOf(_) | Self::Words(_), DeValue::String(text)) => {
                return self.read_text(text);
            }
            (Self::Ids, DeValue::Array(list)) => {
                let ids = list
                    .iter()
                    .map(|id| id.get_ref().as_integer()?.as_str().parse::<u64>().ok());
                let ids: Option<Vec<u64>> = ids.collect();
                return ids
                    .filter(|ids| !ids.contains(&0))
                    .map(Value::Ids)
                    .ok_or_else(|| ("not all of these are ids".to_owned(), self.remedy()));
            }
            _ => None,
        };
        match read {
            Some(Ok(count)) => self.in_range(Value::Count(count)),
            Some(Err(number)) => Err((format!("{number} is out of range"), self.remedy())),
            None => Err((format!("this is {}", kind_of(value)), self.remedy())),
        }
    }

    /// Reads a value of an environment variable or a flag.
    pub(super) fn read_text(self, text: &str) -> Result<Value, Refused> {
        let said = || format!("{text:?}");
        match self {
            Self::Span(..) => match read_span(text) {
                Some(span) => self.in_range(Value::Span(span)),
                None => Err((format!("{} is no length of time", said()), self.remedy())),
            },
            Self::Count(..) => match text.trim().parse() {
                Ok(count) => self.in_range(Value::Count(count)),
                Err(_) => Err((format!("{} is no whole number", said()), self.remedy())),
            },
            Self::Switch => match text.trim() {
                "true" | "1" => Ok(Value::Switch(true)),
                "false" | "0" => Ok(Value::Switch(false)),
                _ => Err((format!("{} is neither", said()), self.remedy())),
            },
            Self::OneOf(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Self::OneOf(_) => Err((format!("{} is no choice", said()), self.remedy())),
            Self::Ids => {
                let ids: Result<Vec<u64>, _> = text.split(',').map(|id| id.trim().parse()).collect();
                let ids = ids.ok().filter(|ids| !ids.contains(&0));
                ids.map(Value::Ids).ok_or_else(|| {
                    (
                        format!("{} are no ids", said()),
                        "write ids with commas between them".to_owned(),
                    )
                })
            }
            Self::Words(sort) => match sort.check(text) {
                Ok(()) => Ok(Value::Text(text.to_owned())),
                // What was meant to be a name may be a secret: it is not repeated.
                Err(_) if sort == Sort::Variable => Err(("this is no such name".to_owned(), self.remedy())),
                Err(why) => {
                    let shown = Value::Text(text.to_owned()).without_secrets().to_toml();
                    Err((format!("{shown}: {why}"), self.remedy()))
                }
            },
        }
    }

    fn in_range(self, value: Value) -> Result<Value, Refused> {
        let (number, from, to) = match (self, &value) {
            (Self::Span(from, to), Value::Span(span)) => (span.as_millis(), from, to),
            (Self::Count(from, to), Value::Count(count)) => (u128::from(*count), from, to),
            _ => return Ok(value),
        };
        if (u128::from(from)..=u128::from(to)).contains(&number) {
            return Ok(value);
        }
        let way = if number < u128::from(from) {
            "small"
        } else {
            "large"
        };
        Err((format!("{} is too {way}", value.to_toml()), self.remedy()))
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

//! Values of settings: how they are read from words, written as TOML, and moved in and out of the typed configuration.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use goobster_core::limits::{Millis, PolicyKind};
use goobster_network::Network;
use jiff::SignedDuration;

use super::operating::LogFormat;
use super::settings::{Consent, Profile};

/// A value, whatever setting it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A length of time, whole milliseconds.
    Span(Duration),
    /// A number.
    Count(u64),
    /// Yes or no.
    Switch(bool),
    /// Words.
    Text(String),
    /// Discord's ids.
    Ids(Vec<u64>),
}

impl Value {
    /// The value as TOML.
    pub fn to_toml(&self) -> String {
        match self {
            Self::Span(span) => format!("\"{}\"", show_span(*span)),
            Self::Count(count) => count.to_string(),
            Self::Switch(on) => on.to_string(),
            Self::Text(text) => toml::Value::String(text.clone()).to_string(),
            Self::Ids(ids) => {
                let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
                format!("[{}]", ids.join(", "))
            }
        }
    }

    /// The same with the password of an address left out.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        match self {
            Self::Text(text) => Self::Text(without_password(text)),
            other => other.clone(),
        }
    }
}

/// An address whose password and query are hidden; any other text as it is.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    // Whatever stands before the last @ of the authority, even where the address is broken otherwise.
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority);
    // Some servers want their key in the query.
    let path = match path.split_once('?') {
        Some((path, _)) => format!("{path}?[hidden]"),
        None => path.to_owned(),
    };
    let Some(at) = authority.rfind('@') else {
        return format!("{scheme}://{authority}{path}");
    };
    let user = authority[..at].split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:[hidden]{}{path}", &authority[at..])
}

/// Reads "5m", "1h 30m", "250ms": whole milliseconds, never negative.
pub fn read_span(text: &str) -> Option<Duration> {
    let span: SignedDuration = text.trim().parse().ok()?;
    let span = Duration::try_from(span).ok()?;
    (span.subsec_nanos() % 1_000_000 == 0).then_some(span)
}

/// Writes a length of time so that [`read_span`] reads it: "1h 30m".
pub fn show_span(span: Duration) -> String {
    let mut left = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (unit, millis) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        let count = left / millis;
        left %= millis;
        if count > 0 {
            parts.push(format!("{count}{unit}"));
        }
    }
    if parts.is_empty() {
        return "0s".to_owned();
    }
    parts.join(" ")
}

/// A field of the configuration: what can be read from a [`Value`] and told as one. `None` means unset.
pub(super) trait Field: Sized {
    /// The field, when the value is of its kind and fits.
    fn take(value: Value) -> Option<Self>;
    /// The value, unless it is unset.
    fn give(&self) -> Option<Value>;
    /// The unset field, of one that may be.
    fn none() -> Option<Self> {
        None
    }
}

impl Field for Duration {
    fn take(value: Value) -> Option<Self> {
        let Value::Span(span) = value else { return None };
        Some(span)
    }

    fn give(&self) -> Option<Value> {
        Some(Value::Span(*self))
    }
}

impl Field for Millis {
    fn take(value: Value) -> Option<Self> {
        let Value::Span(span) = value else { return None };
        u64::try_from(span.as_millis()).ok().map(Self::new)
    }

    fn give(&self) -> Option<Value> {
        Some(Value::Span(self.as_duration()))
    }
}

macro_rules! counts {
    ($($kind:ty),*) => {$(
        impl Field for $kind {
            fn take(value: Value) -> Option<Self> {
                let Value::Count(count) = value else { return None };
                count.try_into().ok()
            }

            fn give(&self) -> Option<Value> {
                u64::try_from(*self).ok().map(Value::Count)
            }
        }
    )*};
}
counts!(u32, u64, usize);

impl Field for bool {
    fn take(value: Value) -> Option<Self> {
        let Value::Switch(on) = value else { return None };
        Some(on)
    }

    fn give(&self) -> Option<Value> {
        Some(Value::Switch(*self))
    }
}

impl Field for String {
    fn take(value: Value) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        Some(text)
    }

    fn give(&self) -> Option<Value> {
        Some(Value::Text(self.clone()))
    }
}

impl Field for PathBuf {
    fn take(value: Value) -> Option<Self> {
        String::take(value).map(Self::from)
    }

    fn give(&self) -> Option<Value> {
        Some(Value::Text(self.display().to_string()))
    }
}

impl Field for SocketAddr {
    fn take(value: Value) -> Option<Self> {
        String::take(value)?.parse().ok()
    }

    fn give(&self) -> Option<Value> {
        Some(Value::Text(self.to_string()))
    }
}

impl Field for Vec<u64> {
    fn take(value: Value) -> Option<Self> {
        let Value::Ids(ids) = value else { return None };
        Some(ids)
    }

    fn give(&self) -> Option<Value> {
        Some(Value::Ids(self.clone()))
    }
}

impl Field for Network {
    fn take(value: Value) -> Option<Self> {
        Self::named(&String::take(value)?)
    }

    fn give(&self) -> Option<Value> {
        Some(Value::Text(self.name().to_owned()))
    }
}

impl<T: Field> Field for Option<T> {
    fn take(value: Value) -> Option<Self> {
        T::take(value).map(Some)
    }

    fn give(&self) -> Option<Value> {
        self.as_ref().and_then(T::give)
    }

    fn none() -> Option<Self> {
        Some(None)
    }
}

macro_rules! choices {
    ($($kind:ty { $($word:literal = $variant:expr),+ $(,)? })*) => {$(
        impl Field for $kind {
            fn take(value: Value) -> Option<Self> {
                match String::take(value)?.as_str() {
                    $($word => Some($variant),)+
                    _ => None,
                }
            }

            fn give(&self) -> Option<Value> {
                $(if *self == $variant { return Some(Value::Text($word.to_owned())); })+
                None
            }
        }
    )*};
}
choices! {
    Profile { "small" = Profile::Small, "standard" = Profile::Standard }
    Consent { "notice" = Consent::Notice, "ask" = Consent::Ask }
    LogFormat { "pretty" = LogFormat::Pretty, "json" = LogFormat::Json }
    PolicyKind { "fixed" = PolicyKind::Fixed, "sliding" = PolicyKind::Sliding }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        for (text, millis) in [
            ("5m", 300_000),
            ("250ms", 250),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("1.5s", 1500),
            ("0s", 0),
        ] {
            assert_eq!(read_span(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "five minutes", "-5m", "5m ago", "100us", "1e9h", "m"] {
            assert_eq!(read_span(text), None, "{text}");
        }
    }

    #[test]
    fn passwords_of_addresses_are_hidden() {
        for (told, shown) in [
            ("redis://me:secret@host:1/0", "redis://me:[hidden]@host:1/0"),
            ("redis://:p@ss@host/", "redis://:[hidden]@host/"),
            ("https://host/a@b", "https://host/a@b"),
            ("plain words", "plain words"),
        ] {
            assert_eq!(without_password(told), shown);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(millis in 0_u64..40_000_000_000) {
            let span = Duration::from_millis(millis);
            prop_assert_eq!(read_span(&show_span(span)), Some(span));
        }
    }
}

//! Addresses of pages and people: nobody wants to hear a path with its parameters.

use std::fmt::Write;

use regex::Captures;
use url::Url;

use super::patterns;

/// Endings that make a bare name of words an address.
const ENDINGS: &str = "com|org|net|edu|gov|io|dev|app|gg|tv|me|co|uk|de|fr|es|it|nl|eu|ch|at|se|no|fi|dk|pl|jp|ca|au|info|rs|xyz|ai";

patterns! {
    LINK = r"(?i)<?\b(?:(?:https?|ftp)://|www\.)[^\s<>]+>?";
    EMAIL = r"(?i)<?\b[a-z0-9][a-z0-9._%+-]{0,63}@((?:[a-z0-9-]{1,63}\.)+[a-z]{2,24})\b>?";
    DOMAIN = format!(r"(?i)\b((?:[a-z0-9][a-z0-9-]{{0,62}}\.)+(?:{ENDINGS}))(/[^\s]*)?(\W|$)");
}

/// Every address as it is said: "example dot com link", "bob at example dot com".
pub(super) fn spoken(text: &str, english: bool) -> String {
    let text = LINK.replace_all(text, |found: &Captures<'_>| {
        let (link, tail) = trailing(found[0].trim_start_matches('<'));
        let with_scheme = if link.contains("://") {
            link.to_owned()
        } else {
            format!("https://{link}")
        };
        let host = Url::parse(&with_scheme)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned));
        match (host, english) {
            (Some(host), true) => format!("{} link{tail}", dotted(&host)),
            (Some(host), false) => format!("{}{tail}", dotted(&host)),
            (None, true) => format!("a link{tail}"),
            (None, false) => tail.to_owned(),
        }
    });
    let text = EMAIL.replace_all(&text, |found: &Captures<'_>| {
        let address = found[0].trim_matches(['<', '>']);
        let (name, host) = address.split_once('@').unwrap_or((address, ""));
        if english {
            format!("{} at {}", dotted(name), dotted(host))
        } else {
            format!("{name} {host}")
        }
    });
    if !english {
        return text.into_owned();
    }
    let text = DOMAIN.replace_all(&text, |found: &Captures<'_>| {
        let path = found.get(2).map_or("", |path| path.as_str());
        let (path, tail) = trailing(path);
        let mut said = dotted(&found[1]);
        if !path.is_empty() {
            said.push_str(" link");
        }
        // Writing to a string does not fail.
        let _ = write!(said, "{tail}{}", &found[3]);
        said
    });
    text.into_owned()
}

/// An address and the punctuation of the sentence around it.
fn trailing(link: &str) -> (&str, &str) {
    let bare = link.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '\'', '"', '>', '*', '_']);
    let tail = &link[bare.len()..];
    // What closes a bracket or a quotation is not needed after an address.
    (
        bare,
        tail.trim_start_matches([')', ']', '\'', '"', '>', '*', '_', '/']),
    )
}

/// A host as it is said. Names in other scripts arrive encoded; those cannot be said.
fn dotted(host: &str) -> String {
    let host = host.strip_prefix("www.").unwrap_or(host);
    let parts: Vec<_> = host.split('.').filter(|part| !part.is_empty()).collect();
    let parts = parts
        .iter()
        .map(|part| if part.starts_with("xn--") { "a name" } else { part });
    parts
        .collect::<Vec<_>>()
        .join(" dot ")
        .replace(['_', '+', '%'], " ")
}

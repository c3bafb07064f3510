//! The library: a scenario for each thing that must work, inside the program.

use super::{Scenario, ScenarioError};

macro_rules! library {
    ($($name:literal)+) => {
        /// Names and texts, in order of the names.
        const LIBRARY: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),+];
    };
}

library! {
    "captions-in-a-thread"
    "commands-for-all"
    "commands-for-moderators"
    "consent-asked"
    "consent-late-joiner"
    "consent-withdrawn"
    "conversation"
    "dave-bot-commits"
    "dave-come-and-go"
    "dave-down-and-up"
    "dave-garbled"
    "dave-new-group"
    "ended-alone"
    "ended-channel-deleted"
    "ended-guild-removed"
    "ended-kicked"
    "ended-owner-gone"
    "ended-voice-4014"
    "ended-voice-4017"
    "ended-voice-4021"
    "ended-voice-4022"
    "kept-black-hole"
    "kept-dragged"
    "kept-gateway-cut"
    "kept-gateway-invalid"
    "kept-gateway-reconnect"
    "kept-gateway-resumable"
    "kept-owner-returns"
    "kept-voice-4006"
    "kept-voice-4015"
    "kept-voice-cut"
    "kept-voice-server-moved"
    "killed"
    "limit-reached"
    "rest-refuses-deletion"
    "rest-unwell"
    "speak"
    "terminated"
    "three-speakers-with-loss"
    "two-speakers"
    "voice-refused"
    "voice-stop"
}

impl Scenario {
    /// The names of the scenarios that are built in.
    pub fn names() -> impl Iterator<Item = &'static str> {
        LIBRARY.iter().map(|(name, _)| *name)
    }

    /// A scenario that is built in, as text; none if there is none of this name.
    pub fn text(name: &str) -> Option<&'static str> {
        LIBRARY.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
    }

    /// A scenario that is built in; none if there is none of this name.
    pub fn named(name: &str) -> Option<Result<Self, ScenarioError>> {
        Some(Self::parse(Self::text(name)?).map_err(|e| e.in_file(name)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_is_built_in_and_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|f| {
                f.unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        files.sort();
        assert_eq!(files, Scenario::names().collect::<Vec<_>>());
        for name in Scenario::names() {
            let scenario = Scenario::named(name).unwrap().unwrap_or_else(|e| panic!("{e}"));
            assert!(!scenario.expectations.is_empty(), "{name} expects nothing");
        }
        assert!(Scenario::named("no such").is_none());
    }
}

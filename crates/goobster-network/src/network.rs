//! The setting `network`: whether anybody but Discord may be contacted.

use serde::{Deserialize, Serialize};

/// Who may be contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Discord, the servers that settings name, and package registries for models that are missing.
    #[default]
    Open,
    /// Discord, and this machine itself. Nobody else, whatever other settings say.
    DiscordOnly,
}

impl Network {
    /// Every choice by its name, as it is written in the configuration.
    pub const NAMES: &'static [&'static str] = &["open", "discord-only"];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::DiscordOnly => "discord-only",
        }
    }

    /// The choice of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Open, Self::DiscordOnly]
            .into_iter()
            .find(|choice| choice.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_choice_and_nothing_else_is() {
        for name in Network::NAMES {
            assert_eq!(Network::named(name).map(Network::name), Some(*name));
        }
        assert_eq!(Network::named("Discord-only"), None);
        assert_eq!(Network::default(), Network::Open);
    }
}

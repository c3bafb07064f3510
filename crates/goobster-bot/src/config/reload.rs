//! What a changed configuration means to a running bot: what is in force at once, what with the next call, and what only
//! after a restart.

use super::settings::Config;
use super::table::{Change, SETTINGS};

/// A setting whose value differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub key: &'static str,
    /// What it was, as TOML; "unset" for none.
    pub from: String,
    /// What it is to be.
    pub to: String,
    /// When that takes effect.
    pub when: Change,
}

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let when = match self.when {
            Change::Now => "in force",
            Change::Calls => "in force with the next call",
            Change::Restart => "needs a restart; until then the old value holds",
        };
        write!(f, "{}: {} -> {}: {when}", self.key, self.from, self.to)
    }
}

/// The settings that differ, in the table's order.
pub fn diff(old: &Config, new: &Config) -> Vec<Changed> {
    let shown = |config: &Config, setting: &super::table::Setting| {
        setting
            .value(config)
            .map_or_else(|| "unset".to_owned(), |value| value.without_secrets().to_toml())
    };
    SETTINGS
        .iter()
        .filter(|setting| setting.value(old) != setting.value(new))
        .map(|setting| Changed {
            key: setting.key,
            from: shown(old, setting),
            to: shown(new, setting),
            when: setting.change,
        })
        .collect()
}

/// The configuration that a running bot goes on with: what can change has changed, the rest is as it was.
pub fn merged(old: &Config, new: &Config) -> Config {
    let mut merged = old.clone();
    for setting in SETTINGS
        .iter()
        .filter(|setting| setting.change != Change::Restart)
    {
        match setting.value(new) {
            Some(value) => {
                (setting.set)(&mut merged, value);
            }
            None => (setting.unset_it)(&mut merged),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_change_changes_and_the_rest_is_told() {
        let old = Config::parse("[discord]\ndrain = \"20s\"\n[log]\nfilter = \"info\"\n").unwrap();
        let text = "voice = \"amy\"\n[limits]\ntotal = 5\n[store]\nredis = \"redis://a:secret@h/\"\n";
        let new = Config::parse(text).unwrap();
        let told: Vec<String> = diff(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "voice: unset -> \"amy\": in force with the next call",
                "discord.drain: \"20s\" -> \"15s\": in force",
                "limits.total: 32 -> 5: needs a restart; until then the old value holds",
                "store.redis: unset -> \"redis://a:[hidden]@h/\": needs a restart; until then the old value holds",
                "log.filter: \"info\" -> unset: in force",
            ]
        );
        let merged = merged(&old, &new);
        assert_eq!(merged.voice.as_deref(), Some("amy"));
        assert_eq!(merged.log.filter, None);
        assert_eq!(merged.limits.total, 32);
        assert_eq!(merged.store.redis, None);
        // What is left to tell is what needs the restart.
        assert!(
            diff(&merged, &new)
                .iter()
                .all(|changed| changed.when == Change::Restart)
        );
        assert!(diff(&new, &new).is_empty());
    }
}

//! The cast: the guild, its channels and the people of a scenario, made in the loopback Discord's world and found by name.

use std::collections::BTreeMap;

use loopback_discord::Loopback;
use loopback_discord::world::channel::ChannelKind;
use loopback_discord::world::permissions::Permissions;
use loopback_discord::world::{ApiError, ChannelId, GuildId, UserId};

use crate::scenario::{OWNER, Scenario};

/// Who and what is there.
#[derive(Debug, Clone)]
pub(super) struct Cast {
    pub(super) guild: GuildId,
    pub(super) bot: UserId,
    people: BTreeMap<String, UserId>,
    text: Vec<(String, ChannelId)>,
    voice: Vec<(String, ChannelId)>,
}

impl Cast {
    /// Makes everything that a scenario names.
    pub(super) fn enter(loopback: &Loopback, scenario: &Scenario) -> Result<Self, ApiError> {
        loopback.world(|w| {
            let owner = w.owner();
            let guild = w.add_guild(&scenario.guild, owner)?;
            let mut people = BTreeMap::from([(OWNER.to_owned(), owner)]);
            let mut managers = Vec::new();
            for member in &scenario.members {
                let user = w.add_user(&member.name, member.is_bot);
                w.add_member(guild, user)?;
                if member.manages {
                    managers.push(user);
                }
                people.insert(member.name.clone(), user);
            }
            if !managers.is_empty() {
                w.add_role(guild, "managers", Permissions::MANAGE_GUILD, &managers)?;
            }
            let mut make = |names: &[String], kind| {
                let one = |name: &String| Ok((name.clone(), w.add_channel(guild, name, kind)?));
                names.iter().map(one).collect::<Result<Vec<_>, ApiError>>()
            };
            let text = make(&scenario.text_channels, ChannelKind::Text)?;
            let voice = make(&scenario.voice_channels, ChannelKind::Voice)?;
            Ok(Self {
                guild,
                bot: w.bot(),
                people,
                text,
                voice,
            })
        })
    }

    /// Who bears this name.
    pub(super) fn person(&self, name: &str) -> Result<UserId, ApiError> {
        self.people.get(name).copied().ok_or(ApiError::UnknownUser)
    }

    /// The text channel of this name.
    pub(super) fn text(&self, name: &str) -> Result<ChannelId, ApiError> {
        let found = self.text.iter().find(|(n, _)| n == name);
        found.map(|(_, id)| *id).ok_or(ApiError::UnknownChannel)
    }

    /// The voice channel of this name.
    pub(super) fn voice(&self, name: &str) -> Result<ChannelId, ApiError> {
        let found = self.voice.iter().find(|(n, _)| n == name);
        found.map(|(_, id)| *id).ok_or(ApiError::UnknownChannel)
    }

    /// The channel of this name, of either kind.
    pub(super) fn channel(&self, name: &str) -> Result<ChannelId, ApiError> {
        self.voice(name).or_else(|_| self.text(name))
    }

    /// Everybody, with their names.
    pub(super) fn people(&self) -> impl Iterator<Item = (&str, UserId)> {
        self.people.iter().map(|(name, id)| (name.as_str(), *id))
    }
}

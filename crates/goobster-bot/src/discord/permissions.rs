//! What the bot may do: what it needs is named when it starts and when it is asked to join, never found out by failing.

use std::sync::Arc;

use goobster_core::session::BotPermissions;
use serenity::all::{GatewayIntents, Guild, Permissions};

use super::bot::Bot;

/// What the gateway must tell us: guilds and who is in which voice channel. None of these needs to be ticked.
pub(crate) const INTENTS: GatewayIntents = GatewayIntents::GUILDS.union(GatewayIntents::GUILD_VOICE_STATES);

/// What the invite link asks for, with the words of Discord's own pages.
pub(crate) const WANTED: [(Permissions, &str); 8] = [
    (Permissions::VIEW_CHANNEL, "View Channels"),
    (Permissions::SEND_MESSAGES, "Send Messages"),
    (Permissions::CREATE_PUBLIC_THREADS, "Create Public Threads"),
    (Permissions::SEND_MESSAGES_IN_THREADS, "Send Messages in Threads"),
    (Permissions::ATTACH_FILES, "Attach Files"),
    (Permissions::READ_MESSAGE_HISTORY, "Read Message History"),
    (Permissions::CONNECT, "Connect"),
    (Permissions::SPEAK, "Speak"),
];

/// The permissions that are missing, by name.
pub(crate) fn missing(has: Permissions) -> Vec<&'static str> {
    if has.contains(Permissions::ADMINISTRATOR) {
        return Vec::new();
    }
    WANTED
        .iter()
        .filter(|(permission, _)| !has.contains(*permission))
        .map(|(_, name)| *name)
        .collect()
}

/// What of it a session needs in a channel.
pub(crate) fn in_voice(has: Permissions) -> BotPermissions {
    let all = has.contains(Permissions::ADMINISTRATOR);
    BotPermissions {
        connect: all || has.contains(Permissions::VIEW_CHANNEL | Permissions::CONNECT),
        speak: all || has.contains(Permissions::SPEAK),
        send_messages: true,
    }
}

/// Logs which permissions the bot lacks in a guild.
pub(crate) fn report(bot: &Arc<Bot>, guild: &Guild) {
    let me = serenity::all::UserId::new(bot.id().get());
    let Some(member) = guild.members.get(&me) else {
        return;
    };
    let everyone = guild
        .roles
        .get(&serenity::all::RoleId::new(guild.id.get()))
        .map_or(Permissions::empty(), |role| role.permissions);
    let has = member
        .roles
        .iter()
        .filter_map(|role| guild.roles.get(role))
        .fold(everyone, |has, role| has | role.permissions);
    let missing = missing(has);
    if missing.is_empty() {
        tracing::info!(guild = %guild.name, "may do everything it needs");
    } else {
        tracing::error!(
            guild = %guild.name,
            "missing permissions: {}. A server admin gives them under Server Settings, Roles, or by inviting the bot again",
            missing.join(", ")
        );
    }
}

/// The address that invites the bot with everything it needs.
pub(crate) fn invite(application: u64) -> String {
    let wanted = WANTED
        .iter()
        .fold(Permissions::empty(), |all, (permission, _)| all | *permission);
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}&scope=bot+applications.commands&permissions={}",
        wanted.bits()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        assert!(missing(Permissions::ADMINISTRATOR).is_empty());
        let has = Permissions::VIEW_CHANNEL | Permissions::SEND_MESSAGES | Permissions::CONNECT;
        let missing = missing(has);
        assert!(
            missing.contains(&"Speak") && missing.contains(&"Attach Files") && !missing.contains(&"Connect")
        );
        assert!(!in_voice(has).speak && in_voice(has).connect);
        assert!(
            !in_voice(Permissions::CONNECT).connect,
            "a hidden channel cannot be joined"
        );
    }

    #[test]
    fn no_privileged_intent_is_needed() {
        assert!(!INTENTS.is_privileged());
    }
}

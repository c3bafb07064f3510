//! What Discord answers when it refuses: the HTTP status, its own numeric code and the words.
//!
//! Source: <https://discord.com/developers/docs/topics/opcodes-and-status-codes#json-json-error-codes>.

use serde_json::{Value, json};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// No such channel, or none that the bot knows.
    #[error("Unknown Channel")]
    UnknownChannel,
    /// No such guild.
    #[error("Unknown Guild")]
    UnknownGuild,
    /// The user is no member of the guild.
    #[error("Unknown Member")]
    UnknownMember,
    /// No such message.
    #[error("Unknown Message")]
    UnknownMessage,
    /// No such user.
    #[error("Unknown User")]
    UnknownUser,
    /// No such role.
    #[error("Unknown Role")]
    UnknownRole,
    /// The token of a webhook or of an interaction names nothing, or nothing any more.
    #[error("Unknown Webhook")]
    UnknownWebhook,
    /// The token of an interaction is older than 15 minutes.
    #[error("Invalid Webhook Token")]
    InvalidWebhookToken,
    /// The interaction was not answered within three seconds, or never was.
    #[error("Unknown interaction")]
    UnknownInteraction,
    /// No such command.
    #[error("Unknown application command")]
    UnknownCommand,
    /// The user is not in a voice channel.
    #[error("Unknown Voice State")]
    UnknownVoiceState,
    /// A second answer to one interaction.
    #[error("Interaction has already been acknowledged.")]
    AlreadyAcknowledged,
    /// The bot cannot see the channel.
    #[error("Missing Access")]
    MissingAccess,
    /// The bot sees it but may not do this.
    #[error("Missing Permissions")]
    MissingPermissions,
    /// Somebody else's message.
    #[error("Cannot edit a message authored by another user")]
    NotYourMessage,
    /// Neither words nor embeds nor files.
    #[error("Cannot send an empty message")]
    EmptyMessage,
    /// The channel is of a kind in which this cannot be done.
    #[error("Cannot execute action on this channel type")]
    WrongChannelKind,
    /// The thread is archived and locked.
    #[error("Thread is archived")]
    ThreadArchived,
    /// A message has one thread at most.
    #[error("A thread has already been created for this message")]
    ThreadExists,
    /// A field breaks a rule.
    #[error("Invalid Form Body: {field}: {reason}")]
    InvalidForm {
        /// The field, as a path with dots.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The body is no JSON object.
    #[error("The request body contains invalid JSON.")]
    InvalidJson,
    /// The token is not the bot's.
    #[error("401: Unauthorized")]
    Unauthorized,
    /// There is no such route, or not yet here.
    #[error("404: Not Found")]
    NotFound,
    /// A fault that a test ordered: a server that is down.
    #[error("{0}: ordered by the test")]
    Ordered(u16),
}

impl ApiError {
    /// A field that breaks a rule.
    pub fn form(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidForm {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// Discord's own code; 0 where it has none.
    pub fn code(&self) -> u32 {
        match self {
            Self::UnknownChannel => 10_003,
            Self::UnknownGuild => 10_004,
            Self::UnknownMember => 10_007,
            Self::UnknownMessage => 10_008,
            Self::UnknownRole => 10_011,
            Self::UnknownUser => 10_013,
            Self::UnknownWebhook => 10_015,
            Self::UnknownInteraction => 10_062,
            Self::UnknownCommand => 10_063,
            Self::UnknownVoiceState => 10_065,
            Self::AlreadyAcknowledged => 40_060,
            Self::MissingAccess => 50_001,
            Self::NotYourMessage => 50_005,
            Self::EmptyMessage => 50_006,
            Self::MissingPermissions => 50_013,
            Self::InvalidWebhookToken => 50_027,
            Self::WrongChannelKind => 50_024,
            Self::InvalidForm { .. } => 50_035,
            Self::ThreadArchived => 50_083,
            Self::InvalidJson => 50_109,
            Self::ThreadExists => 160_004,
            Self::Unauthorized | Self::NotFound | Self::Ordered(_) => 0,
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unauthorized | Self::InvalidWebhookToken => 401,
            Self::MissingAccess | Self::MissingPermissions | Self::NotYourMessage => 403,
            Self::UnknownChannel
            | Self::UnknownGuild
            | Self::UnknownMember
            | Self::UnknownMessage
            | Self::UnknownRole
            | Self::UnknownUser
            | Self::UnknownWebhook
            | Self::UnknownInteraction
            | Self::UnknownCommand
            | Self::UnknownVoiceState
            | Self::NotFound => 404,
            Self::AlreadyAcknowledged
            | Self::EmptyMessage
            | Self::WrongChannelKind
            | Self::ThreadArchived
            | Self::ThreadExists
            | Self::InvalidForm { .. }
            | Self::InvalidJson => 400,
            Self::Ordered(status) => *status,
        }
    }

    /// The body of the answer.
    pub fn body(&self) -> Value {
        let mut body = json!({ "code": self.code(), "message": self.to_string() });
        if let Self::InvalidForm { field, reason } = self {
            body["message"] = json!("Invalid Form Body");
            let mut errors = json!({ "_errors": [{ "code": "BASE_TYPE_BAD_LENGTH", "message": reason }] });
            for part in field.rsplit('.') {
                errors = json!({ part: errors });
            }
            body["errors"] = errors;
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_field_is_named_where_clients_look_for_it() {
        let body = ApiError::form("embeds.0.title", "too long").body();
        assert_eq!(body["code"], 50_035);
        assert_eq!(
            body["errors"]["embeds"]["0"]["title"]["_errors"][0]["message"],
            "too long"
        );
        assert_eq!(ApiError::MissingPermissions.status(), 403);
        assert_eq!(ApiError::MissingPermissions.body()["code"], 50_013);
    }
}

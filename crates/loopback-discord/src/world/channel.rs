//! Channels of a guild: text, voice, categories, and threads, which hang from a text channel.

use serde_json::{Value, json};

use super::id::{ChannelId, GuildId, MessageId, RoleId, UserId};
use super::permissions::Permissions;

/// What a channel is for, with Discord's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelKind {
    /// Messages.
    Text = 0,
    /// Voice, with messages beside it.
    Voice = 2,
    /// Other channels, by their `parent`.
    Category = 4,
    /// A thread that all who see its channel see.
    PublicThread = 11,
    /// A thread for the invited.
    PrivateThread = 12,
    /// A stage: voice with an audience.
    Stage = 13,
}

impl ChannelKind {
    /// Whether it is a thread.
    pub fn is_thread(self) -> bool {
        matches!(self, Self::PublicThread | Self::PrivateThread)
    }

    /// Whether one can join it with a voice.
    pub fn is_voice(self) -> bool {
        matches!(self, Self::Voice | Self::Stage)
    }

    /// Whether messages can be written in it.
    pub fn has_messages(self) -> bool {
        self != Self::Category
    }
}

/// Whom an overwrite is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverwriteTarget {
    /// Everyone with a role.
    Role(RoleId),
    /// One member.
    Member(UserId),
}

/// What a channel grants or takes from a role or a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overwrite {
    /// Whom it is about.
    pub target: OverwriteTarget,
    /// Granted here.
    pub allow: Permissions,
    /// Taken here.
    pub deny: Permissions,
}

impl Overwrite {
    fn to_json(self) -> Value {
        let (id, kind) = match self.target {
            OverwriteTarget::Role(role) => (role.get(), 0),
            OverwriteTarget::Member(user) => (user.get(), 1),
        };
        json!({ "id": id.to_string(), "type": kind, "allow": self.allow, "deny": self.deny })
    }
}

/// What only threads have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Who opened it.
    pub owner: UserId,
    /// Put away; writing in it takes it out again unless it is locked.
    pub archived: bool,
    /// Closed to all but those who manage threads.
    pub locked: bool,
    /// Minutes of quiet after which it is put away.
    pub auto_archive_minutes: u16,
    /// Unix time in milliseconds at which `archived` last changed.
    pub archive_changed_ms: u64,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id; a thread opened on a message bears the message's.
    pub id: ChannelId,
    /// The guild it belongs to.
    pub guild: GuildId,
    /// What it is for.
    pub kind: ChannelKind,
    /// Its name.
    pub name: String,
    /// The category of a channel, the channel of a thread.
    pub parent: Option<ChannelId>,
    /// Where it stands in the list.
    pub position: u16,
    /// Who may do what here beyond their roles.
    pub overwrites: Vec<Overwrite>,
    /// How many may join a voice channel; 0 for any number.
    pub user_limit: u16,
    /// The newest message.
    pub last_message: Option<MessageId>,
    /// Set for threads.
    pub thread: Option<Thread>,
}

impl Channel {
    /// As Discord sends it.
    pub fn to_json(&self) -> Value {
        let mut channel = json!({
            "id": self.id, "guild_id": self.guild, "type": self.kind as u8, "name": self.name,
            "parent_id": self.parent, "last_message_id": self.last_message, "flags": 0,
        });
        if let Some(thread) = &self.thread {
            channel["owner_id"] = json!(thread.owner.to_string());
            channel["rate_limit_per_user"] = json!(0);
            channel["message_count"] = json!(0);
            channel["member_count"] = json!(1);
            channel["total_message_sent"] = json!(0);
            channel["thread_metadata"] = json!({
                "archived": thread.archived, "locked": thread.locked,
                "auto_archive_duration": thread.auto_archive_minutes,
                "archive_timestamp": super::timestamp(thread.archive_changed_ms),
            });
        } else {
            channel["position"] = json!(self.position);
            channel["nsfw"] = json!(false);
            channel["topic"] = Value::Null;
            channel["permission_overwrites"] = self
                .overwrites
                .iter()
                .map(|o| o.to_json())
                .collect::<Vec<_>>()
                .into();
            if self.kind.is_voice() {
                channel["bitrate"] = json!(64_000);
                channel["user_limit"] = json!(self.user_limit);
                channel["rtc_region"] = Value::Null;
            } else {
                channel["rate_limit_per_user"] = json!(0);
            }
        }
        channel
    }
}

//! Threads: how they are opened, and how a message wakes one that was put away.

use serde_json::json;

use super::World;
use super::channel::{Channel, ChannelKind, Thread};
use super::error::ApiError;
use super::event::intent;
use super::id::{ChannelId, MessageId, UserId};
use super::permissions::Permissions;

impl World {
    /// A thread that was put away is taken out again by a message, unless it is locked.
    pub(super) fn wake_thread(&mut self, channel: ChannelId, author: UserId) -> Result<(), ApiError> {
        let now = self.now_ms;
        let Some(thread) = &self.channel(channel)?.thread else {
            return Ok(());
        };
        if !thread.archived {
            return Ok(());
        }
        if thread.locked
            && self
                .require(channel, author, Permissions::MANAGE_THREADS)
                .is_err()
        {
            return Err(ApiError::ThreadArchived);
        }
        self.edit_channel(channel, |c| {
            if let Some(thread) = &mut c.thread {
                thread.archived = false;
                thread.archive_changed_ms = now;
            }
        })
    }

    /// Opens a thread in a channel, or on a message of it.
    pub fn open_thread(
        &mut self,
        channel: ChannelId,
        on: Option<MessageId>,
        owner: UserId,
        (name, private, auto_archive_minutes): (&str, bool, u16),
    ) -> Result<ChannelId, ApiError> {
        let found = self.channel(channel)?;
        let guild = found.guild;
        if found.kind != ChannelKind::Text {
            return Err(ApiError::WrongChannelKind);
        }
        if name.trim().is_empty() || name.chars().count() > 100 {
            return Err(ApiError::form("name", "Must be between 1 and 100 in length."));
        }
        if ![60, 1_440, 4_320, 10_080].contains(&auto_archive_minutes) {
            return Err(ApiError::form(
                "auto_archive_duration",
                "Must be one of 60, 1440, 4320, 10080.",
            ));
        }
        let needed = if private {
            Permissions::CREATE_PRIVATE_THREADS
        } else {
            Permissions::CREATE_PUBLIC_THREADS
        };
        self.require(channel, owner, needed)?;
        if let Some(message) = on
            && self.message(channel, message)?.thread.is_some()
        {
            return Err(ApiError::ThreadExists);
        }
        let id = match on {
            Some(message) => ChannelId(message.0),
            None => self.snowflake().into(),
        };
        let thread = Thread {
            owner,
            archived: false,
            locked: false,
            auto_archive_minutes,
            archive_changed_ms: self.now_ms,
        };
        let thread = Channel {
            id,
            guild,
            kind: if private {
                ChannelKind::PrivateThread
            } else {
                ChannelKind::PublicThread
            },
            name: name.to_owned(),
            parent: Some(channel),
            position: 0,
            overwrites: Vec::new(),
            user_limit: 0,
            last_message: None,
            thread: Some(thread),
        };
        let mut data = thread.to_json();
        data["newly_created"] = json!(true);
        self.guild_mut(guild)?.channels.insert(id, thread);
        if let Some(message) = on.and_then(|m| self.messages.get_mut(&channel)?.get_mut(&m)) {
            message.thread = Some(id);
        }
        self.dispatch("THREAD_CREATE", Some(guild), intent::GUILDS, data);
        Ok(id)
    }
}

//! Messages: who may write, edit and delete them.

use serde_json::{Value, json};

use super::draft::Draft;
use super::draft::Upload;
use super::error::ApiError;
use super::event::intent;
use super::id::{AttachmentId, ChannelId, GuildId, InteractionId, MessageId, UserId};
use super::permissions::Permissions;
use super::{World, timestamp};

/// Messages kept in a channel; the oldest go first. No test reads further back.
const MAX_KEPT: usize = 10_000;
/// The flag of a message that only one user sees.
pub const EPHEMERAL: u64 = 1 << 6;
/// The flag of an answer that is still awaited.
pub(super) const LOADING: u64 = 1 << 7;
/// Flags that a bot may set.
const SETTABLE: u64 = (1 << 2) | EPHEMERAL | (1 << 12);

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its id.
    pub id: AttachmentId,
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Where it stands.
    pub channel: ChannelId,
    /// The guild of the channel.
    pub guild: GuildId,
    /// Who wrote it.
    pub author: UserId,
    /// Its words.
    pub content: String,
    /// Its embeds as the bot sent them.
    pub embeds: Vec<Value>,
    /// Its rows of buttons and menus as the bot sent them.
    pub components: Vec<Value>,
    /// Its files.
    pub attachments: Vec<Attachment>,
    /// Flags, [`EPHEMERAL`] among them.
    pub flags: u64,
    /// Unix time in milliseconds of the last edit.
    pub edited_ms: Option<u64>,
    /// How often it was edited.
    pub edits: u32,
    /// The message it replies to.
    pub reply_to: Option<MessageId>,
    /// The interaction it answers.
    pub interaction: Option<InteractionId>,
    /// The thread that hangs from it.
    pub thread: Option<ChannelId>,
}

impl Message {
    /// Whether only one user sees it.
    pub fn ephemeral(&self) -> bool {
        self.flags & EPHEMERAL != 0
    }
}

impl World {
    /// Writes a message as `author`, who needs the permissions for it.
    pub fn create_message(
        &mut self,
        channel: ChannelId,
        author: UserId,
        draft: Draft,
    ) -> Result<MessageId, ApiError> {
        let found = self.channel(channel)?;
        let kind = found.kind;
        if !kind.has_messages() {
            return Err(ApiError::WrongChannelKind);
        }
        let send = if kind.is_thread() {
            Permissions::SEND_MESSAGES_IN_THREADS
        } else {
            Permissions::SEND_MESSAGES
        };
        self.require(channel, author, send)?;
        if !draft.files.is_empty() {
            self.require(channel, author, Permissions::ATTACH_FILES)?;
        }
        self.wake_thread(channel, author)?;
        self.insert_message(channel, author, draft, None)
    }

    /// Writes a message without asking for permissions: answers to interactions need none.
    pub(super) fn insert_message(
        &mut self,
        channel: ChannelId,
        author: UserId,
        draft: Draft,
        interaction: Option<InteractionId>,
    ) -> Result<MessageId, ApiError> {
        let loading = draft.flags.unwrap_or(0) & LOADING != 0;
        if draft.is_empty() && !loading {
            return Err(ApiError::EmptyMessage);
        }
        let guild = self.channel(channel)?.guild;
        let id: MessageId = self.snowflake().into();
        let attachments = self.keep_files(draft.files);
        let message = Message {
            id,
            channel,
            guild,
            author,
            content: draft.content.unwrap_or_default(),
            embeds: draft.embeds.unwrap_or_default(),
            components: draft.components.unwrap_or_default(),
            attachments,
            flags: draft.flags.unwrap_or(0) & (SETTABLE | LOADING),
            edited_ms: None,
            edits: 0,
            reply_to: draft.reply_to,
            interaction,
            thread: None,
        };
        let hidden = message.ephemeral();
        let kept = self.messages.entry(channel).or_default();
        kept.insert(id, message);
        if kept.len() > MAX_KEPT {
            kept.pop_first();
        }
        if !hidden {
            self.channel_mut(channel)?.last_message = Some(id);
            self.dispatch_message("MESSAGE_CREATE", channel, id)?;
        }
        Ok(id)
    }

    fn keep_files(&mut self, files: Vec<Upload>) -> Vec<Attachment> {
        let keep = |f: Upload| Attachment {
            id: self.snowflake().into(),
            name: f.name,
            bytes: f.bytes,
        };
        files.into_iter().map(keep).collect()
    }

    fn dispatch_message(
        &mut self,
        name: &'static str,
        channel: ChannelId,
        id: MessageId,
    ) -> Result<(), ApiError> {
        let message = self.message(channel, id)?;
        let (guild, author) = (message.guild, message.author);
        let mut data = self.message_json(channel, id)?;
        data["guild_id"] = json!(guild);
        if let Ok(mut member) = self.member_json(guild, author) {
            member.as_object_mut().map(|m| m.remove("user"));
            data["member"] = member;
        }
        self.dispatch(name, Some(guild), intent::GUILD_MESSAGES, data);
        Ok(())
    }

    /// A message, hidden ones too.
    pub fn message(&self, channel: ChannelId, id: MessageId) -> Result<&Message, ApiError> {
        self.messages
            .get(&channel)
            .and_then(|m| m.get(&id))
            .ok_or(ApiError::UnknownMessage)
    }

    /// The messages of a channel, oldest first, hidden ones too.
    pub fn messages(&self, channel: ChannelId) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.get(&channel).into_iter().flat_map(|m| m.values())
    }

    /// Changes a message that `author` wrote.
    pub fn edit_message(
        &mut self,
        channel: ChannelId,
        id: MessageId,
        author: UserId,
        draft: Draft,
    ) -> Result<(), ApiError> {
        self.channel(channel)?;
        if self.message(channel, id)?.author != author {
            return Err(ApiError::NotYourMessage);
        }
        let locked = self.channel(channel)?.thread.as_ref().is_some_and(|t| t.archived);
        if locked {
            return Err(ApiError::ThreadArchived);
        }
        let now = self.now_ms;
        let files = self.keep_files(draft.files);
        let kept = self.messages.get_mut(&channel).and_then(|m| m.get_mut(&id));
        let message = kept.ok_or(ApiError::UnknownMessage)?;
        let mut changed = message.clone();
        changed.content = draft.content.unwrap_or(changed.content);
        changed.embeds = draft.embeds.unwrap_or(changed.embeds);
        changed.components = draft.components.unwrap_or(changed.components);
        changed.attachments.extend(files);
        let bare = changed.content.trim().is_empty()
            && changed.embeds.is_empty()
            && changed.components.is_empty()
            && changed.attachments.is_empty();
        if bare {
            return Err(ApiError::EmptyMessage);
        }
        changed.flags &= !LOADING;
        changed.edited_ms = Some(now);
        changed.edits += 1;
        let hidden = changed.ephemeral();
        *message = changed;
        if !hidden {
            self.dispatch_message("MESSAGE_UPDATE", channel, id)?;
        }
        Ok(())
    }

    /// Deletes a message: one's own, or with the permission to manage messages anyone's.
    pub fn delete_message(&mut self, channel: ChannelId, id: MessageId, by: UserId) -> Result<(), ApiError> {
        let message = self.message(channel, id)?;
        let (guild, hidden) = (message.guild, message.ephemeral());
        if message.author != by {
            self.require(channel, by, Permissions::MANAGE_MESSAGES)?;
        }
        if let Some(kept) = self.messages.get_mut(&channel) {
            kept.remove(&id);
        }
        if !hidden {
            let data = json!({ "id": id, "channel_id": channel, "guild_id": guild });
            self.dispatch("MESSAGE_DELETE", Some(guild), intent::GUILD_MESSAGES, data);
        }
        Ok(())
    }

    /// A message as REST sends it.
    pub fn message_json(&self, channel: ChannelId, id: MessageId) -> Result<Value, ApiError> {
        let message = self.message(channel, id)?;
        let author = self.user(message.author)?;
        let attachments = message.attachments.iter().map(|a| {
            let url = format!(
                "https://cdn.discordapp.com/attachments/{channel}/{}/{}",
                a.id, a.name
            );
            json!({ "id": a.id, "filename": a.name, "size": a.bytes.len(), "url": url, "proxy_url": url })
        });
        let mut data = json!({
            "id": id, "channel_id": channel, "author": author.to_json(), "content": message.content,
            "timestamp": timestamp(super::id::made_at(id.get())),
            "edited_timestamp": message.edited_ms.map(timestamp), "tts": false, "mention_everyone": false,
            "mentions": [], "mention_roles": [], "attachments": attachments.collect::<Vec<_>>(),
            "embeds": message.embeds, "components": message.components, "pinned": false,
            "type": if message.interaction.is_some() { 20 } else if message.reply_to.is_some() { 19 } else { 0 },
            "flags": message.flags,
        });
        if let Some(to) = message.reply_to {
            data["message_reference"] =
                json!({ "type": 0, "message_id": to, "channel_id": channel, "guild_id": message.guild });
        }
        if message.interaction.is_some() {
            data["webhook_id"] = json!(self.application);
            data["application_id"] = json!(self.application);
        }
        if let Some(thread) = message.thread.and_then(|t| self.channel(t).ok()) {
            data["thread"] = thread.to_json();
        }
        Ok(data)
    }
}

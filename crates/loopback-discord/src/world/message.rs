//! Messages: what may be in one, who may write, edit and delete it.
//!
//! Limits: <https://discord.com/developers/docs/resources/message#create-message> and `#embed-object-embed-limits` there.

use serde_json::{Value, json};

use super::channel::ChannelKind;
use super::error::ApiError;
use super::event::intent;
use super::id::{AttachmentId, ChannelId, GuildId, InteractionId, MessageId, UserId};
use super::permissions::Permissions;
use super::{World, timestamp};

/// Characters of a message.
pub const MAX_CONTENT: usize = 2_000;
/// Characters of all embeds of a message together.
const MAX_EMBEDS_TOTAL: usize = 6_000;
const MAX_EMBEDS: usize = 10;
const MAX_ROWS: usize = 5;
/// Files of a message.
const MAX_FILES: usize = 10;
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

/// A file as it was uploaded: its name and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What a bot sends to create a message or to change one: fields that are absent stay as they are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// The words.
    pub content: Option<String>,
    /// The embeds.
    pub embeds: Option<Vec<Value>>,
    /// The rows of buttons and menus.
    pub components: Option<Vec<Value>>,
    /// New files.
    pub files: Vec<Upload>,
    /// Flags.
    pub flags: Option<u64>,
    /// The message replied to.
    pub reply_to: Option<MessageId>,
}

impl Draft {
    /// A draft of words alone.
    pub fn words(content: &str) -> Self {
        Self {
            content: Some(content.to_owned()),
            ..Self::default()
        }
    }

    /// Reads and checks the JSON of a request.
    pub fn parse(body: &Value, files: Vec<Upload>) -> Result<Self, ApiError> {
        if !body.is_object() {
            return Err(ApiError::InvalidJson);
        }
        if files.len() > MAX_FILES {
            return Err(ApiError::form("attachments", "Must be 10 or fewer in length."));
        }
        let list = |field: &str, most: usize| match &body[field] {
            Value::Null => Ok(None),
            Value::Array(items) if items.len() <= most => Ok(Some(items.clone())),
            _ => Err(ApiError::form(
                field,
                format!("Must be a list of at most {most}."),
            )),
        };
        let content = match &body["content"] {
            Value::Null if body.get("content").is_some() => Some(String::new()),
            Value::Null => None,
            Value::String(text) if text.chars().count() <= MAX_CONTENT => Some(text.clone()),
            _ => return Err(ApiError::form("content", "Must be 2000 or fewer in length.")),
        };
        let embeds = list("embeds", MAX_EMBEDS)?;
        if let Some(embeds) = &embeds {
            check_embeds(embeds)?;
        }
        let components = list("components", MAX_ROWS)?;
        if let Some(rows) = &components {
            check_rows(rows)?;
        }
        let reply_to = body["message_reference"]["message_id"]
            .as_str()
            .and_then(|id| id.parse().ok());
        Ok(Self {
            content,
            embeds,
            components,
            files,
            flags: body["flags"].as_u64(),
            reply_to,
        })
    }

    fn is_empty(&self) -> bool {
        self.content.as_deref().is_none_or(|c| c.trim().is_empty())
            && self.embeds.as_ref().is_none_or(Vec::is_empty)
            && self.components.as_ref().is_none_or(Vec::is_empty)
            && self.files.is_empty()
    }
}

fn check_embeds(embeds: &[Value]) -> Result<(), ApiError> {
    let mut total = 0;
    for (n, embed) in embeds.iter().enumerate() {
        let mut check = |path: String, value: &Value, most: usize| {
            let length = value.as_str().map_or(0, |t| t.chars().count());
            total += length;
            if length > most {
                return Err(ApiError::form(
                    path,
                    format!("Must be {most} or fewer in length."),
                ));
            }
            Ok(())
        };
        check(format!("embeds.{n}.title"), &embed["title"], 256)?;
        check(format!("embeds.{n}.description"), &embed["description"], 4_096)?;
        check(format!("embeds.{n}.footer.text"), &embed["footer"]["text"], 2_048)?;
        check(format!("embeds.{n}.author.name"), &embed["author"]["name"], 256)?;
        let fields = embed["fields"].as_array().map_or(&[][..], Vec::as_slice);
        if fields.len() > 25 {
            return Err(ApiError::form(
                format!("embeds.{n}.fields"),
                "Must be 25 or fewer in length.",
            ));
        }
        for (m, field) in fields.iter().enumerate() {
            for (part, most) in [("name", 256), ("value", 1_024)] {
                let path = format!("embeds.{n}.fields.{m}.{part}");
                if field[part].as_str().is_none_or(str::is_empty) {
                    return Err(ApiError::form(path, "This field is required"));
                }
                check(path, &field[part], most)?;
            }
        }
    }
    if total > MAX_EMBEDS_TOTAL {
        return Err(ApiError::form(
            "embeds",
            "Embed size exceeds maximum size of 6000",
        ));
    }
    Ok(())
}

fn check_rows(rows: &[Value]) -> Result<(), ApiError> {
    let mut seen = std::collections::BTreeSet::new();
    for (n, row) in rows.iter().enumerate() {
        let path = format!("components.{n}");
        let inside = row["components"].as_array().map_or(&[][..], Vec::as_slice);
        if row["type"] != 1 || inside.is_empty() || inside.len() > 5 {
            return Err(ApiError::form(path, "A row holds 1 to 5 components."));
        }
        for part in inside {
            let link = part["style"] == 5;
            let id = part["custom_id"].as_str().unwrap_or_default();
            if !link && (id.is_empty() || id.chars().count() > 100 || !seen.insert(id.to_owned())) {
                return Err(ApiError::form(
                    path,
                    "custom_id: 1 to 100 characters, and no two alike.",
                ));
            }
            if part["label"].as_str().is_some_and(|l| l.chars().count() > 80) {
                return Err(ApiError::form(path, "label: at most 80 characters."));
            }
        }
    }
    Ok(())
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

    /// A thread that was put away is taken out again by a message, unless it is locked.
    fn wake_thread(&mut self, channel: ChannelId, author: UserId) -> Result<(), ApiError> {
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
        let thread = super::channel::Thread {
            owner,
            archived: false,
            locked: false,
            auto_archive_minutes,
            archive_changed_ms: self.now_ms,
        };
        let thread = super::channel::Channel {
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

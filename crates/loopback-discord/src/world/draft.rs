//! What a bot sends to create a message or to change one, and what Discord refuses in it.
//!
//! Limits: <https://discord.com/developers/docs/resources/message#create-message> and `#embed-object-embed-limits` there.

use serde_json::Value;

use super::error::ApiError;
use super::id::MessageId;

/// Characters of a message.
pub const MAX_CONTENT: usize = 2_000;
/// Characters of all embeds of a message together.
const MAX_EMBEDS_TOTAL: usize = 6_000;
const MAX_EMBEDS: usize = 10;
const MAX_ROWS: usize = 5;
/// Files of a message.
const MAX_FILES: usize = 10;

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

    pub(super) fn is_empty(&self) -> bool {
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

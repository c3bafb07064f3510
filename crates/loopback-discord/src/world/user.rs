//! People and bots.

use serde_json::{Value, json};

use super::id::UserId;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its name, which is what is shown.
    pub name: String,
    /// Whether it is a bot.
    pub bot: bool,
}

impl User {
    /// As Discord sends it.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id, "username": self.name, "global_name": self.name, "discriminator": "0",
            "avatar": null, "bot": self.bot, "system": false, "public_flags": 0,
        })
    }

    /// As Discord sends a bot to itself.
    pub fn to_current_json(&self) -> Value {
        let mut user = self.to_json();
        user["mfa_enabled"] = json!(true);
        user["verified"] = json!(true);
        user["email"] = Value::Null;
        user["flags"] = json!(0);
        user
    }
}

//! What is sent to the server and what it sends back, as JSON.

use goobster_core::ports::RespondRequest;
use serde::{Deserialize, Serialize};

use super::config::ChatConfig;

#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    stream: bool,
    max_tokens: u32,
    messages: Vec<Message>,
}

#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Message {
    pub(super) role: &'static str,
    pub(super) content: String,
}

/// The request for a turn: the prompt, as much of the history as fits, and the turn.
pub(super) fn body<'a>(config: &'a ChatConfig, request: &RespondRequest) -> Body<'a> {
    let said = |speaker: &str, text: &str| Message {
        role: "user",
        content: format!("{speaker}: {text}"),
    };
    let mut room = config.history_bytes;
    let mut past = Vec::new();
    for exchange in request.history.iter().rev().take(config.history_exchanges) {
        let size = exchange.said.text.len() + exchange.reply.as_ref().map_or(0, String::len);
        let Some(left) = room.checked_sub(size) else { break };
        room = left;
        past.push(exchange);
    }
    let prompt = config.system_prompt.replace("{name}", &request.wake_name);
    let prompt = prompt.replace("{language}", request.language.code());
    let mut messages = vec![Message {
        role: "system",
        content: prompt,
    }];
    for exchange in past.into_iter().rev() {
        messages.push(said(&exchange.said.speaker, &exchange.said.text));
        if let Some(reply) = &exchange.reply {
            messages.push(Message {
                role: "assistant",
                content: reply.clone(),
            });
        }
    }
    messages.push(said(&request.turn.speaker, &request.turn.text));
    Body {
        model: &config.model,
        stream: true,
        max_tokens: config.max_tokens,
        messages,
    }
}

/// One event of the stream, or a whole answer of a server that does not stream.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Delta {
    content: Option<String>,
    /// Thoughts in a field of their own, as vLLM and llama.cpp send them (`reasoning_content`) or Ollama (`reasoning`).
    /// They may be there under both names, and of whatever shape.
    reasoning_content: Option<serde_json::Value>,
    reasoning: Option<serde_json::Value>,
}

/// What an event says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    /// Thoughts came, which nobody is told: the server is at work.
    pub(super) thinks: bool,
    pub(super) last: bool,
}

/// Reads an event's data or a whole body. `Err` says what is wrong, for people.
pub(super) fn read(data: &str) -> Result<Said, String> {
    if data.trim() == "[DONE]" {
        return Ok(Said {
            text: String::new(),
            thinks: false,
            last: true,
        });
    }
    let answer: Answer = serde_json::from_str(data)
        .map_err(|_| format!("something that is no chat answer: {}", short(data)))?;
    if let Some(error) = answer.error {
        return Err(format!("an error: {}", error_text(&error)));
    }
    let Some(choice) = answer.choices.into_iter().next() else {
        return Ok(Said {
            text: String::new(),
            thinks: false,
            last: false,
        });
    };
    let delta = choice.delta.unwrap_or_default();
    let thinks = [&delta.reasoning_content, &delta.reasoning]
        .into_iter()
        .flatten()
        .any(|thought| thought.as_str().is_some_and(|text| !text.is_empty()));
    Ok(Said {
        text: delta.content.unwrap_or_default(),
        thinks,
        last: choice.finish_reason.is_some(),
    })
}

/// The message in an error body, whatever its shape.
pub(super) fn error_of(body: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(body) {
        Ok(value) => error_text(value.get("error").unwrap_or(&value)),
        Err(_) => short(body),
    }
}

fn error_text(error: &serde_json::Value) -> String {
    let message = error
        .get("message")
        .or_else(|| error.get("detail"))
        .unwrap_or(error);
    message
        .as_str()
        .map_or_else(|| short(&message.to_string()), short)
}

/// One line, not too long.
fn short(text: &str) -> String {
    let line = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    if line.chars().count() > 160 {
        line.chars().take(160).chain(['\u{2026}']).collect()
    } else {
        line
    }
}

//! Responders: the built-in offline one and any OpenAI-compatible chat server.
//!
//! - [`BuiltIn`]: help, time and date, what was said so far, limits left, dice, timers, repeat. It needs nothing,
//!   knows that it is small, and says so.
//! - [`OpenAiChat`]: any server that speaks `/v1/chat/completions` (Ollama, llama.cpp, vLLM, a cloud), streamed.
//! - [`sse`]: the parser of a server's event stream; bounded, for any bytes.
//!
//! Both implement [`goobster_core::ports::Responder`]. Neither falls back on the other by itself: when a chat server
//! fails, the conversation says so aloud.

mod builtin;
mod chat;
pub mod sse;

pub use builtin::{Answer, BuiltIn};
#[cfg(fuzzing)]
pub use chat::fuzz_message;
pub use chat::{ApiKey, ChatConfig, OpenAiChat, SYSTEM_PROMPT, ThinkFilter, endpoint};

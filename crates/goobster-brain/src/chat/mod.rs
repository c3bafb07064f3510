//! Any OpenAI-compatible chat server, by URL.

mod config;
mod exchange;
mod message;
#[cfg(test)]
mod tests;
mod think;

use std::sync::Arc;

use goobster_core::ports::{PortFuture, ReplyStream, RespondError, RespondRequest, Responder};
use tokio::sync::mpsc;

pub use config::{ApiKey, ChatConfig, SYSTEM_PROMPT, endpoint};
pub use think::ThinkFilter;

/// A server's messages, read as they are while chatting; for the fuzz targets.
#[cfg(fuzzing)]
pub fn fuzz_message(data: &str) -> String {
    let _ = message::read(data);
    message::error_of(data)
}

/// Pieces that wait for the conversation at most; a server that is faster is slowed by its connection.
const PIECES: usize = 64;

/// A chat server. Needs a Tokio runtime with time and I/O.
#[derive(Debug, Clone)]
pub struct OpenAiChat {
    server: Arc<exchange::Server>,
}

impl OpenAiChat {
    /// Checks the settings; nothing is sent yet.
    ///
    /// # Errors
    /// [`RespondError::Configuration`] when the address is none, the model is missing, or the key holds what no
    /// header can.
    pub fn new(config: ChatConfig) -> Result<Self, RespondError> {
        Ok(Self {
            server: Arc::new(exchange::Server::new(config)?),
        })
    }
}

impl Responder for OpenAiChat {
    /// Begins at once; whatever goes wrong comes as the stream's last item.
    fn respond(&self, request: RespondRequest) -> PortFuture<'_, Result<ReplyStream, RespondError>> {
        let server = Arc::clone(&self.server);
        Box::pin(async move {
            let (pieces, stream) = mpsc::channel(PIECES);
            tokio::spawn(async move { server.answer(request, pieces).await });
            Ok(stream)
        })
    }

    fn name(&self) -> String {
        self.server.name()
    }
}

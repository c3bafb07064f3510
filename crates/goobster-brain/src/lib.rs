//! Responders: the built-in offline one and any OpenAI-compatible chat server.

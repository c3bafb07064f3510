//! Speech-to-text and text-to-speech adapters behind the ports of goobster-core.

//! The goobster binary: a voice assistant for Discord that runs offline.

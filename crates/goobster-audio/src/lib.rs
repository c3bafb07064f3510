//! File and Opus decoding, resampling, voice activity and endpointing: bytes in, utterances out.

//! Conversions from what registries ship to what Goobster loads. All are deterministic: the result's SHA-256 is pinned in
//! the manifest, so a converter that drifts is found at once.

pub(crate) mod ctranslate2;
mod float16;
pub(crate) mod ggml;
mod mel;
pub(crate) mod onnx;
pub(crate) mod silero;
mod vocabulary;
pub(crate) mod whisper;

//! The parsers of foreign bytes, for the fuzz targets alone (`fuzz/`): only compiled with `--cfg fuzzing`.

use std::io::{Cursor, sink};
use std::path::Path;

use crate::archive;
use crate::convert::{silero, whisper};
use crate::error::ModelError;
use crate::fetch::registry_page;

/// A CTranslate2 model and its vocabulary, converted to ggml.
///
/// # Errors
/// What is wrong with them.
pub fn whisper_package(model: &[u8], vocabulary: &str) -> Result<Vec<u8>, ModelError> {
    let mut out = Cursor::new(Vec::new());
    whisper::convert(Cursor::new(model), vocabulary, "fuzz", &mut out)?;
    Ok(out.into_inner())
}

/// An ONNX file with the voice detector's weights.
///
/// # Errors
/// What is wrong with it.
pub fn onnx_weights(model: &[u8]) -> Result<(), ModelError> {
    silero::convert(model, "fuzz", sink())
}

/// A package on disk, unpacked into `folder`, at most a megabyte of it.
///
/// # Errors
/// What is wrong with it.
pub fn package(package: &Path, folder: &Path) -> Result<usize, ModelError> {
    archive::extract(
        package,
        &[("a/", "b/"), ("model.bin", "model.bin")],
        folder,
        1 << 20,
    )
}

/// A registry's page, from which a file's address is taken.
pub fn registry(page: &str, file: &str) -> Option<String> {
    registry_page(page, file)
}

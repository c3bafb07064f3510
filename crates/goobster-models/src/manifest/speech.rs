//! Recordings of people, for the demonstration, the tests and the measurements. Their transcripts are in `speech.json`.

use super::{Artefact, BOTH, Contents, Kind, Origin, Package, Recipe, Route};

const POCKETSPHINX_DEB: &[Package] = &[Package {
    origin: Origin::Debian,
    name: "pocketsphinx-testdata",
    version: "0.8+5prealpha+1-15",
    file: "pocketsphinx-testdata_0.8+5prealpha+1-15_all.deb",
    size: 1_822_580,
    sha256: "eaeb7a01d54f20b799d1a81ef110ec544b2cb47ea006614078220737a33019f0",
}];
/// The same recordings where there is no apt; larger, so second.
const POCKETSPHINX_SDIST: &[Package] = &[Package {
    origin: Origin::Pypi,
    name: "pocketsphinx",
    version: "5.1.1",
    file: "pocketsphinx-5.1.1.tar.gz",
    size: 34_158_862,
    sha256: "675778b309a22dfc9b7d37f7621976bba491d2a5f8c59696bd77fd6d07271355",
}];

/// Eleven seconds of Kennedy's inaugural address.
pub const SPEECH_JFK: Artefact = Artefact {
    id: "speech-jfk",
    kind: Kind::Speech,
    summary: "John F. Kennedy, 11 s",
    path: "speech/jfk.wav",
    contents: Contents::File {
        size: 352_078,
        sha256: "59dfb9a4acb36fe2a2affc14bacbee2920ff435cb13cc314a08c13f66ba7860e",
    },
    licence: "public domain",
    profiles: BOTH,
    platform: None,
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Npm,
            name: "nodejs-whisper",
            version: "0.3.1",
            file: "nodejs-whisper-0.3.1.tgz",
            size: 5_660_411,
            sha256: "92041caf2b26c74b7f489fedf37bd093f216eebd61df512045ec2d19d0531d37",
        }],
        recipe: Recipe::Member("package/cpp/whisper.cpp/bindings/go/samples/jfk.wav"),
    }],
};

/// Two questions as one asks an assistant.
pub const SPEECH_QUESTIONS: Artefact = Artefact {
    id: "speech-questions",
    kind: Kind::Speech,
    summary: "two spoken questions",
    path: "speech/questions",
    contents: Contents::Folder {
        files: 2,
        size: 139_934,
        sha256: "ffa0ea6326172bb20c08de853d32fa770e8599fd6fe41e7784d0a19ebce75604",
    },
    licence: "Apache-2.0",
    profiles: BOTH,
    platform: None,
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Pypi,
            name: "google-assistant-sdk",
            version: "0.6.0",
            file: "google-assistant-sdk-0.6.0.tar.gz",
            size: 140_360,
            sha256: "e2bfa45ed61a50f92395d47f463b7f11abedb15bd38d04dbf3a633f97e6ccb6b",
        }],
        recipe: Recipe::Folder(&[
            (
                "google-assistant-sdk-0.6.0/tests/data/whattimeisit.riff",
                "what-time-is-it.wav",
            ),
            (
                "google-assistant-sdk-0.6.0/tests/data/grapefruit.riff",
                "grapefruit-in-french.wav",
            ),
        ]),
    }],
};

/// Sentences of Jane Austen, read for LibriVox.
pub const SPEECH_LIBRIVOX: Artefact = Artefact {
    id: "speech-librivox",
    kind: Kind::Speech,
    summary: "LibriVox readings, 5 clips",
    path: "speech/librivox",
    contents: Contents::Folder {
        files: 5,
        size: 791_580,
        sha256: "6891eeee04ea06063ea62d576b4a167c994bf0a32d143c37e277438a603e337d",
    },
    licence: "public domain",
    profiles: BOTH,
    platform: None,
    routes: &[
        Route {
            packages: POCKETSPHINX_DEB,
            recipe: Recipe::Folder(&[
                (
                    "usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
                    "0870.wav",
                ),
                (
                    "usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0880.wav",
                    "0880.wav",
                ),
                (
                    "usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0890.wav",
                    "0890.wav",
                ),
                (
                    "usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0920.wav",
                    "0920.wav",
                ),
                (
                    "usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0930.wav",
                    "0930.wav",
                ),
            ]),
        },
        Route {
            packages: POCKETSPHINX_SDIST,
            recipe: Recipe::Folder(&[
                (
                    "pocketsphinx-5.1.1/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
                    "0870.wav",
                ),
                (
                    "pocketsphinx-5.1.1/test/data/librivox/sense_and_sensibility_01_austen_64kb-0880.wav",
                    "0880.wav",
                ),
                (
                    "pocketsphinx-5.1.1/test/data/librivox/sense_and_sensibility_01_austen_64kb-0890.wav",
                    "0890.wav",
                ),
                (
                    "pocketsphinx-5.1.1/test/data/librivox/sense_and_sensibility_01_austen_64kb-0920.wav",
                    "0920.wav",
                ),
                (
                    "pocketsphinx-5.1.1/test/data/librivox/sense_and_sensibility_01_austen_64kb-0930.wav",
                    "0930.wav",
                ),
            ]),
        },
    ],
};

/// Two spoken commands.
pub const SPEECH_COMMANDS: Artefact = Artefact {
    id: "speech-commands",
    kind: Kind::Speech,
    summary: "two spoken commands",
    path: "speech/commands",
    contents: Contents::Folder {
        files: 2,
        size: 185_206,
        sha256: "d0c1c3a2f0900ced0784d082334606fa9a9f7f878011b71db38bed35e9ca2a40",
    },
    licence: "BSD-2-Clause",
    profiles: BOTH,
    platform: None,
    routes: &[
        Route {
            packages: POCKETSPHINX_DEB,
            recipe: Recipe::Folder(&[
                ("usr/share/pocketsphinx/test/data/goforward.raw", "go-forward.wav"),
                (
                    "usr/share/pocketsphinx/test/data/something.raw",
                    "go-somewhere.wav",
                ),
            ]),
        },
        Route {
            packages: POCKETSPHINX_SDIST,
            recipe: Recipe::Folder(&[
                ("pocketsphinx-5.1.1/test/data/goforward.raw", "go-forward.wav"),
                ("pocketsphinx-5.1.1/test/data/something.raw", "go-somewhere.wav"),
            ]),
        },
    ],
};

/// Playing cards, read aloud.
pub const SPEECH_CARDS: Artefact = Artefact {
    id: "speech-cards",
    kind: Kind::Speech,
    summary: "playing cards, 5 clips",
    path: "speech/cards",
    contents: Contents::Folder {
        files: 5,
        size: 309_030,
        sha256: "9744071000c429cba664e9d92d89fc05aa98f9d63a2ca321e2adfe73f9a64264",
    },
    licence: "BSD-2-Clause",
    profiles: BOTH,
    platform: None,
    routes: &[
        Route {
            packages: POCKETSPHINX_DEB,
            recipe: Recipe::Folder(&[
                ("usr/share/pocketsphinx/test/data/cards/001.wav", "001.wav"),
                ("usr/share/pocketsphinx/test/data/cards/002.wav", "002.wav"),
                ("usr/share/pocketsphinx/test/data/cards/003.wav", "003.wav"),
                ("usr/share/pocketsphinx/test/data/cards/004.wav", "004.wav"),
                ("usr/share/pocketsphinx/test/data/cards/005.wav", "005.wav"),
            ]),
        },
        Route {
            packages: POCKETSPHINX_SDIST,
            recipe: Recipe::Folder(&[
                ("pocketsphinx-5.1.1/test/data/cards/001.wav", "001.wav"),
                ("pocketsphinx-5.1.1/test/data/cards/002.wav", "002.wav"),
                ("pocketsphinx-5.1.1/test/data/cards/003.wav", "003.wav"),
                ("pocketsphinx-5.1.1/test/data/cards/004.wav", "004.wav"),
                ("pocketsphinx-5.1.1/test/data/cards/005.wav", "005.wav"),
            ]),
        },
    ],
};

/// Who says what in the recordings.
pub const SPEECH_TABLE: Artefact = Artefact {
    id: "speech-table",
    kind: Kind::Speech,
    summary: "transcripts of the recordings",
    path: "speech/speech.json",
    contents: Contents::Text(crate::speech::TABLE),
    licence: "MIT OR Apache-2.0",
    profiles: BOTH,
    platform: None,
    routes: &[],
};

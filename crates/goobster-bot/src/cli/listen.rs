//! `goobster listen`: this machine's microphone and loudspeaker.
//!
//! The host's own voice comes through the `tts` crate, which needs its development package on Linux; so the command is
//! behind the feature `host-voice`, and a build without it says how to get it.

use super::args::{Common, Listen};
use super::exit::Failure;
use super::terminal::Terminal;
use crate::config::Config;

#[cfg(not(feature = "host-voice"))]
pub(super) fn run(_: &Listen, _: &Config, _: &Common, _: Terminal) -> Result<(), Failure> {
    Err(Failure::SetupMissing(
        "this goobster was built without the host's voice. On Debian: install libspeechd-dev, libasound2-dev, \
         libclang-dev and speech-dispatcher-espeak-ng, then\n\n    cargo install --path crates/goobster-bot --features host-voice\n\n\
         and type `goobster listen` again"
            .to_owned(),
    ))
}

#[cfg(feature = "host-voice")]
pub(super) fn run(
    args: &Listen,
    config: &Config,
    common: &Common,
    terminal: Terminal,
) -> Result<(), Failure> {
    super::block_on(crate::converse::microphone::run(args, config, common, terminal))
}

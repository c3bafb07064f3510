//! The programs that the measurements compare with; only for `setup --peers`.

use anyhow::Result;
use goobster_models::Cache;

use crate::shell;

/// faster-whisper, the peer of the recogniser.
const PACKAGES: [&str; 1] = ["faster-whisper==1.2.1"];

/// Installs them for Python into `peers/python` of the cache folder.
pub(super) fn install(cache: &Cache) -> Result<()> {
    let folder = cache.root().join("peers").join("python");
    if folder.join("faster_whisper").is_dir() {
        return Ok(());
    }
    shell::pip_install(&folder, &PACKAGES)
}

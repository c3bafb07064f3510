//! `cargo xtask dist`: a release as one tarball that runs on a clean Debian 12, and the proof that it does.
//!
//! - `build`: the program for x86-64-v3, and its launcher for every x86-64. `needs`: what they ask of the system.
//! - `contents`: what goes into the tarball; `licences`: whose terms come along. `archive`: the same bytes for the same files.
//! - `check`: unpacks it into a root that holds nothing else, without a network, and runs it there.

mod archive;
mod build;
mod check;
mod contents;
mod licences;
mod needs;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use goobster_models::Cache;

use crate::shell;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Put in the models of both profiles, as set-up fetched them
    #[arg(long)]
    with_models: bool,
    /// Put in the models of this folder: a cache, as `goobster models pull` makes it
    #[arg(long, value_name = "DIR", conflicts_with = "with_models")]
    models: Option<PathBuf>,
    /// Where the tarball goes
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out: PathBuf,
    /// The profile to build with: `release` is built faster
    #[arg(long, default_value = "dist")]
    profile: String,
    /// Run the tarball in an empty root without a network
    #[arg(long)]
    check: bool,
    /// Build nothing: check this tarball
    #[arg(long, value_name = "FILE", conflicts_with_all = ["with_models", "models"])]
    tarball: Option<PathBuf>,
    /// Check in this root (an unpacked Debian 12) instead of one that holds only the C libraries
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(tarball) = &arguments.tarball {
        return check::run(tarball, arguments.root.as_deref());
    }
    let cache = match &arguments.models {
        Some(folder) => Some(Cache::at(folder)),
        None => Some(Cache::locate()?).filter(|_| arguments.with_models),
    };
    let runtime = Cache::locate()?;
    contents::fetch(cache.as_ref(), &runtime)?;
    let built = build::all(&arguments.profile)?;
    for file in [&built.program, &built.launcher] {
        needs::check(file)?;
    }
    let name = format!("goobster-{}-x86_64-linux", env!("CARGO_PKG_VERSION"));
    let mut entries = contents::gather(&built, cache.as_ref(), &runtime)?;
    entries.push(archive::sums(&entries)?);
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot create {}", arguments.out.display()))?;
    let tarball = arguments.out.join(format!("{name}.tar.gz"));
    let written = archive::write(&tarball, &name, entries, archive::time(&shell::root()))?;
    println!("{}: {:.1} MB", tarball.display(), written.bytes as f64 / 1e6);
    println!("sha256 {}", written.sha256);
    if cache.is_some() {
        println!(
            "It holds espeak-ng, whose licence is GPL-3.0-or-later: who passes it on passes on licences/ with it, which says where \
             its source is."
        );
    }
    if arguments.check {
        check::run(&tarball, arguments.root.as_deref())?;
    }
    Ok(())
}

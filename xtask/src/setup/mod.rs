//! `cargo xtask setup`: build tools of the system, then models, voice and sample speech; it does only what is missing.

mod peers;
mod system;

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use goobster_models::{
    Artefact, Cache, FetchOptions, ModelError, Profile, State, Terminal, ensure, manifest, missing,
};

pub(crate) use peers::install as install_peers;
pub(crate) use system::build_environment;

use crate::shell;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only tell what is missing; exit code 4 when something is
    #[arg(long)]
    check: bool,
    /// What to install: `small` (English, least memory) or `standard`; both when not said, as the tests use both
    #[arg(long)]
    profile: Option<Profile>,
    /// A folder of packages that were downloaded by hand
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Also the programs that the measurements compare with
    #[arg(long)]
    peers: bool,
}

/// Set-up is incomplete: exit code 4.
#[derive(Debug)]
pub(crate) struct SetupMissing(pub(crate) String);

impl fmt::Display for SetupMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SetupMissing {}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    set_up(arguments, &mut std::io::stdout().lock())
}

/// `out` gets the table of what there is.
fn set_up(arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    let began = Instant::now();
    let cache = Cache::locate()?;
    let (wanted, elsewhere) = wanted(arguments.profile);
    for told in elsewhere {
        eprintln!("left out: {told}");
    }
    if !arguments.check {
        system::install(&cache)?;
        if std::env::var_os("CI").is_some()
            && let Some(told) = system::install_examiners()
        {
            eprintln!("left out: {told}");
        }
        let options = FetchOptions {
            from: arguments.from.clone(),
            ..FetchOptions::default()
        };
        ensure(&cache, &wanted, &options, &mut Terminal::default())?;
        if arguments.peers {
            for told in peers::install(&cache) {
                eprintln!("left out: {told}");
            }
        }
    }
    table(&cache, &wanted, out);
    if arguments.check {
        let lacking = lacking(&cache, &wanted);
        if !lacking.is_empty() {
            return Err(SetupMissing(format!(
                "missing: {}. Type `cargo xtask setup`",
                lacking.join(", ")
            ))
            .into());
        }
    }
    eprintln!("set up in {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Installs packages of the system, where this user may.
pub(crate) fn from_the_system(packages: &[&str]) -> Result<()> {
    if shell::which("apt-get").is_some()
        && let Some(prefix) = system::privilege()
    {
        return system::apt(prefix, packages);
    }
    anyhow::bail!(
        "{} (this user may not install them). To have them, type: {}",
        packages.join(", "),
        system::advice(packages)
    )
}

/// Sets up what the tests and the demonstration need, and says nothing when all of it is there.
pub(crate) fn whatever_is_missing() -> Result<()> {
    let cache = Cache::locate()?;
    let (wanted, _) = wanted(None);
    if lacking(&cache, &wanted).is_empty() {
        return Ok(());
    }
    let everything = Arguments {
        check: false,
        profile: None,
        from: None,
        peers: false,
    };
    // Standard output belongs to what the caller starts next.
    set_up(&everything, &mut std::io::stderr().lock())
}

/// What to install, and a word about each piece that only other systems can run: one is done without those.
fn wanted(profile: Option<Profile>) -> (Vec<&'static Artefact>, Vec<ModelError>) {
    let all = match profile {
        Some(profile) => [manifest::of_profile(profile), manifest::speech()].concat(),
        None => manifest::ALL.to_vec(),
    };
    manifest::for_this_system(&all)
}

/// Everything that is not there, by name.
fn lacking(cache: &Cache, wanted: &[&Artefact]) -> Vec<String> {
    let tools = system::missing(cache).into_iter().map(|t| t.program.to_owned());
    tools
        .chain(missing(cache, wanted).into_iter().map(|a| a.id.to_owned()))
        .collect()
}

/// A reader that goes away (`| head`) is no failure.
fn table(cache: &Cache, wanted: &[&Artefact], out: &mut dyn Write) {
    let _ = writeln!(
        out,
        "{:<32} {:>8}  {:<9} {:<18} where",
        "what", "MB", "state", "licence"
    );
    for tool in system::tools(cache) {
        let place = tool.found.as_ref().map(|p| p.display().to_string());
        let state = if place.is_some() { "present" } else { "missing" };
        let _ = writeln!(
            out,
            "{:<32} {:>8}  {state:<9} {:<18} {}",
            tool.program,
            "",
            "",
            place.unwrap_or_default()
        );
    }
    for artefact in wanted {
        let state = match cache.state(artefact) {
            State::Present => "present",
            State::Missing => "missing",
            _ => "unchecked",
        };
        let _ = writeln!(
            out,
            "{:<32} {:>8.1}  {state:<9} {:<18} {}",
            artefact.summary,
            artefact.contents.size() as f64 / 1e6,
            artefact.licence,
            cache.path_of(artefact).display()
        );
    }
}

/// A variable of the environment.
pub(crate) type Variable = (&'static str, OsString);

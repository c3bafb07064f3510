//! The command line: what can be typed, and which module does it.

pub mod args;
pub mod config;
mod doctor;
pub mod exit;
mod health;
mod listen;
pub mod logging;
mod models;
pub mod overload;
pub(crate) mod rehearse;
mod say;
mod store;
pub mod terminal;
pub mod transcribe;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches};

use crate::config::{Config, Loaded, Log, Overrides, Place, Profile};
use crate::{converse, discord};
use args::{Cli, Command, Common, StoreAction};
use exit::Failure;
use terminal::Terminal;

/// Parses the command line, runs it, and gives the exit code. A panic is a failure (1) like any other, never 101.
pub fn main() -> ExitCode {
    quiet_about_damage();
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap prints help to stdout (exit 0) and usage errors to stderr (exit 2).
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return error.print().map_or(ExitCode::from(1), |()| ExitCode::from(code));
        }
    };
    std::panic::catch_unwind(|| run(cli)).unwrap_or_else(|_| {
        terminal::complain(
            "error: a fault inside goobster (above); please report it with the command you typed",
        );
        ExitCode::from(1)
    })
}

/// Parses the command line and the environment. A variable that is set to nothing counts as unset, as a shell script or a
/// service file leaves it that was not filled in.
fn parse() -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&without_empty_variables(Cli::command()).try_get_matches()?)
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| match arg.get_env() {
            Some(name) if empty(name) => arg.env(Resettable::Reset),
            _ => arg,
        })
        .mut_subcommands(without_empty_variables)
}

/// A panic inside a demuxer that only costs a damaged recording is told in other words; every other one is shown.
fn quiet_about_damage() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !goobster_audio::file::panics_are_contained() {
            usual(panic);
        }
    }));
}

fn run(cli: Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let terminal = Terminal::new(cli.common.json || cli.command.wants_json());
    terminal.summarise(carry_out(cli, terminal))
}

fn carry_out(cli: Cli, terminal: Terminal) -> Result<(), Failure> {
    let Cli { common, command } = cli;
    if let Some(folder) = &common.models {
        goobster_models::Cache::prefer(folder.clone());
    }
    let overrides = |language: Option<String>, voice: Option<String>| {
        Overrides::default()
            .with("profile", "--profile", common.profile.map(Profile::name))
            .with("language", "--language", language)
            .with("voice", "--voice", voice)
    };
    match command {
        Command::Transcribe(args) => {
            let config = load(&common, &overrides(args.language.clone(), None))?;
            block_on(transcribe::run(&args, &config, &common, terminal))
        }
        Command::Say(args) => {
            let config = load(&common, &overrides(args.language.clone(), args.voice.clone()))?;
            block_on(say::run(&args, &config, &common, terminal))
        }
        Command::Converse(args) => {
            let config = load(&common, &args.talk.overrides(common.profile))?;
            block_on(converse::command::run(&args, &config, &common, terminal))
        }
        Command::Run(args) => {
            let config = load(&common, &args.talk.overrides(common.profile))?;
            block_on(discord::run::run(&args, &config, &common, terminal))
        }
        Command::Rehearse(args) => {
            let config = load(&common, &args.talk.overrides(common.profile))?;
            block_on(rehearse::run(&args, &config, &common, terminal))
        }
        Command::Demo(args) => {
            let config = load(&common, &args.talk.overrides(common.profile))?;
            block_on(converse::demo::run(&args, &config, &common, terminal))
        }
        Command::Listen(args) => {
            let config = load(&common, &args.talk.overrides(common.profile))?;
            listen::run(&args, &config, &common, terminal)
        }
        Command::Doctor => {
            let config = load(&common, &overrides(None, None))?;
            block_on(doctor::run(&config, &common, terminal))
        }
        Command::Models(args) => {
            let config = load(&common, &overrides(None, None))?;
            models::run(&args, &config, &common, terminal)
        }
        Command::Store(args) => {
            if let StoreAction::Forget { user, opt_out_too } = args.action {
                let mut config = load(&common, &overrides(None, None))?;
                config.store.file = args.file.clone().or(config.store.file);
                return block_on(store::forget(user, opt_out_too, &config, terminal));
            }
            if let Some(wanted) = store::Keeping::of(&args) {
                let config = load(&common, &overrides(None, None))?;
                return block_on(store::keep(&args, &wanted, &config, terminal));
            }
            logging::to_stderr(common.verbose, &Log::default());
            store::run(&args, terminal)
        }
        Command::Health(args) => health::run(&args, &load(&common, &overrides(None, None))?, terminal),
        Command::Config(args) => config::run(&args, &common, terminal),
    }
}

/// The configuration of a command; from here on it is logged as that says.
fn load(common: &Common, overrides: &Overrides) -> Result<Config, Failure> {
    let overrides = common.over(overrides.clone());
    let loaded = Config::load(common.config.as_deref(), &overrides)?;
    for note in &loaded.notes {
        terminal::complain(&format!("warning: {note}"));
    }
    logging::to_stderr(common.verbose, &logged(common, &loaded));
    logging::blacken_all(&loaded.config);
    Ok(loaded.config)
}

/// What is logged: -v comes before the file, the environment before both.
pub(crate) fn logged(common: &Common, loaded: &Loaded) -> Log {
    let mut log = loaded.config.log.clone();
    if common.verbose > 0 && !matches!(loaded.place("log.filter"), Place::Variable(_)) {
        log.filter = None;
    }
    log
}

/// Runs a command's future on a runtime of its own, which ends with it.
fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::Failed(format!("cannot start the runtime: {e}")))?;
    let result = runtime.block_on(command);
    // A decode that hangs must not keep the command from ending.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}

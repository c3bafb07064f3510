//! The one entry for people: `cargo xtask setup`, `demo`, `test`, `ci`, `tidy`, `eval`, `bench`, `instructions`, `soak`, `cluster`,
//! `dist`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user"
)]

mod bench;
mod browser;
mod ci;
mod dist;
mod instructions;
mod metadata;
mod network;
mod product;
mod setup;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::setup::SetupMissing;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing: build tools, models, a voice, sample speech
    Setup(setup::Arguments),
    /// Hold a spoken conversation on real recordings (sets up what is missing)
    Demo(product::Passed),
    /// Run every test, or one crate's (sets up what is missing)
    Test(test::Arguments),
    /// Everything a change must pass: format, lints, tests, docs, tidiness, licences
    Ci,
    /// What a reviewer would forget: layers, module comments, long files, stray files, links
    Tidy,
    /// Measure word errors and write docs/accuracy.md
    Eval(product::Passed),
    /// Count the audio kernels' instructions and compare them with the committed counts
    Instructions(instructions::Arguments),
    /// Look at the status page in a browser: accessibility, screenshots (installs Chromium and axe)
    Browser,
    /// Run the benchmarks beside their peers and write docs/performance.md
    Bench(bench::Arguments),
    /// Show whom a bot contacts: a rehearsal in a network namespace, every connect logged
    Network(product::Passed),
    /// Make a release: a tarball that runs on a clean Debian 12; --check proves it in an empty root
    Dist(dist::Arguments),
    /// Run three bots on one Redis and the loopback Discord, and kill one: --json, --fast
    Cluster(product::Passed),
    /// Run sessions under random faults: --seeds N --seed-start S
    Soak(product::Passed),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Demo(passed) => product::demo(&passed),
        Command::Test(arguments) => test::run(&arguments),
        Command::Ci => ci::run(),
        Command::Tidy => tidy::run(),
        Command::Eval(passed) => product::eval(&passed),
        Command::Instructions(arguments) => instructions::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Network(passed) => network::run(&passed),
        Command::Browser => browser::run(),
        Command::Dist(arguments) => dist::run(&arguments),
        Command::Cluster(passed) => product::cluster(&passed),
        Command::Soak(passed) => product::soak(&passed),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if let Some(failed) = error.downcast_ref::<shell::Failed>() {
                return ExitCode::from(failed.code());
            }
            ExitCode::from(if error.is::<SetupMissing>() { 4 } else { 1 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn arguments_after_two_dashes_are_passed_on() {
        let a = Arguments::try_parse_from(["x", "demo", "--", "--fast", "my.mp3"]).unwrap();
        assert!(matches!(a.command, Command::Demo(p) if p.arguments == ["--fast", "my.mp3"]));
        let a = Arguments::try_parse_from(["x", "bench", "--quick", "vad", "--", "--save-baseline", "me"]);
        assert!(a.is_ok(), "criterion's arguments come after the two dashes");
        let a = Arguments::try_parse_from(["x", "soak", "--seeds", "3"]).unwrap();
        assert!(matches!(a.command, Command::Soak(p) if p.arguments == ["--seeds", "3"]));
    }
}

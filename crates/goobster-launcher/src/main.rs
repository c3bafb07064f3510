//! `bin/goobster` of a release: looks whether the processor can run it, then becomes `lib/goobster/goobster`.
//!
//! A release is compiled for x86-64-v3. Code of that kind may meet an instruction that the processor does not have before
//! its first own line: in a constructor of a C++ library, or in `main` itself as the compiler arranged it. So the look is
//! taken by a program of its own, which is compiled for every x86-64 there is and holds nothing but the look.
#![expect(clippy::print_stderr, reason = "a program that cannot start says why")]

mod processor;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Something that is needed is not there: the same code as Goobster's own.
const SET_UP_MISSING: u8 = 4;

/// Where the program is, seen from the folder of this one.
const PROGRAM: &str = "../lib/goobster/goobster";

fn main() -> ExitCode {
    if let Err(words) = processor::check(&processor::found()) {
        eprintln!("error: {words}");
        return ExitCode::from(SET_UP_MISSING);
    }
    let typed = std::env::args_os().next().map(PathBuf::from);
    let Some(own) = own_path(std::env::current_exe().ok(), typed) else {
        eprintln!("error: where this program is cannot be found out: type its whole path");
        return ExitCode::from(SET_UP_MISSING);
    };
    let program = own.parent().unwrap_or(Path::new("/")).join(PROGRAM);
    let error = become_it(Command::new(&program).args(std::env::args_os().skip(1)));
    eprintln!(
        "error: {} cannot be started: {error}. Unpack the release anew: its folders belong together",
        program.display()
    );
    ExitCode::from(SET_UP_MISSING)
}

/// This program's file: as the system tells it, else (without /proc) as it was typed, when that is a path.
fn own_path(told: Option<PathBuf>, typed: Option<PathBuf>) -> Option<PathBuf> {
    let typed = || typed.filter(|typed| typed.components().count() > 1);
    let own = told.or_else(typed)?;
    own.canonicalize().ok()
}

/// Replaces this process, so that signals and process ids are the program's own. Returns only when that fails.
#[cfg(unix)]
fn become_it(program: &mut Command) -> std::io::Error {
    use std::os::unix::process::CommandExt as _;
    program.arg0("goobster").exec()
}

#[cfg(not(unix))]
fn become_it(program: &mut Command) -> std::io::Error {
    match program.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_file_is_what_the_system_says_else_what_was_typed() {
        let here = std::env::current_exe().unwrap().canonicalize().unwrap();
        assert_eq!(own_path(Some(here.clone()), None), Some(here.clone()));
        assert_eq!(own_path(None, Some(here.clone())), Some(here));
        assert_eq!(
            own_path(None, Some("goobster".into())),
            None,
            "found by PATH, which we are not told"
        );
        assert_eq!(own_path(None, None), None);
    }
}

//! The `goobster` binary: everything it does lives in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    goobster_bot::cli::main()
}

//! `goobster store`: what holds quotas and sessions, examined, mended, backed up and restored.

mod keeping;

use goobster_core::limits::LimitsError;
use goobster_store::{CheckReport, RepairMode, check, repair};

pub(super) use self::keeping::{Keeping, keep};
use super::args::{Store, StoreAction};
use super::exit::Failure;
use super::terminal::Terminal;

/// Examines or mends the store's file.
pub(super) fn run(args: &Store, terminal: Terminal) -> Result<(), Failure> {
    let path = args.file.clone().map_or_else(crate::discord::store_file, Ok)?;
    let failed = |error: LimitsError| match error {
        LimitsError::Corrupt { ref advice, .. } if advice.contains("repair") => {
            Failure::BadInput(format!("{error}\n`goobster store repair` keeps what it can"))
        }
        LimitsError::Corrupt { .. } => Failure::BadInput(error.to_string()),
        other => Failure::Failed(other.to_string()),
    };
    match args.action {
        // Those are another errand: `keep`.
        StoreAction::Backup { .. } | StoreAction::Restore { .. } => Ok(()),
        StoreAction::Check => {
            let found = check(&path).map_err(failed)?;
            show(&found, terminal)?;
            terminal.summary(&serde_json::json!({
                "event": "summary", "file": path.display().to_string(), "sound": found.is_sound(),
                "problems": found.problems.len(),
            }))?;
            if found.is_sound() {
                return terminal.line("The store is sound.");
            }
            Err(Failure::BadInput(format!(
                "{}: {} problem(s), see above; `goobster store repair` mends them",
                path.display(),
                found.problems.len()
            )))
        }
        StoreAction::Repair { start_over } => {
            let mode = if start_over {
                RepairMode::StartOver
            } else {
                RepairMode::Salvage
            };
            let done = repair(&path, mode).map_err(failed)?;
            show(&done.kept, terminal)?;
            for lost in &done.lost {
                terminal.warn(&format!("lost: {lost}"));
            }
            terminal.summary(&serde_json::json!({
                "event": "summary", "file": path.display().to_string(), "backup": done.backup.display().to_string(), "lost": done.lost,
            }))?;
            terminal.line(&format!(
                "mended; the file as it was is {}",
                done.backup.display()
            ))
        }
    }
}

fn show(found: &CheckReport, terminal: Terminal) -> Result<(), Failure> {
    terminal.event(&serde_json::json!({
        "event": "store", "bytes": found.bytes, "format": found.format, "generation": found.generation,
        "accounts": found.accounts, "open": found.open, "closed": found.closed, "problems": found.problems,
    }))?;
    terminal.line(&found.to_string())
}

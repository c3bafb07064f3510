//! `goobster store`: what holds quotas and sessions, examined, mended, backed up and restored.

mod keeping;

use std::num::NonZeroU64;

use goobster_core::ids::UserId;
use goobster_core::limits::LimitsError;
use goobster_store::{CheckReport, RepairMode, check, repair};

pub(super) use self::keeping::{Keeping, keep};
use super::args::{Store, StoreAction};
use super::exit::Failure;
use super::terminal::Terminal;
use crate::config::Config;

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
        // Those need the configuration, and a runtime: `keep` and `forget`.
        StoreAction::Backup { .. } | StoreAction::Restore { .. } | StoreAction::Forget { .. } => Ok(()),
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

/// Forgets a member at once, in whatever store is configured.
pub(super) async fn forget(
    user: NonZeroU64,
    opt_out_too: bool,
    config: &Config,
    terminal: Terminal,
) -> Result<(), Failure> {
    let erased =
        crate::discord::forgetting::forget_offline(UserId::new(user.get()), opt_out_too, config).await?;
    terminal.summary(&serde_json::json!({
        "event": "summary", "user": user.to_string(), "records": erased.records, "open_sessions": erased.open,
        "usage_kept": erased.usage_kept,
    }))?;
    if erased.open > 0 {
        return Err(Failure::Failed(format!(
            "{} session(s) of this member are open: their voice time is kept until they are closed; ask again then",
            erased.open
        )));
    }
    terminal.line(&format!(
        "forgotten: the voice time, {} record(s) of closed sessions{}",
        erased.records,
        if opt_out_too {
            ", and the opt-out"
        } else {
            "; an opt-out stays"
        }
    ))
}

fn show(found: &CheckReport, terminal: Terminal) -> Result<(), Failure> {
    terminal.event(&serde_json::json!({
        "event": "store", "bytes": found.bytes, "format": found.format, "generation": found.generation,
        "accounts": found.accounts, "open": found.open, "closed": found.closed, "problems": found.problems,
    }))?;
    terminal.line(&found.to_string())
}

//! Files that are nobody else's business: the folder of the bot's data and what lies in it, and who on this machine may touch it.
//!
//! What this program makes, it makes for its own user alone. What is there already is looked at: what anybody may write is
//! refused, since anybody could then forge it; what others may read is told, with the command that mends it.

use std::path::Path;

use crate::cli::exit::Failure;

/// Who may do more with something than its owner alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Openness {
    /// Its owner alone.
    Private,
    /// Others may look at it, or its group may write it.
    Shared,
    /// Anybody may write it.
    Anybodys,
}

/// Makes a folder for private files, unless it is there, and looks who may touch it.
///
/// # Errors
/// A folder that cannot be made, or that anybody may write.
pub(crate) fn folder(path: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|cause| Failure::Output {
        path: path.to_owned(),
        cause,
    })?;
    look(path, "700", openness(path))
}

/// Looks who may touch a file. One that is not there is nobody's business.
///
/// # Errors
/// A file that anybody may write.
pub(crate) fn file(path: &Path) -> Result<(), Failure> {
    look(path, "600", openness(path))
}

fn look(path: &Path, mode: &str, openness: Openness) -> Result<(), Failure> {
    let shown = path.display();
    match openness {
        Openness::Private => Ok(()),
        Openness::Shared => {
            tracing::warn!(
                "{shown} can be read by other users of this machine; `chmod {mode} {shown}` keeps it private"
            );
            Ok(())
        }
        Openness::Anybodys => Err(Failure::Configuration(format!(
            "every user of this machine may write {shown}, so nothing in it can be trusted: look whether it is as you left it, \
             then `chmod {mode} {shown}`"
        ))),
    }
}

#[cfg(unix)]
fn openness(path: &Path) -> Openness {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(meta) = std::fs::metadata(path) else {
        return Openness::Private;
    };
    // A sticky folder, such as /tmp, lets others add files, but not touch ours.
    let (mode, sticky) = (meta.permissions().mode(), meta.permissions().mode() & 0o1000 != 0);
    if mode & 0o002 != 0 && !(meta.is_dir() && sticky) {
        Openness::Anybodys
    } else if mode & 0o077 != 0 {
        Openness::Shared
    } else {
        Openness::Private
    }
}

/// Elsewhere the system's own rules for a user's folders hold.
#[cfg(not(unix))]
fn openness(_: &Path) -> Openness {
    Openness::Private
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_new_folder_is_its_owners_alone() {
        let within = tempfile::tempdir().unwrap();
        let path = within.path().join("share/goobster");
        folder(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        folder(&path).unwrap();
    }

    #[test]
    fn what_others_may_read_is_told_and_what_anybody_may_write_is_refused() {
        let within = tempfile::tempdir().unwrap();
        let path = within.path().join("goobster.redb");
        assert!(file(&path).is_ok(), "there is none yet");
        std::fs::write(&path, "x").unwrap();
        for (mode, expected) in [
            (0o600, Openness::Private),
            (0o400, Openness::Private),
            (0o640, Openness::Shared),
            (0o660, Openness::Shared),
            (0o644, Openness::Shared),
            (0o666, Openness::Anybodys),
            (0o602, Openness::Anybodys),
        ] {
            set(&path, mode);
            assert_eq!(openness(&path), expected, "{mode:o}");
            assert_eq!(file(&path).is_ok(), expected != Openness::Anybodys, "{mode:o}");
        }
        let refused = file(&path).unwrap_err();
        assert_eq!(refused.code(), 5);
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
        set(within.path(), 0o777);
        assert_eq!(folder(within.path()).unwrap_err().code(), 5);
        set(within.path(), 0o1777);
        assert!(folder(within.path()).is_ok(), "as /tmp is");
        set(within.path(), 0o700);
    }
}

//! Runs the registries' own clients as programs: for their settings, and as the last way of getting a package.

use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// More output than any question here needs.
const MAX_OUTPUT: u64 = 1 << 20;

/// Runs a program to its end and gives its standard output; the error holds the last line it complained with.
///
/// The program is killed when it takes longer than `patience`.
pub(crate) fn run(
    program: &str,
    arguments: &[&str],
    folder: &Path,
    patience: Duration,
) -> Result<String, String> {
    let io = |e: std::io::Error| format!("{program}: {e}");
    // Files, not pipes: a program that talks a lot can then never block on us.
    let mut out = tempfile::tempfile().map_err(io)?;
    let mut err = tempfile::tempfile().map_err(io)?;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(out.try_clone().map_err(io)?)
        .stderr(err.try_clone().map_err(io)?)
        .spawn()
        .map_err(|e| {
            if e.kind() == std::io::ErrorKind::NotFound {
                format!("{program} is not installed")
            } else {
                io(e)
            }
        })?;
    let end = Instant::now() + patience;
    let status = loop {
        match child.try_wait().map_err(io)? {
            Some(status) => break status,
            None if Instant::now() >= end => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("no answer within {} s", patience.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let mut text = String::new();
    for (file, wanted) in [(&mut out, status.success()), (&mut err, !status.success())] {
        if wanted {
            let mut bytes = Vec::new();
            file.rewind().map_err(io)?;
            file.take(MAX_OUTPUT).read_to_end(&mut bytes).map_err(io)?;
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    if status.success() {
        return Ok(text);
    }
    let complaint = text
        .lines()
        .rev()
        .find(|l| !l.trim().is_empty())
        .unwrap_or("no message");
    Err(format!("{status}: {}", complaint.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_failure_and_silence_are_told_apart() {
        let here = Path::new("/");
        let long = Duration::from_secs(20);
        assert_eq!(run("sh", &["-c", "echo yes"], here, long).unwrap(), "yes\n");
        let e = run("sh", &["-c", "echo no; echo sorry >&2; exit 3"], here, long).unwrap_err();
        assert!(e.contains('3') && e.contains("sorry"), "{e}");
        assert!(
            run("no-such-program-here", &[], here, long)
                .unwrap_err()
                .contains("not installed")
        );
        let e = run("sleep", &["60"], here, Duration::from_millis(50)).unwrap_err();
        assert!(e.contains("no answer"), "{e}");
    }
}

//! The proof: the tarball unpacked into a root that holds nothing else but the C libraries (or into a given Debian), run there
//! without a network, without a home, with nothing in its environment.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};
use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};

use super::archive::{SUMS, hex};
use crate::shell;

/// What the recording in a release says, among other things.
const HEARD: &str = "country";

/// A processor before x86-64-v3, as QEMU calls it.
const OLD_PROCESSOR: &str = "Nehalem";

/// Unpacks and runs it.
pub(super) fn run(tarball: &Path, given: Option<&Path>) -> Result<()> {
    let folder = Unpacked::new(tarball, given)?;
    let files = folder.sums_fit()?;
    println!("{files} files are what {SUMS} says");
    if !shell::succeeds(Command::new("unshare").args(["-rnmpf", "true"])) {
        println!("not run: this system lets nobody make namespaces (unshare -rnmpf)");
        return Ok(());
    }
    if given.is_none() {
        folder.copy_libraries()?;
    }
    let version = folder.goobster(&["--version"])?;
    expect(&version, 0, "goobster ")?;
    println!("{}", text(&version.stdout).trim());
    let has_models = folder.top.join("share/goobster/models").is_dir();
    if has_models {
        for profile in ["small", "standard"] {
            let doctor = folder.goobster(&["doctor", "--profile", profile, "--offline"])?;
            print!("{}", text(&doctor.stdout));
            expect(&doctor, 0, "Everything is in order")?;
        }
        let sample = folder.inside("share/goobster/speech/jfk.wav");
        let heard = folder.goobster(&["transcribe", &sample, "--offline"])?;
        print!("{}", text(&heard.stdout));
        expect(&heard, 0, HEARD)?;
    } else {
        // Everything else is in order: what is missing is named, with the way to mend it.
        let doctor = folder.goobster(&["doctor", "--offline"])?;
        expect(&doctor, 4, "models pull")?;
        println!("without models: doctor says what is missing");
    }
    folder.old_processor()
}

fn expect(output: &Output, code: i32, words: &str) -> Result<()> {
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    if output.status.code() == Some(code) && said.contains(words) {
        return Ok(());
    }
    bail!("{} and not {code} with {words:?}:\n{said}", output.status)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A release in a root. The root goes with it, a given one stays without it.
struct Unpacked {
    root: PathBuf,
    /// The release's own folder, as this system sees it.
    top: PathBuf,
    /// What is deleted in the end.
    made: PathBuf,
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.made);
    }
}

impl Unpacked {
    fn new(tarball: &Path, given: Option<&Path>) -> Result<Self> {
        let name = format!("goobster-check-{}", std::process::id());
        let made = given
            .map_or_else(std::env::temp_dir, Path::to_path_buf)
            .join(&name);
        let root = given.unwrap_or(&made).to_path_buf();
        fs::create_dir_all(&made).with_context(|| format!("cannot create {}", made.display()))?;
        let mut unpacked = Self {
            root,
            top: made.clone(),
            made,
        };
        let file = File::open(tarball).with_context(|| format!("cannot read {}", tarball.display()))?;
        tar::Archive::new(GzDecoder::new(file)).unpack(&unpacked.made)?;
        let tops: Vec<PathBuf> = fs::read_dir(&unpacked.made)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        let [top] = tops.as_slice() else {
            bail!("a release has one folder at its top");
        };
        unpacked.top.clone_from(top);
        if given.is_none() {
            for folder in ["proc", "tmp", "lib64"] {
                fs::create_dir_all(unpacked.root.join(folder))?;
            }
        }
        Ok(unpacked)
    }

    /// A path of the release as it is called inside the root.
    fn inside(&self, path: &str) -> String {
        let whole = self.top.join(path);
        let inside = whole.strip_prefix(&self.root).unwrap_or(&whole);
        format!("/{}", inside.display())
    }

    fn sums_fit(&self) -> Result<usize> {
        let sums = fs::read_to_string(self.top.join(SUMS)).context("the release has no checksums")?;
        for line in sums.lines() {
            let (sum, path) = line.split_once("  ").with_context(|| format!("{SUMS}: {line}"))?;
            let mut own = Sha256::new();
            io::copy(&mut File::open(self.top.join(path))?, &mut own)?;
            if hex(&own.finalize()) != sum {
                bail!("{path} is not what {SUMS} says");
            }
        }
        Ok(sums.lines().count())
    }

    /// Puts this system's C libraries where the programs look for them: the loader says which and where.
    fn copy_libraries(&self) -> Result<()> {
        let mut wanted = BTreeSet::new();
        for program in [
            "bin/goobster",
            "lib/goobster/goobster",
            "share/goobster/runtime/libonnxruntime.so",
        ] {
            let path = self.top.join(program);
            if path.is_file() {
                wanted.extend(libraries(&shell::output(Command::new("ldd").arg(path))?));
            }
        }
        for library in wanted {
            let to = self.root.join(library.strip_prefix("/").unwrap_or(&library));
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::copy(&library, &to).with_context(|| format!("cannot copy {}", library.display()))?;
        }
        Ok(())
    }

    /// Runs the release's program in the root: processes, mounts and network of its own.
    fn goobster(&self, arguments: &[&str]) -> Result<Output> {
        let script = r#"mount -t proc proc "$1/proc" && root=$1 && shift && exec env -i HOME=/tmp/nobody LANG=C.UTF-8 "$(command -v chroot)" "$root" "$@""#;
        let program = self.inside("bin/goobster");
        eprintln!("$ goobster {}", arguments.join(" "));
        Command::new("unshare")
            .args(["-rnmpf", "sh", "-c", script, "sh"])
            .arg(&self.root)
            .arg(program)
            .args(arguments)
            .output()
            .context("cannot run unshare")
    }

    /// On an older processor the launcher says what is lacking. QEMU plays one, where it is installed.
    fn old_processor(&self) -> Result<()> {
        let Some(qemu) = shell::which("qemu-x86_64") else {
            println!(
                "not played: an older processor (qemu-x86_64 is not installed; Debian's package qemu-user has it)"
            );
            return Ok(());
        };
        let mut command = Command::new(qemu);
        command
            .args(["-cpu", OLD_PROCESSOR])
            .arg(self.top.join("bin/goobster"));
        let refused = command.arg("--version").output()?;
        expect(&refused, 4, "x86-64-v3")?;
        print!("on {OLD_PROCESSOR}: {}", text(&refused.stderr));
        Ok(())
    }
}

/// The paths in what `ldd` prints.
fn libraries(listed: &str) -> BTreeSet<PathBuf> {
    listed
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::archive::{self, Entry};

    #[test]
    fn libraries_are_read_from_what_the_loader_says() {
        let listed = "\tlinux-vdso.so.1 (0x1)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x2)\n\t/lib64/ld-linux-x86-64.so.2 (0x3)\n";
        let found: Vec<PathBuf> = libraries(listed).into_iter().collect();
        let wanted = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_file_that_was_changed_on_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let tarball = dir.path().join("g.tar.gz");
        let mut entries = vec![Entry::bytes("a", "one"), Entry::bytes("b", "two")];
        entries.push(archive::sums(&entries).unwrap());
        archive::write(&tarball, "g", entries, 0).unwrap();
        let unpacked = Unpacked::new(&tarball, Some(dir.path())).unwrap();
        assert_eq!(unpacked.sums_fit().unwrap(), 2);
        assert!(unpacked.inside("a").ends_with("/g/a"));
        fs::write(unpacked.top.join("b"), "tow").unwrap();
        assert!(unpacked.sums_fit().unwrap_err().to_string().contains('b'));
        let made = unpacked.made.clone();
        drop(unpacked);
        assert!(!made.exists(), "nothing is left in a root that was given");
    }
}

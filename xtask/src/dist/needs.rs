//! What a program asks of the system: shared libraries, and the versions of their symbols. A clean Debian 12 must have them.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// The libraries that a clean Debian 12 has: of the packages libc6, libgcc-s1 and libstdc++6, which dpkg and apt need.
const LIBRARIES: [&str; 8] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libstdc++.so.6",
];

/// The newest versions of symbols that they have there.
const NEWEST: [(&str, &str); 4] = [
    ("GLIBC", "2.36"),
    ("GLIBCXX", "3.4.30"),
    ("CXXABI", "1.3.13"),
    ("GCC", "12.0.0"),
];

/// # Errors
/// The names of what a clean Debian 12 lacks.
pub(super) fn check(file: &Path) -> Result<()> {
    let dynamic = shell::output(Command::new("readelf").arg("--dynamic").arg(file))?;
    let versions = shell::output(Command::new("readelf").arg("--version-info").arg(file))?;
    let lacking = [libraries(&dynamic), symbols(&versions)].concat();
    if lacking.is_empty() {
        return Ok(());
    }
    bail!(
        "{} needs what a clean Debian 12 does not have: {}. Build it on Debian 12, without optional features",
        file.display(),
        lacking.join(", ")
    )
}

/// The libraries of readelf's listing that are not there.
fn libraries(dynamic: &str) -> Vec<String> {
    dynamic
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .filter(|library| !LIBRARIES.contains(library))
        .map(str::to_owned)
        .collect()
}

/// The versions of readelf's listing that are too new.
fn symbols(versions: &str) -> Vec<String> {
    let mut lacking: Vec<String> = versions
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
        .filter_map(|word| {
            let (kind, version) = word.split_once('_')?;
            let (_, newest) = NEWEST.iter().find(|(known, _)| *known == kind)?;
            (numbers(version)? > numbers(newest)?).then(|| word.to_owned())
        })
        .collect();
    lacking.sort();
    lacking.dedup();
    lacking
}

fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named() {
        let dynamic = " 0x1 (NEEDED)  Shared library: [libc.so.6]\n 0x1 (NEEDED)  Shared library: [libssl.so.3]\n \
                       0xe (SONAME)  Library soname: [libown.so]\n";
        assert_eq!(libraries(dynamic), ["libssl.so.3"]);
        let versions = "  0x0010:   Name: GLIBC_2.4  Flags: none\n 0x2 Name: GLIBC_2.36 and GLIBC_2.38, GLIBCXX_3.4.9 \
                        GLIBCXX_3.4.32 GLIBC_PRIVATE GCC_4.2.0 GLIBC_2.38\n";
        assert_eq!(symbols(versions), ["GLIBCXX_3.4.32", "GLIBC_2.38"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_real_program_is_read() {
        // This test's own: it needs libc, and whatever it needs, this system has.
        let own = std::env::current_exe().unwrap();
        let dynamic = shell::output(Command::new("readelf").arg("--dynamic").arg(&own)).unwrap();
        assert!(dynamic.contains("[libc.so.6]"));
        assert!(libraries(&dynamic).is_empty(), "{:?}", libraries(&dynamic));
    }
}

//! What a processor must have: the extensions of x86-64-v3, by the names that Linux and compilers give them.

/// An extension, and whether this processor (and the system, which must save its registers) has it.
pub(crate) type Extension = (&'static str, bool);

#[cfg(target_arch = "x86_64")]
macro_rules! extensions {
    ($($name:tt)*) => {
        vec![$(($name, std::arch::is_x86_feature_detected!($name))),*]
    };
}

/// Every extension of x86-64-v3 beyond the first x86-64, looked for. Two more belong to it that the standard library cannot
/// ask for: LAHF/SAHF, which every processor with AVX2 has, and OSXSAVE, which is asked together with AVX.
#[cfg(target_arch = "x86_64")]
pub(crate) fn found() -> Vec<Extension> {
    extensions!(
        "sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "cmpxchg16b"
        "avx" "avx2" "bmi1" "bmi2" "f16c" "fma" "lzcnt" "movbe" "xsave"
    )
}

/// Elsewhere there is nothing to look for: such a release has a program for that processor.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn found() -> Vec<Extension> {
    Vec::new()
}

/// # Errors
/// The words for a processor that lacks something.
pub(crate) fn check(found: &[Extension]) -> Result<(), String> {
    let lacking: Vec<&str> = found
        .iter()
        .filter(|(_, there)| !there)
        .map(|(name, _)| *name)
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(format!(
        "this processor cannot run this build of Goobster, which needs x86-64-v3 (Intel Haswell, AMD Excavator or later): it \
         lacks {}. In a virtual machine, let it see the host's processor; else build Goobster on this machine: \
         cargo build --release -p goobster-bot",
        lacking.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_is_named_and_nothing_else() {
        assert_eq!(check(&[("avx", true), ("avx2", true)]), Ok(()));
        let words = check(&[("avx", true), ("avx2", false), ("fma", false)]).unwrap_err();
        assert!(
            words.contains("lacks avx2, fma.") && words.contains("x86-64-v3"),
            "{words}"
        );
        assert!(!words.contains("avx,"), "{words}");
    }

    /// What the compiler may use for x86-64-v3 is what is looked for: asked of the compiler itself.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn everything_that_the_compiler_may_use_is_looked_for() {
        let features = |processor: &str| -> std::collections::BTreeSet<String> {
            let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
            let output = std::process::Command::new(rustc)
                .args(["--print", "cfg", "-C", &format!("target-cpu={processor}")])
                .output()
                .unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout)
                .unwrap()
                .lines()
                .filter_map(|line| line.strip_prefix("target_feature=\"")?.strip_suffix('"'))
                .map(str::to_owned)
                .collect()
        };
        let mut wanted = features("x86-64-v3");
        for always in features("x86-64") {
            wanted.remove(&always);
        }
        wanted.remove("lahfsahf");
        let looked_for: std::collections::BTreeSet<String> =
            found().iter().map(|(name, _)| (*name).to_owned()).collect();
        assert!(wanted.contains("avx2"), "{wanted:?}");
        assert_eq!(looked_for, wanted);
    }
}

//! What the system says of this process.

/// Memory, threads and file descriptors of this process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Process {
    /// Bytes that are really in memory.
    pub(super) resident: u64,
    pub(super) threads: u64,
    pub(super) descriptors: u64,
}

/// Asks the system; `None` where it does not tell in this way.
pub(super) fn look() -> Option<Process> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(Process {
        resident: field("VmRSS:")? * 1024,
        threads: field("Threads:")?,
        // One of them is the look itself.
        descriptors: std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as u64,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_opened_is_counted() {
        let before = look().unwrap();
        let files: Vec<_> = (0..20)
            .map(|_| std::fs::File::open("/dev/null").unwrap())
            .collect();
        let after = look().unwrap();
        drop(files);
        assert!(after.resident > 1 << 20 && after.threads >= 1);
        // Other tests open and close files meanwhile.
        assert!(
            after.descriptors + 10 > before.descriptors + 20,
            "{before:?} {after:?}"
        );
    }
}

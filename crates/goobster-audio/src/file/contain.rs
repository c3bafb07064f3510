//! Keeps a panic inside a dependency from becoming ours.
//!
//! Demuxers and decoders read hostile bytes in safe Rust, where a missed check is a panic, not a security hole. Such
//! panics are real: symphonia 0.5 meets a Matroska index that points beyond the end of a file, as in every file that is
//! cut off, with a failed `expect`, and some ADPCM blocks with an overflowing product. A damaged recording must not end a session that others share, so every call into
//! them goes through here and a panic is one more way in which a packet or a file can be bad. This needs unwinding, which
//! is why no profile sets `panic = "abort"`. The panic hook runs all the same, and Rust's own prints to standard error: a
//! program sets one that asks [`panics_are_contained`] and keeps quiet then, as the `goobster` binary does.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CONTAINING: Cell<bool> = const { Cell::new(false) };
}

/// A dependency panicked; what it was working on must not be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Whether a panic of the calling thread, right now, would only cost a packet or a file.
///
/// A program's panic hook asks this to tell a damaged recording (of which the user is told in other words) from a fault
/// of the program.
pub fn panics_are_contained() -> bool {
    CONTAINING.with(Cell::get)
}

/// Runs `call`, turning a panic into a value.
///
/// State that `call` changed may be inconsistent after [`Panicked`]: the caller drops or rebuilds it, which is what
/// makes `AssertUnwindSafe` true.
pub(crate) fn contained<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    let outer = CONTAINING.with(|containing| containing.replace(true));
    let run = catch_unwind(AssertUnwindSafe(call));
    CONTAINING.with(|containing| containing.set(outer));
    run.map_err(|_message| Panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_value() {
        let empty: Vec<u8> = Vec::new();
        let index = std::hint::black_box(3);
        assert_eq!(contained(|| empty[index]), Err(Panicked));
        assert_eq!(contained(|| 7), Ok(7));
        assert_eq!(contained(panics_are_contained), Ok(true));
        assert!(!panics_are_contained());
    }
}

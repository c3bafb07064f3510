//! Keeps a panic inside a dependency from becoming ours.
//!
//! Demuxers and decoders read hostile bytes in safe Rust, where a missed check is a panic, not a security hole. Such
//! panics are real: symphonia 0.5 meets a Matroska index that points beyond the end of a file, as in every file that is
//! cut off, with a failed `expect`, and some ADPCM blocks with an overflowing product. A damaged recording must not end a session that others share, so every call into
//! them goes through here and a panic is one more way in which a packet or a file can be bad. This needs unwinding, which
//! is why no profile sets `panic = "abort"`; the panic's message still reaches standard error through the hook.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A dependency panicked; what it was working on must not be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Runs `call`, turning a panic into a value.
///
/// State that `call` changed may be inconsistent after [`Panicked`]: the caller drops or rebuilds it, which is what
/// makes `AssertUnwindSafe` true.
pub(crate) fn contained<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_message| Panicked)
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
    }
}

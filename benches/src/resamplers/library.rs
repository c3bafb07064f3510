//! A library of the system, found at run time.
#![allow(unsafe_code)] // Loading foreign code.

use libloading::Library;

/// Opens the first of `names` that is there.
pub(super) fn open(names: &[&str]) -> Result<Library, String> {
    let mut why = String::new();
    for name in names {
        // SAFETY: these libraries run nothing when they are loaded.
        match unsafe { Library::new(*name) } {
            Ok(library) => return Ok(library),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// The address of a function, to be called as a `T`.
///
/// # Safety
/// `T` must be the function's true type, and must not be called after the library is closed.
pub(super) unsafe fn function<T: Copy>(library: &Library, name: &str) -> Result<T, String> {
    // SAFETY: the caller's promise.
    unsafe { library.get::<T>(name.as_bytes()) }
        .map(|symbol| *symbol)
        .map_err(|e| e.to_string())
}

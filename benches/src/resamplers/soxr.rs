//! libsoxr with its defaults, which are HQ and one thread.
#![allow(unsafe_code)] // Foreign functions, declared as in soxr.h 0.1.3.

use std::ffi::{c_char, c_double, c_uint, c_void};
use std::ptr::{null, null_mut};

use libloading::Library;

use super::library::{function, open};
use super::{FRAME, ToSpeech, mix};

type Create = unsafe extern "C" fn(
    c_double,
    c_double,
    c_uint,
    *mut *const c_char,
    *const c_void,
    *const c_void,
    *const c_void,
) -> *mut c_void;
type Process = unsafe extern "C" fn(
    *mut c_void,
    *const f32,
    usize,
    *mut usize,
    *mut f32,
    usize,
    *mut usize,
) -> *const c_char;
type Delete = unsafe extern "C" fn(*mut c_void);

/// A stream through libsoxr.
pub struct Soxr {
    handle: *mut c_void,
    process: Process,
    delete: Delete,
    mono: Vec<f32>,
    _library: Library,
}

impl Soxr {
    /// One that has heard nothing.
    ///
    /// # Errors
    /// Why the library cannot be used.
    pub fn new() -> Result<Self, String> {
        let library = open(&["libsoxr.so.0", "libsoxr.0.dylib"])?;
        // SAFETY: the types are those of soxr.h; the library is kept as long as the functions.
        let (create, process, delete) = unsafe {
            (
                function::<Create>(&library, "soxr_create")?,
                function::<Process>(&library, "soxr_process")?,
                function::<Delete>(&library, "soxr_delete")?,
            )
        };
        let mut error = null();
        // SAFETY: null specifications stand for the defaults: interleaved floats, HQ, one thread.
        let handle = unsafe { create(48_000.0, 16_000.0, 1, &raw mut error, null(), null(), null()) };
        if handle.is_null() || !error.is_null() {
            return Err("soxr_create failed".to_owned());
        }
        Ok(Self {
            handle,
            process,
            delete,
            mono: vec![0.0; FRAME],
            _library: library,
        })
    }
}

impl ToSpeech for Soxr {
    fn frame(&mut self, stereo: &[i16], out: &mut Vec<f32>) {
        mix(stereo, &mut self.mono);
        let start = out.len();
        out.resize(start + 2 * FRAME, 0.0);
        let (mut read, mut written) = (0, 0);
        // SAFETY: both buffers are as long as said, and the handle is live.
        let error = unsafe {
            (self.process)(
                self.handle,
                self.mono.as_ptr(),
                self.mono.len(),
                &raw mut read,
                out.as_mut_ptr().add(start),
                2 * FRAME,
                &raw mut written,
            )
        };
        assert!(
            error.is_null() && read == self.mono.len(),
            "soxr_process took {read}"
        );
        out.truncate(start + written);
    }
}

impl Drop for Soxr {
    fn drop(&mut self) {
        let handle = std::mem::replace(&mut self.handle, null_mut());
        // SAFETY: made by soxr_create and deleted once.
        unsafe { (self.delete)(handle) };
    }
}

//! speexdsp's resampler at quality 5: the lowest whose aliases are below 95 dB.
#![allow(unsafe_code)] // Foreign functions, declared as in speex_resampler.h 1.2.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use libloading::Library;

use super::library::{function, open};
use super::{FRAME, ToSpeech, mix};

type Init = unsafe extern "C" fn(u32, u32, u32, c_int, *mut c_int) -> *mut c_void;
type Process = unsafe extern "C" fn(*mut c_void, u32, *const f32, *mut u32, *mut f32, *mut u32) -> c_int;
type Destroy = unsafe extern "C" fn(*mut c_void);

const QUALITY: c_int = 5;

/// A stream through speexdsp.
pub struct Speexdsp {
    handle: *mut c_void,
    process: Process,
    destroy: Destroy,
    mono: Vec<f32>,
    _library: Library,
}

impl Speexdsp {
    /// One that has heard nothing.
    ///
    /// # Errors
    /// Why the library cannot be used.
    pub fn new() -> Result<Self, String> {
        let library = open(&["libspeexdsp.so.1", "libspeexdsp.1.dylib"])?;
        // SAFETY: the types are those of speex_resampler.h; the library is kept as long as the functions.
        let (init, process, destroy) = unsafe {
            (
                function::<Init>(&library, "speex_resampler_init")?,
                function::<Process>(&library, "speex_resampler_process_float")?,
                function::<Destroy>(&library, "speex_resampler_destroy")?,
            )
        };
        let mut error = 0;
        // SAFETY: plain numbers, and a place for the error.
        let handle = unsafe { init(1, 48_000, 16_000, QUALITY, &raw mut error) };
        if handle.is_null() || error != 0 {
            return Err(format!("speex_resampler_init failed with {error}"));
        }
        Ok(Self {
            handle,
            process,
            destroy,
            mono: vec![0.0; FRAME],
            _library: library,
        })
    }
}

impl ToSpeech for Speexdsp {
    fn frame(&mut self, stereo: &[i16], out: &mut Vec<f32>) {
        mix(stereo, &mut self.mono);
        // It works on the scale of 16 bits.
        for sample in &mut self.mono {
            *sample *= 32_768.0;
        }
        let start = out.len();
        out.resize(start + FRAME, 0.0);
        let (mut read, mut written) = (FRAME as u32, FRAME as u32);
        // SAFETY: both buffers are as long as said, and the handle is live.
        let error = unsafe {
            (self.process)(
                self.handle,
                0,
                self.mono.as_ptr(),
                &raw mut read,
                out.as_mut_ptr().add(start),
                &raw mut written,
            )
        };
        assert!(error == 0 && read as usize == FRAME, "speexdsp took {read}");
        out.truncate(start + written as usize);
        for sample in &mut out[start..] {
            *sample *= 1.0 / 32_768.0;
        }
    }
}

impl Drop for Speexdsp {
    fn drop(&mut self) {
        let handle = std::mem::replace(&mut self.handle, null_mut());
        // SAFETY: made by speex_resampler_init and destroyed once.
        unsafe { (self.destroy)(handle) };
    }
}

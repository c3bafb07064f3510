//! libopus 1.6 built with its networks, in the place of the `libopus_sys` that opus2 and songbird link.
//!
//! That crate brings the library without the weights of its neural concealment ("deep PLC", libopus 1.5 and later), and two
//! copies of libopus in one binary would share their symbols. So the workspace puts this crate in its place: the same names,
//! from `opusic-sys`, which brings the weights. Lost packets cost fewer words with it; `goobster-eval loss` measures how many.

#![allow(
    unsafe_code,
    reason = "the bindings of a C library; the one function here sets up a decoder that the library made"
)]

mod unsigned;

use core::ffi::c_int;

pub use opusic_sys::*;
pub use unsigned::{
    OPUS_APPLICATION_AUDIO, OPUS_APPLICATION_RESTRICTED_LOWDELAY, OPUS_APPLICATION_VOIP,
    OPUS_BANDWIDTH_FULLBAND, OPUS_BANDWIDTH_MEDIUMBAND, OPUS_BANDWIDTH_NARROWBAND,
    OPUS_BANDWIDTH_SUPERWIDEBAND, OPUS_BANDWIDTH_WIDEBAND, OPUS_FRAMESIZE_2_5_MS, OPUS_FRAMESIZE_5_MS,
    OPUS_FRAMESIZE_10_MS, OPUS_FRAMESIZE_20_MS, OPUS_FRAMESIZE_40_MS, OPUS_FRAMESIZE_60_MS,
    OPUS_FRAMESIZE_80_MS, OPUS_FRAMESIZE_100_MS, OPUS_FRAMESIZE_120_MS, OPUS_FRAMESIZE_ARG,
    OPUS_SIGNAL_MUSIC, OPUS_SIGNAL_VOICE,
};

/// From this complexity on a decoder conceals by network (libopus' `opus_decoder.c` and `celt_decoder.c`); what it costs is
/// paid for lost packets only.
const NEURAL_CONCEALMENT: c_int = 5;

/// Makes a decoder as `opusic_sys::opus_decoder_create` does, with neural concealment switched on.
///
/// # Safety
///
/// `error` is null or points to a `c_int` that may be written.
#[must_use]
#[allow(non_snake_case, reason = "the name that libopus gives it")]
pub unsafe fn opus_decoder_create(Fs: opus_int32, channels: c_int, error: *mut c_int) -> *mut OpusDecoder {
    // SAFETY: the caller's promise is that of the function called.
    let decoder = unsafe { opusic_sys::opus_decoder_create(Fs, channels, error) };
    if !decoder.is_null() {
        // SAFETY: the decoder is one that libopus made just now; this request takes one integer (opus_defines.h). A refusal
        // leaves the decoder as it was, with the classic concealment, so the answer may be ignored.
        unsafe { opus_decoder_ctl(decoder, OPUS_SET_COMPLEXITY_REQUEST, NEURAL_CONCEALMENT) };
    }
    decoder
}

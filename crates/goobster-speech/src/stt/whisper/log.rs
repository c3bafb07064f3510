//! whisper.cpp's messages go to `tracing`, never to standard output or error.
#![allow(unsafe_code)] // FFI: whisper.cpp hands its messages to a C callback.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Once;

use whisper_rs::whisper_rs_sys::{
    ggml_log_level, ggml_log_level_GGML_LOG_LEVEL_ERROR, ggml_log_level_GGML_LOG_LEVEL_WARN, ggml_log_set,
    whisper_log_set,
};

thread_local! {
    static LAST_ERROR: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Redirects the messages, once a process.
pub(super) fn redirect() {
    static ONCE: Once = Once::new();
    // SAFETY: `receive` may be called from any thread at any time and never unwinds; it takes no user data.
    ONCE.call_once(|| unsafe {
        whisper_log_set(Some(receive), std::ptr::null_mut());
        ggml_log_set(Some(receive), std::ptr::null_mut());
    });
}

/// The last error message of this thread, forgotten by asking.
pub(super) fn take_last_error() -> Option<String> {
    LAST_ERROR
        .try_with(|last| last.borrow_mut().take())
        .ok()
        .flatten()
}

unsafe extern "C" fn receive(level: ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: whisper.cpp gives a NUL-terminated string that lives for the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    // Its errors include every decode that we call off ourselves, so they are details here; what fails is reported by
    // who asked, with this text as the cause.
    if level == ggml_log_level_GGML_LOG_LEVEL_ERROR {
        tracing::debug!(target: "whisper_cpp", "{text}");
        let _ = LAST_ERROR.try_with(|last| {
            if let Ok(mut last) = last.try_borrow_mut() {
                *last = Some(text.to_owned());
            }
        });
    } else if level == ggml_log_level_GGML_LOG_LEVEL_WARN {
        tracing::debug!(target: "whisper_cpp", "{text}");
    } else {
        tracing::trace!(target: "whisper_cpp", "{text}");
    }
}

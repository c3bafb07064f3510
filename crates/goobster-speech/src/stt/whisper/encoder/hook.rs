//! How whisper.cpp comes to use our encoder: its hook for Core ML.
//!
//! Compiled with `WHISPER_USE_COREML` (see `.cargo/config.toml`; nothing of Apple's is needed for it), whisper.cpp calls three
//! functions of C with these names: one for each new state, one to encode, one at the state's end. They are defined here.
//! Where it was compiled without, they are never called and ggml encodes.
//!
//! The functions get no word from us, so what they need is left for them on their thread: a state is made, and decodes, on
//! the thread that asks for it.
#![allow(
    unsafe_code,
    reason = "functions that whisper.cpp calls, with pointers that it hands over"
)]

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Scratch, Weights};
use crate::stt::pool::Stop;

/// What a state keeps of ours.
struct Attached {
    weights: Arc<Weights>,
    scratch: Mutex<Scratch>,
}

thread_local! {
    static OFFERED: RefCell<Option<Arc<Weights>>> = const { RefCell::new(None) };
    static THREADS: Cell<usize> = const { Cell::new(1) };
    static STOP: RefCell<Stop> = RefCell::default();
}

/// Runs `make`; a state made in it encodes with these weights.
pub(in super::super) fn offering<T>(weights: Option<&Arc<Weights>>, make: impl FnOnce() -> T) -> T {
    OFFERED.with_borrow_mut(|offered| *offered = weights.cloned());
    let state = make();
    if OFFERED.with_borrow_mut(Option::take).is_some() {
        static TOLD: std::sync::Once = std::sync::Once::new();
        TOLD.call_once(|| {
            tracing::info!(
                "ggml encodes, more slowly: whisper.cpp was compiled without the flags of .cargo/config.toml \
                 (`cargo clean -p whisper-rs-sys` compiles it anew)"
            );
        });
    }
    state
}

/// The threads of the encodes that this thread begins from now on, and what calls them off.
pub(in super::super) fn prepare(threads: usize, stop: &Stop) {
    THREADS.set(threads);
    STOP.with_borrow_mut(|kept| kept.clone_from(stop));
}

/// A new state asks for an encoder; null makes ggml encode.
#[unsafe(no_mangle)]
extern "C" fn whisper_coreml_init(_path: *const c_char) -> *mut c_void {
    let offered = OFFERED.with_borrow_mut(Option::take);
    offered.map_or(std::ptr::null_mut(), |weights| {
        let scratch = Mutex::default();
        Box::into_raw(Box::new(Attached { weights, scratch })).cast()
    })
}

/// A state ends.
///
/// # Safety
/// `attached` must come from [`whisper_coreml_init`] and not be used again.
#[unsafe(no_mangle)]
unsafe extern "C" fn whisper_coreml_free(attached: *mut c_void) {
    if !attached.is_null() {
        // SAFETY: made by `Box::into_raw` from this very type, and given back once.
        drop(unsafe { Box::from_raw(attached.cast::<Attached>()) });
    }
}

/// Encodes `steps` steps of 10 ms: `mel` has `bands` rows of them, `out` gets a row of the model's width for every second.
///
/// # Safety
/// `attached` must come from [`whisper_coreml_init`], `mel` and `out` must hold what is said above and not overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn whisper_coreml_encode(
    attached: *const c_void,
    steps: i64,
    bands: i64,
    mel: *const f32,
    out: *mut f32,
) {
    // SAFETY: whisper.cpp hands over what `whisper_coreml_init` gave it, and frees it only with the state.
    let attached = unsafe { &*attached.cast::<Attached>() };
    let (steps, bands) = (
        usize::try_from(steps).unwrap_or(0),
        usize::try_from(bands).unwrap_or(0),
    );
    let weights = &attached.weights;
    // SAFETY: whisper.cpp's tensors `mel` (steps by bands) and `embd_enc` (width by half the steps), both of 32-bit floats,
    // in main memory as no graphics processor is used with this hook, and not touched by it while we run.
    let (mel, out) = unsafe {
        (
            std::slice::from_raw_parts(mel, steps * bands),
            std::slice::from_raw_parts_mut(out, steps / 2 * weights.width),
        )
    };
    let encoded = catch_unwind(AssertUnwindSafe(|| {
        // A scratch is whole even after a panic: every encode fills it anew.
        let mut scratch = attached.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let unwanted = || STOP.with_borrow(Stop::is_raised);
        weights.encode(&mut scratch, THREADS.get(), mel, out, unwanted);
    }));
    if encoded.is_err() {
        // A panic must not cross C; silence gives no words.
        tracing::error!("encoding a sound panicked");
        out.fill(0.0);
    }
}

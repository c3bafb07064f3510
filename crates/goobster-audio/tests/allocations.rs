//! Nothing is allocated while samples flow, once buffers have been through the pool: counted by the allocator itself.
#![allow(clippy::unwrap_used)] // The helpers of a test are tests too.
#![allow(unsafe_code)] // An allocator that counts.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use goobster_audio::endpoint::EndpointConfig;
use goobster_audio::listener::{HeardEvent, Listener};
use goobster_audio::vad::{EarshotDetector, SileroDetector, VoiceDetector};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator as it came; the counter is a plain cell of this thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Utterances heard and allocations made in one pass over `sound`, in frames of 20 ms.
fn pass(listener: &mut Listener, sound: &[f32]) -> (u32, u64) {
    let before = ALLOCATIONS.with(Cell::get);
    let mut utterances = 0;
    for frame in sound.chunks(320) {
        listener.push(frame, &mut |event| {
            if let HeardEvent::Ended(utterance) = event {
                utterances += 1;
                drop(utterance);
            }
        });
        let _ = listener.utterance_so_far();
    }
    listener.gap(Duration::from_secs(2), &mut |event| {
        utterances += u32::from(matches!(event, HeardEvent::Ended(_)));
    });
    (utterances, ALLOCATIONS.with(Cell::get) - before)
}

fn check(detector: impl VoiceDetector + Send + 'static) {
    let sound = common::clip("jfk.wav");
    let mut listener = Listener::new(&EndpointConfig::conversation(), Box::new(detector)).unwrap();
    let (utterances, warming) = pass(&mut listener, &sound);
    assert!(utterances > 0, "a test without an utterance would prove nothing");
    assert!(
        warming > 0,
        "the counter counts: the first utterance makes its buffer"
    );
    assert_eq!(pass(&mut listener, &sound), (utterances, 0));
}

#[test]
fn listening_with_silero_allocates_nothing_once_warm() {
    check(SileroDetector::new(common::silero_weights()));
}

#[test]
fn listening_with_earshot_allocates_nothing_once_warm() {
    check(EarshotDetector::new());
}

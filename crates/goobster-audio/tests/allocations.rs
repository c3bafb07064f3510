//! Nothing is allocated while samples flow, once buffers have been through the pool: counted by the allocator itself.
#![allow(clippy::unwrap_used)] // The helpers of a test are tests too.
#![allow(unsafe_code)] // An allocator that counts.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use goobster_audio::decimate::Decimator;
use goobster_audio::endpoint::EndpointConfig;
use goobster_audio::listener::{HeardEvent, Listener};
use goobster_audio::opus::{MadeGood, StreamDecoder};
use goobster_audio::resample::PlaybackResampler;
use goobster_audio::vad::{EarshotDetector, SileroDetector, VoiceDetector};
use opus2::{Application, Bitrate, Channels, Encoder};

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

/// The recording in 48 kHz stereo.
fn stereo() -> Vec<f32> {
    let mut sound = Vec::new();
    let mut resampler = PlaybackResampler::new(16_000).unwrap();
    resampler.process(&common::clip("jfk.wav"), &mut sound).unwrap();
    sound
}

/// Packets of 20 ms, each with a copy of the one before it.
fn packets() -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(48_000, Channels::Stereo, Application::Voip).unwrap();
    encoder.set_bitrate(Bitrate::Bits(32_000)).unwrap();
    encoder.set_inband_fec(true).unwrap();
    encoder.set_packet_loss_perc(20).unwrap();
    stereo()
        .chunks_exact(1920)
        .map(|frame| encoder.encode_vec_float(frame, 1275).unwrap())
        .collect()
}

/// Utterances heard, losses made good by copies and by concealment, and allocations made in one pass.
fn call(stream: &mut StreamDecoder, listener: &mut Listener, packets: &[Vec<u8>]) -> (u32, [u32; 2], u64) {
    let before = ALLOCATIONS.with(Cell::get);
    let (mut utterances, mut made_good) = (0, [0; 2]);
    let mut ended = |event| utterances += u32::from(matches!(event, HeardEvent::Ended(_)));
    for (n, packet) in packets.iter().enumerate() {
        let mut take = |sound: &[f32]| listener.push(sound, &mut ended);
        if n % 10 == 5 || n % 50 == 26 {
            stream.lost(&mut take).unwrap();
        } else {
            match stream.packet(packet, &mut take).unwrap() {
                Some(MadeGood::Recovered) => made_good[0] += 1,
                Some(MadeGood::Concealed) => made_good[1] += 1,
                None => {}
            }
        }
    }
    stream.settle(&mut |_| ()).unwrap();
    listener.gap(Duration::from_secs(2), &mut ended);
    (utterances, made_good, ALLOCATIONS.with(Cell::get) - before)
}

#[test]
fn a_call_with_losses_allocates_nothing_from_packet_to_utterance_once_warm() {
    let packets = packets();
    let mut stream = StreamDecoder::new().unwrap();
    let detector = Box::new(SileroDetector::new(common::silero_weights()));
    let mut listener = Listener::new(&EndpointConfig::conversation(), detector).unwrap();
    let (utterances, made_good, warming) = call(&mut stream, &mut listener, &packets);
    assert!(utterances > 0 && warming > 0);
    assert!(
        made_good.iter().all(|count| *count > 5),
        "copies, concealed: {made_good:?}"
    );
    let (again, _, allocations) = call(&mut stream, &mut listener, &packets);
    assert!(again > 0, "the second pass must hear something too");
    assert_eq!(allocations, 0);
}

#[test]
fn decimating_allocates_nothing_once_warm() {
    let sound: Vec<i16> = stereo().iter().map(|s| (s * 32_767.0) as i16).collect();
    let mut decimator = Decimator::new();
    let mut out = Vec::with_capacity(640);
    let before = ALLOCATIONS.with(Cell::get);
    // Frames of 20 ms, then pieces that end anywhere.
    for frame in sound.chunks(1920).chain(sound.chunks(1234)) {
        out.clear();
        decimator.process(frame, &mut out).unwrap();
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
}

//! What the targets share: letting contained panics pass, and reading a recording to its end.

use std::io::Cursor;
use std::sync::Once;

use goobster_audio::file::AudioFile;

/// The most sound read from one input (two minutes): a small file may honestly claim hours of silence.
const MOST_SAMPLES: u64 = 120 * 16_000;

/// Lets panics of the demuxers and decoders unwind to where the product contains them.
///
/// libFuzzer's hook ends the process at every panic, also at those that are caught. Panics of our own code still end
/// it; so does a dependency's panic that nothing caught, because it then leaves the target.
pub fn allow_contained_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let fatal = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !goobster_audio::file::panics_are_contained() {
                fatal(panic);
            }
        }));
    });
}

/// Opens `bytes` as a recording and reads it, as `transcribe` does.
pub fn read_recording(bytes: &[u8]) {
    let Ok(mut file) = AudioFile::from_reader(Cursor::new(bytes.to_vec()), "fuzz") else { return };
    let (mut block, mut expected) = (Vec::new(), 0u64);
    loop {
        match file.next_block(&mut block) {
            Ok(Some(at)) => {
                assert_eq!(at.start, expected);
                assert_eq!(at.samples, block.len());
                assert!(!block.is_empty() && block.len() <= 16_000 * 60);
                assert!(block.iter().all(|sample| sample.is_finite()));
                expected += block.len() as u64;
                if expected > MOST_SAMPLES {
                    return;
                }
            }
            Ok(None) => break,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(matches!(file.next_block(&mut block), Ok(None)));
                break;
            }
        }
    }
    let _ = file.damage().to_string();
    assert!((0.0..=1.0).contains(&file.progress()));
}

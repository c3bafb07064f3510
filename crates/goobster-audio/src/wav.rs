//! Writing WAV files: 16-bit PCM that stays readable if the process stops halfway, and replies placed in time.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

use crate::error::AudioError;

/// The data of a WAV file is counted in 32 bits; the header needs a little of that.
const MAX_DATA_BYTES: u64 = u32::MAX as u64 - 4096;

/// Writes a 16-bit PCM WAV file, mono or stereo.
///
/// Twice a second of sound, the header is brought up to date, so that a file whose writer was killed still plays.
pub struct WavWriter {
    inner: hound::WavWriter<BufWriter<File>>,
    place: String,
    rate: u32,
    channels: u16,
    frames: u64,
    since_flush: u32,
}

impl WavWriter {
    /// Creates (or replaces) the file at `path`: `rate` in Hz, 1 or 2 channels.
    pub fn create(path: impl AsRef<Path>, rate: u32, channels: u16) -> Result<Self, AudioError> {
        let place = path.as_ref().display().to_string();
        if rate == 0 {
            return Err(AudioError::SampleRate { place, rate });
        }
        if !(1..=2).contains(&channels) {
            return Err(AudioError::TooManyChannels {
                place,
                channels: usize::from(channels),
                max: 2,
            });
        }
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let inner = hound::WavWriter::create(path, spec).map_err(|e| write_error(&place, e))?;
        Ok(Self {
            inner,
            place,
            rate,
            channels,
            frames: 0,
            since_flush: 0,
        })
    }

    /// The sample rate in Hz.
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// How much has been written.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.frames as f64 / f64::from(self.rate))
    }

    /// Appends interleaved samples; full scale is -1.0 to 1.0, what exceeds it is clipped, what is no number is
    /// silence.
    pub fn write(&mut self, interleaved: &[f32]) -> Result<(), AudioError> {
        let frames = (interleaved.len() / usize::from(self.channels)) as u64;
        let bytes_a_frame = u64::from(self.channels) * 2;
        let total = (self.frames + frames) * bytes_a_frame;
        if total > MAX_DATA_BYTES {
            return Err(AudioError::Limit {
                place: self.place.clone(),
                what: "a WAV file",
                value: total,
                limit: MAX_DATA_BYTES,
            });
        }
        // A whole number of frames only: half a frame would swap left and right from there on.
        let whole = frames as usize * usize::from(self.channels);
        for sample in &interleaved[..whole] {
            self.inner
                .write_sample(to_i16(*sample))
                .map_err(|e| write_error(&self.place, e))?;
        }
        self.frames += frames;
        self.since_flush = self
            .since_flush
            .saturating_add(u32::try_from(frames).unwrap_or(u32::MAX));
        if self.since_flush >= self.rate / 2 {
            self.since_flush = 0;
            self.inner.flush().map_err(|e| write_error(&self.place, e))?;
        }
        Ok(())
    }

    /// Appends silence.
    pub fn write_silence(&mut self, frames: u64) -> Result<(), AudioError> {
        const ZEROS: [f32; 4096] = [0.0; 4096];
        let mut left = frames.saturating_mul(u64::from(self.channels));
        while left > 0 {
            let now = left.min(ZEROS.len() as u64);
            self.write(&ZEROS[..now as usize])?;
            left -= now;
        }
        Ok(())
    }

    /// Completes the file. Dropping the writer does the same, but cannot report a full disk.
    pub fn finish(self) -> Result<Duration, AudioError> {
        let duration = self.duration();
        self.inner.finalize().map_err(|e| write_error(&self.place, e))?;
        Ok(duration)
    }
}

impl std::fmt::Debug for WavWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WavWriter")
            .field("place", &self.place)
            .field("rate", &self.rate)
            .field("channels", &self.channels)
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

/// Writes clips at their moments, with silence in between: what a listener would have heard of the replies.
///
/// A clip whose moment has already passed (the one before it ran longer) follows directly: nothing is lost or mixed.
#[derive(Debug)]
pub struct TimelineWriter {
    wav: WavWriter,
}

impl TimelineWriter {
    /// Creates (or replaces) a mono file at `path` with `rate` Hz.
    pub fn create(path: impl AsRef<Path>, rate: u32) -> Result<Self, AudioError> {
        Ok(Self {
            wav: WavWriter::create(path, rate, 1)?,
        })
    }

    /// Fills up with silence to `at`, then appends `mono`; returns when the clip really begins.
    pub fn place(&mut self, at: Duration, mono: &[f32]) -> Result<Duration, AudioError> {
        self.silence_until(at)?;
        let begins = self.wav.duration();
        self.wav.write(mono)?;
        Ok(begins)
    }

    /// Fills up with silence to `at`; does nothing if that has passed.
    pub fn silence_until(&mut self, at: Duration) -> Result<(), AudioError> {
        let target = (at.as_secs_f64() * f64::from(self.wav.rate)).round() as u64;
        self.wav.write_silence(target.saturating_sub(self.wav.frames))
    }

    /// How much has been written.
    pub fn duration(&self) -> Duration {
        self.wav.duration()
    }

    /// Completes the file.
    pub fn finish(self) -> Result<Duration, AudioError> {
        self.wav.finish()
    }
}

/// Full scale to 16 bits, clipped. `as` turns what is no number into 0.
fn to_i16(sample: f32) -> i16 {
    (sample * 32767.0).round() as i16
}

fn write_error(place: &str, error: hound::Error) -> AudioError {
    let source = match error {
        hound::Error::IoError(source) => source,
        other => std::io::Error::other(other),
    };
    AudioError::Write {
        place: place.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Vec<i16> {
        hound::WavReader::open(path)
            .unwrap()
            .samples::<i16>()
            .map(Result::unwrap)
            .collect()
    }

    #[test]
    fn samples_come_back_clipped_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.wav");
        let mut wav = WavWriter::create(&path, 16_000, 2).unwrap();
        wav.write(&[0.0, 1.0, -1.0, 7.0, f32::NAN, -9.0, 0.5]).unwrap();
        assert_eq!(wav.finish().unwrap(), Duration::from_secs_f64(3.0 / 16_000.0));
        assert_eq!(read(&path), [0, 32767, -32767, 32767, 0, -32768]);
    }

    #[test]
    fn a_file_whose_writer_died_still_plays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.wav");
        let mut wav = WavWriter::create(&path, 16_000, 1).unwrap();
        wav.write(&vec![0.25; 16_000]).unwrap();
        // The writer is never finished, as after a kill.
        std::mem::forget(wav);
        assert!(read(&path).len() >= 8_000);
    }

    #[test]
    fn clips_stand_where_they_were_spoken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reply.wav");
        let mut timeline = TimelineWriter::create(&path, 1_000).unwrap();
        assert_eq!(
            timeline.place(Duration::from_millis(5), &[0.5; 10]).unwrap(),
            Duration::from_millis(5)
        );
        // Overlaps the first clip, so it follows it.
        assert_eq!(
            timeline.place(Duration::from_millis(10), &[0.25; 5]).unwrap(),
            Duration::from_millis(15)
        );
        timeline.silence_until(Duration::from_millis(30)).unwrap();
        timeline.finish().unwrap();
        let samples = read(&path);
        assert_eq!(samples.len(), 30);
        assert!(samples[..5].iter().all(|s| *s == 0));
        assert!(samples[5..15].iter().all(|s| *s == 16_384));
        assert!(samples[15..20].iter().all(|s| *s == 8_192));
        assert!(samples[20..].iter().all(|s| *s == 0));
    }

    #[test]
    fn an_unwritable_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = WavWriter::create(folder.path().join("no/such/folder.wav"), 16_000, 1).unwrap_err();
        assert!(matches!(&error, AudioError::Write { place, .. } if place.ends_with("no/such/folder.wav")));
        assert!(!error.is_bad_input());
        assert!(WavWriter::create(folder.path().join("a.wav"), 16_000, 3).is_err());
        assert!(WavWriter::create(folder.path().join("a.wav"), 0, 1).is_err());
    }

    #[test]
    fn more_than_a_wav_can_hold_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut wav = WavWriter::create(folder.path().join("a.wav"), 16_000, 2).unwrap();
        wav.frames = MAX_DATA_BYTES / 4;
        assert!(matches!(wav.write(&[0.0; 64]), Err(AudioError::Limit { .. })));
    }
}

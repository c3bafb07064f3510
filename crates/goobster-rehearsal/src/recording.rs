//! Recordings: found by path or by the name of a sample, decoded, marked, and encoded as Discord's clients encode.

use std::path::{Path, PathBuf};
use std::time::Duration;

use goobster_audio::file::AudioFile;
use goobster_audio::marks::Marks;
use goobster_audio::opus::SpeechDecoder;
use goobster_audio::resample::Resampler;
use goobster_audio::{SAMPLE_RATE, position};
use opus2::{Application, Bitrate, Channels, Encoder};
use serde::Deserialize;

use crate::error::RehearsalError;

/// Longest recording that a member speaks: longer ones would not fit memory once encoded several times.
const LONGEST: usize = 30 * 60 * SAMPLE_RATE as usize;
/// What Discord's clients send.
const OPUS_RATE: u32 = 48_000;
/// Samples of 20 ms.
const OPUS_FRAME: usize = 960;
/// What a voice channel grants unless it is boosted.
const OPUS_BITS: i32 = 64_000;
/// No packet is larger at that rate.
const MOST_BYTES: usize = 1_275;

/// Where recordings are looked for.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    /// The folder that relative paths are in; the current one if there is none.
    pub beside: Option<PathBuf>,
    /// The folder of sample recordings, with the table of what is said in them, `speech.json`.
    pub samples: Option<PathBuf>,
}

/// A recording with everything that is known of it.
#[derive(Debug, Clone)]
pub struct Recording {
    /// What it was asked for by.
    pub name: String,
    /// The words, if the table knows them.
    pub text: Option<String>,
    /// 16 kHz, mono.
    pub sound: Vec<f32>,
    /// Where the first voiced 20 ms begin.
    pub first_voiced: Duration,
    /// Where the last voiced 20 ms end; the recording's end if there is no voice in it.
    pub last_voiced: Duration,
}

#[derive(Deserialize)]
struct Table {
    clips: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    file: String,
    transcript: String,
    end_of_speech_ms: Option<u64>,
}

impl Shelf {
    /// Finds a recording by its path, or by a sample's file name with or without folder and ending, and reads it.
    pub fn read(&self, name: &str) -> Result<Recording, RehearsalError> {
        let samples = self.table();
        let beside = self.beside.as_deref().unwrap_or(Path::new("")).join(name);
        let (path, entry) = if beside.is_file() {
            let entry = samples
                .iter()
                .find(|e| self.samples.as_ref().is_some_and(|s| s.join(&e.file) == beside));
            (beside, entry)
        } else if let (Some(folder), Some(entry)) = (&self.samples, sample(&samples, name)) {
            (folder.join(&entry.file), Some(entry))
        } else {
            let names: Vec<&str> = samples.iter().map(|e| e.file.as_str()).collect();
            return Err(RehearsalError::UnknownRecording {
                name: name.to_owned(),
                samples: if names.is_empty() {
                    "none are installed".to_owned()
                } else {
                    names.join(", ")
                },
            });
        };
        let sound = AudioFile::open(&path)?.read_all(LONGEST)?;
        let mut recording = Recording::of(name, sound);
        recording.text = entry.map(|e| e.transcript.clone());
        if let Some(ms) = entry.and_then(|e| e.end_of_speech_ms) {
            recording.last_voiced = Duration::from_millis(ms);
        }
        Ok(recording)
    }

    /// What is said in the samples; empty without a readable table.
    fn table(&self) -> Vec<Entry> {
        let text = self
            .samples
            .as_ref()
            .and_then(|s| std::fs::read_to_string(s.join("speech.json")).ok());
        text.and_then(|t| serde_json::from_str::<Table>(&t).ok())
            .map(|t| t.clips)
            .unwrap_or_default()
    }
}

fn sample<'a>(samples: &'a [Entry], name: &str) -> Option<&'a Entry> {
    let stem = |path: &str| {
        let path = path.rsplit('/').next().unwrap_or(path);
        path.strip_suffix(".wav").unwrap_or(path).to_owned()
    };
    let whole = samples
        .iter()
        .find(|e| e.file == name || e.file.strip_suffix(".wav") == Some(name));
    whole.or_else(|| {
        samples
            .iter()
            .find(|e| !name.contains('/') && stem(&e.file) == stem(name))
    })
}

impl Recording {
    /// A recording from its sound, 16 kHz mono.
    pub fn of(name: &str, sound: Vec<f32>) -> Self {
        let marks = Marks::of(&sound);
        let at = |sample: usize| position::samples_to_time(sample as u64);
        Self {
            name: name.to_owned(),
            text: None,
            first_voiced: at(marks.first().map_or(0, |r| r.start)),
            last_voiced: at(marks.last().map_or(sound.len(), |r| r.end)),
            sound,
        }
    }

    /// Encodes it as frames of 20 ms, `gain_db` louder.
    pub fn frames(&self, gain_db: f32) -> Result<Vec<Vec<u8>>, RehearsalError> {
        let refused = |source| RehearsalError::Opus {
            name: self.name.clone(),
            source,
        };
        let mut encoder = Encoder::new(OPUS_RATE, Channels::Stereo, Application::Voip).map_err(refused)?;
        encoder.set_bitrate(Bitrate::Bits(OPUS_BITS)).map_err(refused)?;
        encoder.set_inband_fec(true).map_err(refused)?;
        let mut resampler = Resampler::new(SAMPLE_RATE, OPUS_RATE, 1)?;
        let gain = 10_f32.powf(gain_db / 20.0);
        let louder: Vec<f32> = self.sound.iter().map(|s| (s * gain).clamp(-1.0, 1.0)).collect();
        let mut mono = Vec::with_capacity(louder.len() * 3 + OPUS_FRAME);
        resampler.process(&louder, &mut mono)?;
        resampler.flush(&mut mono)?;
        let frame = |piece: &[f32]| {
            let mut stereo = vec![0.0; 2 * OPUS_FRAME];
            for (pair, sample) in stereo.chunks_exact_mut(2).zip(piece) {
                pair.fill(*sample);
            }
            encoder.encode_vec_float(&stereo, MOST_BYTES).map_err(refused)
        };
        mono.chunks(OPUS_FRAME).map(frame).collect()
    }

    /// The sound as it arrives where no packet is lost: encoded and decoded again, at 16 kHz.
    pub fn as_sent(&self) -> Result<Vec<f32>, RehearsalError> {
        let mut decoder = SpeechDecoder::new()?;
        let mut sound = Vec::with_capacity(self.sound.len());
        for frame in self.frames(0.0)? {
            sound.extend_from_slice(decoder.decode(&frame)?);
        }
        Ok(sound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of silence, one of a buzz, half a one of silence.
    fn buzz() -> Vec<f32> {
        let loud = |n: usize| (16_000..32_000).contains(&n);
        (0..40_000)
            .map(|n| {
                if loud(n) {
                    ((n % 100) as f32 / 100.0 - 0.5) * 0.5
                } else {
                    0.0
                }
            })
            .collect()
    }

    #[test]
    fn a_recording_is_marked_and_survives_encoding() {
        let recording = Recording::of("buzz", buzz());
        assert_eq!(recording.first_voiced, Duration::from_secs(1));
        assert_eq!(recording.last_voiced, Duration::from_secs(2));
        let frames = recording.frames(0.0).unwrap();
        assert_eq!(frames.len(), 125);
        let mut decoder = SpeechDecoder::new().unwrap();
        let heard: Vec<f32> = frames
            .iter()
            .flat_map(|f| decoder.decode(f).unwrap().to_vec())
            .collect();
        let power = |from: usize| heard[from..from + 8_000].iter().map(|s| s * s).sum::<f32>();
        assert!(
            power(20_000) > 100.0 * power(4_000),
            "{} {}",
            power(20_000),
            power(4_000)
        );
    }

    #[test]
    fn gain_makes_it_louder_without_overflow() {
        let recording = Recording::of("buzz", buzz());
        let peak = |gain| {
            let mut decoder = SpeechDecoder::new().unwrap();
            let frames = recording.frames(gain).unwrap();
            frames
                .iter()
                .flat_map(|f| decoder.decode(f).unwrap().to_vec())
                .fold(0.0_f32, |m, s| m.max(s.abs()))
        };
        assert!(peak(-20.0) < 0.1 && peak(30.0) > 0.8);
    }

    #[test]
    fn samples_are_found_by_any_of_their_names_and_strangers_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let table = r#"{"clips":[{"file":"cards/001.wav","speaker":"x","transcript":"Ten of clubs.","end_of_speech_ms":500}]}"#;
        std::fs::write(folder.path().join("speech.json"), table).unwrap();
        std::fs::create_dir(folder.path().join("cards")).unwrap();
        let mut wav =
            goobster_audio::wav::WavWriter::create(folder.path().join("cards/001.wav"), 16_000, 1).unwrap();
        wav.write(&buzz()).unwrap();
        wav.finish().unwrap();
        let shelf = Shelf {
            beside: None,
            samples: Some(folder.path().to_owned()),
        };
        for name in ["cards/001.wav", "cards/001", "001.wav", "001"] {
            let found = shelf.read(name).unwrap();
            assert_eq!(found.text.as_deref(), Some("Ten of clubs."), "{name}");
            assert_eq!(found.last_voiced, Duration::from_millis(500));
        }
        let told = shelf.read("002").unwrap_err().to_string();
        assert!(
            told.contains("002: there is no such file") && told.contains("cards/001.wav"),
            "{told}"
        );
        let path = folder.path().join("cards/001.wav");
        assert_eq!(Shelf::default().read(path.to_str().unwrap()).unwrap().text, None);
    }
}

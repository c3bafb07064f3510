//! The recordings as they would come through a call: encoded as a client does, decoded as we do, then recognised.

use std::path::Path;

use anyhow::Context as _;
use goobster_audio::SAMPLE_RATE;
use goobster_audio::file::AudioFile;
use goobster_audio::resample::PlaybackResampler;
use goobster_audio::wav::WavWriter;
use goobster_bot::cli::transcribe::Recording;
use goobster_bot::engines::Engines;
use goobster_core::language::Language;
use goobster_core::ports::{LanguageChoice, SpeechToText};
use goobster_models::{Cache, speech_clips};
use goobster_speech::scoring::word_errors;
use opus2::{Application, Bitrate, Channels, Encoder};

use crate::quiet;

/// Stereo frames in a packet of 20 ms at 48 kHz.
pub(crate) const FRAME: usize = 960;
/// A minute: longer than any recording.
const LIMIT: usize = 60 * SAMPLE_RATE as usize;

/// A recording and what is said in it.
pub(crate) struct Spoken {
    pub(crate) transcript: String,
    /// 48 kHz stereo.
    pub(crate) sound: Vec<f32>,
}

/// Every recording, with half a second of silence after it: a call goes on.
pub(crate) fn recordings() -> anyhow::Result<Vec<Spoken>> {
    let folder = Cache::locate()?.root().join("speech");
    let read = |clip: goobster_models::Clip| {
        let mut mono = AudioFile::open(folder.join(&clip.file))?.read_all(LIMIT)?;
        mono.resize(mono.len() + SAMPLE_RATE as usize / 2, 0.0);
        let mut sound = Vec::new();
        let mut resampler = PlaybackResampler::new(SAMPLE_RATE)?;
        resampler.process(&mono, &mut sound)?;
        resampler.flush(&mut sound)?;
        Ok(Spoken {
            transcript: clip.transcript,
            sound,
        })
    };
    speech_clips()?.into_iter().map(read).collect()
}

/// How a client encodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    pub(crate) name: &'static str,
    pub(crate) bits: i32,
    pub(crate) application: Application,
    /// Copies of lost packets in the packets after them, for this loss in per cent.
    pub(crate) copies_for: Option<u8>,
}

/// What Discord's clients send by default.
pub(crate) const MUSIC: Client = Client {
    name: "64 kb/s, CELT, no copies",
    bits: 64_000,
    application: Application::Audio,
    copies_for: None,
};
/// A client that is told of losses.
pub(crate) const VOICE: Client = Client {
    name: "32 kb/s, voice, copies (in-band FEC)",
    bits: 32_000,
    application: Application::Voip,
    copies_for: Some(10),
};

/// Packets of 20 ms from 48 kHz stereo.
pub(crate) fn encode(client: Client, sound: &[f32]) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut encoder = Encoder::new(48_000, Channels::Stereo, client.application)?;
    encoder.set_bitrate(Bitrate::Bits(client.bits))?;
    if let Some(loss) = client.copies_for {
        encoder.set_inband_fec(true)?;
        encoder.set_packet_loss_perc(i32::from(loss))?;
    }
    sound
        .chunks_exact(2 * FRAME)
        .map(|frame| Ok(encoder.encode_vec_float(frame, 1275)?))
        .collect()
}

/// Errors and words over `sounds`, 16 kHz mono, each beside what is said in it.
pub(crate) async fn errors(
    engines: &Engines<'_>,
    recogniser: &dyn SpeechToText,
    folder: &Path,
    sounds: &[(&str, Vec<f32>)],
) -> anyhow::Result<(usize, usize)> {
    let file = folder.join("heard.wav");
    let (mut wrong, mut words) = (0, 0);
    for (transcript, sound) in sounds {
        let mut writer = WavWriter::create(&file, SAMPLE_RATE, 1)?;
        writer.write(sound)?;
        writer.finish()?;
        let mut heard = String::new();
        Recording::open(&file, engines)?
            .transcribe(
                recogniser,
                LanguageChoice::Fixed(Language::ENGLISH),
                quiet(),
                &mut |caption| {
                    heard.push_str(&caption.text);
                    heard.push(' ');
                    Ok(())
                },
            )
            .await?
            .end
            .with_context(|| (*transcript).to_owned())?;
        let errors = word_errors(transcript, &heard);
        wrong += errors.errors();
        words += errors.words;
    }
    Ok((wrong, words))
}

/// Errors in per cent of the words.
pub(crate) fn percent((wrong, words): (usize, usize)) -> f64 {
    wrong as f64 * 100.0 / words.max(1) as f64
}

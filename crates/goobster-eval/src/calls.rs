//! The recordings as they would come through a call: encoded as a client does, decoded as we do, then recognised.

use std::path::Path;

use anyhow::Context as _;
use goobster_audio::SAMPLE_RATE;
use goobster_audio::resample::PlaybackResampler;
use goobster_audio::wav::WavWriter;
use goobster_bot::cli::transcribe::Recording;
use goobster_bot::engines::Engines;
use goobster_core::language::Language;
use goobster_core::ports::{LanguageChoice, SpeechToText};
use goobster_speech::scoring::word_errors;
use opus2::{Application, Bitrate, Channels, Encoder};

use crate::{corpus, quiet};

/// Stereo frames in a packet of 20 ms at 48 kHz.
pub(crate) const FRAME: usize = 960;
/// Half a minute: with longer ones a measurement would take hours.
const LIMIT: usize = 30 * SAMPLE_RATE as usize;
/// Announcements by one voice among them.
const ANNOUNCEMENTS: usize = 40;

/// A recording and what is said in it.
pub(crate) struct Spoken {
    pub(crate) transcript: String,
    /// 48 kHz stereo.
    pub(crate) sound: Vec<f32>,
}

/// Every recording of at most half a minute, with half a second of silence after it: a call goes on.
pub(crate) fn recordings(engines: &Engines<'_>) -> anyhow::Result<Vec<Spoken>> {
    let read = |recording: corpus::Recording| {
        let mut mono = recording.sound;
        mono.resize(mono.len() + SAMPLE_RATE as usize / 2, 0.0);
        let mut sound = Vec::new();
        let mut resampler = PlaybackResampler::new(SAMPLE_RATE)?;
        resampler.process(&mono, &mut sound)?;
        resampler.flush(&mut sound)?;
        Ok(Spoken {
            transcript: recording.transcript,
            sound,
        })
    };
    corpus::recordings(engines, ANNOUNCEMENTS)?
        .into_iter()
        .filter(|recording| recording.sound.len() <= LIMIT)
        .map(read)
        .collect()
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

/// Music, and whoever sends as bots do: no copies of what may be lost.
pub(crate) const MUSIC: Client = Client {
    name: "64 kb/s, CELT, no copies",
    bits: 64_000,
    application: Application::Audio,
    copies_for: None,
};
/// What Discord's own clients set: 64 kb/s, in-band FEC, and a loss of 30 % to be expected, whatever the network is like
/// (`fec` and `packetLossRate` of the transport options of its voice engine).
pub(crate) const VOICE: Client = Client {
    name: "64 kb/s, voice, copies (in-band FEC), as Discord's clients",
    bits: 64_000,
    application: Application::Voip,
    copies_for: Some(30),
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

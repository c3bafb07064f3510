//! A call's packets, encoded beforehand, and what takes them: decoder, detector, endpointer.

use goobster_audio::endpoint::EndpointConfig;
use goobster_audio::file::AudioFile;
use goobster_audio::listener::Listener;
use goobster_audio::opus::SpeechDecoder;
use goobster_audio::pool::AudioPool;
use goobster_audio::resample::PlaybackResampler;
use goobster_audio::vad::VoiceDetector;
use goobster_models::Cache;
use opus2::{Application, Bandwidth, Bitrate, Channels, Decoder, Encoder};

use crate::resamplers::{FRAME, Rubato, ToSpeech};

/// A minute: longer than the recording.
const LIMIT: usize = 60 * 16_000;

/// The recording that every set-up has, 11 s of a speech, at 16 kHz mono.
///
/// # Errors
/// A word for people when it is not there.
pub fn speech() -> Result<Vec<f32>, String> {
    let cache = Cache::locate().map_err(|e| e.to_string())?;
    let mut file = AudioFile::open(cache.root().join("speech/jfk.wav")).map_err(|e| e.to_string())?;
    file.read_all(LIMIT).map_err(|e| e.to_string())
}

/// The same as a client hears it: 48 kHz stereo, with the hiss of a microphone (-50 dB, other on each side), so that the
/// upper bands are not empty.
///
/// # Errors
/// As [`speech`].
pub fn stereo() -> Result<Vec<i16>, String> {
    let mut resampler = PlaybackResampler::new(16_000).map_err(|e| e.to_string())?;
    let mut sound = Vec::new();
    resampler
        .process(&speech()?, &mut sound)
        .map_err(|e| e.to_string())?;
    let mut seed = 1_u32;
    Ok(sound
        .into_iter()
        .map(|sample| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (f64::from(seed >> 8) / f64::from(1 << 24) - 0.5) * 0.01;
            ((f64::from(sample) + hiss).clamp(-1.0, 1.0) * 32_767.0).round() as i16
        })
        .collect())
}

/// How a client encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 64 kb/s, as Discord's clients do by default.
    Celt64,
    /// 128 kb/s: a boosted server.
    Celt128,
    /// 24 kb/s for voice.
    Silk24,
}

/// The recording in packets of 20 ms.
///
/// # Errors
/// As [`speech`]; and when libopus chooses another mode than asked for.
pub fn packets(kind: Kind) -> Result<Vec<Vec<u8>>, String> {
    let (bits, application) = match kind {
        Kind::Celt64 => (64_000, Application::Audio),
        Kind::Celt128 => (128_000, Application::Audio),
        Kind::Silk24 => (24_000, Application::Voip),
    };
    let mut encoder = Encoder::new(48_000, Channels::Stereo, application).map_err(|e| e.to_string())?;
    encoder
        .set_bitrate(Bitrate::Bits(bits))
        .map_err(|e| e.to_string())?;
    if kind == Kind::Silk24 {
        // Left alone it takes SILK and CELT together.
        encoder
            .set_bandwidth(Bandwidth::Wideband)
            .map_err(|e| e.to_string())?;
    }
    let sound = stereo()?;
    let packets: Vec<Vec<u8>> = sound
        .chunks_exact(2 * FRAME)
        .map(|frame| encoder.encode_vec(frame, 1275).map_err(|e| e.to_string()))
        .collect::<Result<_, _>>()?;
    // From configuration 16 on a packet is CELT, below 12 SILK (RFC 6716, table 2).
    let celt = packets.iter().filter(|p| p[0] >> 3 >= 16).count();
    let silk = packets.iter().filter(|p| p[0] >> 3 < 12).count();
    let as_asked = if kind == Kind::Silk24 { silk } else { celt };
    if as_asked * 10 < packets.len() * 9 {
        return Err(format!(
            "{kind:?}: {celt} CELT and {silk} SILK packets of {}",
            packets.len()
        ));
    }
    Ok(packets)
}

/// The first half of a path: packets to 16 kHz mono.
pub trait Receive {
    /// Takes a packet; appends nothing when it is bad.
    fn receive(&mut self, packet: &[u8], take: &mut dyn FnMut(&[f32]));
}

/// libopus decodes to 16 kHz mono itself.
impl Receive for SpeechDecoder {
    fn receive(&mut self, packet: &[u8], take: &mut dyn FnMut(&[f32])) {
        if let Ok(samples) = self.decode(packet) {
            take(samples);
        }
    }
}

/// libopus decodes to 48 kHz stereo, and a resampler does the rest.
pub struct Stereo<R> {
    decoder: Decoder,
    pcm: Vec<i16>,
    resampler: R,
    speech: Vec<f32>,
}

impl Stereo<Rubato> {
    /// With rubato's FFT.
    ///
    /// # Errors
    /// libopus' or rubato's, in words.
    pub fn rubato() -> Result<Self, String> {
        Self::new(Rubato::new()?)
    }
}

impl<R: ToSpeech> Stereo<R> {
    /// With any resampler.
    ///
    /// # Errors
    /// libopus', in words.
    pub fn new(resampler: R) -> Result<Self, String> {
        Ok(Self {
            decoder: Decoder::new(48_000, Channels::Stereo).map_err(|e| e.to_string())?,
            pcm: vec![0; 2 * 6 * FRAME],
            resampler,
            speech: Vec::with_capacity(FRAME),
        })
    }
}

impl<R: ToSpeech> Receive for Stereo<R> {
    fn receive(&mut self, packet: &[u8], take: &mut dyn FnMut(&[f32])) {
        if let Ok(frames) = self.decoder.decode(packet, &mut self.pcm, false) {
            self.speech.clear();
            self.resampler.frame(&self.pcm[..2 * frames], &mut self.speech);
            take(&self.speech);
        }
    }
}

/// Somebody in a call.
pub struct Speaker<D> {
    decoder: D,
    listener: Listener,
    /// The next packet.
    next: usize,
    /// Events so far: utterances that began, paused, ended.
    pub events: u64,
}

impl<D: Receive> Speaker<D> {
    /// Somebody whose sound begins at packet `first`; `pool` is shared by all.
    ///
    /// # Errors
    /// Never with the defaults; what is wrong with them, in words.
    pub fn new(
        decoder: D,
        detector: Box<dyn VoiceDetector + Send>,
        pool: &AudioPool,
        first: usize,
    ) -> Result<Self, String> {
        let config = EndpointConfig::conversation();
        let listener = Listener::with_pool(&config, detector, pool.clone()).map_err(|e| e.to_string())?;
        Ok(Self {
            decoder,
            listener,
            next: first,
            events: 0,
        })
    }

    /// Takes the next packet of its stream, which begins anew after the last.
    pub fn packet(&mut self, packets: &[Vec<u8>]) {
        let Self {
            decoder,
            listener,
            next,
            events,
        } = self;
        decoder.receive(&packets[*next % packets.len()], &mut |samples| {
            listener.push(samples, &mut |event| {
                *events += 1;
                drop(event);
            });
        });
        *next += 1;
    }
}

/// Buffers for so many speakers at once.
pub fn pool(speakers: usize) -> AudioPool {
    Listener::pool_for(&EndpointConfig::conversation(), speakers + 1)
}

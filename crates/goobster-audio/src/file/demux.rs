//! Every format that symphonia reads: its packets, decoded and put on one time line.

use std::io;
use std::time::Duration;

use symphonia::core::audio::SampleBuffer;
use symphonia::core::codecs::CODEC_TYPE_NULL;
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, Packet, Track};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::{Limit, MetadataOptions};
use symphonia::core::probe::{Hint, Probe};
use symphonia::default::formats::{
    AdtsReader, AiffReader, FlacReader, IsoMp4Reader, MkvReader, MpaReader, OggReader, WavReader,
};

use super::clock::TrackClock;
use super::codec::{Codec, MAX_PACKET_FRAMES, Mixed, make_decoder, mix};
use super::contain::contained;
use super::decode::{Pcm, Step};
use super::guard::Ending;
use super::headers::{claimed_length, describe, open_error};
use super::info::{Damage, FileInfo, Length};
use super::sniff::Container;
use super::source::Source;
use crate::error::AudioError;
use crate::frame::SAMPLE_RATE;
use crate::resample::MAX_CHANNELS;

/// More bad packets in a row than any damage explains: the demuxer is going round in circles.
const MAX_BAD_IN_A_ROW: u32 = 2_000;
/// Bad packets before the first good one, after which the file is taken for something else (the two bytes that mark
/// an MP3 frame occur in any data).
const MAX_BAD_AT_START: u32 = 40;

/// Packets of one file that may make its decoder panic; each leaves a message on standard error.
const MAX_PANICS: u32 = 16;

/// The reader of this container and no other: what was checked is what is read. Bytes that begin like nothing known are
/// searched for the two formats that have no header and may be joined anywhere.
fn probe_for(container: Container) -> Probe {
    let mut probe = Probe::default();
    match container {
        Container::Wav => probe.register_all::<WavReader>(),
        Container::Aiff => probe.register_all::<AiffReader>(),
        Container::Flac => probe.register_all::<FlacReader>(),
        Container::Ogg | Container::OggOpus => probe.register_all::<OggReader>(),
        Container::Mp4 => probe.register_all::<IsoMp4Reader>(),
        Container::Matroska => probe.register_all::<MkvReader>(),
        Container::Mpeg => probe.register_all::<MpaReader>(),
        Container::Adts => probe.register_all::<AdtsReader>(),
        Container::Unknown => {
            probe.register_all::<MpaReader>();
            probe.register_all::<AdtsReader>();
        }
    }
    probe
}

/// A recording that symphonia demuxes; Opus inside it is decoded by libopus.
pub(super) struct Demuxed {
    place: String,
    format: Box<dyn FormatReader>,
    track: TrackClock,
    decoder: Codec,
    info: FileInfo,
    length: Length,
    damage: Damage,
    samples: Option<SampleBuffer<f32>>,
    /// Decoded while a hole before it is given out as silence.
    held: Option<Packet>,
    good: u64,
    bad_in_a_row: u32,
    panics: u32,
    total_bytes: u64,
    ending: Ending,
    ended: bool,
}

impl Demuxed {
    /// Probes the container and prepares the first track that can be decoded.
    pub(super) fn open(
        place: String,
        source: Source,
        container: Container,
        ending: Ending,
    ) -> Result<Self, AudioError> {
        let total_bytes = source.len();
        let stream = MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default());
        let format_options = FormatOptions {
            enable_gapless: true,
            ..FormatOptions::default()
        };
        // Tags and pictures are of no use here and may be huge.
        let metadata_options = MetadataOptions {
            limit_metadata_bytes: Limit::Maximum(1 << 16),
            limit_visual_bytes: Limit::Maximum(0),
        };
        let probe = probe_for(container);
        let probed = contained(|| probe.format(&Hint::new(), stream, &format_options, &metadata_options));
        let format = match probed {
            Ok(Ok(probed)) => probed.format,
            Ok(Err(error)) => return Err(open_error(place, container, total_bytes, &error)),
            Err(_) => {
                let detail = Error::DecodeError("its headers contradict each other");
                return Err(open_error(place, container, total_bytes, &detail));
            }
        };
        let (track, decoder) = choose_track(&place, format.tracks(), container)?;
        let info = describe(container, &track.params, &decoder);
        let length = claimed_length(container, &track.params);
        Ok(Self {
            place,
            format,
            track,
            decoder,
            info,
            length,
            damage: Damage::default(),
            samples: None,
            held: None,
            good: 0,
            bad_in_a_row: 0,
            panics: 0,
            total_bytes,
            ending,
            ended: false,
        })
    }

    fn bad_packet(&mut self) -> Result<(), AudioError> {
        self.damage.skip(self.track.time());
        self.bad_in_a_row += 1;
        let give_up = if self.good == 0 {
            MAX_BAD_AT_START
        } else {
            MAX_BAD_IN_A_ROW
        };
        if self.bad_in_a_row >= give_up {
            return Err(self.corrupt(format!("{give_up} packets in a row could not be decoded")));
        }
        Ok(())
    }

    fn corrupt(&self, detail: String) -> AudioError {
        AudioError::Corrupt {
            place: self.place.clone(),
            detail,
            at: self.track.time(),
        }
    }

    /// The next packet of the chosen track; `None` at the end.
    fn next_packet(&mut self) -> Result<Option<Packet>, AudioError> {
        while !self.ended {
            match contained(|| self.format.next_packet()) {
                Ok(Ok(packet)) if packet.track_id() == self.track.id => return Ok(Some(packet)),
                Ok(Ok(_)) => {}
                Ok(Err(Error::IoError(e))) if e.kind() == io::ErrorKind::UnexpectedEof => self.ended = true,
                Ok(Err(Error::IoError(source))) => {
                    let (place, offset) = (self.place.clone(), 0);
                    return Err(AudioError::Read {
                        place,
                        offset,
                        source,
                    });
                }
                Ok(Err(Error::DecodeError(_))) => self.bad_packet()?,
                Ok(Err(Error::ResetRequired)) => self.next_link()?,
                // Nothing more can be demuxed; what was decoded stays.
                Ok(Err(_)) | Err(_) => {
                    self.damage.skip(self.track.time());
                    self.ended = true;
                }
            }
        }
        Ok(None)
    }

    /// A chained stream: other tracks, a new decoder, time goes on.
    fn next_link(&mut self) -> Result<(), AudioError> {
        let container = Container::from_name(self.info.container);
        let (mut track, decoder) = choose_track(&self.place, self.format.tracks(), container)?;
        if track.rate == self.track.rate || track.rate == 0 {
            track.given = self.track.given;
        } else {
            let scaled =
                u128::from(self.track.given) * u128::from(track.rate) / u128::from(self.track.rate.max(1));
            track.given = u64::try_from(scaled).unwrap_or(u64::MAX);
        }
        // Time stamps of the new link begin wherever they like.
        track.origin = None;
        self.track = track;
        self.decoder = decoder;
        self.length = Length::Unknown;
        Ok(())
    }

    /// Decodes into `mono`; what cannot be decoded becomes silence of its length.
    fn decode(&mut self, packet: &Packet, mono: &mut Vec<f32>) -> Result<Step, AudioError> {
        mono.clear();
        let before = self.track.time();
        if let Some(rate) = self.try_decode(packet, mono)? {
            self.good += 1;
            self.bad_in_a_row = 0;
            self.track.set_rate(rate);
            self.track.given += mono.len() as u64;
            return Ok(Step::Audio { rate });
        }
        self.bad_packet()?;
        let rate = self.track.rate;
        let lost = self.track.in_samples(packet.dur()).min(MAX_PACKET_FRAMES);
        self.track.given += lost;
        self.damage.filled += self.track.time().saturating_sub(before);
        Ok(Step::Silence { samples: lost, rate })
    }

    /// `None` when the packet is bad.
    fn try_decode(&mut self, packet: &Packet, mono: &mut Vec<f32>) -> Result<Option<u32>, AudioError> {
        let decoder = match &mut self.decoder {
            Codec::Opus { decoder, skip, .. } => {
                if decoder.decode(packet.buf(), mono).is_err() {
                    return Ok(None);
                }
                let dropped = (*skip).min(mono.len() as u64);
                *skip -= dropped;
                mono.drain(..dropped as usize);
                return Ok(Some(SAMPLE_RATE));
            }
            Codec::Symphonia(decoder) => decoder,
        };
        // The mix is made inside, because the decoded buffer borrows the decoder.
        let (samples, info) = (&mut self.samples, &mut self.info);
        let run = contained(|| match decoder.decode(packet) {
            Ok(sound) => mix(&sound, samples, mono, info),
            Err(Error::IoError(_) | Error::DecodeError(_)) => Mixed::Bad,
            Err(Error::ResetRequired) => {
                decoder.reset();
                Mixed::Bad
            }
            Err(e) => Mixed::Refused(e.to_string()),
        });
        let place = self.place.clone();
        match run {
            Ok(Mixed::Done(rate)) => Ok(Some(rate)),
            Ok(Mixed::Refused(what)) if self.good == 0 => Err(AudioError::Unsupported { place, what }),
            Ok(Mixed::Bad | Mixed::Refused(_)) => Ok(None),
            Ok(Mixed::Channels(channels)) => Err(AudioError::TooManyChannels {
                place,
                channels,
                max: MAX_CHANNELS,
            }),
            Ok(Mixed::Rate(rate)) => Err(AudioError::SampleRate { place, rate }),
            Err(_) => {
                self.panics += 1;
                if self.panics > MAX_PANICS {
                    return Err(self.corrupt("its packets break the decoder again and again".to_owned()));
                }
                // The decoder's state is unknown after a panic.
                self.decoder = make_decoder(&self.place, &self.track.params)?.0;
                Ok(None)
            }
        }
    }

    /// At the end: was there any sound, and as much as promised?
    fn conclude(&mut self) -> Result<Step, AudioError> {
        if self.good == 0 && self.damage.skipped > 0 {
            return Err(self.corrupt("no packet of it can be decoded".to_owned()));
        }
        let got = self.track.time();
        let promised = self.length.duration();
        if self.good == 0 && (promised.is_some() || self.ending == Ending::Cut) {
            let (place, length) = (self.place.clone(), self.total_bytes);
            return Err(AudioError::Truncated {
                place,
                length,
                detail: "the sound is missing".to_owned(),
            });
        }
        // A tenth of a second covers padding and the rounding of time stamps.
        let short = |promised: &Duration| got + Duration::from_millis(100) < *promised;
        let promised = promised
            .filter(|_| matches!(self.length, Length::Exact(_)))
            .filter(short);
        if promised.is_some() || self.ending == Ending::Cut {
            self.damage.cut(got, promised);
        }
        Ok(Step::End)
    }
}

impl Pcm for Demuxed {
    fn step(&mut self, mono: &mut Vec<f32>) -> Result<Step, AudioError> {
        if let Some(packet) = self.held.take() {
            return self.decode(&packet, mono);
        }
        let Some(packet) = self.next_packet()? else {
            return self.conclude();
        };
        if let Some(samples) = self.track.gap_before(packet.ts()) {
            self.held = Some(packet);
            self.track.given += samples;
            return Ok(Step::Silence {
                samples,
                rate: self.track.rate,
            });
        }
        self.decode(&packet, mono)
    }

    fn info(&self) -> &FileInfo {
        &self.info
    }

    fn length(&self) -> Length {
        self.length
    }

    fn damage(&self) -> &Damage {
        &self.damage
    }
}

fn choose_track(
    place: &str,
    tracks: &[Track],
    container: Container,
) -> Result<(TrackClock, Codec), AudioError> {
    let mut refusal = None;
    for track in tracks
        .iter()
        .filter(|track| track.codec_params.codec != CODEC_TYPE_NULL)
    {
        match make_decoder(place, &track.codec_params) {
            Ok((decoder, rate)) => {
                let params = track.codec_params.clone();
                return Ok((
                    TrackClock {
                        id: track.id,
                        params,
                        rate,
                        given: 0,
                        origin: None,
                    },
                    decoder,
                ));
            }
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| {
        let name = container.name();
        let what = if tracks.is_empty() {
            format!("a {name} file without any track")
        } else {
            format!("a {name} file without an audio track of a known codec")
        };
        AudioError::Unsupported {
            place: place.to_owned(),
            what,
        }
    }))
}

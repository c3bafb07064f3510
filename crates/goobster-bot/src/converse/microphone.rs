//! `goobster listen`: a conversation through this machine's microphone, answered by the host's own voice.
//!
//! The microphone's callback hands blocks to a small queue; a thread resamples them to 16 kHz mono. There is no echo
//! cancellation, so without headphones the microphone is not listened to while Goobster speaks.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};

use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{FromSample, SampleFormat, SizedSample};
use goobster_audio::resample::Resampler;
use goobster_speech::tts::host::HostSpeech;

use super::command;
use super::mouth::Throat;
use super::reporter::Reporter;
use super::room::{self, Pace};
use super::speakers::Speaker;
use crate::cli::args::{Common, Listen};
use crate::cli::exit::Failure;
use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::engines::Engines;

/// Blocks that may wait between the microphone and the room: about a second. When they do not fit, sound is dropped
/// rather than the callback kept waiting.
const BLOCKS: usize = 64;

/// Listens and answers until interrupted.
pub async fn run(args: &Listen, config: &Config, common: &Common, terminal: Terminal) -> Result<(), Failure> {
    let engines = Engines::new(config, common.offline, terminal);
    let (fault, mut faults) = tokio::sync::mpsc::channel(1);
    let (stream, blocks) = open_microphone(&fault)?;
    let host = tokio::task::spawn_blocking(HostSpeech::connect)
        .await
        .map_err(|e| Failure::Failed(format!("the host's voice: {e}")))??;
    let mut parts = command::parts(&engines, config, Pace::Real)?;
    parts.throat = Throat::Host(Arc::new(host));
    stream.play().map_err(|e| no_microphone(&e))?;
    terminal.note("Listening; end with Ctrl-C.");
    let speaker = Speaker::live("You".to_owned(), blocks, !args.headphones);
    let mut reporter = Reporter::new(terminal, None)?;
    let ended = tokio::select! {
        outcome = room::hold(parts, vec![speaker], &mut reporter) => outcome.map(drop),
        Some(fault) = faults.recv() => Err(Failure::Failed(format!("the microphone failed: {fault}"))),
        () = command::told_to_stop() => Ok(()),
    };
    drop(stream);
    reporter.finish()?;
    ended
}

fn no_microphone(error: &dyn std::fmt::Display) -> Failure {
    Failure::SetupMissing(format!(
        "no microphone can be used: {error}. Plug one in and choose it as the system's default input; \
         `arecord --list-devices` shows what there is"
    ))
}

/// Opens the default microphone; its sound comes as 16 kHz mono blocks, and what ends it on `fault`.
fn open_microphone(
    fault: &tokio::sync::mpsc::Sender<String>,
) -> Result<(cpal::Stream, Receiver<Vec<f32>>), Failure> {
    let device = cpal::default_host()
        .default_input_device()
        .ok_or_else(|| no_microphone(&"this machine has no sound card, or it is hidden from this user"))?;
    let supported = device.default_input_config().map_err(|e| no_microphone(&e))?;
    let (raw, queue) = mpsc::sync_channel::<Vec<f32>>(BLOCKS);
    let config = supported.config();
    let stream = match supported.sample_format() {
        SampleFormat::I16 => input::<i16>(&device, &config, raw, fault.clone()),
        SampleFormat::U16 => input::<u16>(&device, &config, raw, fault.clone()),
        SampleFormat::I32 => input::<i32>(&device, &config, raw, fault.clone()),
        SampleFormat::F32 => input::<f32>(&device, &config, raw, fault.clone()),
        other => {
            return Err(no_microphone(&format!(
                "its sample format {other} is not supported"
            )));
        }
    }
    .map_err(|e| no_microphone(&e))?;
    let channels = usize::from(config.channels);
    let mut resampler = Resampler::new(config.sample_rate.0, 16_000, 1).map_err(|e| no_microphone(&e))?;
    let (send, blocks) = mpsc::sync_channel(BLOCKS);
    let fault = fault.clone();
    std::thread::Builder::new()
        .name("microphone".to_owned())
        .spawn(move || {
            while let Ok(block) = queue.recv() {
                let mono: Vec<f32> = block
                    .chunks_exact(channels)
                    .map(|frame| frame.iter().sum::<f32>() / channels as f32)
                    .collect();
                let mut samples = Vec::new();
                if let Err(error) = resampler.process(&mono, &mut samples) {
                    let _ = fault.blocking_send(error.to_string());
                    return;
                }
                if send.send(samples).is_err() {
                    return;
                }
            }
        })
        .map_err(|e| Failure::Failed(format!("no thread for the microphone: {e}")))?;
    Ok((stream, blocks))
}

fn input<T: SizedSample>(
    device: &cpal::Device,
    config: &cpal::StreamConfig,
    raw: SyncSender<Vec<f32>>,
    fault: tokio::sync::mpsc::Sender<String>,
) -> Result<cpal::Stream, cpal::BuildStreamError>
where
    f32: FromSample<T>,
{
    let hear = move |samples: &[T], _: &cpal::InputCallbackInfo| {
        let block = samples.iter().map(|sample| f32::from_sample_(*sample)).collect();
        let _ = raw.try_send(block);
    };
    device.build_input_stream(
        config,
        hear,
        // Once is enough: it ends the conversation.
        move |error| drop(fault.try_send(error.to_string())),
        None,
    )
}

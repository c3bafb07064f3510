//! The operator's own machine as a voice: it speaks aloud and returns no samples.
//!
//! So this is a port of its own, [`HostVoice`], next to `TextToSpeech`. `HostSpeech` (feature `host-voice`) fills it
//! with the `tts` crate: speech-dispatcher on Linux, the system's speech elsewhere.

#[cfg(feature = "host-voice")]
mod service;

use std::time::Duration;

use goobster_core::language::Language;
use goobster_core::ports::SynthesiseError;
use tokio::sync::mpsc;

#[cfg(feature = "host-voice")]
pub use service::HostSpeech;

/// What a host tells about a text it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostEvent {
    /// The first sound is out.
    Begun,
    /// The last sound is out; nothing follows.
    Ended,
    /// It was stopped before its end; nothing follows.
    Stopped,
}

/// A text that a host speaks.
#[derive(Debug)]
pub struct HostUtterance {
    events: mpsc::Receiver<HostEvent>,
    /// No text of this length takes longer.
    patience: Duration,
}

/// Events of one utterance: begun, and ended or stopped.
const EVENTS: usize = 4;
/// The slowest voices need about 0.15 s a character; speech services start within seconds.
const PER_CHARACTER: Duration = Duration::from_millis(150);
const TO_START: Duration = Duration::from_secs(15);

impl HostUtterance {
    /// An utterance of a text, and the sender of its events.
    pub fn of(text: &str) -> (mpsc::Sender<HostEvent>, Self) {
        let (sender, events) = mpsc::channel(EVENTS);
        let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let patience = TO_START.saturating_add(PER_CHARACTER.saturating_mul(characters));
        (sender, Self { events, patience })
    }

    /// The next event; an error when the host stays silent for longer than the text can take, or has gone.
    pub async fn next(&mut self) -> Result<HostEvent, SynthesiseError> {
        match tokio::time::timeout(self.patience, self.events.recv()).await {
            Ok(Some(event)) => Ok(event),
            Ok(None) => Err(failed("the host's speech service has gone".to_owned())),
            Err(_) => Err(failed(format!(
                "the host's speech service said nothing for {:?}",
                self.patience
            ))),
        }
    }

    /// Waits until it has ended or was stopped, and says which.
    pub async fn finished(&mut self) -> Result<HostEvent, SynthesiseError> {
        loop {
            let event = self.next().await?;
            if event != HostEvent::Begun {
                return Ok(event);
            }
        }
    }
}

/// A voice of the host.
pub trait HostVoice: Send + Sync {
    /// Speaks a text after those given before; it is normalised for speaking first. Blocks for a moment at most.
    fn say(&self, text: &str, language: Language) -> Result<HostUtterance, SynthesiseError>;

    /// Stops what is being spoken and drops what waits.
    fn stop(&self) -> Result<(), SynthesiseError>;
}

fn failed(what: String) -> SynthesiseError {
    SynthesiseError::Engine { what, cause: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_host_that_stays_silent_is_not_waited_for_for_ever() {
        let (_sender, mut utterance) = HostUtterance::of("Hello.");
        let error = utterance.finished().await.unwrap_err().to_string();
        assert!(error.contains("said nothing"), "{error}");
    }

    #[tokio::test]
    async fn the_end_is_told_apart_from_a_stop_and_from_a_host_that_went() {
        for last in [HostEvent::Ended, HostEvent::Stopped] {
            let (sender, mut utterance) = HostUtterance::of("Hello.");
            sender.try_send(HostEvent::Begun).unwrap();
            sender.try_send(last).unwrap();
            assert_eq!(utterance.finished().await.unwrap(), last);
            drop(sender);
            assert!(
                utterance
                    .next()
                    .await
                    .unwrap_err()
                    .to_string()
                    .contains("has gone")
            );
        }
    }
}

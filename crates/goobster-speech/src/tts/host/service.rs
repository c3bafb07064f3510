//! The host's speech service through the `tts` crate, on a thread of its own (its handle cannot change threads).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as std_mpsc};
use std::time::Duration;

use goobster_core::language::Language;
use goobster_core::ports::SynthesiseError;
use tokio::sync::mpsc;
use tts::{Tts, UtteranceId};

use super::{HostEvent, HostUtterance, HostVoice, failed};

/// Texts that wait for the thread, at most; the service has a queue of its own behind it.
const MAX_WAITING: usize = 32;
/// A service that does not answer within this is not there.
const TO_CONNECT: Duration = Duration::from_secs(20);

enum Order {
    Say(String, mpsc::Sender<HostEvent>),
    Stop,
}

/// Who waits for the events of which utterance.
type Listeners = Arc<Mutex<HashMap<UtteranceId, mpsc::Sender<HostEvent>>>>;

/// The host's own voice. Texts are spoken one after the other.
#[derive(Debug)]
pub struct HostSpeech {
    orders: std_mpsc::SyncSender<Order>,
}

impl HostSpeech {
    /// Connects to the host's speech service. Blocks for up to 20 s.
    pub fn connect() -> Result<Self, SynthesiseError> {
        let (orders, queue) = std_mpsc::sync_channel(MAX_WAITING);
        let (connected, answer) = std_mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name("speak-host".to_owned())
            .spawn(move || serve(&queue, &connected))
            .map_err(|e| SynthesiseError::Engine {
                what: "no thread for the host's voice".to_owned(),
                cause: Some(Box::new(e)),
            })?;
        match answer.recv_timeout(TO_CONNECT) {
            Ok(Ok(())) => Ok(Self { orders }),
            Ok(Err(what)) => Err(SynthesiseError::Voice { what, cause: None }),
            Err(_) => Err(SynthesiseError::Voice {
                what: format!("the host's speech service did not answer within {TO_CONNECT:?}"),
                cause: None,
            }),
        }
    }

    fn order(&self, order: Order) -> Result<(), SynthesiseError> {
        self.orders.try_send(order).map_err(|refused| match refused {
            std_mpsc::TrySendError::Full(_) => {
                failed(format!("{MAX_WAITING} texts wait for the host's voice already"))
            }
            std_mpsc::TrySendError::Disconnected(_) => failed("the host's voice has stopped".to_owned()),
        })
    }
}

impl HostVoice for HostSpeech {
    fn say(&self, text: &str, language: Language) -> Result<HostUtterance, SynthesiseError> {
        let text = crate::normalise::for_speech(text, language);
        if text.is_empty() {
            return Err(SynthesiseError::NothingToSay);
        }
        let (events, utterance) = HostUtterance::of(&text);
        self.order(Order::Say(text, events))?;
        Ok(utterance)
    }

    fn stop(&self) -> Result<(), SynthesiseError> {
        self.order(Order::Stop)
    }
}

fn serve(queue: &std_mpsc::Receiver<Order>, connected: &std_mpsc::SyncSender<Result<(), String>>) {
    let listeners = Listeners::default();
    let mut service = match connect(&listeners) {
        Ok(service) => service,
        Err(e) => {
            let what = format!(
                "the host has no speech service ({e}); on Linux install and start speech-dispatcher with \
                 speech-dispatcher-espeak-ng"
            );
            // The other side waits for exactly this, or has given up.
            let _ = connected.try_send(Err(what));
            return;
        }
    };
    if connected.try_send(Ok(())).is_err() {
        return;
    }
    while let Ok(order) = queue.recv() {
        match order {
            Order::Say(text, events) => {
                // Held while the text is handed over: its first event may come before its id is known.
                let mut listeners = lock(&listeners);
                listeners.retain(|_, events| !events.is_closed());
                match service.speak(text, false) {
                    Ok(Some(id)) => {
                        listeners.insert(id, events);
                    }
                    Ok(None) => tracing::warn!("the host's speech service took a text without an id"),
                    // The sender of events is dropped, and so the listener learns of it.
                    Err(error) => tracing::warn!(%error, "the host's speech service refused a text"),
                }
            }
            Order::Stop => {
                if let Err(error) = service.stop() {
                    tracing::warn!(%error, "the host's speech service did not stop");
                }
            }
        }
    }
}

fn connect(listeners: &Listeners) -> Result<Tts, tts::Error> {
    let service = Tts::default()?;
    let begun = listeners.clone();
    service.on_utterance_begin(Some(Box::new(move |id| tell(&begun, id, HostEvent::Begun))))?;
    let ended = listeners.clone();
    service.on_utterance_end(Some(Box::new(move |id| tell(&ended, id, HostEvent::Ended))))?;
    let stopped = listeners.clone();
    service.on_utterance_stop(Some(Box::new(move |id| tell(&stopped, id, HostEvent::Stopped))))?;
    Ok(service)
}

fn tell(listeners: &Listeners, id: UtteranceId, event: HostEvent) {
    let mut listeners = lock(listeners);
    let listener = if event == HostEvent::Begun {
        listeners.get(&id).cloned()
    } else {
        listeners.remove(&id)
    };
    if let Some(listener) = listener {
        // Full or closed: nobody reads.
        let _ = listener.try_send(event);
    }
}

fn lock(
    listeners: &Mutex<HashMap<UtteranceId, mpsc::Sender<HostEvent>>>,
) -> MutexGuard<'_, HashMap<UtteranceId, mpsc::Sender<HostEvent>>> {
    // A map of senders is whole after any panic.
    listeners.lock().unwrap_or_else(PoisonError::into_inner)
}

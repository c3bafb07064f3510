//! A call's conversation: the room, with the guild's language, voice and wake name, in a task of its own.

use std::sync::Arc;

use goobster_core::conversation::ConversationConfig;
use goobster_core::time::UtcMillis;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::link::Link;
use super::playback::CallVoice;
use super::scribe::{Desk, Scribe};
use super::{CallEvent, CallSpec};
use crate::admission::contained::contained;
use crate::cli::exit::Failure;
use crate::converse::mouth::Throat;
use crate::converse::room::live::{self, Order};
use crate::converse::room::{Pace, RoomParts};
use crate::discord::bot::Bot;

/// Opens the room of a call. Its end is told to the call's task.
pub(super) fn hold(
    bot: &Arc<Bot>,
    spec: &CallSpec,
    desk: &Desk,
    link: &Link,
    tell: mpsc::WeakSender<CallEvent>,
    orders: mpsc::Receiver<Order>,
) -> JoinHandle<()> {
    let settings = bot.preferences().guild(spec.guild);
    let config = bot.config();
    let mut conversation = config.conversation.turns.clone();
    if let Some(name) = settings.wake_name {
        conversation.wake_name = name;
    }
    let begun = UtcMillis::new(jiff::Timestamp::now().as_millisecond());
    let parts = parts(bot, spec, link, conversation, settings.voice, begun);
    let sessions = bot.sessions().clone();
    let now = Box::new(move || sessions.now());
    let mut scribe = Scribe::new(desk.clone(), tell.clone(), bot.name(), begun, now);
    bot.tasks().spawn(async move {
        let held = contained(live::attend(parts, orders, &mut scribe)).await;
        let over =
            held.unwrap_or_else(|what| Err(Failure::Failed(format!("the conversation panicked: {what}"))));
        if let Some(tell) = tell.upgrade() {
            let _ = tell.send(CallEvent::RoomOver(over)).await;
        }
    })
}

fn parts(
    bot: &Arc<Bot>,
    spec: &CallSpec,
    link: &Link,
    conversation: ConversationConfig,
    voice: Option<String>,
    begun: UtcMillis,
) -> RoomParts {
    let engines = bot.engines();
    let (of, guild) = (Arc::downgrade(bot), spec.guild);
    RoomParts {
        recogniser: Arc::clone(&engines.recogniser),
        throat: Throat::Samples(
            Arc::clone(&engines.voices),
            voice.or_else(|| bot.config().voice.clone()),
        ),
        responder: Arc::clone(&engines.responder),
        detectors: Arc::clone(&engines.detectors),
        conversation,
        endpoint: bot.config().conversation.endpoint(),
        language: bot.language(guild),
        pace: Pace::Real,
        begun,
        loudspeaker: Some(Arc::new(CallVoice::new(link.call()))),
        limits: Some(Arc::new(move || of.upgrade()?.limits_left(guild))),
        guard: Arc::clone(&engines.guard),
        traces: crate::monitoring::traces::told(),
    }
}

//! Members who speak: frames of Opus, sent to the bot at the pace of speech.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::hub::Hub;
use crate::world::{GuildId, UserId};

/// A frame lasts this long.
const FRAME: Duration = Duration::from_millis(20);
/// What clients send when somebody stops speaking.
const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];
const SILENCES: usize = 5;

/// Why nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpeechError {
    /// The user is not in the voice channel in which the bot is.
    #[error("the user is in no voice channel with the bot")]
    NotThere,
}

/// Somebody speaking.
#[derive(Debug)]
pub struct Speech {
    task: JoinHandle<usize>,
}

impl Speech {
    /// Waits for the last word; tells how many packets were sent, those not counted that the network lost.
    pub async fn finished(self) -> usize {
        self.task.await.unwrap_or(0)
    }

    /// Stops in the middle of it.
    pub fn stop(self) {
        self.task.abort();
    }
}

/// Lets `user` say `frames`, 20 ms of Opus each, then five frames of silence.
pub(crate) fn speak(
    hub: &Arc<Hub>,
    guild: GuildId,
    user: UserId,
    frames: Vec<Vec<u8>>,
) -> Result<Speech, SpeechError> {
    let there = hub
        .voice
        .state()
        .rooms
        .get(&guild)
        .is_some_and(|r| r.speakers.contains_key(&user));
    if !there {
        return Err(SpeechError::NotThere);
    }
    let hub = Arc::clone(hub);
    let tasks = hub.tasks.clone();
    let task = tasks.spawn(async move {
        let mut ticks = interval(FRAME);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut sent = 0;
        for frame in frames
            .into_iter()
            .chain(std::iter::repeat_n(SILENCE.to_vec(), SILENCES))
        {
            tokio::select! {
                () = hub.stop.cancelled() => break,
                _ = ticks.tick() => sent += usize::from(send(&hub, guild, user, &frame).await),
            }
        }
        sent
    });
    Ok(Speech { task })
}

/// Sends a frame; says whether it left.
async fn send(hub: &Arc<Hub>, guild: GuildId, user: UserId, frame: &[u8]) -> bool {
    let departing = {
        let mut state = hub.voice.state();
        let Some(room) = state.rooms.get_mut(&guild) else {
            return false;
        };
        let server = room.server;
        room.send_frame(user, frame, Instant::now()).map(|d| (d, server))
    };
    let Some((departing, server)) = departing else {
        return false;
    };
    let Some(socket) = hub.voice.udp(server) else {
        return false;
    };
    if departing.late.is_zero() {
        return socket.send_to(&departing.bytes, departing.to).await.is_ok();
    }
    // Each late packet waits for itself: jitter is short, so few wait at a time.
    hub.tasks.spawn(async move {
        tokio::time::sleep(departing.late).await;
        let _ = socket.send_to(&departing.bytes, departing.to).await;
    });
    true
}

//! Acting: a step is carried out in the loopback Discord, or done to the bot.

use std::time::Duration;

use goobster_core::time::Moment;
use loopback_discord::world::act::Act;
use loopback_discord::world::draft::Draft;
use loopback_discord::world::interaction::Answer;
use loopback_discord::world::{ApiError, ChannelId, GuildId, InteractionId, MessageId, World};
use loopback_discord::{GatewayFault, Impairment, Loopback, RestFault, VoiceFault};

use super::bot::Bot;
use super::cast::Cast;
use crate::scenario::{Direction, Fault, RestKind};

/// What the network does at present, by reason.
#[derive(Debug, Default)]
pub(super) struct Weather {
    active: Vec<Front>,
    seed: u64,
}

/// One reason why packets suffer.
#[derive(Debug, Clone, PartialEq)]
struct Front {
    direction: Direction,
    loss: f64,
    jitter: Duration,
    until: Moment,
}

impl Weather {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            active: Vec::new(),
            seed,
        }
    }

    /// Packets suffer until a moment; what suffers already suffers the worse of both.
    pub(super) fn worsen(&mut self, direction: Direction, loss: f64, jitter: Duration, until: Moment) {
        self.active.push(Front {
            direction,
            loss,
            jitter,
            until,
        });
    }

    /// Forgets what is over; says whether anything changed.
    pub(super) fn clear(&mut self, now: Moment) -> bool {
        let before = self.active.len();
        self.active.retain(|f| f.until > now);
        self.active.len() < before
    }

    pub(super) fn is_calm(&self) -> bool {
        self.active.is_empty()
    }

    /// The network as it is now, for the voice server.
    pub(super) fn network(&self) -> VoiceFault {
        let way = |wanted: Direction| {
            let mut fronts = self
                .active
                .iter()
                .filter(|f| f.direction == wanted || f.direction == Direction::Both)
                .peekable();
            fronts.peek()?;
            let worst = fronts.fold((0.0_f64, Duration::ZERO), |(l, j), f| {
                (l.max(f.loss), j.max(f.jitter))
            });
            Some(Impairment {
                loss: worst.0,
                jitter: worst.1,
                seed: self.seed,
            })
        };
        VoiceFault::Network {
            down: way(Direction::Down),
            up: way(Direction::Up),
        }
    }
}

/// Lets a fault happen; says whether there was anything to break. Those that last are taken back by the stage.
pub(super) fn strike(
    fault: &Fault,
    loopback: &Loopback,
    cast: &Cast,
    bot: &mut Bot,
) -> Result<bool, ApiError> {
    let gateway = |fault| loopback.gateway_fault(None, &fault) > 0;
    let voice = |fault| loopback.voice_fault(cast.guild, fault);
    Ok(match fault {
        Fault::GatewayReconnect => gateway(GatewayFault::Reconnect),
        Fault::GatewayInvalid { resumable } => gateway(GatewayFault::InvalidSession(*resumable)),
        Fault::GatewayClose(code) => gateway(GatewayFault::Close(*code)),
        Fault::GatewayCut => gateway(GatewayFault::Cut),
        Fault::GatewaySilence => gateway(GatewayFault::Silence),
        Fault::VoiceClose(code) => voice(VoiceFault::Close(*code)),
        Fault::VoiceCut => voice(VoiceFault::Cut),
        Fault::VoiceSilence => voice(VoiceFault::Silence),
        Fault::BlackHole(_) => voice(VoiceFault::BlackHole(true)),
        Fault::NewGroup => voice(VoiceFault::NewGroup),
        Fault::Downgrade => voice(VoiceFault::Downgrade),
        Fault::Garble { member, .. } => voice(VoiceFault::Garble(cast.person(member)?, true)),
        // The weather sees to it.
        Fault::Network { .. } => loopback.voice_connected(cast.guild),
        Fault::Rest {
            kind,
            method,
            path,
            times,
        } => {
            let fault = match kind {
                RestKind::TooMany { retry_after } => RestFault::TooMany {
                    retry_after: *retry_after,
                    global: false,
                },
                RestKind::Status(status) => RestFault::Status(*status),
                RestKind::Late(by) => RestFault::Late(*by),
                RestKind::Cut => RestFault::Cut,
            };
            loopback
                .rest_faults()
                .order(method.as_deref(), path, fault, *times);
            true
        }
        Fault::MoveVoiceServer => loopback.move_voice_server(cast.guild),
        Fault::DragBot { channel } => {
            let to = cast.voice(channel)?;
            loopback.world(|w| w.move_voice(cast.bot, to)).is_ok()
        }
        Fault::KickBot => loopback.world(|w| w.leave_voice(cast.guild, cast.bot)).is_ok(),
        Fault::DeleteChannel { channel } => {
            let channel = cast.channel(channel)?;
            loopback.world(|w| w.remove_channel(channel)).is_ok()
        }
        Fault::RemoveGuild => loopback.world(|w| w.remove_guild(cast.guild)).is_ok(),
        Fault::KillBot => bot.kill(),
        Fault::TerminateBot => bot.terminate(),
        Fault::StartBot => !bot.runs() && bot.start().is_ok(),
    })
}

/// Takes back a fault that was to last for a time.
pub(super) fn lift(fault: &Fault, loopback: &Loopback, cast: &Cast) {
    match fault {
        Fault::BlackHole(_) => _ = loopback.voice_fault(cast.guild, VoiceFault::BlackHole(false)),
        Fault::Garble { member, .. } => {
            if let Ok(user) = cast.person(member) {
                loopback.voice_fault(cast.guild, VoiceFault::Garble(user, false));
            }
        }
        _ => {}
    }
}

/// A member joins a voice channel, or moves to it.
pub(super) fn join(loopback: &Loopback, cast: &Cast, member: &str, channel: &str) -> Result<(), ApiError> {
    let (user, channel) = (cast.person(member)?, cast.voice(channel)?);
    loopback.world(|w| {
        let muted = w.voice_state(cast.guild, user).is_some_and(|s| s.self_mute);
        w.join_voice(channel, user, &format!("session-{user}"), (muted, false))
    })
}

/// A member mutes their microphone, or no longer.
pub(super) fn mute(loopback: &Loopback, cast: &Cast, member: &str, on: bool) -> Result<(), ApiError> {
    let user = cast.person(member)?;
    loopback.world(|w| {
        let state = w
            .voice_state(cast.guild, user)
            .ok_or(ApiError::UnknownVoiceState)?;
        let channel = state.channel;
        w.join_voice(channel, user, &format!("session-{user}"), (on, false))
    })
}

/// A member uses a command.
pub(super) fn command(
    loopback: &Loopback,
    cast: &Cast,
    (member, channel): (&str, &str),
    path: &str,
    options: &[(String, serde_json::Value)],
) -> Result<InteractionId, ApiError> {
    let (user, channel) = (cast.person(member)?, cast.channel(channel)?);
    let act = Act::Command {
        path: path.to_owned(),
        options: options.to_vec(),
    };
    loopback.world(|w| w.interact(user, channel, act))
}

/// A member presses a button of the newest message that has one so named.
pub(super) fn press(
    loopback: &Loopback,
    cast: &Cast,
    member: &str,
    button: &str,
) -> Result<InteractionId, ApiError> {
    let user = cast.person(member)?;
    loopback.world(|w| {
        for (channel, message, custom_id) in buttons(w, cast.guild, button) {
            // What only another member sees cannot be pressed: the next newest may do.
            match w.interact(user, channel, Act::press(message, &custom_id)) {
                Err(ApiError::UnknownMessage) => {}
                pressed => return pressed,
            }
        }
        Err(ApiError::UnknownMessage)
    })
}

/// Buttons whose label or id contains some words, newest first.
fn buttons(world: &World, guild: GuildId, wanted: &str) -> Vec<(ChannelId, MessageId, String)> {
    let wanted = wanted.to_lowercase();
    let channels = world
        .guild(guild)
        .map(|g| g.channels.keys().copied().collect::<Vec<_>>());
    let mut found = Vec::new();
    for channel in channels.unwrap_or_default() {
        for message in world.messages(channel) {
            let parts = message
                .components
                .iter()
                .filter_map(|r| r["components"].as_array())
                .flatten();
            for part in parts.filter(|p| p["disabled"] != true) {
                let id = part["custom_id"].as_str().unwrap_or_default();
                let label = part["label"].as_str().unwrap_or_default();
                if !id.is_empty()
                    && (id.to_lowercase().contains(&wanted) || label.to_lowercase().contains(&wanted))
                {
                    found.push((channel, message.id, id.to_owned()));
                }
            }
        }
    }
    found.sort_by_key(|(_, message, _)| std::cmp::Reverse(*message));
    found
}

/// A member writes a message.
pub(super) fn write(
    loopback: &Loopback,
    cast: &Cast,
    member: &str,
    channel: &str,
    words: &str,
) -> Result<(), ApiError> {
    let (user, channel) = (cast.person(member)?, cast.channel(channel)?);
    loopback.world(|w| w.create_message(channel, user, Draft::words(words)).map(drop))
}

/// Whether the bot has answered for good: what it promised for later is there.
pub(super) fn answered(loopback: &Loopback, id: InteractionId) -> bool {
    loopback.world(|w| {
        let Ok(found) = w.interaction(id) else { return true };
        match found.answer {
            None => false,
            Some(Answer::Deferred) => {
                let message = found.original.and_then(|m| w.message(found.channel, m).ok());
                message.is_none_or(|m| m.edits > 0)
            }
            Some(_) => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_weather_counts_and_passes() {
        let mut weather = Weather::new(3);
        let at = Moment::from_millis;
        weather.worsen(Direction::Down, 0.05, Duration::from_millis(40), at(1_000));
        weather.worsen(Direction::Both, 0.2, Duration::ZERO, at(2_000));
        let VoiceFault::Network {
            down: Some(down),
            up: Some(up),
        } = weather.network()
        else {
            panic!()
        };
        assert_eq!(
            (down.loss, down.jitter, up.loss),
            (0.2, Duration::from_millis(40), 0.2)
        );
        assert!(!weather.clear(at(999)) && weather.clear(at(1_000)));
        let VoiceFault::Network { down: Some(down), .. } = weather.network() else {
            panic!()
        };
        assert_eq!(down.jitter, Duration::ZERO);
        assert!(weather.clear(at(2_000)) && weather.is_calm());
        assert_eq!(weather.network(), VoiceFault::Network { down: None, up: None });
    }
}

//! Everything that can be broken, by the name a scenario gives it.

use std::fmt;
use std::time::Duration;

/// Something that breaks.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Gateway opcode 7.
    GatewayReconnect,
    /// Gateway opcode 9.
    GatewayInvalid {
        /// Whether the session may go on nevertheless.
        resumable: bool,
    },
    /// The gateway closes.
    GatewayClose(u16),
    /// The gateway's socket breaks.
    GatewayCut,
    /// The gateway says nothing any more.
    GatewaySilence,
    /// The voice gateway closes.
    VoiceClose(u16),
    /// The voice gateway's socket breaks.
    VoiceCut,
    /// The voice gateway says nothing any more.
    VoiceSilence,
    /// No packet passes, for this long.
    BlackHole(Duration),
    /// Everybody begins a new DAVE group.
    NewGroup,
    /// From now on nothing is encrypted from end to end.
    Downgrade,
    /// What a member says reaches the bot as nonsense, for this long.
    Garble {
        /// Who.
        member: String,
        /// How long.
        lasts: Duration,
    },
    /// Packets are lost, delayed and reordered, for this long.
    Network {
        /// Which way.
        direction: Direction,
        /// The share that is lost, from 0 to 1.
        loss: f64,
        /// How much later packets come at most.
        jitter: Duration,
        /// How long.
        lasts: Duration,
    },
    /// REST requests meet this.
    Rest {
        /// What they meet.
        kind: RestKind,
        /// Only those with this method.
        method: Option<String>,
        /// Only those whose path contains this.
        path: String,
        /// How many.
        times: u32,
    },
    /// Another voice server takes over.
    MoveVoiceServer,
    /// The bot is moved to another voice channel.
    DragBot {
        /// Which.
        channel: String,
    },
    /// The bot is put out of voice.
    KickBot,
    /// A channel is deleted.
    DeleteChannel {
        /// Which.
        channel: String,
    },
    /// The bot is put out of the guild.
    RemoveGuild,
    /// The bot's process is killed.
    KillBot,
    /// The bot is asked to end.
    TerminateBot,
    /// The bot is started again.
    StartBot,
}

/// What a REST request meets.
#[derive(Debug, Clone, PartialEq)]
pub enum RestKind {
    /// 429.
    TooMany {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Another refusal.
    Status(u16),
    /// A late answer.
    Late(Duration),
    /// No answer.
    Cut,
}

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the bot.
    #[default]
    Down,
    /// From the bot.
    Up,
    /// Both.
    Both,
}

impl Fault {
    /// The names that a scenario may use.
    pub const NAMES: [&'static str; 22] = [
        "gateway-reconnect",
        "gateway-invalid",
        "gateway-close",
        "gateway-cut",
        "gateway-silence",
        "voice-close",
        "voice-cut",
        "voice-silence",
        "black-hole",
        "new-group",
        "downgrade",
        "garble",
        "network",
        "rest",
        "move-voice-server",
        "drag-bot",
        "kick-bot",
        "delete-channel",
        "remove-guild",
        "kill-bot",
        "terminate-bot",
        "start-bot",
    ];

    /// How long it lasts by itself, of those that end.
    pub fn lasts(&self) -> Option<Duration> {
        match self {
            Self::BlackHole(lasts) | Self::Garble { lasts, .. } | Self::Network { lasts, .. } => Some(*lasts),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GatewayReconnect => f.write_str("gateway: reconnect (op 7)"),
            Self::GatewayInvalid { resumable: true } => {
                f.write_str("gateway: invalid session, resumable (op 9)")
            }
            Self::GatewayInvalid { resumable: false } => f.write_str("gateway: invalid session (op 9)"),
            Self::GatewayClose(code) => write!(f, "gateway: closed with {code}"),
            Self::GatewayCut => f.write_str("gateway: socket cut"),
            Self::GatewaySilence => f.write_str("gateway: silent"),
            Self::VoiceClose(code) => write!(f, "voice: closed with {code}"),
            Self::VoiceCut => f.write_str("voice: socket cut"),
            Self::VoiceSilence => f.write_str("voice: silent"),
            Self::BlackHole(lasts) => write!(f, "voice: no packet passes for {lasts:?}"),
            Self::NewGroup => f.write_str("DAVE: new group"),
            Self::Downgrade => f.write_str("DAVE: downgrade"),
            Self::Garble { member, lasts } => write!(f, "voice: {member} is nonsense for {lasts:?}"),
            Self::Network {
                direction,
                loss,
                jitter,
                lasts,
            } => {
                let way = match direction {
                    Direction::Down => "to the bot",
                    Direction::Up => "from the bot",
                    Direction::Both => "both ways",
                };
                write!(
                    f,
                    "network {way}: {:.0} % lost, {jitter:?} jitter for {lasts:?}",
                    loss * 100.0
                )
            }
            Self::Rest {
                kind,
                method,
                path,
                times,
            } => {
                let method = method.as_deref().unwrap_or("any method");
                match kind {
                    RestKind::TooMany { retry_after } => write!(f, "REST: 429, again after {retry_after:?}")?,
                    RestKind::Status(status) => write!(f, "REST: {status}")?,
                    RestKind::Late(by) => write!(f, "REST: {by:?} late")?,
                    RestKind::Cut => f.write_str("REST: no answer")?,
                }
                write!(f, " ({times} times, {method} …{path}…)")
            }
            Self::MoveVoiceServer => f.write_str("voice server moved"),
            Self::DragBot { channel } => write!(f, "bot moved to {channel}"),
            Self::KickBot => f.write_str("bot put out of voice"),
            Self::DeleteChannel { channel } => write!(f, "channel {channel} deleted"),
            Self::RemoveGuild => f.write_str("bot put out of the guild"),
            Self::KillBot => f.write_str("bot killed"),
            Self::TerminateBot => f.write_str("bot asked to end (SIGTERM)"),
            Self::StartBot => f.write_str("bot started again"),
        }
    }
}

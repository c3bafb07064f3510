//! Who may have a session, and who may end one. A session cannot be added without an [`Admitted`], and only
//! [`Candidate::admit`] makes one.

use crate::ids::{ChannelId, GuildId, UserId};
use crate::limits;

use super::CloseReason;

/// A voice channel as Discord names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoiceChannel {
    /// Which channel.
    pub id: ChannelId,
    /// Its name, as people read it.
    pub name: String,
}

/// What the bot may do in the voice channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BotPermissions {
    /// See the channel and join it.
    pub connect: bool,
    /// Be heard in it.
    pub speak: bool,
    /// Write the captions and the status message.
    pub send_messages: bool,
}

impl BotPermissions {
    /// Everything a session needs.
    pub const ALL: Self = Self {
        connect: true,
        speak: true,
        send_messages: true,
    };
}

/// Whether a member has agreed to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// They agreed.
    Given,
    /// They were asked and said no, or took it back.
    Withheld,
    /// They were never asked.
    NotAsked,
}

/// Somebody who asks for a session, as the gateway and the consent store describe them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who asks.
    pub user: UserId,
    /// Whether it is a bot's account.
    pub is_bot: bool,
    /// Where they ask; `None` in a direct message.
    pub guild: Option<GuildId>,
    /// The voice channel they are in, if any.
    pub voice: Option<VoiceChannel>,
    /// What the bot may do there.
    pub permissions: BotPermissions,
    /// Whether they agreed to be heard.
    pub consent: Consent,
}

/// A candidate who may have a session: the proof that [`Candidate::admit`] said yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    pub(super) user: UserId,
    pub(super) guild: GuildId,
    pub(super) voice: VoiceChannel,
}

impl Admitted {
    /// Who was admitted.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// In which guild.
    pub fn guild(&self) -> GuildId {
        self.guild
    }

    /// To which voice channel.
    pub fn voice(&self) -> &VoiceChannel {
        &self.voice
    }
}

/// Why there is no session, or why somebody may not end one: each with words for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The account is a bot's.
    #[error("Bots cannot have a voice session.")]
    IsABot,
    /// Asked in a direct message.
    #[error("Voice sessions work in a server: ask again there.")]
    NotInAGuild,
    /// The member is in no voice channel.
    #[error("Join a voice channel first, then ask again.")]
    NotInVoice,
    /// The bot may not do what a session needs.
    #[error("I may not {what} in {channel}. Ask a server admin to allow it.")]
    NotPermitted {
        /// What is missing, in words.
        what: &'static str,
        /// The voice channel's name.
        channel: String,
    },
    /// The member has not agreed to be heard.
    #[error("I listen only to people who have agreed to be heard. Give your consent first.")]
    NoConsent,
    /// The guild's call is in another channel.
    #[error("I am already talking in {channel}. Join me there, or wait until that call ends.")]
    CallElsewhere {
        /// That channel's name.
        channel: String,
    },
    /// The member has a session in this guild.
    #[error("You already have a session in {channel}.")]
    AlreadyInSession {
        /// Its voice channel's name.
        channel: String,
    },
    /// The member's session is being started.
    #[error("Your session is already being started.")]
    AlreadyStarting,
    /// The member's last session is still closing, for longer than it should.
    #[error("Your last session is still being cleaned up. Try again in a moment.")]
    StillClosing,
    /// Too much stuck work is in quarantine for new sessions to be safe.
    #[error("Voice is unavailable just now: {stuck} speech tasks are stuck. The operator has been told.")]
    TooMuchStuck {
        /// How many.
        stuck: usize,
    },
    /// More people talk than the machine can follow.
    #[error(
        "I am as busy as this machine allows: it can follow {speakers} people talking at once, and they are. Please try again \
         in a few minutes."
    )]
    Overloaded {
        /// How many people it can follow.
        speakers: usize,
    },
    /// What hears has failed.
    #[error(
        "I cannot hear anybody just now: speech recognition hangs. The operator has been told. Please try again later."
    )]
    HearingDown,
    /// Goobster is going down.
    #[error("Goobster is shutting down. Try again in a minute.")]
    ShuttingDown,
    /// A limit says no: slots, voice time, or the store of both.
    #[error(transparent)]
    Limit(#[from] limits::Refusal),
    /// The member has no session.
    #[error("You have no voice session.")]
    NoSession,
    /// Somebody else's session.
    #[error("Only its owner or a moderator can end this session.")]
    NotYours,
    /// The session is closing or closed already.
    #[error("This session has ended already.")]
    AlreadyEnded,
}

impl Refusal {
    /// A short name for metrics' labels and logs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::IsABot => "is_a_bot",
            Self::NotInAGuild => "not_in_a_guild",
            Self::NotInVoice => "not_in_voice",
            Self::NotPermitted { .. } => "not_permitted",
            Self::NoConsent => "no_consent",
            Self::CallElsewhere { .. } => "call_elsewhere",
            Self::AlreadyInSession { .. } => "already_in_session",
            Self::AlreadyStarting => "already_starting",
            Self::StillClosing => "still_closing",
            Self::TooMuchStuck { .. } => "too_much_stuck",
            Self::Overloaded { .. } => "overloaded",
            Self::HearingDown => "hearing_down",
            Self::ShuttingDown => "shutting_down",
            Self::Limit(_) => "limit",
            Self::NoSession => "no_session",
            Self::NotYours => "not_yours",
            Self::AlreadyEnded => "already_ended",
        }
    }
}

/// The longest channel name that is kept; Discord's own limit.
const NAME_CHARS: usize = 100;

impl Candidate {
    /// Checks that this person may have a session in the channel they are in.
    ///
    /// # Errors
    /// The first reason against it, in the order in which the user can mend them.
    pub fn admit(self) -> Result<Admitted, Refusal> {
        if self.is_bot {
            return Err(Refusal::IsABot);
        }
        let guild = self.guild.ok_or(Refusal::NotInAGuild)?;
        let mut voice = self.voice.ok_or(Refusal::NotInVoice)?;
        voice.name = voice
            .name
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME_CHARS)
            .collect();
        let BotPermissions {
            connect,
            speak,
            send_messages,
        } = self.permissions;
        let wanted = [
            (connect, "join"),
            (speak, "speak"),
            (send_messages, "write messages"),
        ];
        if let Some((_, what)) = wanted.into_iter().find(|(granted, _)| !granted) {
            return Err(Refusal::NotPermitted {
                what,
                channel: voice.name,
            });
        }
        match self.consent {
            Consent::Given => Ok(Admitted {
                user: self.user,
                guild,
                voice,
            }),
            Consent::Withheld | Consent::NotAsked => Err(Refusal::NoConsent),
        }
    }
}

/// Somebody who asks for a session to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// Who asks.
    pub user: UserId,
    /// The guild in which they may moderate (move members); `None` for everybody else.
    pub moderates: Option<GuildId>,
}

impl Actor {
    /// A member without a moderator's rights.
    pub const fn member(user: UserId) -> Self {
        Self {
            user,
            moderates: None,
        }
    }

    /// A moderator of a guild.
    pub const fn moderator(user: UserId, guild: GuildId) -> Self {
        Self {
            user,
            moderates: Some(guild),
        }
    }
}

/// Whether `actor` may end the session of `owner` in `guild`, and under which reason.
///
/// # Errors
/// [`Refusal::NotYours`] for everybody but its owner and the moderators of its own guild.
pub fn may_end(actor: Actor, owner: UserId, guild: GuildId) -> Result<CloseReason, Refusal> {
    if actor.user == owner {
        Ok(CloseReason::EndedByOwner)
    } else if actor.moderates == Some(guild) {
        Ok(CloseReason::EndedByModerator(actor.user))
    } else {
        Err(Refusal::NotYours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate() -> Candidate {
        Candidate {
            user: UserId::new(1),
            is_bot: false,
            guild: Some(GuildId::new(2)),
            voice: Some(VoiceChannel {
                id: ChannelId::new(3),
                name: "Lounge".to_owned(),
            }),
            permissions: BotPermissions::ALL,
            consent: Consent::Given,
        }
    }

    #[test]
    fn each_missing_condition_is_its_own_refusal() {
        assert!(candidate().admit().is_ok());
        let refused = |change: fn(&mut Candidate)| {
            let mut candidate = candidate();
            change(&mut candidate);
            candidate.admit().unwrap_err()
        };
        assert_eq!(refused(|c| c.is_bot = true), Refusal::IsABot);
        assert_eq!(refused(|c| c.guild = None), Refusal::NotInAGuild);
        assert_eq!(refused(|c| c.voice = None), Refusal::NotInVoice);
        assert_eq!(refused(|c| c.consent = Consent::NotAsked), Refusal::NoConsent);
        assert_eq!(refused(|c| c.consent = Consent::Withheld), Refusal::NoConsent);
        for (what, change) in [
            ("join", (|c| c.permissions.connect = false) as fn(&mut Candidate)),
            ("speak", |c| c.permissions.speak = false),
            ("write messages", |c| c.permissions.send_messages = false),
        ] {
            let channel = "Lounge".to_owned();
            assert_eq!(refused(change), Refusal::NotPermitted { what, channel });
        }
    }

    #[test]
    fn a_hostile_channel_name_is_cut_and_cleaned() {
        let mut hostile = candidate();
        let name = format!("a\u{7}\n{}", "x".repeat(5_000));
        hostile.voice = Some(VoiceChannel {
            id: ChannelId::new(3),
            name,
        });
        let name = hostile.admit().unwrap().voice.name;
        assert_eq!(name.chars().count(), NAME_CHARS);
        assert!(!name.contains(char::is_control));
    }

    #[test]
    fn only_the_owner_and_moderators_of_that_guild_end_a_session() {
        let (owner, guild) = (UserId::new(1), GuildId::new(2));
        let end = |actor| may_end(actor, owner, guild);
        let other = UserId::new(5);
        assert_eq!(end(Actor::member(owner)), Ok(CloseReason::EndedByOwner));
        assert_eq!(
            end(Actor::moderator(other, guild)),
            Ok(CloseReason::EndedByModerator(other))
        );
        assert_eq!(
            end(Actor::moderator(other, GuildId::new(77))),
            Err(Refusal::NotYours)
        );
        assert_eq!(end(Actor::member(other)), Err(Refusal::NotYours));
    }
}

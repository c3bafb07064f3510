//! What is expected of the bot.

use std::fmt;
use std::time::Duration;

/// Something that is expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// What is claimed.
    pub claim: Claim,
    /// Only what happens after this event counts; none for the whole rehearsal.
    pub after: Option<String>,
    /// It must be so within this time of `after`, or of the end of speech; none for any time.
    pub within: Option<Duration>,
    /// Where it stands in the file; 0 if it stands in none.
    pub line: usize,
}

/// What is claimed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Claim {
    /// What was said in a step is captioned under the speaker's name.
    Caption {
        /// The step.
        speech: String,
        /// Wrong words at most, in per cent.
        word_errors: f64,
    },
    /// Nothing that a member says is captioned.
    NoCaption {
        /// Who.
        member: String,
    },
    /// A reply contains these words.
    Reply {
        /// The words; any reply will do if there are none.
        words: String,
    },
    /// The bot answers a command with these words.
    Answer {
        /// The step of the command.
        command: String,
        /// The words.
        words: String,
        /// Whether only the member who asked may see it; none if it does not matter.
        hidden: Option<bool>,
    },
    /// A message of the bot contains these words.
    Message {
        /// The words.
        words: String,
    },
    /// No message of the bot contains these words.
    NoMessage {
        /// The words.
        words: String,
    },
    /// Where the bot is.
    Bot {
        /// Where.
        presence: Presence,
        /// In which voice channel; none for any.
        channel: Option<String>,
    },
    /// The bot never goes into voice again.
    NoReturn,
    /// The session is there at the end and was never without voice for more than ten seconds.
    SessionKept,
    /// Whatever was said while the bot could hear is captioned, and no caption is left unfinished.
    NothingLost {
        /// Wrong words at most, in per cent.
        word_errors: f64,
    },
    /// Nobody waited longer, in any turn.
    Latency {
        /// From the end of speech to the final caption.
        caption: Option<Duration>,
        /// From the end of speech to the reply's first sound.
        reply: Option<Duration>,
    },
    /// The memory of the bot's process grows by no more than this, from where it stands when counting begins to the end.
    Memory {
        /// Per cent.
        growth: f64,
    },
    /// When the bot is asked to end, its process holds at most so many more threads, and so many more file descriptors, than
    /// when counting began.
    Leftovers(u64),
    /// How the bot's process ended.
    ExitCode(i32),
    /// The bot is heard.
    Audible,
    /// The bot is not heard.
    Silent,
    /// A recording that was said reached the bot's recogniser whole and like itself; with scripted engines only.
    HeardWhole {
        /// The recording.
        clip: String,
        /// How alike they must be, from 0 to 1.
        correlation: f64,
    },
    /// What the bot says is this recording.
    Echoes {
        /// The recording.
        clip: String,
        /// How alike they must be, from 0 to 1.
        correlation: f64,
    },
}

/// Where the bot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// In a voice channel.
    In,
    /// In none.
    Out,
    /// In one, and able to hear.
    Listening,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caption { speech, word_errors } => {
                write!(
                    f,
                    "'{speech}' is captioned with at most {word_errors} % wrong words"
                )
            }
            Self::NoCaption { member } => write!(f, "nothing of {member} is captioned"),
            Self::Reply { words } if words.is_empty() => f.write_str("there is a reply"),
            Self::Reply { words } => write!(f, "a reply contains '{words}'"),
            Self::Answer {
                command,
                words,
                hidden,
            } => {
                let hidden = match hidden {
                    Some(true) => ", for the one who asked alone",
                    Some(false) => ", for all",
                    None => "",
                };
                write!(f, "'{command}' is answered with '{words}'{hidden}")
            }
            Self::Message { words } => write!(f, "a message contains '{words}'"),
            Self::NoMessage { words } => write!(f, "no message contains '{words}'"),
            Self::Bot { presence, channel } => {
                let channel = channel.as_deref().unwrap_or("a voice channel");
                match presence {
                    Presence::In => write!(f, "the bot is in {channel}"),
                    Presence::Out => f.write_str("the bot has left"),
                    Presence::Listening => write!(f, "the bot listens in {channel}"),
                }
            }
            Self::NoReturn => f.write_str("the bot does not come back"),
            Self::SessionKept => f.write_str("the session is kept"),
            Self::NothingLost { .. } => f.write_str("nothing that could be heard is lost"),
            Self::Latency { caption, reply } => {
                let part = |what: &str, time: &Option<Duration>| {
                    time.map(|t| format!("{what} within {:.2} s", t.as_secs_f64()))
                };
                let parts = [part("captions", caption), part("replies", reply)];
                f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
            }
            Self::Memory { growth } => write!(f, "memory grows by at most {growth} %"),
            Self::Leftovers(most) => write!(
                f,
                "at most {most} threads and {most} file descriptors are left over"
            ),
            Self::ExitCode(code) => write!(f, "the bot ends with exit code {code}"),
            Self::Audible => f.write_str("the bot is heard"),
            Self::Silent => f.write_str("the bot is silent"),
            Self::HeardWhole { clip, correlation } => {
                write!(
                    f,
                    "the bot hears the whole of '{clip}' (correlation {correlation})"
                )
            }
            Self::Echoes { clip, correlation } => {
                write!(f, "the bot says '{clip}' (correlation {correlation})")
            }
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.claim.fmt(f)?;
        match (&self.within, &self.after) {
            (Some(within), Some(after)) => {
                write!(f, ", within {:.2} s after '{after}'", within.as_secs_f64())
            }
            (Some(within), None) => write!(f, ", within {:.2} s", within.as_secs_f64()),
            (None, Some(after)) => write!(f, ", after '{after}'"),
            (None, None) => Ok(()),
        }
    }
}

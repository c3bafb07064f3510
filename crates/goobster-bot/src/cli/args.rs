//! What can be typed: the commands, their flags, and examples.

mod operate;

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::operate::{Health, Store, StoreAction};
use super::config::ConfigArgs;
use crate::config::{Overrides, Profile};

/// A voice assistant for Discord that runs offline.
#[derive(Debug, Parser)]
#[command(
    name = "goobster",
    version,
    about = "A voice assistant for Discord that runs offline: it hears each speaker apart, captions them and answers aloud",
    after_help = "Examples:
  goobster transcribe meeting.mp3 --format srt > meeting.srt
  goobster say \"The window resets at 18:00.\" -o reply.wav
  goobster converse alice.wav bob.wav --out session
  goobster doctor

Exit codes: 0 ok, 1 failure, 2 usage, 3 bad input, 4 set-up missing, 5 configuration."
)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// How much machine to use: small (tiny.en, espeak-ng; English only) or standard (base, Piper)
    #[arg(long, global = true, env = "GOOBSTER_PROFILE", value_enum)]
    pub profile: Option<Profile>,
    /// Print JSON lines on stdout, each with an "event", and nothing else
    #[arg(long, global = true)]
    pub json: bool,
    /// Never fetch anything: a missing model is an error (exit 4)
    #[arg(long, global = true, env = "GOOBSTER_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    pub offline: bool,
    /// Whom to contact: open, or discord-only (Discord, and what runs on this machine)
    #[arg(long, global = true, value_name = "WHOM", value_parser = clap::builder::PossibleValuesParser::new(goobster_network::Network::NAMES))]
    pub network: Option<String>,
    /// The folder of models, voices and runtimes, before `GOOBSTER_CACHE` [default: goobster in the user's cache folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// A configuration file [default: goobster.toml in the user's configuration folder, when there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say more on stderr; twice for much more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Common {
    /// With what every command understands set over `overrides`.
    pub fn over(&self, overrides: Overrides) -> Overrides {
        overrides.with("network", "--network", self.network.clone())
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write down what is said in audio files
    Transcribe(Transcribe),
    /// Speak a text into a file
    Say(Say),
    /// Run the bot on Discord
    Run(Run),
    /// Rehearse the bot on a Discord of this machine's own: no account, no network
    Rehearse(Rehearse),
    /// Hold a conversation with recordings: captions, replies, and how long they took
    Converse(Converse),
    /// Hold the demonstration conversation on recorded human speech
    Demo(Demo),
    /// Hold a conversation through this machine's microphone and loudspeaker
    Listen(Listen),
    /// Say what is installed, what this machine can do, and how to mend what is wrong
    Doctor,
    /// List, fetch or remove models and voices
    Models(Models),
    /// Examine, mend, back up or restore what holds quotas and sessions, or forget somebody in it
    Store(Store),
    /// Ask a bot that runs on this machine whether it is alive: exit 0 or 1
    Health(Health),
    /// Write, check or show the configuration
    Config(ConfigArgs),
}

impl Command {
    /// Whether the command's own flags ask for JSON.
    pub fn wants_json(&self) -> bool {
        matches!(
            self,
            Self::Transcribe(Transcribe {
                format: Format::Json,
                ..
            })
        )
    }
}

/// How a transcript is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// A line a segment, for reading
    #[default]
    Text,
    /// `SubRip` subtitles
    Srt,
    /// `WebVTT` subtitles
    Vtt,
    /// JSON lines on stdout, the same as --json; with --out a JSON file for each recording besides
    Json,
}

/// `goobster transcribe`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  goobster transcribe talk.m4a
  goobster transcribe *.ogg --format vtt -o captions/
  goobster transcribe talk.flac --json --language de | jq -r 'select(.event==\"segment\").text'")]
pub struct Transcribe {
    /// Audio files: wav, flac, mp3, ogg (vorbis, opus), aac, m4a, mkv, webm …
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How to write the transcript
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write a transcript for each recording into this folder instead of on stdout
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// A model by name (see `goobster models list`) or a ggml file [default: the profile's]
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// The language spoken, such as en or de; auto detects it [default: auto]
    #[arg(long, value_name = "CODE")]
    pub language: Option<String>,
}

/// `goobster say`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  goobster say \"Good evening, everyone.\" -o hello.wav
  goobster say \"Guten Abend\" --language de -o abend.wav
  goobster say --list-voices")]
pub struct Say {
    /// What to say; - reads it from standard input
    #[arg(required_unless_present = "list_voices")]
    pub text: Option<String>,
    /// Where to write the speech
    #[arg(short, long, default_value = "out.wav", value_name = "FILE")]
    pub output: PathBuf,
    /// A voice by name
    #[arg(long)]
    pub voice: Option<String>,
    /// The language of the text [default: en, or the voice's]
    #[arg(long, value_name = "CODE")]
    pub language: Option<String>,
    /// List the voices that can be chosen
    #[arg(long)]
    pub list_voices: bool,
}

/// What a conversation can be told.
#[derive(Debug, Clone, Default, Args)]
pub struct TalkArgs {
    /// An OpenAI-compatible chat server that answers, such as <http://localhost:11434/v1> [default: built in]
    #[arg(long, value_name = "URL", env = "GOOBSTER_BRAIN_URL")]
    pub brain_url: Option<String>,
    /// The model to ask that server for
    #[arg(long, value_name = "NAME", env = "GOOBSTER_BRAIN_MODEL")]
    pub brain_model: Option<String>,
    /// The name that calls Goobster when several people are present
    #[arg(long, value_name = "NAME")]
    pub wake_name: Option<String>,
    /// The language spoken; auto detects it [default: en]
    #[arg(long, value_name = "CODE")]
    pub language: Option<String>,
    /// The voice that answers
    #[arg(long)]
    pub voice: Option<String>,
}

impl TalkArgs {
    /// These flags as overrides of the configuration.
    pub fn overrides(&self, profile: Option<Profile>) -> Overrides {
        Overrides::default()
            .with("profile", "--profile", profile.map(Profile::name))
            .with("language", "--language", self.language.clone())
            .with("voice", "--voice", self.voice.clone())
            .with("brain.url", "--brain-url", self.brain_url.clone())
            .with("brain.model", "--brain-model", self.brain_model.clone())
            .with("conversation.wake_name", "--wake-name", self.wake_name.clone())
    }
}

/// `goobster run`.
#[derive(Debug, Args)]
#[command(
    after_help = "The token is read from the environment variable DISCORD_TOKEN or from the file that discord.token_file names, never from
the command line. docs/discord.md tells how to create the application and invite the bot.

Examples:
  DISCORD_TOKEN=… goobster run
  DISCORD_TOKEN=… DISCORD_GUILD_ID=81384788765712384 goobster run --config goobster.toml -v"
)]
pub struct Run {
    /// The application's id [default: asked of Discord]
    #[arg(long, value_name = "ID", env = "DISCORD_APPLICATION_ID")]
    pub application_id: Option<NonZeroU64>,
    /// Register the commands in this server alone, where they appear at once [default: in all]
    #[arg(long, value_name = "ID", env = "DISCORD_GUILD_ID")]
    pub guild_id: Option<NonZeroU64>,
    /// How to talk.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// `goobster converse`.
#[derive(Debug, Args)]
#[command(
    after_help = "Several files are several speakers who are in the room together: mixed in time, never in signal.

Examples:
  goobster converse question.wav --out session
  goobster converse alice.flac bob.flac --fast --json
  goobster converse question.wav --brain-url http://localhost:11434/v1 --brain-model llama3.2"
)]
pub struct Converse {
    /// A recording a speaker
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write captions.srt, captions.vtt, transcript.json and reply.wav into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// As fast as it goes, instead of at the pace of speech
    #[arg(long)]
    pub fast: bool,
    /// How to talk.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// `goobster rehearse`.
#[derive(Debug, Args)]
#[command(
    after_help = "The real bot is started in a process of its own and connects to a stand-in for Discord on this machine.
docs/rehearsal.md tells how to write a scenario.

Examples:
  goobster rehearse                                  a conversation from the library
  goobster rehearse question.wav                     a member says your recording
  goobster rehearse --scenario kept-dragged --scenario my-scenario.toml
  goobster rehearse --list
  goobster rehearse --scenario three-speakers-with-loss --seeds 10
  goobster rehearse --network discord-only --log-connects   whom the bot contacts, as the system sees it
  goobster rehearse --soak 20 --seed-start 7         random faults, with engines that need no model
  goobster rehearse --endurance 30                   half an hour of talk, and what is left over after it
  goobster rehearse --overload 5                     more people talk than this machine can follow"
)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Rehearse {
    /// Recordings that a member says, one after the other
    #[arg(value_name = "WAV")]
    pub recordings: Vec<PathBuf>,
    /// A scenario: a file, or a name of the library; may be given several times
    #[arg(long, value_name = "FILE")]
    pub scenario: Vec<String>,
    /// Each recording is a member of its own
    #[arg(long)]
    pub several: bool,
    /// List the library's scenarios
    #[arg(long)]
    pub list: bool,
    /// Hear and speak with scripted engines, which know the recordings and need no model
    #[arg(long)]
    pub scripted: bool,
    /// Voices are not encrypted from end to end, whatever the scenario says
    #[arg(long)]
    pub without_dave: bool,
    /// Log every address that the bot contacts, with strace; one that is not the loopback Discord's is a failure
    #[arg(long, conflicts_with = "soak")]
    pub log_connects: bool,
    /// Play each scenario with this many seeds, and tell the word errors of all of them together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub seeds: Option<u32>,
    /// Play this many random fault scripts instead
    #[arg(long, value_name = "N", conflicts_with_all = ["scenario", "recordings"])]
    pub soak: Option<u32>,
    /// Let members talk, leave and come back for this many minutes instead
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["scenario", "recordings", "soak"])]
    pub endurance: Option<u32>,
    /// Let four times as many people talk at once as this machine can follow, for this many minutes
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["scenario", "recordings", "soak", "endurance"], value_parser = clap::value_parser!(u32).range(1..=600))]
    pub overload: Option<u32>,
    /// How often members leave and come back in --endurance
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub returns: u32,
    /// Members of --endurance, at most three of them talk at once
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=10))]
    pub members: u8,
    /// The first seed of --soak and --seeds, the seed of --endurance
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed_start: u64,
    /// Scripts of --soak that run at the same time
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub at_once: usize,
    /// Where reports, sound and transcripts are written
    #[arg(long, value_name = "DIR", default_value = "goobster-rehearsal")]
    pub out: PathBuf,
    /// How to talk.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// `goobster demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Your own recordings instead of the ones that set-up fetched; each is played after the last was answered
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where to write captions.srt, captions.vtt, transcript.json and reply.wav
    #[arg(long, value_name = "DIR", default_value = "goobster-demo")]
    pub out: PathBuf,
    /// As fast as it goes, instead of at the pace of speech; without the bot and the loopback Discord
    #[arg(long)]
    pub fast: bool,
    /// Without the bot and the loopback Discord, at the pace of speech
    #[arg(long)]
    pub alone: bool,
    /// How to talk.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// `goobster listen`.
#[derive(Debug, Args)]
pub struct Listen {
    /// You wear headphones: Goobster listens while it speaks, and can be interrupted
    #[arg(long)]
    pub headphones: bool,
    /// How to talk.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// `goobster models`.
#[derive(Debug, Args)]
pub struct Models {
    /// What to do.
    #[command(subcommand)]
    pub action: ModelsAction,
}

/// What can be done with models.
#[derive(Debug, Subcommand)]
pub enum ModelsAction {
    /// List what can be had and what is here
    List,
    /// Fetch models, voices and runtimes
    Pull {
        /// Which ones [default: everything the profile needs]
        names: Vec<String>,
        /// Take the packages from this folder instead of the network
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Remove models from the cache
    Remove {
        /// Which ones
        #[arg(required = true)]
        names: Vec<String>,
    },
}

//! The parrot: serenity and songbird as any bot uses them, in a process of its own.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opus2::{Application, Channels, Encoder};
use serenity::all::{
    ChannelId, Client, Command, CommandInteraction, CommandOptionType, Context, CreateCommand,
    CreateCommandOption, CreateMessage, EditInteractionResponse, EditMessage, EventHandler, GatewayIntents,
    GuildId, Interaction, Ready, UserId,
};
use serenity::async_trait;
use songbird::driver::DecodeMode;
use songbird::input::Input;
use songbird::{Config, CoreEvent, Event, EventContext, Songbird};

/// What the parrot hears in everything.
pub(crate) const WORDS: &str = "ten of clubs!";
/// What it answers.
pub(crate) const ANSWER: &str = "polly wants a cracker";
/// Ticks of 20 ms without a packet that end a turn.
const PATIENCE: u32 = 25;
/// Ticks with packets below which it was no speech.
const SPEECH: u32 = 15;

struct Handler {
    songbird: Arc<Songbird>,
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, ctx: Context, _: Ready) {
        let sub = |name: &str| CreateCommandOption::new(CommandOptionType::SubCommand, name, "Do it");
        let voice = CreateCommand::new("voice").description("Voice");
        let voice = voice.add_option(sub("start")).add_option(sub("stop"));
        Command::set_global_commands(&ctx.http, vec![voice])
            .await
            .unwrap();
        match std::env::var("PARROT").as_deref() {
            Ok("leaks") => eprintln!("my token is {}", std::env::var("DISCORD_TOKEN").unwrap()),
            Ok("panics") => drop(tokio::spawn(async { panic!("out of seeds") })),
            _ => {}
        }
    }

    async fn interaction_create(&self, ctx: Context, interaction: Interaction) {
        let Interaction::Command(command) = interaction else {
            return;
        };
        command.defer_ephemeral(&ctx.http).await.unwrap();
        let guild = command.guild_id.unwrap();
        let said = if command.data.options[0].name == "stop" {
            self.songbird.remove(guild).await.unwrap();
            "I have left."
        } else {
            self.start(&ctx, &command, guild).await
        };
        let edit = EditInteractionResponse::new().content(said);
        command.edit_response(&ctx.http, edit).await.unwrap();
    }
}

impl Handler {
    async fn start(&self, ctx: &Context, command: &CommandInteraction, guild: GuildId) -> &'static str {
        let channel = ctx
            .cache
            .guild(guild)
            .and_then(|g| g.voice_states.get(&command.user.id).and_then(|s| s.channel_id));
        let Some(channel) = channel else {
            return "Join a voice channel first.";
        };
        let call = self.songbird.get_or_insert(guild);
        {
            let mut call = call.lock().await;
            let ear = Ear {
                ctx: ctx.clone(),
                songbird: Arc::clone(&self.songbird),
                place: (guild, command.channel_id),
                heard: Arc::default(),
            };
            call.add_global_event(CoreEvent::VoiceTick.into(), ear.clone());
            call.add_global_event(CoreEvent::SpeakingStateUpdate.into(), ear);
        }
        self.songbird.join(guild, channel).await.unwrap();
        "I am listening."
    }
}

#[derive(Default)]
struct Heard {
    users: HashMap<u32, u64>,
    /// Ticks with a packet, and ticks without since.
    turns: HashMap<u32, (u32, u32)>,
}

#[derive(Clone)]
struct Ear {
    ctx: Context,
    songbird: Arc<Songbird>,
    place: (GuildId, ChannelId),
    heard: Arc<Mutex<Heard>>,
}

#[async_trait]
impl songbird::EventHandler for Ear {
    async fn act(&self, context: &EventContext<'_>) -> Option<Event> {
        match context {
            EventContext::SpeakingStateUpdate(speaking) => {
                if let Some(user) = speaking.user_id {
                    self.heard.lock().unwrap().users.insert(speaking.ssrc, user.0);
                }
            }
            EventContext::VoiceTick(tick) => {
                let spoke: Vec<u32> = tick.speaking.keys().copied().collect();
                for user in self.heard.lock().unwrap().tick(&spoke) {
                    tokio::spawn(self.clone().parrot(user));
                }
            }
            _ => {}
        }
        None
    }
}

impl Heard {
    /// Another 20 ms; gives those whose turn is over.
    fn tick(&mut self, spoke: &[u32]) -> Vec<u64> {
        for ssrc in spoke {
            let turn = self.turns.entry(*ssrc).or_default();
            *turn = (turn.0 + 1, 0);
        }
        let mut over = Vec::new();
        for (ssrc, turn) in &mut self.turns {
            turn.1 += 1;
            if turn.1 == PATIENCE {
                let speech = std::mem::take(&mut turn.0) > SPEECH;
                over.extend(self.users.get(ssrc).filter(|_| speech));
            }
        }
        over
    }
}

impl Ear {
    /// Captions what was said, in two steps, and answers.
    async fn parrot(self, user: u64) {
        let (guild, channel) = self.place;
        let http = &self.ctx.http;
        let name = UserId::new(user).to_user(http).await.unwrap().name;
        let me = http.get_current_user().await.unwrap().name.clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let write = |name: &str, words: &str| format!("**{name}** · <t:{now}:T>\n{words}");
        let partial = CreateMessage::new().content(write(&name, "ten …"));
        let mut caption = channel.send_message(http, partial).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let whole = EditMessage::new().content(write(&name, &WORDS.replace('!', "\\!")));
        caption.edit(http, whole).await.unwrap();
        let call = self.songbird.get(guild).unwrap();
        call.lock().await.play_input(Input::from(dca(&tone(0.6))));
        let answer = CreateMessage::new().content(write(&me, ANSWER));
        channel.send_message(http, answer).await.unwrap();
    }
}

/// A tone as frames of 20 ms of Opus.
fn tone(seconds: f64) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(48_000, Channels::Stereo, Application::Audio).unwrap();
    let sample = |n: usize| (f64::sin(TAU * 330.0 * n as f64 / 48_000.0) * 12_000.0) as i16;
    let frame = |f: usize| {
        (f * 960..(f + 1) * 960)
            .flat_map(|n| [sample(n); 2])
            .collect::<Vec<i16>>()
    };
    (0..(seconds * 50.0) as usize)
        .map(|f| encoder.encode_vec(&frame(f), 1_400).unwrap())
        .collect()
}

/// Frames in DCA1, the container that songbird plays without decoding.
fn dca(frames: &[Vec<u8>]) -> Vec<u8> {
    let head = r#"{"dca":{"version":1,"tool":{"name":"t","version":"1","url":"","author":""}},"opus":{"mode":"audio","sample_rate":48000,"frame_size":960,"abr":null,"vbr":true,"channels":2},"info":null,"origin":null,"extra":null}"#;
    let mut bytes = b"DCA1".to_vec();
    bytes.extend((head.len() as i32).to_le_bytes());
    bytes.extend(head.as_bytes());
    for frame in frames {
        bytes.extend((frame.len() as i16).to_le_bytes());
        bytes.extend(frame);
    }
    bytes
}

/// Not a test: what the stage starts in another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "this is the bot that the other tests start"]
async fn the_parrot() {
    let Ok(token) = std::env::var("DISCORD_TOKEN") else {
        return;
    };
    let songbird = Songbird::serenity_from_config(Config::default().decode_mode(DecodeMode::Decrypt));
    let handler = Handler {
        songbird: Arc::clone(&songbird),
    };
    let intents = GatewayIntents::non_privileged();
    let builder = Client::builder(&token, intents).event_handler(handler);
    let mut client = songbird::serenity::register_with(builder, songbird)
        .await
        .unwrap();
    let shards = Arc::clone(&client.shard_manager);
    let mut end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    tokio::spawn(async move {
        end.recv().await;
        shards.shutdown_all().await;
    });
    client.start().await.unwrap();
}

//! The bot: serenity and songbird used as any bot uses them. It reports what it is told on its output and does what it
//! reads on its input.

use std::sync::Arc;

use serde_json::{Value, json};
use serenity::all::{
    AutocompleteChoice, Client, Command, CommandOptionType, ComponentInteraction, Context, CreateActionRow,
    CreateAutocompleteResponse, CreateButton, CreateCommand, CreateCommandOption, CreateInteractionResponse,
    CreateInteractionResponseFollowup, CreateInteractionResponseMessage, EditInteractionResponse,
    EventHandler, GatewayIntents, Guild, Interaction, Message, Ready, ResumedEvent, VoiceState,
};
use serenity::async_trait;
use tokio::sync::mpsc;

use crate::ear;

pub(crate) fn report(what: &str, data: &Value) {
    println!("BOT {}", json!([what, data]));
}

/// The lines of the input, read on a thread that ends with the process.
fn orders() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

struct Handler;

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, ctx: Context, ready: Ready) {
        let speak = CreateCommandOption::new(CommandOptionType::String, "text", "What to say")
            .required(true)
            .set_autocomplete(true);
        let commands = vec![
            CreateCommand::new("speak")
                .description("Say something")
                .add_option(speak),
            CreateCommand::new("consent").description("Ask"),
        ];
        Command::set_global_commands(&ctx.http, commands).await.unwrap();
        report(
            "ready",
            &json!({ "name": ready.user.name, "guilds": ready.guilds.len(), "session": ready.session_id }),
        );
    }

    async fn resume(&self, _: Context, _: ResumedEvent) {
        report("resumed", &Value::Null);
    }

    async fn guild_create(&self, ctx: Context, guild: Guild, _: Option<bool>) {
        let cached = ctx.cache.guild(guild.id).is_some();
        report(
            "guild",
            &json!({ "name": guild.name, "channels": guild.channels.len(), "cached": cached }),
        );
    }

    async fn message(&self, _: Context, message: Message) {
        report(
            "message",
            &json!({ "content": message.content, "author": message.author.name }),
        );
    }

    async fn voice_state_update(&self, _: Context, _: Option<VoiceState>, new: VoiceState) {
        report(
            "voice state",
            &json!({ "user": new.user_id.to_string(), "channel": new.channel_id.map(|c| c.to_string()) }),
        );
    }

    async fn interaction_create(&self, ctx: Context, interaction: Interaction) {
        match interaction {
            Interaction::Command(command) if command.data.name == "speak" => {
                command.defer_ephemeral(&ctx.http).await.unwrap();
                let text = command.data.options[0]
                    .value
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let edit = EditInteractionResponse::new().content(format!("saying: {text}"));
                command.edit_response(&ctx.http, edit).await.unwrap();
                let more = CreateInteractionResponseFollowup::new().content("said");
                command.create_followup(&ctx.http, more).await.unwrap();
            }
            Interaction::Command(command) => {
                let row = CreateActionRow::Buttons(vec![CreateButton::new("yes").label("Yes")]);
                let message = CreateInteractionResponseMessage::new()
                    .content("may I listen?")
                    .components(vec![row]);
                command
                    .create_response(&ctx.http, CreateInteractionResponse::Message(message))
                    .await
                    .unwrap();
            }
            Interaction::Autocomplete(typed) => {
                let choices = vec![AutocompleteChoice::new("hello there", "hello there")];
                let response = CreateAutocompleteResponse::new().set_choices(choices);
                typed
                    .create_response(&ctx.http, CreateInteractionResponse::Autocomplete(response))
                    .await
                    .unwrap();
            }
            Interaction::Component(press) => pressed(&ctx, press).await,
            _ => {}
        }
    }
}

async fn pressed(ctx: &Context, press: ComponentInteraction) {
    let message = CreateInteractionResponseMessage::new()
        .content("thank you")
        .components(Vec::new());
    press
        .create_response(&ctx.http, CreateInteractionResponse::UpdateMessage(message))
        .await
        .unwrap();
}

/// Not a test: what `support::Bot` runs in another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "this is the bot that the other tests start"]
async fn the_bot() {
    if std::env::var_os("LOOPBACK_BOT").is_none() {
        return;
    }
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let token = std::env::var("DISCORD_TOKEN").unwrap();
    let intents = match std::env::var("LOOPBACK_INTENTS") {
        Ok(bits) => GatewayIntents::from_bits_retain(bits.parse().unwrap()),
        Err(_) => GatewayIntents::non_privileged() | GatewayIntents::MESSAGE_CONTENT,
    };
    let songbird = ear::songbird();
    let builder = Client::builder(&token, intents).event_handler(Handler);
    let mut client = songbird::serenity::register_with(builder, Arc::clone(&songbird))
        .await
        .unwrap();
    let shards = Arc::clone(&client.shard_manager);
    tokio::spawn(async move {
        let mut orders = orders();
        let ear = ear::Ear::default();
        while let Some(order) = orders.recv().await {
            let words: Vec<&str> = order.split_whitespace().collect();
            match words.as_slice() {
                ["quit"] => shards.shutdown_all().await,
                ["join", guild, channel] => ear::join(&songbird, &ear, guild, channel).await,
                ["leave", guild] => ear::leave(&songbird, guild).await,
                ["play", guild, hertz, seconds] => ear::play(&songbird, guild, hertz, seconds).await,
                ["heard"] => report("heard", &ear.heard()),
                other => panic!("{other:?}"),
            }
        }
    });
    let result = match std::env::var("LOOPBACK_SHARDS") {
        Ok(_) => client.start_autosharded().await,
        Err(_) => client.start().await,
    };
    report("ended", &json!(result.err().map(|e| e.to_string())));
}

//! `goobster run`: the bot from its token to its last drained session.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use goobster_core::ids::{GuildId, UserId};
use goobster_core::ports::LanguageChoice;
use goobster_core::session::{SessionManager, SessionPorts, SystemClock};
use serenity::Client;
use serenity::all::{GatewayError, HttpBuilder, HttpError, ShardManager};
use songbird::SerenityInit as _;
use tokio::time::timeout;

use super::bot::{Bot, BotEngines, BotParts, Late};
use super::handler::Handler;
use super::preferences::Preferences;
use super::store::{self, Opened};
use super::token::BotToken;
use super::{call, commands, notify, permissions, reload};
use crate::cli::args::{Common, Run};
use crate::cli::exit::Failure;
use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::converse::command;
use crate::converse::room::Pace;
use crate::engines::Engines;
use crate::monitoring;
use crate::monitoring::measured::Measured;
use crate::monitoring::signs::Signs;

/// How long Discord may take to answer the first question.
const GREETING: Duration = Duration::from_secs(20);

/// How often it is looked whether the store can be written.
const PROBE_EVERY: Duration = Duration::from_secs(15);

/// How long the gateway may take to close.
const GOODBYE: Duration = Duration::from_secs(2);

/// Runs the bot until it is told to stop.
///
/// # Errors
/// No token, or one that Discord refuses (5); missing models (4); a damaged store (3); anything that ends the bot.
pub async fn run(args: &Run, config: &Config, common: &Common, terminal: Terminal) -> Result<(), Failure> {
    let token = BotToken::find(config.discord.token_file.as_deref())?;
    let (late, signs) = (Late::default(), Arc::new(Signs::default()));
    let telling = notify::begin(&signs);
    let watch = monitoring::begin(config, &late, &signs).await?;
    let engines = engines(config, common, terminal)?;
    signs.models_loaded();
    let folder = store::data_folder()?;
    std::fs::create_dir_all(&folder).map_err(|cause| Failure::Output {
        path: folder.clone(),
        cause,
    })?;
    let preferences = Preferences::open(&folder)?;
    let limits = config.limits;
    let opened = Opened::open(&config.store, &folder, &limits).await?;
    let (slots, ledger) = opened.ports();
    let ports = SessionPorts {
        slots,
        ledger,
        clock: Arc::new(SystemClock),
        node: 0,
    };
    let sessions = SessionManager::new(config.sessions.clone(), limits, ports)
        .map_err(|error| Failure::Configuration(error.to_string()))?;
    let recovery = sessions
        .recover()
        .await
        .map_err(|error| Failure::Failed(format!("the store: {error}")))?;
    if !recovery.crashed.is_empty() {
        terminal.note(&format!(
            "{} session(s) of a run that died were closed as crashed",
            recovery.crashed.len()
        ));
    }
    let mut http = HttpBuilder::new(token.expose());
    if let Some(application) = args.application_id {
        http = http.application_id(serenity::all::ApplicationId::new(application.get()));
    }
    let http = http.build();
    let me = timeout(GREETING, http.get_current_user())
        .await
        .map_err(|_| {
            Failure::Failed("Discord does not answer; is this machine connected to the internet?".to_owned())
        })?
        .map_err(|error| refused(&error))?;
    let songbird = call::songbird();
    let guild = args.guild_id.map(|guild| GuildId::new(guild.get()));
    let builder = Client::builder(token.expose(), permissions::INTENTS)
        .framework(framework(late.clone(), guild))
        .event_handler(Handler(late.clone(), Arc::clone(&signs)))
        .register_songbird_with(Arc::clone(&songbird));
    let mut client = match args.application_id {
        Some(application) => builder.application_id(serenity::all::ApplicationId::new(application.get())),
        None => builder,
    }
    .await
    .map_err(|error| refused(&error))?;
    let bot = Bot::new(BotParts {
        config: config.clone(),
        engines,
        sessions: sessions.clone(),
        songbird,
        preferences,
        http: Arc::clone(&client.http),
        cache: Arc::clone(&client.cache),
        me: (UserId::new(me.id.get()), me.display_name().to_owned()),
        charges: {
            let store = opened.clone();
            Box::new(move || store.waiting())
        },
    });
    late.set(Arc::clone(&bot));
    terminal.note(&format!(
        "{} is starting. To invite it: {}",
        me.name,
        permissions::invite(args.application_id.map_or(me.id.get(), std::num::NonZeroU64::get))
    ));
    let keeper = sessions.clone();
    let keeping = tokio::spawn(async move { keeper.keep_house().await });
    let probing = tokio::spawn(probe(opened.clone(), folder, Arc::clone(&signs)));
    let listening = tokio::spawn(reload::on_hangup(
        Arc::clone(&bot),
        args.talk.clone(),
        common.clone(),
    ));
    let shards = Arc::clone(&client.shard_manager);
    bot.connect(Arc::clone(&shards));
    let ended = tokio::select! {
        ended = client.start_autosharded() => ended.map_err(|error| refused(&error)),
        () = command::told_to_stop() => Ok(()),
    };
    terminal.note("going down: no new sessions, running ones are ended");
    telling.drain(&signs).await;
    drain(&bot, &shards, bot.config().discord.drain).await;
    for task in [keeping, probing, listening] {
        task.abort();
    }
    tokio::join!(opened.flush(), watch.finish());
    ended
}

/// Looks now and then whether the store can be written.
async fn probe(store: Opened, folder: PathBuf, signs: Arc<Signs>) {
    let mut often = tokio::time::interval(PROBE_EVERY);
    often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        often.tick().await;
        signs.store_writable(store.is_writable(&folder).await);
    }
}

fn engines(config: &Config, common: &Common, terminal: Terminal) -> Result<BotEngines, Failure> {
    let made = Engines::new(config, common.offline, terminal);
    let parts = command::parts(&made, config, Pace::Real)?;
    let crate::converse::mouth::Throat::Samples(voices, _) = parts.throat else {
        return Err(Failure::Failed(
            "the host's own voice cannot speak in a call".to_owned(),
        ));
    };
    if let LanguageChoice::Fixed(language) = parts.language {
        crate::engines::check_language(parts.recogniser.as_ref(), language)?;
    }
    Ok(BotEngines {
        recogniser: Arc::new(Measured(parts.recogniser)),
        voices,
        responder: parts.responder,
        detectors: parts.detectors,
    })
}

fn framework(late: Late, guild: Option<GuildId>) -> poise::Framework<commands::Data, commands::CommandError> {
    poise::Framework::builder()
        .options(poise::FrameworkOptions {
            commands: commands::all(),
            on_error: |error| Box::pin(commands::on_error(error)),
            allowed_mentions: Some(serenity::all::CreateAllowedMentions::new()),
            ..Default::default()
        })
        .setup(move |ctx, ready, framework| {
            Box::pin(async move {
                let commands = &framework.options().commands;
                match guild {
                    Some(guild) => {
                        let guild = serenity::all::GuildId::new(guild.get());
                        poise::builtins::register_in_guild(ctx, commands, guild).await?;
                    }
                    None => poise::builtins::register_globally(ctx, commands).await?,
                }
                tracing::info!(commands = commands.len(), bot = %ready.user.name, "commands are registered");
                late.get()
                    .ok_or_else(|| commands::CommandError::Words("the bot is not ready".to_owned()))
            })
        })
        .build()
}

/// Ends everything in order: nobody is let in, sessions end with a word, calls are left, last words are written.
async fn drain(bot: &Arc<Bot>, shards: &Arc<ShardManager>, budget: Duration) {
    let draining = async {
        for call in bot.calls() {
            call.notice("I am being restarted or shut down.");
        }
        let done = bot.sessions().shutdown().await;
        tracing::info!(ended = done.ended, left = done.left, "sessions are ended");
        for stuck in done.stuck {
            tracing::error!(%stuck, "could not be stopped");
        }
        for call in bot.calls() {
            // A call whose last session could not leave it.
            use goobster_core::session::Part as _;
            let _ = call.force().await;
        }
        bot.tasks().close();
        bot.tasks().wait().await;
    };
    if timeout(budget, draining).await.is_err() {
        tracing::error!(
            ?budget,
            tasks = bot.tasks().len(),
            "not everything ended within its time"
        );
    }
    if timeout(GOODBYE, shards.shutdown_all()).await.is_err() {
        tracing::warn!("the gateway did not close in time");
    }
}

/// Discord's refusals in words.
fn refused(error: &serenity::Error) -> Failure {
    match error {
        serenity::Error::Http(HttpError::UnsuccessfulRequest(response)) if response.status_code.as_u16() == 401 => {
            Failure::Configuration(
                "Discord refuses the token. Reset it on the page \"Bot\" of your application at \
                 https://discord.com/developers/applications and set DISCORD_TOKEN anew."
                    .to_owned(),
            )
        }
        serenity::Error::Gateway(GatewayError::InvalidAuthentication) => Failure::Configuration(
            "Discord refuses the token: set DISCORD_TOKEN anew (docs/discord.md).".to_owned(),
        ),
        serenity::Error::Gateway(GatewayError::DisallowedGatewayIntents | GatewayError::InvalidGatewayIntents) => {
            Failure::Configuration(
                "Discord refuses the intents that the bot asks for: Guilds and Guild Voice States. Neither is privileged; \
                 open the page \"Bot\" of your application at https://discord.com/developers/applications and look whether \
                 the application is limited."
                    .to_owned(),
            )
        }
        serenity::Error::Gateway(GatewayError::InvalidShardData | GatewayError::OverloadedShard) => {
            Failure::Failed(format!("Discord refuses the number of shards: {error}"))
        }
        other => Failure::Failed(format!("Discord: {other}")),
    }
}

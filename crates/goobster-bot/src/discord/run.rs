//! `goobster run`: the bot from its token to its last drained session.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use goobster_core::admission::{Fit, LadderConfig};
use goobster_core::ids::{GuildId, UserId};
use goobster_core::ports::LanguageChoice;
use goobster_core::session::{SessionManager, SessionPorts, SystemClock};
use serenity::Client;
use serenity::all::{GatewayError, Http, HttpBuilder, HttpError, ShardManager};
use serenity::client::ClientBuilder;
use songbird::SerenityInit as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::bot::{Bot, BotEngines, BotParts, Late};
use super::cluster::{self, End, Gateways, Keeper, Kept, Slot};
use super::handler::Handler;
use super::store::{self, Opened};
use super::token::BotToken;
use super::{call, commands, consent, forgetting, notify, permissions, reload};
use crate::admission::calibrate::{self, Calibration};
use crate::admission::guard::Guard;
use crate::admission::hearing::Hearing;
use crate::admission::warden;
use crate::cli::args::{Common, Run};
use crate::cli::exit::Failure;
use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::converse::command;
use crate::converse::room::Pace;
use crate::custody;
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
    let (engines, ladder) = engines(config, common, terminal).await?;
    signs.models_loaded();
    let folder = store::data_folder()?;
    custody::folder(&folder)?;
    let preferences = store::preferences(&config.store, &folder).await?;
    let limits = config.limits;
    let opened = Opened::open(&config.store, &folder, &limits).await?;
    let (slots, ledger) = opened.ports();
    let ports = SessionPorts {
        slots,
        ledger,
        clock: Arc::new(SystemClock),
        // Several hosts may begin in the same millisecond.
        node: std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0).to_le_bytes()[0],
    };
    let sessions = SessionManager::new(config.sessions.clone(), limits, ports)
        .map_err(|error| Failure::Configuration(error.to_string()))?;
    let watching = guarded(&sessions, &engines, &signs, ladder);
    close_what_died(&sessions, terminal).await?;
    let me = greet(args, &token).await?;
    let songbird = call::songbird();
    let guild = args.guild_id.map(|guild| GuildId::new(guild.get()));
    let (kept, slot) = Kept::new(framework(late.clone(), guild), late.clone());
    let mut client = ClientBuilder::new_with_http(asking(args, &token)?, permissions::INTENTS)
        .framework(kept)
        .event_handler(Handler(late.clone(), Arc::clone(&signs)))
        .register_songbird_with(Arc::clone(&songbird))
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
    let retention = tokio::spawn(forgetting::keep_retention(Arc::clone(&bot)));
    let learning = tokio::spawn(consent::learn(Arc::clone(&bot)));
    let listening = tokio::spawn(reload::on_hangup(
        Arc::clone(&bot),
        args.talk.clone(),
        common.clone(),
    ));
    let shards = Arc::clone(&client.shard_manager);
    bot.connect(Arc::clone(&shards));
    let handler = Arc::new(Handler(late.clone(), Arc::clone(&signs)));
    let fleet = Fleet::join(config, &client, slot, handler, &bot, &signs).await?;
    let going_down = CancellationToken::new();
    let mut fleet = fleet.map(|fleet| tokio::spawn(fleet.keep(going_down.clone())));
    let ended = tokio::select! {
        ended = client.start_autosharded(), if fleet.is_none() => ended.map_err(|error| refused(&error)),
        ended = kept_up(&mut fleet) => ended,
        () = command::told_to_stop() => Ok(()),
    };
    if let Some(cluster) = bot.cluster() {
        cluster.drain();
    }
    terminal.note("going down: no new sessions, running ones are ended");
    telling.drain(&signs).await;
    drain(&bot, &shards, bot.config().discord.drain).await;
    going_down.cancel();
    if let Some(fleet) = fleet.filter(|fleet| !fleet.is_finished())
        && timeout(GOODBYE * 4, fleet).await.is_err()
    {
        tracing::warn!("the shards were not given away in time: others get them when the lease ends");
    }
    for task in [keeping, probing, retention, learning, listening, watching] {
        task.abort();
    }
    tokio::join!(opened.flush(), watch.finish());
    ended
}

/// Asks Discord who the bot is.
async fn greet(args: &Run, token: &BotToken) -> Result<serenity::all::CurrentUser, Failure> {
    let http = asking(args, token)?;
    timeout(GREETING, http.get_current_user())
        .await
        .map_err(|_| {
            Failure::Failed("Discord does not answer; is this machine connected to the internet?".to_owned())
        })?
        .map_err(|error| refused(&error))
}

/// This host among others, ready to begin.
struct Fleet {
    keeper: Keeper,
    ended: mpsc::Receiver<GatewayError>,
}

impl Fleet {
    /// Joins the other hosts, where there may be any.
    async fn join(
        config: &Config,
        client: &Client,
        framework: Slot,
        handler: Arc<Handler>,
        bot: &Arc<Bot>,
        signs: &Arc<Signs>,
    ) -> Result<Option<Self>, Failure> {
        if !config.cluster.enabled {
            return Ok(None);
        }
        let cluster = cluster::join(config, client).await?;
        bot.share(Arc::clone(&cluster));
        let (gateways, ended) = Gateways::new(client, framework, handler, bot.id(), cluster.total()).await;
        let keeper = Keeper::new(cluster, gateways, Arc::clone(bot), Arc::clone(signs));
        Ok(Some(Self { keeper, ended }))
    }

    /// Keeps this host's shards until it goes down, and gives them away.
    async fn keep(mut self, going_down: CancellationToken) -> Result<(), Failure> {
        let end = going_down
            .run_until_cancelled(self.keeper.keep(&mut self.ended))
            .await;
        self.keeper.leave().await;
        match end {
            None => Ok(()),
            Some(End::Gateway(error)) => Err(refused(&serenity::Error::Gateway(error))),
            Some(End::Cluster(error)) => Err(Failure::Configuration(error.to_string())),
        }
    }
}

/// Waits for the end of a fleet's keeper; for ever where there is none.
async fn kept_up(fleet: &mut Option<JoinHandle<Result<(), Failure>>>) -> Result<(), Failure> {
    match fleet {
        Some(fleet) => fleet
            .await
            .unwrap_or_else(|error| Err(Failure::Failed(format!("what keeps the shards died: {error}")))),
        None => std::future::pending().await,
    }
}

/// Closes the sessions of a run that died.
async fn close_what_died(sessions: &SessionManager, terminal: Terminal) -> Result<(), Failure> {
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
    Ok(())
}

/// New sessions are asked for at the guard, and somebody looks after it.
fn guarded(
    sessions: &SessionManager,
    engines: &BotEngines,
    signs: &Arc<Signs>,
    ladder: LadderConfig,
) -> JoinHandle<()> {
    let guard = Arc::clone(&engines.guard);
    sessions.guard(Box::new(move || guard.may_start()));
    let (recogniser, guard) = (Arc::clone(&engines.recogniser), Arc::clone(&engines.guard));
    tokio::spawn(warden::keep(recogniser, guard, Arc::clone(signs), ladder))
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

/// Asks Discord's REST, and nobody else: serenity's own client would follow a redirect anywhere.
fn asking(args: &Run, token: &BotToken) -> Result<Http, Failure> {
    let client = goobster_network::discord().map_err(|error| Failure::Failed(error.to_string()))?;
    let mut http = HttpBuilder::new(token.expose()).client(client);
    if let Some(application) = args.application_id {
        http = http.application_id(serenity::all::ApplicationId::new(application.get()));
    }
    Ok(http.build())
}

/// The engines, and how they give way under load: measured on this machine.
async fn engines(
    config: &Config,
    common: &Common,
    terminal: Terminal,
) -> Result<(BotEngines, LadderConfig), Failure> {
    let made = Engines::new(config, common.offline, terminal);
    let parts = command::parts(&made, config, Pace::Real)?;
    let crate::converse::mouth::Throat::Samples(voices, _) = parts.throat else {
        return Err(Failure::Failed(
            "the host's own voice cannot speak in a call".to_owned(),
        ));
    };
    let mut smaller = made.smaller_recogniser()?;
    if let LanguageChoice::Fixed(language) = parts.language {
        crate::engines::check_language(parts.recogniser.as_ref(), language)?;
        smaller = smaller.filter(|smaller| smaller.knows(language));
    } else {
        smaller = None;
    }
    let here = config.recogniser.url.is_none();
    let own = here.then_some(parts.recogniser.as_ref());
    let calibration = Calibration::measure(own, smaller.as_deref(), (parts.detectors)()).await?;
    let seats = calibration.seats(&config.admission);
    calibrate::tell(&calibration, seats);
    let guard = Guard::new(seats);
    let ladder = config.admission.ladder(smaller.is_some());
    let smaller_first = calibration.fit() == Fit::Smaller;
    let hearing = Hearing::new(parts.recogniser, smaller, Arc::clone(&guard), smaller_first);
    let engines = BotEngines {
        recogniser: Arc::new(Measured(Arc::new(hearing))),
        voices,
        responder: parts.responder,
        detectors: parts.detectors,
        guard,
    };
    Ok((engines, ladder))
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

//! The bot: what commands, calls and events share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use goobster_core::captions::BoardConfig;
use goobster_core::cluster::Shard;
use goobster_core::ids::{ChannelId, GuildId, UserId};
use goobster_core::language::Language;
use goobster_core::limits::Usage;
use goobster_core::ports::{LanguageChoice, LimitsLeft, Responder, SpeechToText, TextToSpeech};
use goobster_core::session::{SessionId, SessionInfo, SessionManager};
use goobster_core::time::UtcMillis;
use serenity::all::{Cache, ChunkGuildFilter, Http, ShardId, ShardManager};
use songbird::Songbird;
use tokio_util::task::TaskTracker;

use super::call::{Call, Person};
use super::captioner::Captioner;
use super::cluster::Cluster;
use super::preferences::{OpenCall, Preferences};
use crate::admission::guard::Guard;
use crate::config::Config;
use crate::converse::room::DetectorFactory;

/// What hears, thinks and speaks; one of each for all calls.
pub(crate) struct BotEngines {
    pub(crate) recogniser: Arc<dyn SpeechToText>,
    pub(crate) voices: Arc<dyn TextToSpeech>,
    pub(crate) responder: Arc<dyn Responder>,
    pub(crate) detectors: DetectorFactory,
    /// Who is followed when more people talk than this machine bears.
    pub(crate) guard: Arc<Guard>,
}

/// What a bot is made of.
pub(crate) struct BotParts {
    pub(crate) config: Config,
    pub(crate) engines: BotEngines,
    pub(crate) sessions: SessionManager,
    pub(crate) songbird: Arc<Songbird>,
    pub(crate) preferences: Preferences,
    pub(crate) http: Arc<Http>,
    pub(crate) cache: Arc<Cache>,
    /// The bot's own account.
    pub(crate) me: (UserId, String),
    /// How many sessions' charges wait for the store.
    pub(crate) charges: Box<dyn Fn() -> usize + Send + Sync>,
}

/// Marks the answer to [`Bot::probe_gateway`].
pub(crate) const PROBE: &str = "goobster-probe";

/// Somebody in a voice channel: who, whether muted, and their name and whether they are a bot, where the cache knows.
type Found = (serenity::all::UserId, bool, Option<(String, bool)>);

/// The bot.
pub(crate) struct Bot {
    parts: BotParts,
    config: RwLock<Arc<Config>>,
    calls: Mutex<HashMap<GuildId, Call>>,
    /// What the owner of each session had left when it began.
    usage: Mutex<HashMap<SessionId, Usage>>,
    /// The sessions that want captions alone.
    captions_only: Mutex<HashSet<SessionId>>,
    tasks: TaskTracker,
    seeds: AtomicU64,
    /// The gateway's connections, once there are any.
    shards: OnceLock<Arc<ShardManager>>,
    /// This host among others, if there may be others.
    cluster: OnceLock<Arc<Cluster>>,
}

impl Bot {
    pub(crate) fn new(parts: BotParts) -> Arc<Self> {
        let seed = now().get().unsigned_abs();
        Arc::new(Self {
            config: RwLock::new(Arc::new(parts.config.clone())),
            parts,
            calls: Mutex::default(),
            usage: Mutex::default(),
            captions_only: Mutex::default(),
            tasks: TaskTracker::new(),
            seeds: AtomicU64::new(seed),
            shards: OnceLock::new(),
            cluster: OnceLock::new(),
        })
    }

    /// The bot's own account.
    pub(crate) fn id(&self) -> UserId {
        self.parts.me.0
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        self.parts.me.1.clone()
    }

    /// The configuration of the moment.
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// This is the configuration from now on; what calls are made of stays as it was when they began.
    pub(crate) fn configure(&self, config: Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    pub(crate) fn engines(&self) -> &BotEngines {
        &self.parts.engines
    }

    pub(crate) fn sessions(&self) -> &SessionManager {
        &self.parts.sessions
    }

    pub(crate) fn songbird(&self) -> &Arc<Songbird> {
        &self.parts.songbird
    }

    pub(crate) fn preferences(&self) -> &Preferences {
        &self.parts.preferences
    }

    pub(crate) fn http(&self) -> &Arc<Http> {
        &self.parts.http
    }

    pub(crate) fn cache(&self) -> &Arc<Cache> {
        &self.parts.cache
    }

    /// Tasks that are waited for when the bot goes down.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// A seed that no other call has.
    pub(crate) fn seed(&self) -> u64 {
        self.seeds.fetch_add(1, Ordering::Relaxed)
    }

    /// Begins to write to a channel.
    pub(crate) fn captioner(&self, channel: ChannelId) -> Captioner {
        let board = BoardConfig {
            bot_name: self.name(),
            ..self.config().captions.board.clone()
        };
        Captioner::start(Arc::clone(self.http()), channel, board, &self.tasks)
    }

    /// A guild's call.
    pub(crate) fn call(&self, guild: GuildId) -> Option<Call> {
        lock(&self.calls).get(&guild).cloned()
    }

    /// Every call.
    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.calls).values().cloned().collect()
    }

    /// A call is being joined. It is remembered on disk, so that a restart after a crash can tidy up.
    pub(crate) fn call_begins(self: &Arc<Self>, call: &Call) {
        let spec = call.spec().clone();
        lock(&self.calls).insert(spec.guild, call.clone());
        self.remember_call(spec.guild, (spec.voice, spec.text));
    }

    /// A call is over.
    pub(crate) async fn call_over(self: &Arc<Self>, call: &Call) {
        let guild = call.spec().guild;
        lock(&self.calls).remove(&guild);
        self.strike_out(guild).await;
    }

    /// A call need not be tidied up after.
    async fn strike_out(&self, guild: GuildId) {
        if let Some(cluster) = self.cluster() {
            if let Err(error) = cluster.call_over(guild).await {
                tracing::warn!(%guild, %error, "the other hosts do not know that a call is over");
            }
            return;
        }
        if let Err(error) = self.preferences().set_call(guild, None).await {
            tracing::error!(%error, "the end of a call could not be remembered");
        }
    }

    fn remember_call(self: &Arc<Self>, guild: GuildId, (voice, text): (ChannelId, ChannelId)) {
        let bot = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Some(cluster) = bot.cluster() {
                let call = goobster_core::cluster::OpenCall { guild, voice, text };
                if let Err(error) = cluster.call_begins(call).await {
                    tracing::warn!(%guild, %error, "the other hosts do not know of a call");
                }
            } else {
                let open = Some(OpenCall { voice, text });
                if let Err(error) = bot.preferences().set_call(guild, open).await {
                    tracing::error!(%error, "a call could not be remembered");
                }
            }
            if bot.call(guild).is_none() {
                // It was over sooner than it was written down.
                bot.strike_out(guild).await;
            }
        });
    }

    /// What language people speak in a guild.
    pub(crate) fn language(&self, guild: GuildId) -> LanguageChoice {
        let unset = LanguageChoice::Fixed(Language::ENGLISH);
        let default = self.config().language_choice(unset).unwrap_or(unset);
        match self.preferences().guild(guild).language.as_deref() {
            None => default,
            Some("auto") => LanguageChoice::Detect,
            Some(code) => code.parse().map_or(default, LanguageChoice::Fixed),
        }
    }

    /// What language Goobster speaks in a guild.
    pub(crate) fn spoken_language(&self, guild: GuildId) -> Language {
        match self.language(guild) {
            LanguageChoice::Fixed(language) => language,
            LanguageChoice::Detect => Language::ENGLISH,
        }
    }

    /// Remembers what the owner of a session had left when it began.
    pub(crate) fn remember_usage(&self, session: SessionId, usage: Usage) {
        let mut kept = lock(&self.usage);
        kept.retain(|id, _| self.sessions().get_by_id(*id).is_some());
        kept.insert(session, usage);
    }

    /// Remembers that a session wants captions alone.
    pub(crate) fn remember_captions_only(&self, session: SessionId) {
        let mut kept = lock(&self.captions_only);
        kept.retain(|id| self.sessions().get_by_id(*id).is_some());
        kept.insert(session);
    }

    /// Whether a session wants turns answered.
    pub(crate) fn wants_answers(&self, session: SessionId) -> bool {
        !lock(&self.captions_only).contains(&session)
    }

    /// How many sessions' charges wait for the store.
    pub(crate) fn charges_waiting(&self) -> usize {
        (self.parts.charges)()
    }

    /// What is left of the voice time of a session's owner.
    pub(crate) fn left_of(&self, session: &SessionInfo) -> Option<Duration> {
        let usage = *lock(&self.usage).get(&session.id)?;
        let now = now();
        Some(match usage.resets_at {
            // The window began anew while the session ran.
            Some(at) if at <= now => usage.limit.as_duration().saturating_sub(now.since(at)),
            _ => usage
                .remaining
                .as_duration()
                .saturating_sub(session.charged.as_duration()),
        })
    }

    /// What is left of the voice time of the oldest session of a guild's call.
    pub(crate) fn limits_left(&self, guild: GuildId) -> Option<LimitsLeft> {
        let sessions = self.sessions().list();
        let session = sessions.iter().find(|session| session.guild == guild)?;
        let usage = *lock(&self.usage).get(&session.id)?;
        let now = now();
        Some(LimitsLeft {
            left: self.left_of(session)?,
            resets_at: usage.resets_at.filter(|at| *at > now),
        })
    }

    /// The voice channel of a guild that Discord says the bot is in.
    pub(crate) fn voice_channel(&self, guild: GuildId) -> Option<ChannelId> {
        let me = serenity::all::UserId::new(self.id().get());
        let guild = self.cache().guild(serenity::all::GuildId::new(guild.get()))?;
        let channel = guild.voice_states.get(&me)?.channel_id?;
        Some(ChannelId::new(channel.get()))
    }

    /// Whether Discord says that the bot is in a voice channel of a guild.
    pub(crate) fn is_in_voice(&self, guild: GuildId) -> bool {
        self.voice_channel(guild).is_some()
    }

    /// These are the gateway's connections.
    pub(crate) fn connect(&self, shards: Arc<ShardManager>) {
        let _ = self.shards.set(shards);
    }

    /// This process is one of several hosts.
    pub(crate) fn share(&self, cluster: Arc<Cluster>) {
        let _ = self.cluster.set(cluster);
    }

    /// This host among the others; `None` when it is alone.
    pub(crate) fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.cluster.get()
    }

    /// Asks a guild's gateway for something small: the answer ([`PROBE`]) comes behind everything that it had to tell, and
    /// none comes when it is not there any more.
    pub(crate) async fn probe_gateway(&self, guild: GuildId) {
        let shards = match self.cluster() {
            Some(cluster) => cluster.gateway(guild),
            None => self.shards.get().cloned(),
        };
        let Some(shards) = shards else { return };
        let guild = serenity::all::GuildId::new(guild.get());
        let shard = ShardId(guild.shard_id(self.cache()));
        if let Some(runner) = shards.runners.lock().await.get(&shard) {
            let me = serenity::all::UserId::new(self.id().get());
            let filter = ChunkGuildFilter::UserIds(vec![me]);
            runner
                .runner_tx
                .chunk_guild(guild, None, false, filter, Some(PROBE.to_owned()));
        }
    }

    /// Everybody in a voice channel, the bot itself left out.
    pub(crate) async fn people_in(&self, guild: GuildId, channel: ChannelId) -> Vec<Person> {
        let id = serenity::all::GuildId::new(guild.get());
        let found: Vec<Found> = {
            let Some(cached) = self.cache().guild(id) else {
                return Vec::new();
            };
            cached
                .voice_states
                .iter()
                .filter(|(_, state)| state.channel_id.is_some_and(|at| at.get() == channel.get()))
                .map(|(user, state)| {
                    let member = cached.members.get(user).or(state.member.as_ref());
                    let known = member.map(|member| (member.display_name().to_owned(), member.user.bot));
                    (*user, is_muted(state), known)
                })
                .collect()
        };
        let mut people = Vec::new();
        for (user, muted, known) in found {
            if user.get() == self.id().get() {
                continue;
            }
            let known = match known {
                Some(known) => Some(known),
                // Nobody is heard before it is known that they are no bot.
                None => match self.http().get_member(id, user).await {
                    Ok(member) => Some((member.display_name().to_owned(), member.user.bot)),
                    Err(error) => {
                        tracing::warn!(%user, %error, "a member of the voice channel could not be looked up");
                        None
                    }
                },
            };
            if let Some((name, is_bot)) = known {
                people.push(Person {
                    id: UserId::new(user.get()),
                    name,
                    is_bot,
                    muted,
                });
            }
        }
        people
    }
}

/// The bot, for handlers that exist before it does: the client, which it needs, is made with them.
#[derive(Clone, Default)]
pub(crate) struct Late(Arc<OnceLock<Arc<Bot>>>);

impl Late {
    /// Here it is. Only the first counts.
    pub(crate) fn set(&self, bot: Arc<Bot>) {
        let _ = self.0.set(bot);
    }

    /// The bot, once it is there.
    pub(crate) fn get(&self) -> Option<Arc<Bot>> {
        self.0.get().cloned()
    }

    /// The bot, for an event of a shard: nobody, where another host holds that shard by now.
    pub(crate) fn of_shard(&self, shard: ShardId) -> Option<Arc<Bot>> {
        let ours = |bot: &Arc<Bot>| {
            bot.cluster()
                .is_none_or(|cluster| cluster.holds(Shard::new(shard.0)))
        };
        self.get().filter(ours)
    }
}

/// Whether somebody's microphone is off, by themselves or by others.
pub(crate) fn is_muted(state: &serenity::all::VoiceState) -> bool {
    state.self_mute || state.mute || state.self_deaf || state.deaf || state.suppress
}

/// The wall clock.
pub(crate) fn now() -> UtcMillis {
    UtcMillis::new(jiff::Timestamp::now().as_millisecond())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

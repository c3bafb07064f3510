//! What Discord tells: voice states, guilds and channels that come and go, buttons. Commands are the framework's.

use std::sync::Arc;

use goobster_core::ids::{ChannelId, GuildId, UserId};
use serenity::all::{
    ChannelType, ConnectionStage, Context, CreateAllowedMentions, CreateMessage, EventHandler, Guild,
    GuildChannel, GuildMembersChunkEvent, Interaction, Message, Ready, ResumedEvent, ShardId,
    ShardStageUpdateEvent, UnavailableGuild, VoiceState,
};
use serenity::async_trait;

use super::bot::{Bot, Late, PROBE, is_muted};
use super::call::{CallEvent, Person};
use super::permissions;
use crate::monitoring::names;
use crate::monitoring::signs::Signs;

/// Discord's events on their way to the bot.
pub(crate) struct Handler(pub(crate) Late, pub(crate) Arc<Signs>);

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, ctx: Context, ready: Ready) {
        if self.0.of_shard(ctx.shard_id).is_some() {
            self.1.shard(ctx.shard_id.0, true);
        }
        tracing::info!(
            name = %ready.user.name, guilds = ready.guilds.len(), shard = ctx.shard_id.0, "connected to Discord"
        );
    }

    async fn resume(&self, ctx: Context, _: ResumedEvent) {
        if self.0.of_shard(ctx.shard_id).is_none() {
            return;
        }
        self.1.shard(ctx.shard_id.0, true);
        tracing::info!(shard = ctx.shard_id.0, "connected to Discord again");
        self.gateway(ctx.shard_id, &ctx, true);
    }

    async fn shard_stage_update(&self, ctx: Context, update: ShardStageUpdateEvent) {
        // The last word of a connection that was given up is no news.
        if self.0.of_shard(update.shard_id).is_some() {
            self.1
                .shard(update.shard_id.0, update.new == ConnectionStage::Connected);
        }
        if update.old == ConnectionStage::Connected {
            self.gateway(update.shard_id, &ctx, false);
        }
    }

    async fn guild_create(&self, ctx: Context, guild: Guild, _: Option<bool>) {
        let Some(bot) = self.0.of_shard(ctx.shard_id) else {
            return;
        };
        permissions::report(&bot, &guild);
        tidy_up(&bot, &guild).await;
        compare(&bot, &guild);
    }

    async fn guild_members_chunk(&self, ctx: Context, chunk: GuildMembersChunkEvent) {
        let guild = GuildId::new(chunk.guild_id.get());
        if chunk.nonce.as_deref() == Some(PROBE)
            && let Some(call) = self.0.of_shard(ctx.shard_id).and_then(|bot| bot.call(guild))
        {
            call.tell(CallEvent::Gateway { up: true });
        }
    }

    async fn guild_delete(&self, ctx: Context, guild: UnavailableGuild, _: Option<Guild>) {
        // An outage of Discord's: the guild comes back.
        if guild.unavailable {
            return;
        }
        let Some(bot) = self.0.of_shard(ctx.shard_id) else {
            return;
        };
        let id = GuildId::new(guild.id.get());
        if let Some(call) = bot.call(id) {
            call.tell(CallEvent::GuildGone);
        }
        if let Err(error) = bot.preferences().forget_guild(id).await {
            tracing::error!(%error, "a guild's settings could not be forgotten");
        }
    }

    async fn channel_delete(&self, ctx: Context, channel: GuildChannel, _: Option<Vec<Message>>) {
        let guild = GuildId::new(channel.guild_id.get());
        if let Some(call) = self.0.of_shard(ctx.shard_id).and_then(|bot| bot.call(guild)) {
            call.tell(CallEvent::ChannelGone(ChannelId::new(channel.id.get())));
        }
    }

    async fn voice_state_update(&self, ctx: Context, _: Option<VoiceState>, state: VoiceState) {
        let Some(guild) = state.guild_id else { return };
        let guild_id = GuildId::new(guild.get());
        let Some(call) = self.0.of_shard(ctx.shard_id).and_then(|bot| bot.call(guild_id)) else {
            return;
        };
        let member = match &state.member {
            Some(member) => Some((member.display_name().to_owned(), member.user.bot)),
            None => ctx.cache.guild(guild).and_then(|guild| {
                let member = guild.members.get(&state.user_id)?;
                Some((member.display_name().to_owned(), member.user.bot))
            }),
        };
        // Somebody unknown is not heard: they could be a bot.
        let (name, is_bot) = member.unwrap_or_else(|| ("Somebody".to_owned(), true));
        let user = UserId::new(state.user_id.get());
        call.tell(CallEvent::VoiceState {
            user,
            person: Person {
                id: user,
                name,
                is_bot,
                muted: is_muted(&state),
            },
            channel: state.channel_id.map(|channel| ChannelId::new(channel.get())),
        });
    }

    async fn interaction_create(&self, ctx: Context, interaction: Interaction) {
        let Some(bot) = self.0.of_shard(ctx.shard_id) else {
            return;
        };
        if let Interaction::Component(press) = interaction
            && !bot.pressed(&press).await
        {
            tracing::debug!(id = %press.data.custom_id, "a button that is not ours");
        }
    }
}

impl Handler {
    /// Tells the calls of a shard that its gateway is lost, or goes on.
    fn gateway(&self, shard: ShardId, ctx: &Context, up: bool) {
        let Some(bot) = self.0.get() else { return };
        for call in bot.calls() {
            let guild = serenity::all::GuildId::new(call.spec().guild.get());
            if guild.shard_id(&ctx.cache) == shard.0 {
                call.tell(CallEvent::Gateway { up });
            }
        }
    }
}

/// After a crash the bot may still be in a channel, and people do not know why it is silent.
async fn tidy_up(bot: &Arc<Bot>, guild: &Guild) {
    let id = GuildId::new(guild.id.get());
    if bot.call(id).is_some() {
        return;
    }
    let me = serenity::all::UserId::new(bot.id().get());
    let left_behind = guild
        .voice_states
        .get(&me)
        .is_some_and(|state| state.channel_id.is_some());
    if left_behind {
        tracing::warn!(guild = %id, "leaving a voice channel that an earlier run was in");
        let call = bot.songbird().get_or_insert(guild.id);
        let left = call.lock().await.leave().await;
        if let Err(error) = left {
            tracing::warn!(guild = %id, %error, "leaving it failed");
        }
    }
    let text = match bot.cluster() {
        Some(cluster) => cluster.take_orphan(id).map(|call| call.text),
        None => bot.preferences().open_calls().get(&id).map(|call| call.text),
    };
    let Some(text) = text else { return };
    tell_restarted(bot, id, text).await;
    if let Some(cluster) = bot.cluster() {
        if let Err(error) = cluster.call_over(id).await {
            tracing::warn!(guild = %id, %error, "a dead host's call could not be struck out");
        }
    } else if let Err(error) = bot.preferences().set_call(id, None).await {
        tracing::error!(%error, "the end of a call could not be remembered");
    }
}

/// Writes that a session is over which nobody could close.
pub(super) async fn tell_restarted(bot: &Bot, guild: GuildId, text: ChannelId) {
    let message = CreateMessage::new()
        .content(
            "I had to restart, so the voice session here has ended. Nothing is being heard. `/voice start` or \
             `/transcribe on` begins a new one, and everybody is asked again.",
        )
        .allowed_mentions(CreateAllowedMentions::new());
    let channel = serenity::all::ChannelId::new(text.get());
    if let Err(error) = channel.send_message(bot.http(), message).await {
        tracing::warn!(%guild, %error, "people could not be told of the restart");
    }
    if bot.cluster().is_some() {
        metrics::counter!(names::ORPHANS).increment(1);
    }
}

/// After the gateway began anew, what happened in between is in the guild: the call compares.
fn compare(bot: &Arc<Bot>, guild: &Guild) {
    let id = GuildId::new(guild.id.get());
    let Some(call) = bot.call(id) else { return };
    let voice = call.spec().voice;
    let known = guild
        .channels
        .get(&serenity::all::ChannelId::new(voice.get()))
        .is_some_and(|channel| matches!(channel.kind, ChannelType::Voice | ChannelType::Stage));
    call.tell(if known {
        CallEvent::LookAround
    } else {
        CallEvent::ChannelGone(voice)
    });
}

//! `/transcribe`: captions into a thread, and what was said as files.

use goobster_core::ids::ChannelId;
use goobster_core::limits::utc_clock;
use goobster_core::session::Refusal;
use goobster_core::transcript::CaptionFormat;
use poise::CreateReply;
use serenity::all::{ChannelType, CreateAllowedMentions, CreateAttachment, CreateMessage, CreateThread};

use super::voice::begin;
use super::{Answer, CommandError, Context, channel, guild, say, user};
use crate::discord::bot::now;
use crate::discord::call::{Call, Wanted};

/// The files of an export, by their endings.
const FORMATS: [(CaptionFormat, &str); 4] = [
    (CaptionFormat::SubRip, "srt"),
    (CaptionFormat::WebVtt, "vtt"),
    (CaptionFormat::Json, "json"),
    (CaptionFormat::Text, "txt"),
];

/// Discord's limit on a file without boosts is 10 MB; four of these fit.
const LARGEST: usize = 2 << 20;

/// Captions of your voice channel
#[poise::command(slash_command, guild_only, subcommands("on", "off"))]
#[allow(clippy::unused_async)] // the framework asks for it; only its subcommands can be used
pub(super) async fn transcribe(_: Context<'_>) -> Answer {
    Ok(())
}

/// Write captions of your voice channel into a thread
#[poise::command(slash_command, guild_only)]
pub(super) async fn on(context: Context<'_>) -> Answer {
    context.defer_ephemeral().await?;
    let (bot, guild) = (context.data(), guild(context)?);
    let call = match bot.call(guild) {
        Some(call) if bot.sessions().is_in_session(user(context)) => call,
        _ => {
            begin(context, Wanted::Captions).await?;
            bot.call(guild)
                .ok_or(CommandError::Refused(Refusal::AlreadyEnded))?
        }
    };
    if call.captions() != call.spec().text {
        return say(
            context,
            format!("Captions are being written into <#{}> already.", call.captions()),
        )
        .await;
    }
    let name = format!("Captions {}", utc_clock(now()));
    let thread = serenity::all::ChannelId::new(channel(context).get())
        .create_thread(
            context.http(),
            CreateThread::new(name).kind(ChannelType::PublicThread),
        )
        .await;
    match thread {
        Ok(thread) => {
            let thread = ChannelId::new(thread.id.get());
            call.caption_into(bot.captioner(thread));
            say(
                context,
                format!("Captions are written into <#{thread}>. `/transcribe off` ends that and adds them as files."),
            )
            .await
        }
        Err(error) => {
            tracing::warn!(%error, "no thread could be made for captions");
            say(
                context,
                format!(
                    "I may not make a thread here (I need \"Create Public Threads\" and \"Send Messages in Threads\"), so \
                     captions are written into <#{}>.",
                    call.captions()
                ),
            )
            .await
        }
    }
}

/// Stop the captions; what was said is added as files
#[poise::command(slash_command, guild_only)]
pub(super) async fn off(context: Context<'_>) -> Answer {
    context.defer_ephemeral().await?;
    let (bot, guild) = (context.data(), guild(context)?);
    let Some(call) = bot.call(guild) else {
        return Err(Refusal::NoSession.into());
    };
    if !bot.sessions().is_in_session(user(context))
        && super::voice::actor(context, guild).await.moderates.is_none()
    {
        return Err(CommandError::Words(
            "Only whoever started the captions, or a moderator, can stop them.".to_owned(),
        ));
    }
    let thread = call.captions();
    let files = export(&call)?;
    let home = call.spec().text;
    if thread != home {
        call.caption_into(bot.captioner(home));
    }
    let only_captions = bot
        .sessions()
        .get(user(context))
        .filter(|session| session.guild() == guild && !bot.wants_answers(session.id()));
    if only_captions.is_some() {
        let _ = bot.sessions().end(user(context))?.closed().await;
    }
    if files.is_empty() {
        return say(
            context,
            "Captions are off. Nothing was said, so there is nothing to export.",
        )
        .await;
    }
    let message = CreateMessage::new()
        .content("What was said, as files:")
        .files(files.clone())
        .allowed_mentions(CreateAllowedMentions::new());
    let posted = serenity::all::ChannelId::new(thread.get())
        .send_message(context.http(), message)
        .await;
    match posted {
        Ok(_) => {
            say(
                context,
                format!("Captions are off. The files are in <#{thread}>."),
            )
            .await
        }
        Err(error) => {
            // The thread is gone, or files are not allowed there: whoever asked gets them all the same.
            tracing::warn!(%error, "the transcript could not be posted");
            let mut reply = CreateReply::default()
                .content(format!(
                    "Captions are off. I may not attach files in <#{thread}>, so here they are:"
                ))
                .ephemeral(true);
            for file in files {
                reply = reply.attachment(file);
            }
            context.send(reply).await?;
            Ok(())
        }
    }
}

/// The transcript in every format; none when nothing was said.
fn export(call: &Call) -> Result<Vec<CreateAttachment>, CommandError> {
    call.transcript(|transcript| {
        if transcript.is_empty() {
            return Ok(Vec::new());
        }
        FORMATS
            .into_iter()
            .map(|(format, ending)| {
                let mut bytes = transcript.write(format, Vec::new()).map_err(CommandError::Disk)?;
                if bytes.len() > LARGEST {
                    let mut cut = LARGEST;
                    while cut > 0 && bytes[cut - 1] != b'\n' {
                        cut -= 1;
                    }
                    bytes.truncate(cut);
                }
                Ok(CreateAttachment::bytes(bytes, format!("captions.{ending}")))
            })
            .collect()
    })
}

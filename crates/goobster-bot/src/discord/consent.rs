//! How people are told that Goobster listens, and how they say yes or no: a message with buttons.

use std::sync::Arc;
use std::time::Duration;

use goobster_core::ids::{ChannelId, UserId};
use serenity::all::{
    ButtonStyle, ComponentInteraction, CreateActionRow, CreateAllowedMentions, CreateButton,
    CreateInteractionResponse, CreateInteractionResponseMessage, CreateMessage, HttpError,
};

use super::bot::Bot;
use super::call::{CallEvent, CallSpec};
use crate::config::Consent;

/// The button that agrees to be heard.
const AGREE: &str = "goobster:agree";
/// The button that opts out.
const OPT_OUT: &str = "goobster:optout";

/// How often the message is sent when Discord does not answer.
const ATTEMPTS: u32 = 3;

/// What is said where it cannot be written.
const LISTENING_ALOUD: &str = "I am listening, and I write captions of what is said. I cannot tell you so in the text channel. \
                               If you do not want to be heard, use the command privacy opt out.";
const ASKING_ALOUD: &str = "I would like to listen and write captions, but I cannot ask you in the text channel. \
                            If you agree to be heard, use the command privacy consent.";

/// People named in one message at most; the others are told without their names.
const NAMED: usize = 20;

impl Bot {
    /// Tells everybody in a channel (`people` is empty), or those who came late, that Goobster listens.
    pub(crate) fn ask_consent(self: &Arc<Self>, spec: &CallSpec, channel: ChannelId, people: &[UserId]) {
        let mode = self.config().discord.consent;
        let whom = people
            .iter()
            .take(NAMED)
            .map(|who| format!("<@{who}>"))
            .collect::<Vec<_>>()
            .join(" ");
        let text = match mode {
            Consent::Notice => format!(
                "{whom} 🎙️ I am listening in <#{}>: what is said there is written down as captions. No audio is kept. \
                 If you do not want to be heard, press the button or use `/privacy optout`.",
                spec.voice
            ),
            Consent::Ask => format!(
                "{whom} 🎙️ I would like to listen in <#{}> and write captions of what is said. No audio is kept. \
                 I hear only those who press \"I agree\".",
                spec.voice
            ),
        };
        let mut buttons = Vec::new();
        if mode == Consent::Ask {
            buttons.push(
                CreateButton::new(AGREE)
                    .label("I agree")
                    .style(ButtonStyle::Success),
            );
        }
        buttons.push(
            CreateButton::new(OPT_OUT)
                .label("Do not hear me")
                .style(ButtonStyle::Secondary),
        );
        let mentioned = people.iter().map(|who| serenity::all::UserId::new(who.get()));
        let message = CreateMessage::new()
            .content(text.trim())
            .allowed_mentions(CreateAllowedMentions::new().users(mentioned.take(NAMED)))
            .components(vec![CreateActionRow::Buttons(buttons)]);
        let (http, guild) = (Arc::clone(self.http()), spec.guild);
        let call = self.call(guild);
        let aloud = match mode {
            Consent::Notice => LISTENING_ALOUD,
            Consent::Ask => ASKING_ALOUD,
        };
        self.tasks().spawn(async move {
            let channel = serenity::all::ChannelId::new(channel.get());
            for attempt in 0..ATTEMPTS {
                let Err(error) = channel.send_message(&http, message.clone()).await else {
                    return;
                };
                tracing::warn!(%guild, %error, "people could not be told that Goobster listens");
                if is_refusal(&error) {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1 << attempt)).await;
            }
            // Nobody is listened to without a word: what cannot be written is said.
            if let Some(call) = call {
                call.tell(CallEvent::Announce(aloud.to_owned()));
            }
        });
    }

    /// Somebody pressed a button. False when it is none of these.
    pub(crate) async fn pressed(&self, press: &ComponentInteraction) -> bool {
        let heard = match press.data.custom_id.as_str() {
            AGREE => true,
            OPT_OUT => false,
            _ => return false,
        };
        let user = UserId::new(press.user.id.get());
        let text = match self.set_heard(user, heard).await {
            Err(error) => {
                tracing::error!(%error, "a choice about being heard could not be stored");
                "I could not store that. Please try again in a moment.".to_owned()
            }
            Ok(()) if heard => {
                "Thank you: I hear you from now on. `/privacy optout` takes it back.".to_owned()
            }
            Ok(()) => {
                "I do not hear you any more, here and elsewhere, until you use `/privacy consent`.".to_owned()
            }
        };
        let answer = CreateInteractionResponseMessage::new()
            .content(text)
            .ephemeral(true);
        if let Err(error) = press
            .create_response(self.http(), CreateInteractionResponse::Message(answer))
            .await
        {
            tracing::warn!(%error, "a press of a button could not be answered");
        }
        true
    }

    /// Somebody agreed to be heard, or opted out: stored first, then done in every call.
    ///
    /// # Errors
    /// The disk's. Opting out takes effect in the calls even then.
    pub(crate) async fn set_heard(&self, user: UserId, heard: bool) -> std::io::Result<()> {
        let stored = self.preferences().set_opted_out(user, !heard).await;
        if stored.is_ok() || !heard {
            self.tell_consent(user, heard);
        }
        stored
    }

    /// Every call of this host is told whether somebody may be heard.
    fn tell_consent(&self, user: UserId, heard: bool) {
        for call in self.calls() {
            call.tell(CallEvent::Consent { user, heard });
        }
    }
}

/// How often it is looked who opted out, or asked to be forgotten, on another host.
const LEARN_EVERY: Duration = Duration::from_secs(1);

/// Learns from the other hosts who does not want to be heard, or remembered, until it is called off: what they say there counts here.
/// Who agrees there is heard here from the next time they join.
pub(crate) async fn learn(bot: Arc<Bot>) {
    if !bot.preferences().is_shared() {
        return;
    }
    let mut often = tokio::time::interval(LEARN_EVERY);
    often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        often.tick().await;
        let learnt = bot.preferences().refresh().await;
        match &learnt {
            Err(error) if !failing => tracing::error!(%error, "it is not known who opts out on other hosts"),
            Ok(()) if failing => tracing::info!("it is known again who opts out on other hosts"),
            _ => {}
        }
        failing = learnt.is_err();
        for user in bot.preferences().newly_opted_out() {
            bot.tell_consent(user, false);
        }
        for user in bot.preferences().newly_forgotten() {
            bot.forget_words(user);
        }
    }
}

/// Whether Discord will not take a message however often it is sent.
fn is_refusal(error: &serenity::Error) -> bool {
    matches!(error, serenity::Error::Http(HttpError::UnsuccessfulRequest(response))
        if matches!(response.status_code.as_u16(), 400 | 401 | 403 | 404))
}

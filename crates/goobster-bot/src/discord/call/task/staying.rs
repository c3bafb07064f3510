//! Staying: what the call does about a lost link, a move, and people who leave.

use std::sync::Arc;

use goobster_core::ids::ChannelId;
use goobster_core::presence::{PresenceEffect, PresenceEvent};
use tokio::sync::Notify;

use super::{CallTask, STEP_OUT};
use crate::discord::call::CallEvent;

impl CallTask {
    pub(super) async fn presence(&mut self, event: PresenceEvent) {
        let now = self.now();
        let effects = self.presence.step(now, event);
        for effect in effects {
            match effect {
                PresenceEffect::Join { channel } => self.rejoin(channel),
                PresenceEffect::MovedTo { channel } => {
                    self.state.channel = Some(channel);
                    self.desk
                        .captioner()
                        .notice(format!("I was moved to <#{channel}>."));
                    Box::pin(self.look_around()).await;
                }
                PresenceEffect::EndSession { owner, why } => {
                    for attendee in self.state.attendees.iter().filter(|it| it.owner == owner) {
                        let _ = self.bot.sessions().end_because(attendee.session, why.reason());
                    }
                }
                PresenceEffect::EndCall { why } => {
                    tracing::info!(guild = %self.spec.guild, %why, "the call ends");
                    self.bot.sessions().end_call(self.spec.guild, why.reason());
                }
                PresenceEffect::OwnerAway { owner } => {
                    let grace = self.bot.config().discord.owner_grace_s;
                    let name = self.name_of(owner);
                    self.desk.captioner().notice(format!(
                        "{name} left. Their session ends in {grace} s unless they come back."
                    ));
                }
                PresenceEffect::OwnerBack { owner } => {
                    let name = self.name_of(owner);
                    self.desk.captioner().notice(format!("{name} is back."));
                }
                PresenceEffect::Alone { ends_in } => {
                    self.desk.captioner().notice(format!(
                        "Everybody left. I leave in {} s unless somebody comes back.",
                        ends_in.as_secs()
                    ));
                }
                _ => {}
            }
        }
    }

    /// Steps out of the channel and comes back: a new session with the voice server.
    pub(super) fn rejoin(&mut self, channel: ChannelId) {
        if self.state.stepping.is_some() {
            return;
        }
        let out = Arc::new(Notify::new());
        self.state.stepping = Some(Arc::clone(&out));
        // Streams are announced anew.
        self.state.streams.begin_anew();
        let (link, tell) = (self.link.clone(), self.tell.clone());
        let there = self.bot.is_in_voice(self.spec.guild);
        let rejoin = self.bot.tasks().spawn(async move {
            link.step_out().await;
            if there {
                let _ = tokio::time::timeout(STEP_OUT, out.notified()).await;
            }
            let joined = link.join(channel).await;
            if let Some(tell) = tell.upgrade() {
                let _ = tell.send(CallEvent::Rejoined(joined)).await;
            }
        });
        self.state.rejoin = Some(rejoin);
    }
}

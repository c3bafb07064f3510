//! Packets in, and whether people are really heard.

use goobster_core::health::{HealthEffect, HealthEvent};
use goobster_core::presence::PresenceEvent;

use super::CallTask;
use crate::discord::call::link::{LinkEvent, Packet};

impl CallTask {
    pub(super) async fn link_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Speaking { ssrc, user } => {
                self.state.streams.announced(ssrc, user);
                if user != self.bot.id() {
                    self.health(HealthEvent::Announced { who: user }).await;
                }
            }
            LinkEvent::Connected => {
                self.state.connected = true;
                self.presence(PresenceEvent::Connected).await;
            }
            LinkEvent::Lost(close_code) => {
                self.state.connected = false;
                tracing::warn!(guild = %self.spec.guild, close_code, "the voice link is lost");
                if close_code == Some(4014) {
                    // Thrown out, or the gateway's session is over: that depends on whether the gateway still answers.
                    self.presence(PresenceEvent::GatewayLost).await;
                    self.bot.probe_gateway(self.spec.guild).await;
                }
                self.presence(PresenceEvent::LinkLost { close_code }).await;
            }
            LinkEvent::Tick(packets) => self.packets(packets).await,
        }
    }

    /// Decodes 20 ms of everybody who may be heard.
    async fn packets(&mut self, packets: Vec<Packet>) {
        for packet in packets {
            for event in self.state.streams.packet(&packet) {
                self.health(event).await;
            }
        }
    }

    pub(super) async fn health(&mut self, event: HealthEvent) {
        let now = self.now();
        let effects = self.health.step(now, event);
        for effect in effects {
            match effect {
                HealthEffect::Deaf { who, why } => {
                    let name = self.name_of(who);
                    tracing::warn!(guild = %self.spec.guild, %who, ?why, "a speaker is not heard");
                    self.desk
                        .captioner()
                        .notice(format!("I cannot hear {name} just now. I am connecting anew."));
                }
                HealthEffect::HearsAgain { who } => {
                    let name = self.name_of(who);
                    self.desk.captioner().notice(format!("I hear {name} again."));
                }
                HealthEffect::Heal => {
                    self.state.connected = false;
                    Box::pin(self.presence(PresenceEvent::LinkLost { close_code: None })).await;
                }
                _ => {}
            }
        }
    }
}

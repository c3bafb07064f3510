//! The people: who is in the channel, and who of them is heard.

use std::collections::HashSet;

use goobster_core::consent::{RosterEffect, RosterEvent};
use goobster_core::health::HealthEvent;
use goobster_core::ids::UserId;
use goobster_core::presence::PresenceEvent;

use super::CallTask;
use crate::converse::room::live::Order;
use crate::discord::call::Person;
use crate::discord::call::seat::Member;

impl CallTask {
    /// Tells who is in the channel now, as after joining it or being dragged into it.
    pub(super) async fn look_around(&mut self) {
        let Some(channel) = self.state.channel else { return };
        let here = self.bot.people_in(self.spec.guild, channel).await;
        let gone: Vec<UserId> = {
            let now: HashSet<UserId> = here.iter().map(|person| person.id).collect();
            let known = self.state.people.keys().copied();
            known.filter(|who| !now.contains(who)).collect()
        };
        for who in gone {
            self.absent(who).await;
        }
        for person in here {
            self.present(person).await;
        }
    }

    pub(super) async fn present(&mut self, person: Person) {
        let (who, is_bot, muted) = (person.id, person.is_bot, person.muted);
        let opted_out = self.bot.preferences().opted_out(who);
        let known = self.state.people.insert(who, person).is_some();
        if is_bot {
            return;
        }
        if known {
            self.health(HealthEvent::Muted { who, muted }).await;
            return;
        }
        self.presence(PresenceEvent::Present { who }).await;
        let present = RosterEvent::Present {
            who,
            is_bot,
            opted_out,
        };
        self.consent(present).await;
    }

    pub(super) async fn absent(&mut self, who: UserId) {
        if self.state.people.remove(&who).is_none_or(|person| person.is_bot) {
            return;
        }
        self.state.streams.left(who);
        self.consent(RosterEvent::Absent { who }).await;
        self.presence(PresenceEvent::Absent { who }).await;
    }

    pub(super) fn name_of(&self, who: UserId) -> String {
        self.state
            .people
            .get(&who)
            .map_or_else(|| "The session's owner".to_owned(), |person| person.name.clone())
    }

    pub(super) async fn consent(&mut self, event: RosterEvent) {
        let now = self.now();
        let effects = self.roster.step(now, event);
        for effect in effects {
            match effect {
                RosterEffect::Hear { who } => self.hear(who).await,
                RosterEffect::Drop { who } => {
                    self.health(HealthEvent::Absent { who }).await;
                    self.state.streams.drop(who);
                    self.order(Order::Rise { who }).await;
                }
                RosterEffect::TellAll => {
                    let channel = self.desk.captioner().channel();
                    self.bot.ask_consent(&self.spec, channel, &[]);
                }
                RosterEffect::TellSome(people) => {
                    self.bot
                        .ask_consent(&self.spec, self.desk.captioner().channel(), &people);
                }
                _ => {}
            }
        }
    }

    pub(super) async fn hear(&mut self, who: UserId) {
        let Some(name) = self.state.people.get(&who).map(|person| person.name.clone()) else {
            return;
        };
        let feed = self.state.streams.hear(who);
        let muted = self.state.people.get(&who).is_some_and(|person| person.muted);
        self.health(HealthEvent::Present { who }).await;
        self.health(HealthEvent::Muted { who, muted }).await;
        let source = Box::new(Member::new(name, feed));
        self.order(Order::Sit { who, source }).await;
    }
}

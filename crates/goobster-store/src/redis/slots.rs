//! Places on Redis: in the guild, of the member, of all; taken in that order and given back when one refuses.

use std::time::Duration;

use goobster_core::limits::{LimitsError, Millis, Refusal, SlotClaim, SlotLease, Slots, SlotsHeld};
use goobster_core::ports::PortFuture;
use goobster_core::session::Epoch;

use super::RedisStore;
use super::keys::hex;
use super::link::on;
use super::scripts::SCRIPTS;

/// Which places a reservation newly took, to be given back.
#[derive(Debug, Default)]
struct Taken {
    guild: bool,
    user: bool,
}

impl RedisStore {
    async fn take(&self, claim: SlotClaim, hold: Duration) -> Result<SlotLease, LimitsError> {
        let session = hex(claim.session);
        let millis = Millis::from(hold).get();
        let mut script = on(
            &SCRIPTS.reserve_guild,
            &[self.keys.served(claim.guild), self.keys.guild_slots(claim.guild)],
        );
        script
            .arg("")
            .arg(&session)
            .arg(format!("{:016x}", self.node.get()));
        let answer = self
            .link
            .run(
                "reserving a server's place",
                script.arg(millis).arg(self.config.per_guild),
            )
            .await?;
        let epoch = match answer.code() {
            "ok" => Epoch::new(answer.number(1)?),
            "elsewhere" => return Err(Refusal::GuildElsewhere { guild: claim.guild }.into()),
            "full" => {
                return Err(Refusal::GuildSlots {
                    held: answer.number(1)?,
                    limit: self.config.per_guild,
                }
                .into());
            }
            _ => return Err(answer.nonsense()),
        };
        let good_for = Duration::from_millis(answer.number(3)?);
        let mut taken = Taken {
            guild: answer.text(2) == "1",
            user: false,
        };
        match self.take_rest(claim, &session, millis, &mut taken).await {
            Ok(()) => Ok(SlotLease {
                claim,
                epoch,
                good_for: Some(good_for),
            }),
            Err(error) => {
                // What cannot be given back now times out by itself.
                let _ = self.give_back(claim, &taken).await;
                Err(error)
            }
        }
    }

    async fn take_rest(
        &self,
        claim: SlotClaim,
        session: &str,
        millis: u64,
        taken: &mut Taken,
    ) -> Result<(), LimitsError> {
        let mut script = on(&SCRIPTS.reserve_slot, &[self.keys.user_slots(claim.user)]);
        script.arg("").arg(session).arg(millis).arg(self.config.per_user);
        let answer = self.link.run("reserving a member's place", &script).await?;
        match answer.code() {
            "ok" => taken.user = answer.text(1) == "1",
            "full" => {
                return Err(Refusal::UserSlots {
                    held: answer.number(1)?,
                    limit: self.config.per_user,
                }
                .into());
            }
            _ => return Err(answer.nonsense()),
        }
        let mut script = on(
            &SCRIPTS.reserve_total,
            &[self.keys.all_slots(), self.keys.all_claims()],
        );
        script.arg("").arg(session).arg(millis).arg(self.config.total);
        let answer = self
            .link
            .run(
                "reserving a place",
                script.arg(format!("{}:{}", claim.guild, claim.user)),
            )
            .await?;
        match answer.code() {
            "ok" => Ok(()),
            "full" => Err(Refusal::TotalSlots {
                held: answer.number(1)?,
                limit: self.config.total,
            }
            .into()),
            "conflict" => Err(LimitsError::Conflict {
                session: claim.session,
            }),
            _ => Err(answer.nonsense()),
        }
    }

    async fn give_back(&self, claim: SlotClaim, taken: &Taken) -> Result<bool, LimitsError> {
        let mut held = false;
        let session = hex(claim.session);
        for (wanted, key) in [
            (taken.user, self.keys.user_slots(claim.user)),
            (taken.guild, self.keys.guild_slots(claim.guild)),
        ] {
            if wanted {
                let mut script = on(&SCRIPTS.release, &[key]);
                held |= self
                    .link
                    .run("releasing a place", script.arg("").arg(&session))
                    .await?
                    .code()
                    == "1";
            }
        }
        Ok(held)
    }

    async fn keep(&self, lease: SlotLease) -> Result<SlotLease, LimitsError> {
        let SlotClaim { session, user, guild } = lease.claim;
        let (name, millis) = (hex(session), Millis::from(self.lease).get());
        let mut script = on(
            &SCRIPTS.keep_guild,
            &[self.keys.served(guild), self.keys.guild_slots(guild)],
        );
        script.arg("").arg(&name).arg(lease.epoch.get()).arg(millis);
        let answer = self.link.run("renewing a server's place", &script).await?;
        match answer.code() {
            "ok" => {}
            "lost" => return Err(LimitsError::LeaseLost { session }),
            "fenced" => {
                let current = Epoch::new(answer.number(1)?);
                return Err(LimitsError::Fenced {
                    guild,
                    held: lease.epoch,
                    current,
                });
            }
            _ => return Err(answer.nonsense()),
        }
        for keys in [
            vec![self.keys.user_slots(user)],
            vec![self.keys.all_slots(), self.keys.all_claims()],
        ] {
            let mut script = on(&SCRIPTS.keep_slot, &keys);
            let answer = self
                .link
                .run("renewing a place", script.arg("").arg(&name).arg(millis))
                .await?;
            if answer.code() != "ok" {
                // Lost in one place is lost in all: others may sit there already.
                let _ = self.give_back_all(lease.claim).await;
                return Err(LimitsError::LeaseLost { session });
            }
        }
        Ok(SlotLease {
            good_for: Some(self.lease),
            ..lease
        })
    }

    /// The total first: it is what a refused member of another guild waits for, and the guild last, so that nobody takes
    /// the guild over while its session still holds the rest.
    async fn give_back_all(&self, claim: SlotClaim) -> Result<bool, LimitsError> {
        let mut script = on(&SCRIPTS.release, &[self.keys.all_slots(), self.keys.all_claims()]);
        self.link
            .run("releasing a place", script.arg("").arg(hex(claim.session)))
            .await?;
        self.give_back(
            claim,
            &Taken {
                guild: true,
                user: true,
            },
        )
        .await
    }
}

impl Slots for RedisStore {
    fn reserve(&self, claim: SlotClaim, hold: Duration) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        Box::pin(self.take(claim, hold))
    }

    fn confirm(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        Box::pin(self.keep(lease))
    }

    fn renew(&self, lease: SlotLease) -> PortFuture<'_, Result<SlotLease, LimitsError>> {
        Box::pin(self.keep(lease))
    }

    fn release(&self, lease: SlotLease) -> PortFuture<'_, Result<bool, LimitsError>> {
        Box::pin(self.give_back_all(lease.claim))
    }

    fn held(&self) -> PortFuture<'_, Result<SlotsHeld, LimitsError>> {
        Box::pin(async move {
            let mut script = on(&SCRIPTS.held, &[self.keys.all_slots(), self.keys.all_claims()]);
            let answer = self.link.run("counting places", script.arg("")).await?;
            Ok(SlotsHeld {
                reserved: answer.number(0)?,
                confirmed: answer.number(1)?,
            })
        })
    }
}

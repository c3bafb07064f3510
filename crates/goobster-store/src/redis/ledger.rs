//! The ledger on Redis: a session's row beside its guild's fence, and its owner's usage.

use goobster_core::ids::UserId;
use goobster_core::limits::{
    Charge, Charged, CloseRecord, Closed, Closing, Forget, Forgotten, Ledger, LimitsError, Millis, Opening,
    PolicyKind, RECORD_RETENTION, Recovery, Refusal, SlidingWindow, SlotClaim, Swept, Usage,
};
use goobster_core::ports::PortFuture;
use goobster_core::session::{ChargeSeq, CloseReason, Epoch};
use goobster_core::time::UtcMillis;

use super::RedisStore;
use super::keys::{claim, hex, member};
use super::link::{Answer, on};
use super::scripts::SCRIPTS;

/// Marks and open rows outlive close records by a day, so that a late replay always finds one of them.
const MARK_RETENTION: Millis = RECORD_RETENTION.saturating_add(Millis::from_hours(24));
/// Lua counts exactly up to here: 285 thousand years of voice.
const LARGEST: u64 = 1 << 53;

/// What becomes of a session's budget.
#[derive(Debug, Clone, Copy)]
enum Budget {
    /// Set the next one aside.
    Lease,
    /// The same, and refuse when there is nothing.
    Admit,
    /// Give it back.
    Refund,
    /// Only look.
    Leave,
}

/// A numbered charge for the member's usage, as the session's row has it; number zero charges nothing.
#[derive(Debug, Clone, Default)]
struct Entry {
    seq: String,
    delta: String,
    at: String,
}

impl Entry {
    fn of(answer: &Answer, [seq, delta, at]: [usize; 3]) -> Self {
        Self {
            seq: answer.text(seq).into(),
            delta: answer.text(delta).into(),
            at: answer.text(at).into(),
        }
    }

    fn nothing() -> Self {
        Self {
            seq: "0".into(),
            delta: "0".into(),
            at: String::new(),
        }
    }
}

impl RedisStore {
    fn row_keys(&self, claim: SlotClaim) -> [String; 3] {
        let SlotClaim { session, guild, .. } = claim;
        [
            self.keys.served(guild),
            self.keys.guild_slots(guild),
            self.keys.row(guild, session),
        ]
    }

    /// Runs the script on a member's usage: `(newly applied, usage, granted)`.
    async fn quota(
        &self,
        member: UserId,
        claim: Option<SlotClaim>,
        entry: Entry,
        now: UtcMillis,
        budget: Budget,
    ) -> Result<(bool, Usage, Millis), LimitsError> {
        let config = &self.config;
        let (session, mark) = match claim {
            Some(claim) => (hex(claim.session), self.keys.mark(claim)),
            // A look at the usage marks nothing: number zero is never new.
            None => (String::new(), self.keys.quota(member) + ":none"),
        };
        let grain = SlidingWindow::new(config.window).grain();
        let mut script = on(
            &SCRIPTS.quota,
            &[self.keys.quota(member), self.keys.holds(member), mark],
        );
        script
            .arg(self.script_time(now))
            .arg(entry.seq)
            .arg(entry.delta)
            .arg(entry.at)
            .arg(session);
        script.arg(match config.policy {
            PolicyKind::Fixed => "fixed",
            PolicyKind::Sliding => "sliding",
        });
        script
            .arg(config.voice.get())
            .arg(config.window.get())
            .arg(grain)
            .arg(config.budget.get());
        script
            .arg(self.rules.hold_time().get())
            .arg(config.forget_after.get())
            .arg(MARK_RETENTION.get());
        let answer = self
            .link
            .run(
                "counting a member's usage",
                script.arg(match budget {
                    Budget::Lease => "lease",
                    Budget::Admit => "admit",
                    Budget::Refund => "refund",
                    Budget::Leave => "leave",
                }),
            )
            .await?;
        let resets_at = |field| match answer.text(field) {
            "" => Ok(None),
            _ => answer.number(field).map(|millis| Some(UtcMillis::new(millis))),
        };
        if answer.code() == "used-up" {
            let limit = config.voice;
            let used = limit.saturating_sub(Millis::new(answer.number(1)?));
            return Err(Refusal::VoiceUsedUp {
                used,
                limit,
                resets_at: resets_at(2)?,
            }
            .into());
        }
        let used = Millis::new(answer.number(2)?);
        let usage = Usage {
            limit: config.voice,
            used,
            remaining: config.voice.saturating_sub(used),
            available: Millis::new(answer.number(3)?),
            resets_at: resets_at(4)?,
            window: config.window,
            policy: config.policy,
        };
        Ok((answer.text(1) == "1", usage, Millis::new(answer.number(5)?)))
    }

    async fn open_row(&self, opening: Opening) -> Result<Charged, LimitsError> {
        let Opening { claim, epoch, at } = opening;
        // The index first: a row that is not in it could never be recovered. An index entry without a row is nothing.
        let mut add = redis::cmd("SADD");
        let () = self
            .link
            .command(
                "opening a session",
                add.arg(self.keys.open_sessions()).arg(member(claim)),
            )
            .await?;
        let mut script = on(&SCRIPTS.open_row, &self.row_keys(claim));
        script
            .arg("")
            .arg(claim.user.get())
            .arg(epoch.get())
            .arg(self.moment(at))
            .arg(MARK_RETENTION.get());
        let answer = self.link.run("opening a session", &script).await?;
        let applied = match answer.code() {
            "ok" => true,
            "known" => false,
            _ => return Err(refused(&answer, claim, epoch)),
        };
        let budget = if applied { Budget::Admit } else { Budget::Lease };
        match self
            .quota(claim.user, Some(claim), Entry::nothing(), at, budget)
            .await
        {
            Ok((_, usage, granted)) => Ok(Charged {
                applied,
                usage,
                granted,
                durable: true,
            }),
            Err(refusal @ LimitsError::Refused(_)) => {
                let mut delete = redis::cmd("DEL");
                let [_, _, row] = self.row_keys(claim);
                let () = self.link.command("refusing a session", delete.arg(row)).await?;
                self.forget_open(claim).await?;
                Err(refusal)
            }
            Err(error) => Err(error),
        }
    }

    async fn charge_row(&self, charge: Charge) -> Result<Charged, LimitsError> {
        let Charge {
            claim,
            epoch,
            seq,
            delta,
            at,
        } = charge;
        let mut script = on(&SCRIPTS.charge_row, &self.row_keys(claim));
        script
            .arg("")
            .arg(claim.user.get())
            .arg(epoch.get())
            .arg(seq.get())
            .arg(delta.get().min(LARGEST));
        script.arg(self.moment(at)).arg(MARK_RETENTION.get());
        let answer = self.link.run("charging a session", &script).await?;
        let (entry, budget) = match answer.code() {
            "ok" | "replay" => (Entry::of(&answer, [1, 2, 3]), Budget::Lease),
            "late" => (Entry::of(&answer, [1, 2, 3]), Budget::Leave),
            _ => return Err(refused(&answer, claim, epoch)),
        };
        let (_, usage, granted) = self.quota(claim.user, Some(claim), entry, at, budget).await?;
        Ok(Charged {
            applied: answer.code() == "ok",
            usage,
            granted,
            durable: true,
        })
    }

    async fn close_row(&self, closing: Closing) -> Result<Closed, LimitsError> {
        let Closing {
            claim,
            epoch,
            at,
            reason,
        } = closing;
        let mut script = on(&SCRIPTS.close_row, &self.row_keys(claim));
        script
            .arg("")
            .arg(claim.user.get())
            .arg(epoch.get())
            .arg(self.moment(at));
        script.arg(encode(reason)?).arg(RECORD_RETENTION.get());
        let answer = self.link.run("closing a session", &script).await?;
        match answer.code() {
            "ok" | "known" => {
                let record = record(&answer, claim)?;
                self.settle(claim, &answer, at).await?;
                Ok(Closed {
                    record,
                    first: answer.code() == "ok",
                    durable: true,
                })
            }
            _ => Err(refused(&answer, claim, epoch)),
        }
    }

    /// Finishes what a closed row still owes: its last charge, its budget, its place in the index.
    async fn settle(&self, claim: SlotClaim, closed: &Answer, now: UtcMillis) -> Result<(), LimitsError> {
        let entry = Entry::of(closed, [6, 9, 10]);
        self.quota(claim.user, Some(claim), entry, now, Budget::Refund)
            .await?;
        self.forget_open(claim).await
    }

    async fn forget_open(&self, claim: SlotClaim) -> Result<(), LimitsError> {
        let mut remove = redis::cmd("SREM");
        self.link
            .command(
                "closing a session",
                remove.arg(self.keys.open_sessions()).arg(member(claim)),
            )
            .await
    }

    async fn recover_rows(&self, now: UtcMillis) -> Result<Recovery, LimitsError> {
        let mut recovery = Recovery::default();
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = redis::cmd("SSCAN");
            let (next, members): (String, Vec<String>) = self
                .link
                .command(
                    "recovering sessions",
                    scan.arg(self.keys.open_sessions())
                        .arg(&cursor)
                        .arg("COUNT")
                        .arg(256),
                )
                .await?;
            for text in members {
                let Some(claim) = claim(&text) else {
                    tracing::warn!(member = %text, "not a session in the index of open sessions: left alone");
                    continue;
                };
                match self.recover_row(claim, now, &mut recovery).await {
                    Ok(()) => {}
                    Err(error) if error.is_unavailable() => return Err(error),
                    // One damaged row keeps no other from being recovered. It stays as it is, and is named every time.
                    Err(error) => {
                        tracing::error!(session = %claim.session, guild = %claim.guild, %error, "a session cannot be recovered");
                    }
                }
            }
            if next == "0" {
                break;
            }
            cursor = next;
        }
        recovery
            .crashed
            .sort_by_key(|record| (record.opened_at, record.claim.session));
        Ok(recovery)
    }

    async fn recover_row(
        &self,
        claim: SlotClaim,
        now: UtcMillis,
        recovery: &mut Recovery,
    ) -> Result<(), LimitsError> {
        let mut script = on(&SCRIPTS.recover_row, &self.row_keys(claim));
        script
            .arg("")
            .arg(hex(claim.session))
            .arg(encode(CloseReason::Crashed)?)
            .arg(RECORD_RETENTION.get());
        let answer = self.link.run("recovering a session", &script).await?;
        match answer.code() {
            "gone" => self.forget_open(claim).await,
            "alive" => {
                recovery.alive += 1;
                Ok(())
            }
            "known" => self.settle(claim, &answer, now).await,
            "crashed" => {
                recovery.crashed.push(record(&answer, claim)?);
                self.settle(claim, &answer, now).await
            }
            _ => Err(answer.nonsense()),
        }
    }
}

/// The errors that every script on a row may answer with.
fn refused(answer: &Answer, claim: SlotClaim, held: Epoch) -> LimitsError {
    let SlotClaim { session, guild, .. } = claim;
    match answer.code() {
        "closed" => LimitsError::SessionClosed { session },
        "unknown" => LimitsError::UnknownSession { session },
        "conflict" => LimitsError::Conflict { session },
        "fenced" => match answer.number(1) {
            Ok(current) => LimitsError::Fenced {
                guild,
                held,
                current: Epoch::new(current),
            },
            Err(error) => error,
        },
        _ => answer.nonsense(),
    }
}

fn encode(reason: CloseReason) -> Result<String, LimitsError> {
    serde_json::to_string(&reason).map_err(|error| LimitsError::unavailable("writing a close reason", error))
}

fn record(answer: &Answer, claim: SlotClaim) -> Result<CloseRecord, LimitsError> {
    if answer.text(1) != claim.user.to_string() {
        return Err(LimitsError::Conflict {
            session: claim.session,
        });
    }
    let time = |field| answer.number(field).map(UtcMillis::new);
    Ok(CloseRecord {
        claim,
        epoch: Epoch::new(answer.number(2)?),
        opened_at: time(3)?,
        closed_at: time(4)?,
        last_tick: time(5)?,
        last_seq: ChargeSeq::new(answer.number(6)?),
        charged: Millis::new(answer.number(7)?),
        reason: serde_json::from_str(answer.text(8)).map_err(|_| answer.nonsense())?,
    })
}

impl Ledger for RedisStore {
    fn usage(&self, user: UserId, now: UtcMillis) -> PortFuture<'_, Result<Usage, LimitsError>> {
        Box::pin(async move {
            let (_, usage, _) = self
                .quota(user, None, Entry::nothing(), now, Budget::Leave)
                .await?;
            Ok(usage)
        })
    }

    fn open(&self, opening: Opening) -> PortFuture<'_, Result<Charged, LimitsError>> {
        Box::pin(self.open_row(opening))
    }

    fn charge(&self, charge: Charge) -> PortFuture<'_, Result<Charged, LimitsError>> {
        Box::pin(self.charge_row(charge))
    }

    fn close(&self, closing: Closing) -> PortFuture<'_, Result<Closed, LimitsError>> {
        Box::pin(self.close_row(closing))
    }

    fn close_record(&self, claim: SlotClaim) -> PortFuture<'_, Result<Option<CloseRecord>, LimitsError>> {
        Box::pin(async move {
            let [_, _, row] = self.row_keys(claim);
            let mut read = redis::cmd("HMGET");
            read.arg(row).arg(&[
                "user", "epoch", "opened", "closed", "tick", "seq", "charged", "reason",
            ]);
            let fields: Vec<Option<String>> = self.link.command("reading a close record", &read).await?;
            let fields: Vec<String> = std::iter::once(String::new())
                .chain(fields.into_iter().map(Option::unwrap_or_default))
                .collect();
            let answer = Answer::new("reading a close record", fields);
            if answer.text(4).is_empty() {
                Ok(None)
            } else {
                record(&answer, claim).map(Some)
            }
        })
    }

    fn recover(&self, now: UtcMillis) -> PortFuture<'_, Result<Recovery, LimitsError>> {
        Box::pin(self.recover_rows(now))
    }

    /// Nothing to do: the server's expiry forgets members and records by itself.
    fn sweep(&self, _now: UtcMillis) -> PortFuture<'_, Result<Swept, LimitsError>> {
        Box::pin(std::future::ready(Ok(Swept::default())))
    }

    fn forget(
        &self,
        user: UserId,
        when: Forget,
        now: UtcMillis,
    ) -> PortFuture<'_, Result<Forgotten, LimitsError>> {
        Box::pin(self.forget_member(user, when, now))
    }
}

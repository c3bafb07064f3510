//! The keys. What one script touches shares a hash tag (`{u1}`, `{g1}`, `{all}`), so that a cluster keeps it together.

use goobster_core::cluster::Shard;
use goobster_core::ids::{GuildId, UserId};
use goobster_core::limits::{LimitsError, SlotClaim};
use goobster_core::session::SessionId;

/// Names keys under a prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// Whether keys can be named under a prefix.
    pub(super) fn check_prefix(prefix: &str) -> Result<(), LimitsError> {
        if prefix.is_empty() || prefix.contains(['{', '}']) {
            return Err(LimitsError::Configuration(
                "the prefix of the Redis keys must not be empty and must not contain '{' or '}'".into(),
            ));
        }
        Ok(())
    }

    fn guild(&self, guild: GuildId, what: &str) -> String {
        format!("{}:{{g{guild}}}:{what}", self.prefix)
    }

    fn user(&self, user: UserId, what: &str) -> String {
        format!("{}:{{u{user}}}:{what}", self.prefix)
    }

    /// Who serves a guild, under which epoch: a hash.
    pub(super) fn served(&self, guild: GuildId) -> String {
        self.guild(guild, "served")
    }

    /// A guild's places: a sorted set of sessions by expiry.
    pub(super) fn guild_slots(&self, guild: GuildId) -> String {
        self.guild(guild, "slots")
    }

    /// A session's row in the ledger: a hash.
    pub(super) fn row(&self, guild: GuildId, session: SessionId) -> String {
        self.guild(guild, &format!("row:{}", hex(session)))
    }

    /// A member's places: a sorted set of sessions by expiry.
    pub(super) fn user_slots(&self, user: UserId) -> String {
        self.user(user, "slots")
    }

    /// A member's usage: a hash.
    pub(super) fn quota(&self, user: UserId) -> String {
        self.user(user, "quota")
    }

    /// What is set aside for a member's sessions: a hash.
    pub(super) fn holds(&self, user: UserId) -> String {
        self.user(user, "holds")
    }

    /// The last charge of a session that reached its owner's usage: a number.
    pub(super) fn mark(&self, claim: SlotClaim) -> String {
        self.user(claim.user, &format!("mark:{}", hex(claim.session)))
    }

    /// Matches the rows of every session.
    pub(super) fn any_row(&self) -> String {
        format!("{}:{{g*}}:row:*", escaped(&self.prefix))
    }

    /// Matches every mark of a member.
    pub(super) fn any_mark(&self, user: UserId) -> String {
        format!("{}:{{u{user}}}:mark:*", escaped(&self.prefix))
    }

    /// The session of a mark's key.
    pub(super) fn marked(key: &str) -> Option<SessionId> {
        let (_, session) = key.rsplit_once(":mark:")?;
        u64::from_str_radix(session, 16).ok().map(SessionId::new)
    }

    /// All places: a sorted set of sessions by expiry.
    pub(super) fn all_slots(&self) -> String {
        format!("{}:{{all}}:slots", self.prefix)
    }

    /// Whose places those are: a hash.
    pub(super) fn all_claims(&self) -> String {
        format!("{}:{{all}}:claims", self.prefix)
    }

    /// Part of the table of hosts and shards.
    pub(super) fn hosts(&self, what: &str) -> String {
        format!("{}:{{hosts}}:{what}", self.prefix)
    }

    /// The calls of a shard: a hash by guild.
    pub(super) fn shard_calls(&self, shard: Shard) -> String {
        format!("{}:{{s{shard}}}:calls", self.prefix)
    }

    /// Part of the register that hosts share.
    pub(super) fn register(&self, what: &str) -> String {
        format!("{}:{{register}}:{what}", self.prefix)
    }

    /// The open sessions, as `GUILD:USER:SESSION`: a set.
    pub(super) fn open_sessions(&self) -> String {
        format!("{}:{{all}}:open", self.prefix)
    }
}

/// A prefix as a pattern that matches it alone.
fn escaped(prefix: &str) -> String {
    let special = |c: char| matches!(c, '*' | '?' | '[' | ']' | '\\' | '^' | '-');
    let mut pattern = String::new();
    for c in prefix.chars() {
        if special(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// A session's id as text: Lua's numbers cannot hold it.
pub(super) fn hex(session: SessionId) -> String {
    format!("{:016x}", session.get())
}

/// A claim as a member of the set of open sessions.
pub(super) fn member(claim: SlotClaim) -> String {
    format!("{}:{}:{}", claim.guild, claim.user, hex(claim.session))
}

/// Reads such a member back.
pub(super) fn claim(member: &str) -> Option<SlotClaim> {
    let mut parts = member.split(':');
    let guild = GuildId::new(parts.next()?.parse().ok()?);
    let user = UserId::new(parts.next()?.parse().ok()?);
    let session = SessionId::new(u64::from_str_radix(parts.next()?, 16).ok()?);
    parts
        .next()
        .is_none()
        .then_some(SlotClaim { session, user, guild })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_reads_back_and_nonsense_does_not() {
        let wanted = SlotClaim {
            session: SessionId::new(u64::MAX - 1),
            user: UserId::new(2),
            guild: GuildId::new(3),
        };
        assert_eq!(claim(&member(wanted)), Some(wanted));
        for nonsense in ["", "1:2", "1:2:xyz", "1:2:3:4", "a:b:c"] {
            assert_eq!(claim(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn one_script_touches_one_hash_slot() {
        let keys = Keys::new("goobster");
        let claim = SlotClaim {
            session: SessionId::new(1),
            user: UserId::new(2),
            guild: GuildId::new(3),
        };
        let tag = |key: String| key.split(['{', '}']).nth(1).map(str::to_owned);
        for (one, other) in [
            (keys.served(claim.guild), keys.row(claim.guild, claim.session)),
            (keys.quota(claim.user), keys.mark(claim)),
            (keys.quota(claim.user), keys.holds(claim.user)),
            (keys.all_slots(), keys.all_claims()),
        ] {
            assert_eq!(tag(one), tag(other));
        }
    }
}

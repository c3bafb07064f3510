//! All of a store's keys at once: for backups.

use std::time::Duration;

use goobster_core::limits::LimitsError;
use redis::Script;

use super::keys::Keys;
use super::link::{Answer, Link};

/// More keys than this, and the server's own snapshots are the better backup: reading them would hold it up for seconds.
const MOST_KEYS: usize = 1_000_000;

/// A key of a store, without the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DumpedKey {
    /// Its name without the prefix: `{u1}:quota`.
    pub(crate) name: String,
    /// Its type: "hash", "set" or "string".
    pub(crate) kind: String,
    /// When it expires, in UTC milliseconds.
    pub(crate) until: Option<i64>,
    /// Fields and values, members, or the one text.
    pub(crate) values: Vec<String>,
}

/// A connection that reads and writes whole stores.
#[derive(Debug)]
pub(crate) struct Dump {
    link: Link,
    prefix: String,
}

impl Dump {
    pub(crate) async fn connect(url: &str, prefix: &str, patience: Duration) -> Result<Self, LimitsError> {
        Keys::check_prefix(prefix)?;
        Ok(Self {
            link: Link::connect(url, patience).await?,
            prefix: prefix.to_owned(),
        })
    }

    /// Whether a key is what a backup is for: usage, sessions' rows and marks, the index of open ones, guilds' epochs, and
    /// what people chose.
    /// The script `snapshot.lua` says the same.
    pub(crate) fn is_durable(name: &str) -> bool {
        let last = last(name);
        ["quota", "served", "open", "entries"].contains(&last)
            || last.starts_with("row:")
            || last.starts_with("mark:")
    }

    /// Whether a key is only there while a process works with the store: places and whatever else is leased. Budgets that
    /// are set aside, and the numbers that hosts and the register count with, outlive their process.
    pub(crate) fn is_live(name: &str) -> bool {
        let outlives = matches!(
            name.split_once("}:"),
            Some((tag, last)) if last == "holds"
                || tag == "{register"
                || tag == "{hosts" && last != "alive"
                || tag.starts_with("{s") && last == "calls"
        );
        !Self::is_durable(name) && !outlives
    }

    /// The names of all keys, without the prefix.
    pub(crate) async fn names(&self) -> Result<Vec<String>, LimitsError> {
        let mut keys = redis::cmd("KEYS");
        let found: Vec<String> = self
            .link
            .command("looking for a store", keys.arg(self.pattern()))
            .await?;
        let skip = self.prefix.len() + 1;
        Ok(found
            .into_iter()
            .filter_map(|key| key.get(skip..).map(str::to_owned))
            .collect())
    }

    /// Every durable key, at one moment.
    pub(crate) async fn durable(&self) -> Result<Vec<DumpedKey>, LimitsError> {
        let script = Script::new(include_str!("lua/snapshot.lua"));
        let mut script = script.prepare_invoke();
        script.arg(&self.prefix).arg(self.pattern()).arg(MOST_KEYS);
        let answer = self.link.run("reading the whole store", &script).await?;
        match answer.code() {
            "ok" => parse(&answer),
            "too-many" => Err(LimitsError::Configuration(format!(
                "the store on the server has {} keys, more than the {MOST_KEYS} that are backed up this way; use the \
                 server's own snapshots (BGSAVE) instead",
                answer.text(1)
            ))),
            _ => Err(answer.nonsense()),
        }
    }

    /// Removes some keys and writes others: all of it or nothing.
    pub(crate) async fn replace(&self, gone: &[String], keys: &[DumpedKey]) -> Result<(), LimitsError> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        for name in gone {
            pipe.cmd("DEL").arg(self.full(name)).ignore();
        }
        for key in keys {
            let name = self.full(&key.name);
            if key.values.is_empty() {
                continue;
            }
            let command = match key.kind.as_str() {
                "hash" => "HSET",
                "set" => "SADD",
                _ => "SET",
            };
            pipe.cmd(command).arg(&name).arg(&key.values).ignore();
            if let Some(until) = key.until {
                pipe.cmd("PEXPIREAT").arg(&name).arg(until).ignore();
            }
        }
        self.link.all_or_nothing("putting a backup back", &pipe).await
    }

    fn full(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    /// Matches the store's keys and no others.
    fn pattern(&self) -> String {
        let mut pattern = String::new();
        for c in self.prefix.chars() {
            if "*?[]\\^".contains(c) {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern + ":{*"
    }
}

/// A key's name behind its hash tag.
fn last(name: &str) -> &str {
    name.split_once("}:").map_or("", |(_, last)| last)
}

fn parse(answer: &Answer) -> Result<Vec<DumpedKey>, LimitsError> {
    let mut keys = Vec::new();
    let mut at = 1;
    while at < answer.len() {
        let count: usize = answer.number(at + 3)?;
        let end = at.saturating_add(4).saturating_add(count);
        if end > answer.len() {
            return Err(answer.nonsense());
        }
        let until = match answer.text(at + 2) {
            "" => None,
            _ => Some(answer.number(at + 2)?),
        };
        keys.push(DumpedKey {
            name: answer.text(at).to_owned(),
            kind: answer.text(at + 1).to_owned(),
            until,
            values: (at + 4..end).map(|field| answer.text(field).to_owned()).collect(),
        });
        at = end;
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_and_what_tells_of_life() {
        for durable in [
            "{u1}:quota",
            "{g2}:served",
            "{all}:open",
            "{g2}:row:00ff",
            "{u1}:mark:00ff",
            "{register}:entries",
        ] {
            assert!(Dump::is_durable(durable) && !Dump::is_live(durable), "{durable}");
        }
        for live in ["{g2}:slots", "{all}:claims", "{hosts}:alive"] {
            assert!(!Dump::is_durable(live) && Dump::is_live(live), "{live}");
        }
        for left in ["{u1}:holds", "{hosts}:meta", "{s3}:calls", "{register}:log"] {
            assert!(!Dump::is_durable(left) && !Dump::is_live(left), "{left}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_short_is_nonsense() {
        let fields = ["ok", "{u1}:quota", "hash", "7", "2", "used", "5"].map(str::to_owned);
        let whole = parse(&Answer::new("x", fields.to_vec())).unwrap();
        assert_eq!(whole[0].values, ["used", "5"]);
        assert_eq!(whole[0].until, Some(7));
        for cut in 2..fields.len() {
            assert!(parse(&Answer::new("x", fields[..cut].to_vec())).is_err(), "{cut}");
        }
    }
}

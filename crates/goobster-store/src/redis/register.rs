//! A register on Redis: what hosts remember together, ordered by change, so that looking costs only what changed.

use std::time::Duration;

use goobster_core::cluster::{Changes, Edition, Over, Register};
use goobster_core::limits::LimitsError;
use goobster_core::ports::PortFuture;

use super::keys::Keys;
use super::link::{Link, on};
use super::scripts::SCRIPTS;

/// Entries of one answer.
const PAGE: usize = 1000;

/// The register on a Redis server. Clones share a connection.
#[derive(Debug, Clone)]
pub struct RedisRegister {
    link: Link,
    table: Vec<String>,
}

impl RedisRegister {
    /// Connects to the server.
    ///
    /// # Errors
    /// [`LimitsError::Unavailable`] when it cannot be reached; [`LimitsError::Configuration`].
    pub async fn connect(url: &str, prefix: &str, patience: Duration) -> Result<Self, LimitsError> {
        Keys::check_prefix(prefix)?;
        let keys = Keys::new(prefix);
        Ok(Self {
            link: Link::connect(url, patience).await?,
            table: ["entries", "log", "meta", "gone"]
                .map(|what| keys.register(what))
                .to_vec(),
        })
    }

    /// Reads one page after an edition into `changes`; whether there may be more.
    async fn page(&self, goes_on: bool, changes: &mut Changes) -> Result<bool, LimitsError> {
        let mut script = on(&SCRIPTS.register_since, &self.table);
        script.arg("").arg(changes.upto.get()).arg(PAGE);
        script.arg(if goes_on { "1" } else { "0" });
        let answer = self.link.run("looking what other hosts wrote", &script).await?;
        if answer.code() != "ok" || answer.len() % 3 != 0 {
            return Err(answer.nonsense());
        }
        changes.whole |= answer.text(1) == "1";
        changes.upto = Edition::new(answer.number(2)?);
        let read = (3..answer.len()).step_by(3).map(|field| {
            let text = (answer.text(field + 1) == "1").then(|| answer.text(field + 2).to_owned());
            (answer.text(field).to_owned(), text)
        });
        changes.entries.extend(read);
        Ok(answer.len() / 3 > PAGE)
    }
}

impl Register for RedisRegister {
    fn put<'a>(
        &'a self,
        key: &'a str,
        text: Option<&'a str>,
        over: Over<'a>,
    ) -> PortFuture<'a, Result<bool, LimitsError>> {
        Box::pin(async move {
            let (over, old) = match over {
                Over::Anything => ("any", ""),
                Over::Nothing => ("none", ""),
                Over::Text(old) => ("text", old),
            };
            let mut script = on(&SCRIPTS.register_put, &self.table);
            script.arg("").arg(key).arg(over).arg(old);
            if let Some(text) = text {
                script.arg(text);
            }
            let answer = self.link.run("writing for other hosts", &script).await?;
            match answer.code() {
                "ok" => Ok(true),
                "kept" => Ok(false),
                _ => Err(answer.nonsense()),
            }
        })
    }

    fn since(&self, edition: Edition) -> PortFuture<'_, Result<Changes, LimitsError>> {
        Box::pin(async move {
            let mut changes = Changes {
                upto: edition,
                ..Changes::default()
            };
            let mut goes_on = false;
            while self.page(goes_on, &mut changes).await? {
                goes_on = true;
            }
            Ok(changes)
        })
    }
}

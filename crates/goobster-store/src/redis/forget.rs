//! Forgetting a member on the server: close records are found by going through all rows, since nothing lists them by member.
//!
//! That takes a step for every thousand keys of the server, which is fine for a request that comes once in a while, and keeps
//! every other request as small as it is.

use std::collections::HashSet;

use goobster_core::ids::UserId;
use goobster_core::limits::{Forget, Forgotten, LimitsError, SlidingWindow};
use goobster_core::session::SessionId;
use goobster_core::time::UtcMillis;

use super::RedisStore;
use super::keys::{Keys, claim};
use super::link::on;
use super::scripts::SCRIPTS;

/// Keys that the server looks at in a step.
const STEP: u64 = 1000;

impl RedisStore {
    pub(super) async fn forget_member(
        &self,
        user: UserId,
        when: Forget,
        now: UtcMillis,
    ) -> Result<Forgotten, LimitsError> {
        let open = self.open_of(user).await?;
        let mut records = 0;
        let mut cursor = Some("0".to_owned());
        while let Some(at) = cursor {
            let (next, rows) = self.scan(&at, &self.keys.any_row()).await?;
            for row in rows {
                let mut script = on(&SCRIPTS.forget_row, &[row]);
                script.arg("").arg(user.get());
                let answer = self.link.run("forgetting a member", &script).await?;
                records += usize::from(answer.code() == "removed");
            }
            cursor = next;
        }
        let mut cursor = Some("0".to_owned());
        while let Some(at) = cursor {
            let (next, marks) = self.scan(&at, &self.keys.any_mark(user)).await?;
            // A mark keeps a charge of its session from counting twice: those of open sessions are needed.
            let is_open = |mark: &String| Keys::marked(mark).is_some_and(|session| open.contains(&session));
            for mark in marks.iter().filter(|mark| !is_open(mark)) {
                let mut delete = redis::cmd("DEL");
                let () = self.link.command("forgetting a member", delete.arg(mark)).await?;
            }
            cursor = next;
        }
        let at_once = when == Forget::Now && open.is_empty();
        let grain = SlidingWindow::new(self.config.window).grain();
        let mut script = on(&SCRIPTS.forget, &[self.keys.quota(user), self.keys.holds(user)]);
        script.arg(self.script_time(now));
        script.arg(if at_once { "now" } else { "later" });
        script.arg(self.config.window.get()).arg(grain);
        let answer = self.link.run("forgetting a member", &script).await?;
        Ok(Forgotten {
            records,
            open: open.len(),
            usage_kept: answer.text(1) == "1",
        })
    }

    /// The member's open sessions.
    async fn open_of(&self, user: UserId) -> Result<HashSet<SessionId>, LimitsError> {
        let mut found = HashSet::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = redis::cmd("SSCAN");
            scan.arg(self.keys.open_sessions()).arg(&cursor);
            scan.arg("MATCH")
                .arg(format!("*:{user}:*"))
                .arg("COUNT")
                .arg(STEP);
            let (next, members): (String, Vec<String>) =
                self.link.command("forgetting a member", &scan).await?;
            let claims = members.iter().filter_map(|text| claim(text));
            found.extend(
                claims
                    .filter(|claim| claim.user == user)
                    .map(|claim| claim.session),
            );
            if next == "0" {
                return Ok(found);
            }
            cursor = next;
        }
    }

    /// One step through the keys that match, and where the next one begins.
    async fn scan(&self, at: &str, pattern: &str) -> Result<(Option<String>, Vec<String>), LimitsError> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(at).arg("MATCH").arg(pattern).arg("COUNT").arg(STEP);
        let (next, keys): (String, Vec<String>) = self.link.command("forgetting a member", &scan).await?;
        Ok(((next != "0").then_some(next), keys))
    }
}

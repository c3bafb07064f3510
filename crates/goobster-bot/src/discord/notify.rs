//! Tells the service manager (systemd, `Type=notify`) how the bot is: ready, going down, still alive, and what it lacks.
//!
//! Outside of a service all of this does nothing.

use std::sync::Arc;
use std::time::Duration;

#[cfg(unix)]
use sd_notify::NotifyState;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::monitoring::signs::Signs;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(250);

/// News for the service manager.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    ready: bool,
    status: Option<String>,
    alive: bool,
    stopping: bool,
}

/// What was told last.
#[derive(Debug, Default)]
struct Told {
    ready: bool,
    status: Option<String>,
}

impl Told {
    /// What is news: once that it is ready, and what it lacks when that changes.
    fn news(&mut self, lacking: &[&str]) -> News {
        let status = if lacking.is_empty() {
            "ready".to_owned()
        } else {
            format!("not ready: {}", lacking.join(", "))
        };
        let ready = lacking.is_empty() && !self.ready;
        self.ready |= ready;
        let changed = self.status.as_ref() != Some(&status);
        if changed {
            self.status = Some(status.clone());
        }
        News {
            ready,
            status: changed.then_some(status),
            ..News::default()
        }
    }
}

/// Tells until this is dropped.
pub(super) struct Telling(JoinHandle<()>);

impl Telling {
    /// The bot goes down: from now on nobody is let in, and the manager is told before anything else happens.
    pub(super) async fn drain(&self, signs: &Signs) {
        signs.drain();
        let stopping = News {
            stopping: true,
            ..News::default()
        };
        let told = tokio::task::spawn_blocking(move || tell(&stopping));
        // A manager that does not listen holds nothing up.
        let _ = tokio::time::timeout(LOOK, told).await;
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Begins to tell.
pub(super) fn begin(signs: &Arc<Signs>) -> Telling {
    Telling(tokio::spawn(keep_telling(Arc::clone(signs))))
}

/// That it goes on telling is the sign of life: it runs where everything else does.
async fn keep_telling(signs: Arc<Signs>) {
    // Twice as often as it must be: one sign may come late.
    let watchdog = watchdog().map(|within| within / 2);
    let mut told = Told::default();
    let mut alive = Instant::now();
    let mut often = tokio::time::interval(LOOK);
    often.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        often.tick().await;
        let mut news = told.news(&signs.lacking());
        if watchdog.is_some_and(|every| alive.elapsed() >= every) {
            alive = Instant::now();
            news.alive = true;
        }
        if news == News::default() {
            continue;
        }
        // A manager that does not listen makes its socket wait: here, and not where everything else runs.
        if tokio::task::spawn_blocking(move || tell(&news)).await.is_err() {
            return;
        }
    }
}

#[cfg(unix)]
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

#[cfg(unix)]
fn tell(news: &News) {
    let mut states = Vec::new();
    states.extend(news.ready.then_some(NotifyState::Ready));
    states.extend(news.status.as_deref().map(NotifyState::Status));
    states.extend(news.alive.then_some(NotifyState::Watchdog));
    states.extend(news.stopping.then_some(NotifyState::Stopping));
    if let Err(error) = sd_notify::notify(&states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

#[cfg(not(unix))]
fn watchdog() -> Option<Duration> {
    None
}

#[cfg(not(unix))]
fn tell(_: &News) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_told_once_and_changes_are_told_when_they_come() {
        let mut told = Told::default();
        let mut news = |lacking: &[&str]| {
            let news = told.news(lacking);
            (news.ready, news.status.unwrap_or_default())
        };
        let lost = ["not connected to Discord"];
        let words = "not ready: not connected to Discord".to_owned();
        assert_eq!(news(&lost), (false, words.clone()));
        assert_eq!(news(&lost), (false, String::new()));
        assert_eq!(news(&[]), (true, "ready".to_owned()));
        assert_eq!(news(&[]), (false, String::new()));
        assert_eq!(news(&lost), (false, words));
        assert_eq!(
            news(&[]),
            (false, "ready".to_owned()),
            "a service becomes ready once"
        );
    }
}

//! Preferences in a file, and those that hosts share.

use goobster_core::cluster::{Changes, Edition, Over};
use goobster_core::ports::PortFuture;

use super::*;

const GUILD: GuildId = GuildId::new(7);
const ADA: UserId = UserId::new(1);

#[tokio::test]
async fn what_was_set_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let preferences = Preferences::open(folder.path()).unwrap();
    preferences.set_opted_out(ADA, true).await.unwrap();
    preferences
        .set_guild(GUILD, |guild| guild.starters = Starters::Role(9))
        .await
        .unwrap();
    let call = OpenCall {
        voice: ChannelId::new(70),
        text: ChannelId::new(71),
    };
    preferences.set_call(GUILD, Some(call)).await.unwrap();
    let again = Preferences::open(folder.path()).unwrap();
    assert!(again.opted_out(ADA) && !again.opted_out(UserId::new(2)));
    assert_eq!(again.guild(GUILD).starters, Starters::Role(9));
    assert_eq!(again.open_calls()[&GUILD], call);
    again.set_opted_out(ADA, false).await.unwrap();
    again.forget_guild(GUILD).await.unwrap();
    let last = Preferences::open(folder.path()).unwrap();
    assert!(!last.opted_out(ADA) && last.open_calls().is_empty());
    assert_eq!(last.guild(GUILD), GuildSettings::default());
}

#[tokio::test]
async fn an_opt_out_is_kept_as_long_as_it_is_said_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    // As earlier versions wrote it.
    std::fs::write(folder.path().join(FILE), "{\"opted_out\": [1, 2]}").unwrap();
    let preferences = Preferences::open(folder.path()).unwrap();
    assert!(preferences.opted_out(ADA));
    let kept = Duration::from_hours(24 * 30);
    let later = |days: u64| now().after(Duration::from_hours(24 * days));
    assert_eq!(preferences.expire(later(29), kept).await.unwrap(), 0);
    // One of them is met again, which counts from then on.
    preferences.met(ADA, later(20)).await.unwrap();
    preferences.met(UserId::new(3), later(20)).await.unwrap();
    assert_eq!(preferences.expire(later(31), kept).await.unwrap(), 1);
    let again = Preferences::open(folder.path()).unwrap();
    assert!(again.opted_out(ADA) && !again.opted_out(UserId::new(2)) && !again.opted_out(UserId::new(3)));
    assert_eq!(again.expire(later(51), kept).await.unwrap(), 1);
    assert!(!Preferences::open(folder.path()).unwrap().opted_out(ADA));
}

#[test]
fn a_damaged_file_is_told_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    std::fs::write(&path, "{\"opted_out\": [1, ").unwrap();
    let failure = Preferences::open(folder.path()).unwrap_err();
    assert_eq!(failure.code(), 3);
    assert!(failure.to_string().contains("preferences.json"), "{failure}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"opted_out\": [1, ");
}

/// A register in memory; `down` makes it unreachable.
#[derive(Debug, Default)]
struct Memory {
    entries: Mutex<BTreeMap<String, Option<String>>>,
    log: Mutex<Vec<String>>,
    down: std::sync::atomic::AtomicBool,
}

impl Memory {
    fn answer<T>(&self, answer: impl FnOnce() -> T) -> Result<T, LimitsError> {
        if self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(LimitsError::unavailable("down", std::io::Error::other("down")));
        }
        Ok(answer())
    }
}

impl Register for Memory {
    fn put<'a>(
        &'a self,
        key: &'a str,
        text: Option<&'a str>,
        over: Over<'a>,
    ) -> PortFuture<'a, Result<bool, LimitsError>> {
        Box::pin(async move {
            self.answer(|| {
                let mut entries = self.entries.lock().unwrap();
                let known = entries.get(key).cloned().flatten();
                let may = match over {
                    Over::Anything => true,
                    Over::Nothing => known.is_none(),
                    Over::Text(old) => known.as_deref() == Some(old),
                };
                if may {
                    entries.insert(key.to_owned(), text.map(str::to_owned));
                    self.log.lock().unwrap().push(key.to_owned());
                }
                may
            })
        })
    }

    fn since(&self, edition: Edition) -> PortFuture<'_, Result<Changes, LimitsError>> {
        Box::pin(async move {
            self.answer(|| {
                let (entries, log) = (self.entries.lock().unwrap(), self.log.lock().unwrap());
                let skipped = (edition.get() as usize).min(log.len());
                let changed = log.iter().skip(skipped);
                Changes {
                    upto: Edition::new(log.len() as u64),
                    whole: edition.get() == 0 || edition.get() > log.len() as u64,
                    entries: changed.map(|key| (key.clone(), entries[key].clone())).collect(),
                }
            })
        })
    }
}

#[tokio::test]
async fn what_hosts_share_is_known_to_all_of_them() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // What a host remembered alone moves into the register, and is not written beside it any more.
    let alone = Preferences::open(here.path()).unwrap();
    alone.set_opted_out(ADA, true).await.unwrap();
    alone
        .set_guild(GUILD, |guild| guild.starters = Starters::Role(9))
        .await
        .unwrap();
    let register = Arc::new(Memory::default());
    let one = Preferences::open_shared(here.path(), Arc::clone(&register) as Arc<dyn Register>)
        .await
        .unwrap();
    let file = std::fs::read_to_string(here.path().join(FILE)).unwrap();
    assert!(!file.contains("Role") && !file.contains("\"1\""), "{file}");
    let other = Preferences::open_shared(there.path(), register.clone())
        .await
        .unwrap();
    assert!(one.is_shared() && one.opted_out(ADA) && other.opted_out(ADA));
    assert_eq!(other.guild(GUILD).starters, Starters::Role(9));
    assert!(
        other.newly_opted_out().is_empty(),
        "who is known at the start is no news"
    );
    // Somebody opts out there: it is known here a moment later, once.
    let ben = UserId::new(2);
    other.set_opted_out(ben, true).await.unwrap();
    assert!(other.opted_out(ben) && !one.opted_out(ben));
    one.refresh().await.unwrap();
    assert!(one.opted_out(ben));
    assert_eq!(one.newly_opted_out(), BTreeSet::from([ben]));
    assert!(one.newly_opted_out().is_empty());
    // They take it back here while the other has not looked yet: that they were met there does not bring it again.
    one.set_opted_out(ben, false).await.unwrap();
    other
        .met(ben, now().after(Duration::from_hours(48)))
        .await
        .unwrap();
    one.refresh().await.unwrap();
    assert!(!one.opted_out(ben) && !other.opted_out(ben));
    // Nor does what has been kept long enough vanish if it was said again elsewhere.
    let later = now().after(Duration::from_hours(24 * 40));
    one.met(ADA, later).await.unwrap();
    assert_eq!(other.expire(later, Duration::from_hours(24)).await.unwrap(), 0);
    assert!(other.opted_out(ADA));
}

#[tokio::test]
async fn who_asks_one_host_to_be_forgotten_is_forgotten_on_all_of_them_and_leaves_no_entry() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let register = Arc::new(Memory::default());
    let one = Preferences::open_shared(here.path(), register.clone())
        .await
        .unwrap();
    let other = Preferences::open_shared(there.path(), register.clone())
        .await
        .unwrap();
    for _ in 0..2 {
        one.tell_forgotten(ADA).await.unwrap();
        for host in [&one, &other] {
            host.refresh().await.unwrap();
            assert_eq!(host.newly_forgotten(), BTreeSet::from([ADA]));
            host.refresh().await.unwrap();
            assert!(host.newly_forgotten().is_empty(), "told once");
        }
    }
    let mut kept = register.entries.lock().unwrap().clone();
    kept.retain(|_, text| text.is_some());
    assert!(kept.is_empty(), "{kept:?}");
}

#[tokio::test]
async fn a_register_that_is_down_stores_nothing_and_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let register = Arc::new(Memory::default());
    let preferences = Preferences::open_shared(folder.path(), register.clone())
        .await
        .unwrap();
    preferences.set_opted_out(ADA, true).await.unwrap();
    register.down.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(preferences.set_opted_out(UserId::new(2), true).await.is_err());
    assert!(preferences.set_guild(GUILD, |_| {}).await.is_err());
    assert!(preferences.refresh().await.is_err());
    assert!(preferences.opted_out(ADA));
    let failure = Preferences::open_shared(folder.path(), register)
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("the store"), "{failure}");
}

#[tokio::test]
async fn a_register_that_lost_everything_is_told_anew_who_opted_out() {
    let folder = tempfile::tempdir().unwrap();
    let register = Arc::new(Memory::default());
    let preferences = Preferences::open_shared(folder.path(), register.clone())
        .await
        .unwrap();
    preferences.set_opted_out(ADA, true).await.unwrap();
    register.entries.lock().unwrap().clear();
    register.log.lock().unwrap().clear();
    preferences.refresh().await.unwrap();
    assert!(preferences.opted_out(ADA));
    let other = Preferences::open_shared(tempfile::tempdir().unwrap().path(), register)
        .await
        .unwrap();
    assert!(other.opted_out(ADA));
}

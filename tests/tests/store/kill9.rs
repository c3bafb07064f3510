//! kill -9 on a real process at random moments: nothing that was answered is lost, and no session becomes a ghost.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use goobster_core::ids::{GuildId, UserId};
use goobster_core::limits::{CloseRecord, Ledger, LimitsConfig, Millis, SlotClaim};
use goobster_core::session::{CloseReason, SessionId};
use goobster_core::time::UtcMillis;
use goobster_store::EmbeddedStore;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::fixture::child;

const KILLS: u64 = 60;

/// What a session's process said of it.
#[derive(Debug, Default, Clone)]
struct Told {
    user: u64,
    opened: bool,
    /// Charges that were answered: `(seq, sum, end of the last)`.
    durable: (u64, u64, i64),
    /// The same with the one that was only asked for.
    asked: (u64, u64, i64),
    closing: bool,
    closed: bool,
}

/// Reads what the child said until it was killed. The last line may be torn.
fn listen(told: &mut HashMap<u64, Told>, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let number = |n: usize| words[n].parse::<u64>().unwrap();
    match words.as_slice() {
        ["opening", _, _] => told.entry(number(1)).or_default().user = number(2),
        ["opened", _, _] => told.get_mut(&number(1)).unwrap().opened = true,
        ["charging", _, _, _, at] => {
            let session = told.get_mut(&number(1)).unwrap();
            session.asked = (number(2), session.durable.1 + number(3), at.parse().unwrap());
        }
        ["charged", ..] => {
            let session = told.get_mut(&number(1)).unwrap();
            session.durable = session.asked;
        }
        ["closing", _] => told.get_mut(&number(1)).unwrap().closing = true,
        ["closed", _] => told.get_mut(&number(1)).unwrap().closed = true,
        ["ready"] => {}
        _ => panic!("the child said: {line}"),
    }
}

/// Runs a child until it is killed `after` it is ready; returns what it said of each session.
fn run_and_kill(path: &Path, seed: u64, after: Duration) -> HashMap<u64, Told> {
    let mut process = Command::new(child())
        .arg("embedded")
        .arg(path)
        .arg(seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    assert_eq!(first, "ready\n");
    let reader = std::thread::spawn(move || {
        let mut told = HashMap::new();
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            if let Some(whole) = line.strip_suffix('\n') {
                listen(&mut told, whole);
            }
            line.clear();
        }
        told
    });
    std::thread::sleep(after);
    process.kill().unwrap(); // SIGKILL
    process.wait().unwrap();
    reader.join().unwrap()
}

fn limits() -> LimitsConfig {
    LimitsConfig {
        voice: Millis::from_hours(24),
        window: Millis::from_hours(24),
        forget_after: Millis::from_hours(24),
        ..LimitsConfig::default()
    }
}

fn claim(session: u64, user: u64) -> SlotClaim {
    SlotClaim {
        session: SessionId::new(session),
        user: UserId::new(user),
        guild: GuildId::new(user),
    }
}

/// Checks one session's record against what its process said. Returns what was charged.
fn check(told: &Told, record: &CloseRecord) -> u64 {
    let stored = (record.last_seq.get(), record.charged.get());
    let (durable, asked) = ((told.durable.0, told.durable.1), (told.asked.0, told.asked.1));
    assert!(
        stored == durable || stored == asked,
        "stored {stored:?}, answered {durable:?}, asked {asked:?}"
    );
    if record.reason == CloseReason::Crashed {
        assert!(!told.closed, "a session that was closed in order is no crash");
        let last = if record.last_seq.get() == 0 {
            record.opened_at.get()
        } else if stored == asked {
            told.asked.2
        } else {
            told.durable.2
        };
        assert_eq!(record.closed_at.get(), last, "closed at its last tick");
        assert_eq!(record.closed_at, record.last_tick);
    } else {
        assert_eq!(record.reason, CloseReason::EndedByOwner);
        assert!(told.closing);
    }
    stored.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_answered_is_lost_and_no_session_becomes_a_ghost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let mut dice = StdRng::seed_from_u64(0x600b_57e4);
    let (mut everything, mut records) = (HashMap::<u64, Told>::new(), HashMap::<u64, CloseRecord>::new());
    let (mut crashes, mut open_when_killed) = (0, 0);
    for kill in 0..KILLS {
        let after = Duration::from_micros(dice.random_range(0..120_000));
        let told = run_and_kill(&path, kill, after);

        let store = EmbeddedStore::open(&path, &limits(), Duration::ZERO)
            .await
            .unwrap();
        let recovery = store.recover(UtcMillis::new(0)).await.unwrap();
        assert_eq!(recovery.alive, 0, "no ghost session");
        assert_eq!(
            store.recover(UtcMillis::new(0)).await.unwrap().crashed,
            [],
            "crashed once"
        );
        let open = told
            .values()
            .filter(|session| session.opened && !session.closing)
            .count();
        assert!(recovery.crashed.len() >= open, "every open session is closed");
        open_when_killed += open;
        crashes += recovery.crashed.len();
        for (&session, heard) in &told {
            let record = store.close_record(claim(session, heard.user)).await.unwrap();
            match record {
                Some(record) => {
                    check(heard, &record);
                    assert!(records.insert(session, record).is_none(), "one record each");
                }
                // Killed between the question and the answer: nothing may have come of it.
                None => assert!(!heard.opened, "session {session} left no record: {heard:?}"),
            }
        }
        for record in &recovery.crashed {
            assert!(
                told.contains_key(&record.claim.session.get()),
                "a session nobody opened: {record:?}"
            );
        }
        everything.extend(told);
        store.shut_down().await.unwrap();
    }

    let store = EmbeddedStore::open(&path, &limits(), Duration::ZERO)
        .await
        .unwrap();
    let mut sums: HashMap<u64, u64> = HashMap::new();
    for (&session, record) in &records {
        let user = record.claim.user.get();
        *sums.entry(user).or_default() += record.charged.get();
        let now = store.close_record(claim(session, user)).await.unwrap();
        assert_eq!(now.as_ref(), Some(record), "a record never changes");
    }
    for (user, sum) in sums {
        // The largest end of a charge is "now" enough: nothing has left the window.
        let now = records.values().map(|record| record.closed_at).max().unwrap();
        let usage = store.usage(UserId::new(user), now).await.unwrap();
        assert_eq!(
            usage.used.get(),
            sum,
            "user {user}: no quota lost, none charged twice"
        );
    }
    assert!(
        crashes > 60 && open_when_killed > 50,
        "{crashes} crashes, {open_when_killed} open: the kills came too late"
    );
    println!(
        "{KILLS} kills, {} sessions, {crashes} closed as crashed",
        everything.len()
    );
}

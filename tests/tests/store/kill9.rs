//! kill -9 on a real process at random moments: nothing that was answered is lost, and no session becomes a ghost.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use goobster_core::ids::{GuildId, UserId};
use goobster_core::limits::{CloseRecord, Ledger, LimitsConfig, Millis, SlotClaim};
use goobster_core::session::{CloseReason, SessionId};
use goobster_core::time::UtcMillis;
use goobster_store::EmbeddedStore;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::fixture::child;

const KILLS: u64 = 60;

/// How far a child came before it was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stage {
    Starting,
    /// It opens the file, or creates it.
    Opening,
    Recovering,
    Running,
}

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
        ["started" | "open" | "ready"] => {}
        _ => panic!("the child said: {line}"),
    }
}

/// Runs a child and kills it so long after it has come `to` a stage; returns what it said of each session, and how far it
/// came.
fn run_and_kill(path: &Path, seed: u64, to: Stage, after: Duration) -> (HashMap<u64, Told>, Stage) {
    let mut process = Command::new(child())
        .arg("embedded")
        .arg(path)
        .arg(seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    let (say_stage, stages) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let (mut told, mut stage) = (HashMap::new(), Stage::Starting);
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            if let Some(whole) = line.strip_suffix('\n') {
                stage = match whole {
                    "started" => Stage::Opening,
                    "open" => Stage::Recovering,
                    "ready" => Stage::Running,
                    _ => stage,
                };
                // Nobody listens once the stage that is waited for is reached.
                let _ = say_stage.send(stage);
                listen(&mut told, whole);
            }
            line.clear();
        }
        (told, stage)
    });
    while to != Stage::Starting && stages.recv().unwrap() < to {}
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
        let (told, _) = run_and_kill(&path, kill, Stage::Running, after);

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

/// Killed at any moment from its start on: while the file is created, opened or recovered too. The file is never found half
/// made, and what was open is closed once whoever gets to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_the_store_is_created_opened_or_recovered_loses_nothing() {
    const ROUNDS: u64 = 20;
    let mut dice = StdRng::seed_from_u64(0x0dd_ba11);
    let early = [Stage::Starting, Stage::Opening, Stage::Recovering];
    let mut stages = HashMap::<(bool, Stage), u64>::new();
    let (mut sessions, mut crashes) = (0, 0);
    for round in 0..ROUNDS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let mut told = HashMap::new();
        // New file, then sessions, then twice the start again: killed in each.
        for kill in 0..4 {
            let (to, micros) = if kill == 1 {
                (Stage::Running, 10_000..60_000)
            } else {
                (early[dice.random_range(0..early.len())], 0..8_000)
            };
            let after = Duration::from_micros(dice.random_range(micros));
            let (heard, stage) = run_and_kill(&path, round * 4 + kill, to, after);
            if kill != 1 {
                *stages.entry((kill == 0, stage)).or_default() += 1;
            }
            told.extend(heard);
        }
        let store = EmbeddedStore::open(&path, &limits(), Duration::ZERO)
            .await
            .expect("never half made");
        store.recover(UtcMillis::new(0)).await.unwrap();
        let (mut sums, mut now) = (HashMap::<u64, u64>::new(), UtcMillis::new(0));
        for (&session, heard) in &told {
            match store.close_record(claim(session, heard.user)).await.unwrap() {
                Some(record) => {
                    *sums.entry(heard.user).or_default() += check(heard, &record);
                    now = now.max(record.closed_at);
                    crashes += u64::from(record.reason == CloseReason::Crashed);
                }
                None => assert!(!heard.opened, "session {session} left no record: {heard:?}"),
            }
        }
        for (user, sum) in sums {
            let used = store.usage(UserId::new(user), now).await.unwrap().used.get();
            assert_eq!(used, sum, "user {user}: no quota lost, none charged twice");
        }
        sessions += told.len();
        store.shut_down().await.unwrap();
    }
    let early: u64 = stages
        .iter()
        .filter(|((_, stage), _)| *stage != Stage::Running)
        .map(|(_, kills)| kills)
        .sum();
    println!(
        "{} kills, {sessions} sessions, {crashes} crashed; (new file, stage): {stages:?}",
        ROUNDS * 4
    );
    assert!(
        early >= ROUNDS / 2 && crashes >= ROUNDS,
        "{early} kills before the sessions, {crashes} crashes"
    );
    for new in [true, false] {
        let inside = [Stage::Opening, Stage::Recovering].map(|stage| stages.get(&(new, stage)).copied());
        let inside: u64 = inside.into_iter().flatten().sum();
        assert!(inside > 0, "none while it opened or recovered: {stages:?}");
    }
}

/// What a crash loses, on the wall clock: of each session what passed since the last charge on disk, which is at most one
/// tick, and the commit that was under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_one_tick_and_one_commit_at_most() {
    const TICK: Duration = Duration::from_millis(200);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let mut dice = StdRng::seed_from_u64(0x1055);
    let mut losses = Vec::new();
    for _ in 0..10 {
        let mut process = Command::new(child())
            .arg("metered")
            .arg(&path)
            .arg(TICK.as_millis().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (say_open, open) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut slowest = 0;
            for line in lines.map_while(Result::ok) {
                match line.split_once(' ') {
                    Some(("opened", _)) => drop(say_open.send(())),
                    Some(("took", millis)) => slowest = slowest.max(millis.parse().unwrap_or(0)),
                    _ => {}
                }
            }
            slowest
        });
        for _ in 0..4 {
            open.recv().unwrap();
        }
        std::thread::sleep(Duration::from_millis(dice.random_range(450..900)));
        let killed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        process.kill().unwrap();
        process.wait().unwrap();
        let slowest: i64 = reader.join().unwrap();

        let store = EmbeddedStore::open(&path, &limits(), Duration::ZERO)
            .await
            .unwrap();
        let crashed = store.recover(UtcMillis::new(0)).await.unwrap().crashed;
        assert_eq!(crashed.len(), 4);
        for record in crashed {
            let charged = record.last_tick.get() - record.opened_at.get();
            assert_eq!(
                record.charged.get() as i64,
                charged,
                "all of it up to the last tick"
            );
            let loss = killed - record.last_tick.get();
            // A busy machine wakes a task late: no part of the promise, and a second of it is allowed for.
            let most = TICK.as_millis() as i64 + slowest.max(10) + 1_000;
            assert!(
                loss <= most,
                "lost {loss} ms, the slowest answer took {slowest} ms"
            );
            losses.push(loss);
        }
        store.shut_down().await.unwrap();
    }
    losses.sort_unstable();
    let (median, most) = (losses[losses.len() / 2], losses[losses.len() - 1]);
    println!(
        "{} sessions killed at a tick of {TICK:?}: lost {median} ms (median), {most} ms (most)",
        losses.len()
    );
    assert!(
        median <= TICK.as_millis() as i64 + 50,
        "{median} ms is more than a tick and a commit interval"
    );
}

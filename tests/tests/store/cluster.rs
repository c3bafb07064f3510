//! Several processes on one Redis: limits hold exactly under contention, a killed process frees its places, and a stale
//! one that wakes up is fenced off.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use goobster_core::ids::UserId;
use goobster_core::limits::{Ledger, LimitsConfig, LimitsError, Refusal, Slots};
use goobster_core::session::CloseReason;
use goobster_store::{RedisStore, TimeSource};
use goobster_tests::redis_server::{RedisServer, signal};

use super::fixture::{NOW, begin, charge, child, claim, redis};

/// A child process that is ended with the test, whatever becomes of it.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(child())
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line that begins with `word`.
    fn hear(&mut self, word: &str) -> String {
        loop {
            let line = self
                .lines
                .next()
                .unwrap_or_else(|| panic!("the child ended without saying {word}"))
                .unwrap();
            if line.starts_with(word) {
                return line;
            }
            assert!(!line.starts_with("failed"), "{line}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The limits of the children.
fn tight() -> LimitsConfig {
    LimitsConfig {
        per_user: 2,
        per_guild: 3,
        total: 5,
        ..LimitsConfig::default()
    }
}

async fn node(server: &RedisServer, node: u64) -> RedisStore {
    redis(server, node, &tight(), TimeSource::Server).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_exactly_under_contention() {
    let server = RedisServer::start();
    let url = server.url();
    let mut processes: Vec<Process> = ["1", "2"]
        .iter()
        .map(|node| Process::start(&["contend", &url, node, "4000"]))
        .collect();
    let (mut had, mut refused) = (0, 0);
    for process in &mut processes {
        let line = process.hear("contended");
        let numbers: Vec<u64> = line.split(' ').skip(1).map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers[2], 0, "a limit was passed: {line}");
        had += numbers[0];
        refused += numbers[1];
    }
    assert!(
        had > 40 && refused > 40,
        "{had} had, {refused} refused: that was no contention"
    );
    let store = node(&server, 3).await;
    assert_eq!(
        store.held().await.unwrap().total(),
        0,
        "everything was given back"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_frees_its_places_after_their_time_out() {
    let server = RedisServer::start();
    let mut process = Process::start(&["hold", &server.url(), "1"]);
    process.hear("charged 3");
    let store = node(&server, 2).await;
    let other = claim(99, 2, 1);
    let elsewhere = store.reserve(other, Duration::from_secs(1)).await;
    assert!(
        matches!(
            elsewhere,
            Err(LimitsError::Refused(Refusal::GuildElsewhere { .. }))
        ),
        "{elsewhere:?}"
    );
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    let killed = Instant::now();
    assert_eq!(store.held().await.unwrap().total(), 1, "still leased");
    assert_eq!(
        store.recover(NOW).await.unwrap().alive,
        1,
        "and taken for alive so long"
    );
    loop {
        match store.reserve(other, Duration::from_secs(1)).await {
            Ok(_) => break,
            Err(LimitsError::Refused(Refusal::GuildElsewhere { .. })) => {
                assert!(killed.elapsed() < Duration::from_secs(3), "its lease was 600 ms");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        killed.elapsed() > Duration::from_millis(300),
        "freed too early: {:?}",
        killed.elapsed()
    );
    let recovery = store.recover(NOW).await.unwrap();
    assert_eq!(recovery.crashed.len(), 1);
    let record = recovery.crashed[0];
    assert_eq!(
        (record.reason, record.closed_at),
        (CloseReason::Crashed, record.last_tick)
    );
    assert!(record.charged.get() >= 30, "{record:?}");
    assert_eq!(
        store.usage(UserId::new(1), NOW).await.unwrap().used,
        record.charged
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_process_that_wakes_up_is_fenced_off() {
    let server = RedisServer::start();
    let mut process = Process::start(&["hold", &server.url(), "1"]);
    let epoch: u64 = process.hear("holds").split(' ').nth(1).unwrap().parse().unwrap();
    process.hear("charged 3");
    signal(&process.child, "STOP").unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;

    let store = node(&server, 2).await;
    let ours = claim(50, 2, 1);
    let taken_over = begin(&store, ours, NOW).await;
    assert!(taken_over.get() > epoch, "the take-over raises the epoch");
    let recovery = store.recover(NOW).await.unwrap();
    assert_eq!((recovery.crashed.len(), recovery.alive), (1, 1));
    let record = recovery.crashed[0];
    let used = store.usage(UserId::new(1), NOW).await.unwrap().used;
    assert_eq!(used, record.charged);

    signal(&process.child, "CONT").unwrap();
    let stopped = process.hear("stopped");
    assert!(
        stopped.contains("closed Ok(false)"),
        "its own close is not the first: {stopped}"
    );
    assert_eq!(
        store.usage(UserId::new(1), NOW).await.unwrap().used,
        used,
        "it charged nothing more"
    );
    assert_eq!(store.close_record(record.claim).await.unwrap(), Some(record));
    assert_eq!(
        store.held().await.unwrap().total(),
        1,
        "and released nothing of ours"
    );
}

/// The same without anybody having recovered its session: the epoch alone keeps it out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_epoch_alone_fences_a_stale_process_off() {
    let server = RedisServer::start();
    let mut process = Process::start(&["hold", &server.url(), "1"]);
    process.hear("charged 2");
    signal(&process.child, "STOP").unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    let store = node(&server, 2).await;
    let epoch = begin(&store, claim(50, 2, 1), NOW).await;
    let before = store.usage(UserId::new(1), NOW).await.unwrap().used;
    signal(&process.child, "CONT").unwrap();
    let stopped = process.hear("stopped");
    assert!(stopped.contains("fenced Err(Fenced"), "{stopped}");
    assert_eq!(store.usage(UserId::new(1), NOW).await.unwrap().used, before);
    let ours = charge(
        claim(50, 2, 1),
        epoch,
        1,
        goobster_core::limits::Millis::from_secs(1),
        NOW,
    );
    store.charge(ours).await.expect("the new process goes on");
}

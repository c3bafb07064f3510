//! The register that hosts share, on a real Redis.

use std::collections::BTreeMap;
use std::time::Duration;

use goobster_core::cluster::{Changes, Edition, Over, Register};
use goobster_core::limits::LimitsError;
use goobster_store::RedisRegister;
use goobster_tests::redis_server::RedisServer;

async fn register(server: &RedisServer) -> RedisRegister {
    RedisRegister::connect(&server.url(), "t", Duration::from_secs(5))
        .await
        .unwrap()
}

/// What a host knows, brought up to date.
#[derive(Debug, Default)]
struct Host {
    known: BTreeMap<String, String>,
    edition: Edition,
}

impl Host {
    async fn look(&mut self, register: &RedisRegister) -> Changes {
        let changes = register.since(self.edition).await.unwrap();
        if changes.whole {
            self.known.clear();
        }
        for (key, text) in &changes.entries {
            match text {
                Some(text) => self.known.insert(key.clone(), text.clone()),
                None => self.known.remove(key),
            };
        }
        self.edition = changes.upto;
        changes
    }
}

#[tokio::test]
async fn each_host_learns_what_changed_and_no_more() {
    let server = RedisServer::start();
    let (here, there) = (register(&server).await, register(&server).await);
    let (mut one, mut other) = (Host::default(), Host::default());
    assert!(one.look(&here).await.entries.is_empty());
    assert!(here.put("a", Some("1"), Over::Anything).await.unwrap());
    assert!(there.put("b", Some("2"), Over::Nothing).await.unwrap());
    assert!(!there.put("a", Some("3"), Over::Nothing).await.unwrap());
    assert!(!there.put("a", Some("3"), Over::Text("2")).await.unwrap());
    assert!(there.put("a", Some("3"), Over::Text("1")).await.unwrap());
    assert_eq!(one.look(&here).await.entries.len(), 2);
    assert_eq!(one.known["a"], "3");
    assert!(one.look(&here).await.entries.is_empty(), "nothing changed since");
    other.look(&there).await;
    // A thing struck out is told to those who knew it, and so is one that came back.
    assert!(here.put("a", None, Over::Text("3")).await.unwrap());
    assert!(!here.put("a", None, Over::Text("3")).await.unwrap());
    assert_eq!(other.look(&there).await.entries, [("a".to_owned(), None)]);
    assert!(here.put("a", Some("4"), Over::Nothing).await.unwrap());
    assert_eq!(
        other.look(&there).await.entries,
        [("a".to_owned(), Some("4".to_owned()))]
    );
    one.look(&here).await;
    assert_eq!(one.known, other.known);
    // The same text again is no change.
    assert!(here.put("a", Some("4"), Over::Anything).await.unwrap());
    assert!(!other.look(&there).await.whole && other.known.len() == 2);
}

#[tokio::test]
async fn many_entries_come_in_pages_and_what_was_struck_out_long_ago_is_read_anew() {
    let server = RedisServer::start();
    let register = register(&server).await;
    for n in 0..2_500 {
        let key = format!("user:{n}");
        register.put(&key, Some("x"), Over::Anything).await.unwrap();
    }
    let (mut late, mut early) = (Host::default(), Host::default());
    assert!(early.look(&register).await.whole);
    assert_eq!(early.known.len(), 2_500);
    late.look(&register).await;
    register.put("user:7", None, Over::Anything).await.unwrap();
    early.look(&register).await;
    // An hour passes: the note that it was struck out may go.
    let mut connection = redis::Client::open(server.url())
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let _: () = redis::cmd("ZADD")
        .arg(&["t:{register}:gone", "1", "user:7"])
        .query_async(&mut connection)
        .await
        .unwrap();
    register.put("user:8", Some("y"), Over::Anything).await.unwrap();
    // Who knew of it reads the one change; who did not reads all.
    let few = early.look(&register).await;
    assert!(!few.whole && few.entries.len() == 1, "{few:?}");
    assert!(late.look(&register).await.whole);
    assert_eq!((late.known.len(), &late.known), (2_499, &early.known));
    // A store that was put back from a backup holds the entries alone.
    let _: () = redis::cmd("DEL")
        .arg(&["t:{register}:log", "t:{register}:meta", "t:{register}:gone"])
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(early.look(&register).await.whole);
    assert_eq!(early.known, late.known);
}

#[tokio::test]
async fn what_is_none_of_ours_is_an_error() {
    let server = RedisServer::start();
    let register = register(&server).await;
    let mut connection = redis::Client::open(server.url())
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let _: () = redis::cmd("SET")
        .arg(&["t:{register}:entries", "nonsense"])
        .query_async(&mut connection)
        .await
        .unwrap();
    let put = register.put("a", Some("1"), Over::Anything).await;
    assert!(matches!(put, Err(LimitsError::Corrupt { .. })), "{put:?}");
}

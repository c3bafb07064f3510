//! The server against clients that are slow, greedy, many, or make no sense.

use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

const TIGHT: Bounds = Bounds {
    connections: 4,
    head: Duration::from_millis(300),
    head_bytes: 16 * 1024,
    life: Duration::from_millis(900),
};

/// Within this a server that is well answers.
const SOON: Duration = Duration::from_secs(5);

async fn serving(bounds: Bounds) -> SocketAddr {
    let listener = Listener::bind("status.listen", SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let address = listener.address();
    tokio::spawn(listener.serve(bounds, async |_| text(StatusCode::OK, "fine")));
    address
}

/// Everything that is answered until the connection is closed.
async fn told(at: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    // It may be closed while we still write: then that is the answer.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut answer))
        .await
        .expect("it is closed");
    String::from_utf8_lossy(&answer).into_owned()
}

const PLAIN: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn every_answer_says_what_browsers_may_not_do() {
    let at = serving(TIGHT).await;
    let answer = told(at, PLAIN).await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    for header in [
        "content-security-policy: default-src 'none'",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(answer.contains(header), "{header}\n{answer}");
    }
}

#[tokio::test]
async fn what_is_too_large_or_makes_no_sense_is_refused_and_the_next_one_served() {
    let at = serving(TIGHT).await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000));
    let header = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(2_000));
    for (what, request) in [
        ("a long path", long.into_bytes()),
        ("a long header", header.into_bytes()),
        ("many headers", many.into_bytes()),
        ("bytes", vec![0xff; 40_000]),
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello".to_vec(),
        ),
        (
            "two lengths",
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\n".to_vec(),
        ),
        (
            "a negative length",
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_vec(),
        ),
        ("no version", b"GET /\r\n\r\n".to_vec()),
    ] {
        let answer = told(at, &request).await;
        assert!(!answer.contains("200 OK"), "{what}: {answer}");
        assert!(told(at, PLAIN).await.contains("fine"), "after {what}");
    }
    // A body that is announced and never read takes no memory: it is answered before.
    let body = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999999\r\nconnection: close\r\n\r\nabc";
    assert!(told(at, body).await.contains("fine"));
}

#[tokio::test]
async fn who_says_nothing_or_says_it_slowly_is_sent_away() {
    let at = serving(TIGHT).await;
    let begun = Instant::now();
    assert!(!told(at, b"").await.contains("200 OK"));
    assert!(!told(at, b"GET / HTTP/1.1\r\nhost:").await.contains("200 OK"));
    // A byte now and then does not keep a connection.
    let mut stream = TcpStream::connect(at).await.unwrap();
    let mut refused = false;
    for byte in b"GET / HTTP/1.1\r\nhost: a-name-that-takes-its-time-to-come\r\n"
        .iter()
        .cycle()
    {
        tokio::time::sleep(Duration::from_millis(40)).await;
        if stream.write_all(&[*byte]).await.is_err() {
            refused = true;
            break;
        }
        if begun.elapsed() > SOON {
            break;
        }
    }
    assert!(refused, "the slow one was sent away");
}

#[tokio::test]
async fn who_keeps_asking_on_one_connection_connects_again() {
    let at = serving(TIGHT).await;
    let mut stream = TcpStream::connect(at).await.unwrap();
    let begun = Instant::now();
    let mut answers = 0;
    let mut buffer = [0; 4096];
    while begun.elapsed() < SOON {
        if stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .is_err()
        {
            break;
        }
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => answers += 1,
            _ => break,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        answers > 3 && begun.elapsed() < SOON,
        "{answers} answers in {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn many_who_hold_on_keep_nobody_out_for_long() {
    let at = serving(TIGHT).await;
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(TcpStream::connect(at).await.unwrap());
    }
    // Eight rounds of four, each over when its heads have not come in time.
    let begun = Instant::now();
    let answer = told(at, PLAIN).await;
    assert!(answer.contains("fine"), "{answer}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    drop(held);
}

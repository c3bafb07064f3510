//! `goobster health`: what a container's health check sees.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;

/// A bot that answers once: whether it was asked for this path.
fn answering(path: &'static str, answer: &'static str) -> (String, std::thread::JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 512];
        let read = stream.read(&mut asked).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        asked[..read].starts_with(format!("GET {path} ").as_bytes())
    });
    (at, served)
}

fn health(at: &str, args: &[&str]) -> Output {
    goobster()
        .env("GOOBSTER_MONITORING_LISTEN", at)
        .arg("health")
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn health_is_an_exit_code_and_a_word() {
    let (at, served) = answering("/healthz", "HTTP/1.1 200 OK\r\n\r\nalive\n");
    let output = health(&at, &[]);
    assert_eq!(
        (code(&output), stdout(&output)),
        (0, "alive\n"),
        "{}",
        stderr(&output)
    );
    assert!(served.join().unwrap());

    let answer = "HTTP/1.1 503 Service Unavailable\r\n\r\nnot ready: going down\n";
    let (at, served) = answering("/readyz", answer);
    let output = health(&at, &["--ready"]);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("not ready: going down"),
        "{}",
        stderr(&output)
    );
    assert!(served.join().unwrap());
}

#[test]
fn nobody_and_nowhere_are_told_apart() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = health(&free.to_string(), &[]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("no bot answers"), "{}", stderr(&output));
    let output = health("", &[]);
    assert_eq!(code(&output), 5);
    assert!(
        stderr(&output).contains("monitoring.listen"),
        "{}",
        stderr(&output)
    );
}

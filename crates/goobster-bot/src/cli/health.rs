//! `goobster health`: asks the bot of this machine how it is, for containers and scripts that have no HTTP client.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::args::Health;
use super::exit::Failure;
use super::terminal::Terminal;
use crate::config::Config;

/// How long each step of asking may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// An answer has a line; more than this is none of ours.
const LARGEST: u64 = 16 * 1024;

/// Asks, and fails when the answer is no.
pub(super) fn run(args: &Health, config: &Config, terminal: Terminal) -> Result<(), Failure> {
    let Some(at) = config.monitoring.listen else {
        return Err(Failure::Configuration(
            "monitoring.listen is not set, so nobody can be asked: set it, or GOOBSTER_MONITORING_LISTEN, to an address \
             such as 127.0.0.1:9464, for the bot as well"
                .to_owned(),
        ));
    };
    let at = reachable(at);
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let answer =
        ask(at, path).map_err(|error| Failure::Failed(format!("no bot answers at {at}: {error}")))?;
    let (status, words) = read(&answer)
        .ok_or_else(|| Failure::Failed(format!("what answers at {at} is no bot of Goobster's")))?;
    terminal.summary(&serde_json::json!({ "event": "summary", "status": status, "answer": words }))?;
    if status == 200 {
        terminal.line(words)
    } else {
        Err(Failure::Failed(words.to_owned()))
    }
}

/// Where a listener at that address is reached from this machine.
fn reachable(mut at: SocketAddr) -> SocketAddr {
    if at.ip().is_unspecified() {
        at.set_ip(match at.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    at
}

fn ask(at: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // In one piece: whoever has read its beginning may answer and go.
    let request = format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(LARGEST).read_to_string(&mut answer)?;
    Ok(answer)
}

/// An answer's status and its words.
fn read(answer: &str) -> Option<(u16, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
    Some((status, body.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_nonsense_is_none() {
        let answer = "HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\nnot ready: going down\n";
        assert_eq!(read(answer), Some((503, "not ready: going down")));
        for nonsense in [
            "",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
        ] {
            assert_eq!(read(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn everywhere_is_reached_here() {
        let reached = |at: &str| reachable(at.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:9464"), "127.0.0.1:9464");
        assert_eq!(reached("[::]:9464"), "[::1]:9464");
        assert_eq!(reached("10.0.0.7:9464"), "10.0.0.7:9464");
    }
}

//! An HTTPS proxy: clients that honour `HTTPS_PROXY` ask it to connect to Discord's hosts, and it answers for them. Any other
//! host is refused and recorded, so that a test can show that a bot contacts nobody else.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use crate::hub::Hub;
use crate::recorded::Seen;
use crate::{gateway, rest};

/// A request head longer than this is no CONNECT.
const MAX_HEAD: usize = 8 * 1024;
/// A client that has not said by then what it wants is dropped.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// Which part of Discord a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    Rest,
    Gateway,
}

/// The host that a CONNECT names, and what answers for it here.
fn host_of(head: &str) -> Option<(String, Option<Host>)> {
    let mut words = head.lines().next()?.split_whitespace();
    if words.next()? != "CONNECT" {
        return None;
    }
    let (host, _port) = words.next()?.rsplit_once(':')?;
    let answers = match host {
        "discord.com" | "discordapp.com" | "cdn.discordapp.com" | "canary.discord.com"
        | "ptb.discord.com" => Some(Host::Rest),
        _ if host.starts_with("gateway") && host.ends_with(".discord.gg") => Some(Host::Gateway),
        _ => None,
    };
    Some((host.to_owned(), answers))
}

pub(crate) async fn serve(hub: Arc<Hub>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = hub.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let here = Arc::clone(&hub);
        hub.tasks.spawn(async move {
            tokio::select! {
                () = here.stop.cancelled() => {}
                result = connect(&here, stream) => if let Err(e) = result { debug!("proxy: {e}") },
            }
        });
    }
}

async fn connect(hub: &Arc<Hub>, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let head = tokio::time::timeout(HEAD_WITHIN, read_head(&mut stream)).await??;
    let answer = match host_of(&head) {
        None => "HTTP/1.1 405 Only CONNECT\r\nContent-Length: 0\r\n\r\n",
        Some((host, None)) => {
            hub.seen.note(Seen::ForeignHost(host));
            "HTTP/1.1 502 Not Discord\r\nContent-Length: 0\r\n\r\n"
        }
        Some((_, Some(host))) => {
            stream
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await?;
            let stream = hub.tls.acceptor.accept(stream).await?;
            match host {
                Host::Rest => rest::serve(hub, stream).await,
                Host::Gateway => gateway::serve(hub, stream).await,
            }
            return Ok(());
        }
    };
    stream.write_all(answer.as_bytes()).await
}

/// Reads until the empty line. A CONNECT has no body, and TLS waits for the answer, so nothing is read too far.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
    String::from_utf8(head).map_err(|_| std::io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart() {
        let host = |line: &str| host_of(line);
        assert_eq!(
            host("CONNECT discord.com:443 HTTP/1.1\r\n"),
            Some(("discord.com".into(), Some(Host::Rest)))
        );
        let gateway = host("CONNECT gateway-us-east1-b.discord.gg:443 HTTP/1.1\r\n");
        assert_eq!(gateway.unwrap().1, Some(Host::Gateway));
        assert_eq!(
            host("CONNECT example.org:443 HTTP/1.1\r\n"),
            Some(("example.org".into(), None))
        );
        assert_eq!(host("CONNECT notdiscord.com:443 HTTP/1.1\r\n").unwrap().1, None);
        assert_eq!(host("GET http://discord.com/ HTTP/1.1\r\n"), None);
    }
}

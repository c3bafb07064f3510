//! Whom the bot contacted: every address that its process connects or sends to, logged by strace as the kernel sees it.
//!
//! What a program says of itself proves little; this asks the system. Each `connect`, `sendto`, `sendmsg` and `sendmmsg` of every
//! thread of the bot is written down, and the addresses are compared with those of the loopback Discord.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::error::RehearsalError;
use crate::stage::BotCommand;

/// The program that logs.
const STRACE: &str = "strace";
/// How long what was logged last may take to reach the file.
const SETTLES_WITHIN: Duration = Duration::from_secs(2);
/// A log larger than this is not read: a rehearsal of an hour leaves a few megabytes.
const LARGEST: u64 = 256 << 20;

/// Who answers at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// The loopback Discord.
    Discord,
    /// The rehearsal's scripted engines.
    Engines,
    /// Anybody else.
    Stranger,
}

/// An address that was contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Contact {
    /// Who answers there.
    pub whose: Whose,
    /// The address.
    pub address: SocketAddr,
    /// How often it was connected or sent to by name; packets on a connected socket are not counted.
    pub times: u64,
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.whose {
            Whose::Discord => "the loopback Discord",
            Whose::Engines => "the scripted engines",
            Whose::Stranger => "somebody else",
        };
        write!(f, "{} ({whose}), {} times", self.address, self.times)
    }
}

/// The bot under strace, its calls written into `log`.
///
/// # Errors
/// [`RehearsalError::NoTracer`] where strace is not installed.
pub(crate) fn traced(command: BotCommand, log: &Path) -> Result<BotCommand, RehearsalError> {
    let tracer = tracer().ok_or(RehearsalError::NoTracer)?;
    // -D: the bot stays the direct child, so that signals reach it and its end is seen. -A: a bot that is started again goes on
    // in the same file.
    let mut args: Vec<OsString> = ["-D", "-f", "-q", "-A", "-s", "0", "-e", "signal=none", "-e"]
        .map(OsString::from)
        .to_vec();
    args.push("trace=connect,sendto,sendmsg,sendmmsg".into());
    args.extend(["-o".into(), log.into(), "--".into(), command.program.into()]);
    args.extend(command.args);
    Ok(BotCommand {
        program: tracer,
        args,
        env: command.env,
    })
}

/// Where strace is.
pub fn tracer() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(STRACE))
        .find(|program| program.is_file())
}

/// What was logged, once the bot has ended.
pub(crate) async fn read(
    log: &Path,
    discord: &[SocketAddr],
    engines: Option<SocketAddr>,
) -> Result<Vec<Contact>, RehearsalError> {
    let begun = tokio::time::Instant::now();
    loop {
        let size = std::fs::metadata(log).map_err(RehearsalError::io(log))?.len();
        if size > LARGEST {
            let error = std::io::Error::other("the log of calls is too large");
            return Err(RehearsalError::io(log)(error));
        }
        let text = std::fs::read_to_string(log).map_err(RehearsalError::io(log))?;
        let ended = text.lines().rev().take(64).any(|line| line.contains("+++ "));
        if ended || begun.elapsed() > SETTLES_WITHIN {
            return Ok(contacts(&text, discord, engines));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The addresses in strace's lines.
fn contacts(text: &str, discord: &[SocketAddr], engines: Option<SocketAddr>) -> Vec<Contact> {
    let mut times: BTreeMap<SocketAddr, u64> = BTreeMap::new();
    for address in text.lines().flat_map(addresses) {
        // Nothing can be sent to port 0: the name service looks so which of several addresses has a route.
        if address.port() != 0 {
            *times.entry(address).or_default() += 1;
        }
    }
    // `localhost` is asked by either of its addresses.
    let same = |one: SocketAddr, other: SocketAddr| {
        one.port() == other.port() && one.ip().is_loopback() && other.ip().is_loopback()
    };
    let mut found: Vec<Contact> = times
        .into_iter()
        .map(|(address, times)| {
            let whose = if discord.iter().any(|known| same(*known, address)) {
                Whose::Discord
            } else if engines.is_some_and(|known| same(known, address)) {
                Whose::Engines
            } else {
                Whose::Stranger
            };
            Contact {
                whose,
                address,
                times,
            }
        })
        .collect();
    found.sort();
    found
}

/// Every internet address of a line: `sendmmsg` may name several.
fn addresses(line: &str) -> Vec<SocketAddr> {
    line.split("sa_family=")
        .skip(1)
        .filter_map(|part| {
            let port = |key: &str| -> Option<u16> { between(part, key, ")")?.parse().ok() };
            if part.starts_with("AF_INET6,") {
                let ip: Ipv6Addr = between(part, "inet_pton(AF_INET6, \"", "\"")?.parse().ok()?;
                // An IPv4 address in IPv6's clothes is that IPv4 address.
                let ip = ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4);
                Some(SocketAddr::new(ip, port("sin6_port=htons(")?))
            } else if part.starts_with("AF_INET,") {
                let ip: Ipv4Addr = between(part, "inet_addr(\"", "\"")?.parse().ok()?;
                Some(SocketAddr::new(ip.into(), port("sin_port=htons(")?))
            } else {
                None
            }
        })
        .collect()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"
2601  connect(9, {sa_family=AF_INET, sin_port=htons(4443), sin_addr=inet_addr("127.0.0.1")}, 16) = -1 EINPROGRESS (Operation now in progress)
2602  connect(10, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)
2602  sendto(11, ""..., 20, 0, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 20
2602  connect(12, {sa_family=AF_INET6, sin6_port=htons(4444), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28 <unfinished ...>
2602  connect(12, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("198.51.100.1")}, 16) = 0
2602  connect(12, {sa_family=AF_UNSPEC, sa_data=""...}, 16) = 0
2603  sendto(13, ""..., 74, 0, {sa_family=AF_INET, sin_port=htons(4445), sin_addr=inet_addr("127.0.0.1")}, 16) = 74
2603  sendto(13, ""..., 74, MSG_NOSIGNAL, NULL, 0) = 74
2603  sendmmsg(14, [{msg_hdr={msg_name={sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.53")}, msg_namelen=16}}, {msg_hdr={msg_name={sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::ffff:192.0.2.9", &sin6_addr), sin6_scope_id=0}}}], 2, 0) = 2
2601  +++ exited with 0 +++
"#;

    #[test]
    fn every_address_is_found_and_told_whose_it_is() {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let found = contacts(LOG, &[local(4443), local(4444)], Some(local(4445)));
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "127.0.0.1:4443 (the loopback Discord), 1 times",
                "[::1]:4444 (the loopback Discord), 1 times",
                "127.0.0.1:4445 (the scripted engines), 1 times",
                "192.0.2.9:443 (somebody else), 1 times",
                "192.0.2.53:53 (somebody else), 1 times",
            ]
        );
    }

    #[test]
    fn the_same_port_elsewhere_is_somebody_else() {
        let line = r#"1  connect(9, {sa_family=AF_INET, sin_port=htons(4443), sin_addr=inet_addr("10.0.0.1")}, 16) = 0"#;
        let found = contacts(line, &[SocketAddr::from(([127, 0, 0, 1], 4443))], None);
        assert_eq!(found[0].whose, Whose::Stranger);
    }

    #[tokio::test]
    async fn what_a_process_really_contacts_is_logged() {
        if tracer().is_none() {
            eprintln!("skipped: strace is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let other = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let script = format!(
            "exec 3<>/dev/tcp/127.0.0.1/{}; exec 4<>/dev/tcp/127.0.0.1/{} || exit 0",
            address.port(),
            other.port()
        );
        let log = folder.path().join("calls");
        let command = BotCommand {
            program: "/bin/bash".into(),
            args: vec!["-c".into(), script.into()],
            env: Vec::new(),
        };
        let command = traced(command, &log).unwrap();
        let status = std::process::Command::new(&command.program)
            .args(&command.args)
            .status()
            .unwrap();
        if !log.exists() {
            eprintln!("skipped: processes may not be traced here ({status})");
            return;
        }
        let found = read(&log, &[address], None).await.unwrap();
        let whose: Vec<_> = found
            .iter()
            .map(|contact| (contact.whose, contact.address))
            .collect();
        assert_eq!(whose, [(Whose::Discord, address), (Whose::Stranger, other)]);
    }
}

//! How Goobster is packed and started: the container's file, the service's file, and what both promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // all of this is tests

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn deployed(file: &str) -> String {
    let path = root().join("deploy").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The instructions of a Dockerfile: its word, and the rest with continued lines joined.
fn instructions(text: &str) -> Vec<(String, String)> {
    let mut joined = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if let Some(begun) = line.strip_suffix('\\') {
            joined.push_str(begun);
        } else {
            joined.push_str(line);
            joined.push('\n');
        }
    }
    joined
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()))
        .collect()
}

/// The arguments of the instructions with this word.
fn of<'a>(all: &'a [(String, String)], word: &str) -> Vec<&'a str> {
    all.iter()
        .filter(|(own, _)| own == word)
        .map(|(_, rest)| rest.as_str())
        .collect()
}

#[test]
fn the_container_is_pinned_and_runs_as_nobody_special() {
    let all = instructions(&deployed("Dockerfile"));
    let stages = of(&all, "FROM");
    assert_eq!(stages.len(), 2, "one stage builds, the other runs");
    for stage in &stages {
        let image = stage.split(' ').next().unwrap();
        let (_, tag) = image
            .split_once(':')
            .unwrap_or_else(|| panic!("{image} has no tag"));
        assert!(
            tag != "latest" && tag.contains(|c: char| c.is_ascii_digit()),
            "{image}"
        );
    }
    // Rust's version is the repository's own.
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    let version = toolchain.split('"').nth(1).unwrap();
    assert!(
        stages[0].starts_with(&format!("rust:{version}-bookworm ")),
        "{}",
        stages[0]
    );

    let last = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
    let running = &all[last..];
    let user = of(running, "USER");
    let id: u32 = user.last().unwrap().split(':').next().unwrap().parse().unwrap();
    assert!(id >= 1000, "not root, and by number");
    assert_eq!(of(running, "STOPSIGNAL"), ["SIGTERM"]);
    assert!(of(running, "HEALTHCHECK")[0].ends_with(r#"CMD ["/opt/goobster/bin/goobster", "health"]"#));
    let entry = of(running, "ENTRYPOINT")[0];
    assert!(
        entry.starts_with('['),
        "no shell between the engine and the bot: {entry}"
    );
    // What the bot writes is in volumes, made for its user before it takes over.
    let volumes = of(running, "VOLUME")[0];
    let variables = of(running, "ENV").join(" ");
    for (variable, folder) in [
        ("GOOBSTER_DATA", "/var/lib/goobster"),
        ("GOOBSTER_CACHE", "/var/cache/goobster"),
    ] {
        assert!(variables.contains(&format!("{variable}={folder}")), "{variables}");
        assert!(volumes.contains(&format!("\"{folder}\"")), "{volumes}");
        let made = of(running, "RUN")
            .iter()
            .any(|run| run.contains(folder) && run.contains("--owner=10001"));
        assert!(made, "{folder}");
    }
}

#[test]
fn the_container_holds_no_secret_and_copies_what_is_there() {
    let all = instructions(&deployed("Dockerfile"));
    for (word, rest) in &all {
        if ["ARG", "ENV"].contains(&word.as_str()) {
            let upper = rest.to_uppercase();
            let secret = ["DISCORD_TOKEN=", "PASSWORD", "API_KEY", "SECRET="]
                .iter()
                .any(|known| upper.split(' ').any(|part| part.trim_start().starts_with(known)));
            assert!(!secret, "{word} {rest}");
        }
    }
    let ignored = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let allowed: Vec<&str> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    assert!(
        ignored.lines().any(|line| line == "*"),
        "everything else stays outside"
    );
    let mut copied = Vec::new();
    for rest in of(&all, "COPY")
        .iter()
        .filter(|rest| !rest.starts_with("--from="))
    {
        let mut paths: Vec<&str> = rest.split(' ').collect();
        paths.pop();
        copied.extend(paths);
    }
    for path in &copied {
        assert!(root().join(path).exists(), "{path} is copied, and is not there");
        assert!(
            allowed.contains(path),
            "{path} is copied, and .dockerignore keeps it away"
        );
    }
    assert!(
        allowed.iter().all(|path| copied.contains(path)),
        "{allowed:?} {copied:?}"
    );
    // The workspace is whole: cargo refuses it otherwise.
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find(|line| line.starts_with("members")).unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(copied.contains(&member.trim_end_matches("/*")), "{member}");
    }
    for secret in ["deploy/discord-token", "**/.env", "**/*.redb"] {
        assert!(ignored.lines().any(|line| line == secret), "{secret}");
    }
}

#[test]
fn the_compose_file_keeps_the_container_small() {
    let text = deployed("compose.yml");
    for wanted in [
        "read_only: true",
        "cap_drop: [ALL]",
        "no-new-privileges:true",
        "dockerfile: deploy/Dockerfile",
        "profiles: [redis]",
        "stop_grace_period: 45s",
        "noeviction",
    ] {
        assert!(text.contains(wanted), "{wanted}");
    }
    assert!(!text.contains(":latest"));
    assert!(
        !text.contains("DISCORD_TOKEN"),
        "the token is a secret, not a variable"
    );
    let image = format!("image: goobster:{}", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&image), "{image}");
}

/// The settings of a unit's section; one that is said several times keeps all its values.
fn service() -> BTreeMap<String, Vec<String>> {
    let text = deployed("systemd/goobster.service");
    let section = text
        .split("[Service]")
        .nth(1)
        .unwrap()
        .split("[Install]")
        .next()
        .unwrap();
    let mut settings = BTreeMap::<String, Vec<String>>::new();
    for line in section.lines().filter(|line| !line.starts_with('#')) {
        if let Some((key, value)) = line.split_once('=') {
            settings.entry(key.to_owned()).or_default().push(value.to_owned());
        }
    }
    settings
}

#[test]
fn the_service_may_do_little_and_waits_for_the_drain() {
    let settings = service();
    let one = |key: &str| settings.get(key).unwrap_or_else(|| panic!("{key} is not set"))[0].as_str();
    for (key, value) in [
        ("Type", "notify"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("CapabilityBoundingSet", ""),
        ("SystemCallFilter", "@system-service"),
        ("LoadCredential", "discord-token:/etc/goobster/discord-token"),
        ("StateDirectory", "goobster"),
        ("KillSignal", "SIGTERM"),
    ] {
        assert_eq!(one(key), value, "{key}");
    }
    assert!(settings.contains_key("MemoryMax") && settings.contains_key("WatchdogSec"));
    // The variables are settings that exist, or those that the documentation names.
    for variable in &settings["Environment"] {
        let (name, _) = variable.split_once('=').unwrap();
        let known = ["GOOBSTER_DATA", "GOOBSTER_CACHE"].contains(&name)
            || goobster_bot::config::table::SETTINGS
                .iter()
                .any(|setting| setting.variable() == name);
        assert!(known, "{name}");
    }
    // A drain is not cut short.
    let seconds: u64 = one("TimeoutStopSec").trim_end_matches('s').parse().unwrap();
    let drain = goobster_bot::config::Config::default().discord.drain.as_secs();
    assert!(seconds > drain + 10, "{seconds} s for a drain of {drain} s");
    // What a restart does not mend: wrong usage, missing set-up, a wrong configuration.
    assert_eq!(one("RestartPreventExitStatus"), "2 4 5");
}

#[test]
fn systemd_understands_the_service() {
    let dir = tempfile::tempdir().unwrap();
    // Verified where the program is: systemd looks whether it is there.
    let installed = "ExecStart=/opt/goobster/bin/goobster ";
    let text = deployed("systemd/goobster.service");
    assert!(text.contains(installed));
    let here = format!("ExecStart={} ", env!("CARGO_BIN_EXE_goobster"));
    let unit = dir.path().join("goobster.service");
    fs::write(&unit, text.replace(installed, &here)).unwrap();
    let checked = Command::new("systemd-analyze").arg("verify").arg(&unit).output();
    match checked {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            assert!(!said.contains("goobster.service"), "{said}");
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: systemd-analyze is not installed (Debian's package systemd has it)");
        }
        Err(error) => panic!("systemd-analyze: {error}"),
    }
}

//! Dependencies only point down.

use super::Findings;
use crate::metadata::Package;

/// What each of our crates may depend on. A crate that is not here fails the check: decide its place first.
const ALLOWED: [(&str, &[&str]); 16] = [
    ("goobster-core", &[]),
    ("goobster-audio", &[]),
    ("goobster-network", &[]),
    ("goobster-models", &["goobster-network"]),
    ("goobster-speech", &["goobster-core", "goobster-network"]),
    ("goobster-brain", &["goobster-core", "goobster-network"]),
    ("goobster-store", &["goobster-core"]),
    (
        "goobster-bot",
        &[
            "goobster-core",
            "goobster-audio",
            "goobster-models",
            "goobster-network",
            "goobster-speech",
            "goobster-brain",
            "goobster-store",
            "goobster-rehearsal",
        ],
    ),
    // It must hold nothing that could be compiled for a newer processor.
    ("goobster-launcher", &[]),
    // What opus2 links, in the place of a crate from outside.
    ("libopus_sys", &[]),
    ("xtask", &["goobster-models"]),
    // A stand-in for Discord must not know what it is tested with.
    ("loopback-discord", &[]),
    (
        "goobster-rehearsal",
        &["goobster-core", "goobster-audio", "loopback-discord"],
    ),
    ("goobster-tests", ANY),
    ("goobster-eval", ANY),
    ("goobster-benches", ANY),
];
/// Libraries that make HTTP clients, and who may depend on them: a client knows which hosts it may contact, and there is one
/// place where that is decided.
const CLIENTS: [&str; 5] = ["reqwest", "ureq", "isahc", "curl", "attohttpc"];
const CLIENT_MAKER: &str = "goobster-network";
/// Tests, evaluation and benches may reach everything.
const ANY: &[&str] = &["*"];

pub(super) fn check(packages: &[Package], found: &mut Findings) {
    for package in packages {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
            found.error(format!(
                "crate {} has no place in the layers: add it to xtask's table",
                package.name
            ));
            continue;
        };
        for client in package
            .dependencies
            .iter()
            .filter(|d| CLIENTS.contains(&d.as_str()))
        {
            if package.name != CLIENT_MAKER {
                found.error(format!(
                    "{} must not depend on {client}: {CLIENT_MAKER} makes all HTTP clients, each with the hosts it may contact",
                    package.name
                ));
            }
        }
        let ours = |d: &&String| packages.iter().any(|p| p.name == **d);
        for dependency in package.dependencies.iter().filter(ours) {
            if *allowed != ANY && !allowed.contains(&dependency.as_str()) {
                found.error(format!(
                    "{} must not depend on {dependency}: dependencies point down",
                    package.name
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.into(),
            version: "0.1.0".into(),
            source: None,
            licence: None,
            has_library: true,
            dependencies: dependencies.iter().map(|d| (*d).to_owned()).collect(),
        }
    }

    #[test]
    fn an_upward_edge_and_an_unknown_crate_are_found() {
        let mut found = Findings::default();
        check(
            &[
                package("goobster-core", &["goobster-bot", "serde"]),
                package("goobster-bot", &["goobster-core"]),
                package("goobster-tests", &["goobster-bot"]),
                package("goobster-extra", &[]),
                package("goobster-brain", &["goobster-network", "reqwest"]),
                package("goobster-network", &["reqwest", "ureq"]),
            ],
            &mut found,
        );
        assert_eq!(found.errors.len(), 3, "{found:?}");
        assert!(found.errors[0].contains("goobster-core must not depend on goobster-bot"));
        assert!(found.errors[1].contains("goobster-extra"));
        assert!(found.errors[2].contains("goobster-brain must not depend on reqwest"));
    }
}

//! What settings must be to each other, and the defaults that follow from what was set.

use std::time::Duration;

use goobster_core::cluster::Timing;
use goobster_core::session::ConfigError;
use goobster_network::{Hosts, Refused};

use super::settings::Config;
use super::value::show_span;

/// Two settings that do not fit each other.
pub(super) struct Clash {
    /// The ones that may be changed; the first that was set is blamed.
    pub(super) keys: &'static [&'static str],
    pub(super) reason: String,
    pub(super) remedy: String,
}

/// Fits defaults to what was set. `is_set` tells whether somebody set a key; the answer names what follows what.
pub(super) fn follow(
    config: &mut Config,
    is_set: impl Fn(&str) -> bool,
) -> Vec<(&'static str, &'static str)> {
    let mut followed = Vec::new();
    let mut fit = |key: &'static str, of: &'static str, changed: bool| {
        if changed {
            followed.push((key, of));
        }
    };
    if !is_set("sessions.idle_warning") {
        let fits = config
            .sessions
            .idle_warning
            .min(config.sessions.session_timeout / 5);
        let fits = Duration::from_millis(u64::try_from(fits.as_millis()).unwrap_or(u64::MAX));
        fit(
            "sessions.idle_warning",
            "sessions.timeout",
            fits != config.sessions.idle_warning,
        );
        config.sessions.idle_warning = fits;
    }
    if !is_set("limits.forget_after") {
        // A member must be remembered at least as long as the window.
        let fits = config.limits.forget_after.max(config.limits.window);
        fit(
            "limits.forget_after",
            "limits.window",
            fits != config.limits.forget_after,
        );
        config.limits.forget_after = fits;
    }
    if !is_set("limits.budget") {
        let fits = config.limits.budget.max(config.limits.tick);
        fit("limits.budget", "limits.tick", fits != config.limits.budget);
        config.limits.budget = fits;
    }
    if is_set("conversation.patience") && !is_set("conversation.adaptive_patience") {
        // Who names a patience wants that one.
        fit(
            "conversation.adaptive_patience",
            "conversation.patience",
            config.conversation.adaptive_patience,
        );
        config.conversation.adaptive_patience = false;
    }
    if !is_set("brain.reply") {
        // A server that may think that long may then also speak.
        let fits = config
            .brain
            .reply
            .max(config.brain.timeout.saturating_add(Duration::from_mins(1)));
        fit("brain.reply", "brain.timeout", fits != config.brain.reply);
        config.brain.reply = fits;
    }
    if !is_set("captions.for_partials") {
        let fits = config
            .captions
            .board
            .for_partials
            .min(config.captions.board.requests);
        fit(
            "captions.for_partials",
            "captions.requests",
            fits != config.captions.board.for_partials,
        );
        config.captions.board.for_partials = fits;
    }
    followed
}

/// Everything that does not fit.
pub(super) fn clashes(config: &Config, is_set: impl Fn(&str) -> bool) -> Vec<Clash> {
    let mut found = Vec::new();
    sessions(config, &mut found);
    limits(config, &mut found);
    listeners(config, &mut found);
    contacts(config, &mut found);
    if config.brain.reply < config.brain.timeout {
        found.push(Clash {
            keys: &["brain.reply", "brain.timeout"],
            reason: "a whole reply may take less than its first word".to_owned(),
            remedy: format!("set brain.reply to at least {}", show_span(config.brain.timeout)),
        });
    }
    if config.captions.board.for_partials > config.captions.board.requests {
        found.push(Clash {
            keys: &["captions.for_partials", "captions.requests"],
            reason: "growing captions may use more requests than there are".to_owned(),
            remedy: format!(
                "set captions.for_partials to at most {}",
                config.captions.board.requests
            ),
        });
    }
    if is_set("store.file") && is_set("store.redis") {
        found.push(Clash {
            keys: &["store.file", "store.redis"],
            reason: "store.file and store.redis are both set".to_owned(),
            remedy: "keep the one that is to hold the quotas".to_owned(),
        });
    }
    if let Err(error) = Timing::new(config.cluster.lease, config.cluster.renew) {
        found.push(Clash {
            keys: &["cluster.renew", "cluster.lease"],
            reason: error.to_string(),
            remedy: "renew more often, or set a longer cluster.lease".to_owned(),
        });
    }
    if config.cluster.enabled && config.store.redis.is_none() {
        found.push(Clash {
            keys: &["cluster.enabled"],
            reason: "hosts meet in a Redis server, and store.redis is not set".to_owned(),
            remedy: "set store.redis to the same server on every host".to_owned(),
        });
    }
    if config.monitoring.otlp_endpoint.is_some() && !cfg!(feature = "otel") {
        found.push(Clash {
            keys: &["monitoring.otlp_endpoint"],
            reason: "this goobster was built without traces".to_owned(),
            remedy: "build it with `cargo build --release --features otel`, or remove the setting".to_owned(),
        });
    }
    if let Err(error) = config.conversation.endpoint().check() {
        found.push(Clash {
            keys: &["conversation.patience", "conversation.max_turn"],
            reason: error.to_string(),
            remedy: "leave conversation.patience and conversation.max_turn at their defaults".to_owned(),
        });
    }
    found
}

fn sessions(config: &Config, found: &mut Vec<Clash>) {
    let Err(error) = config.sessions.check() else {
        return;
    };
    let clash = match &error {
        ConfigError::WarningBeforeStart { timeout, .. } => Clash {
            keys: &["sessions.idle_warning", "sessions.timeout"],
            reason: "the warning would come before the session has begun".to_owned(),
            remedy: format!(
                "set sessions.idle_warning to less than {} (sessions.timeout)",
                show_span(*timeout)
            ),
        },
        ConfigError::StepsTooLong {
            steps,
            overhead,
            delay,
        } => Clash {
            keys: &[
                "sessions.cleanup_delay",
                "sessions.cleanup.recognition",
                "sessions.cleanup.pipeline",
                "sessions.cleanup.speech",
                "sessions.cleanup.connection",
                "sessions.cleanup.channel",
                "sessions.cleanup.listeners",
                "sessions.cleanup.removal",
            ],
            reason: format!("the steps of a cleanup do not fit into {}", show_span(*delay)),
            remedy: format!(
                "set sessions.cleanup_delay to at least {}, or the steps in [sessions.cleanup] to less",
                show_span(steps.saturating_add(*overhead))
            ),
        },
        other => Clash {
            keys: &["sessions.timeout"],
            reason: other.to_string(),
            remedy: "correct what is named".to_owned(),
        },
    };
    found.push(clash);
}

fn limits(config: &Config, found: &mut Vec<Clash>) {
    let limits = &config.limits;
    let before = found.len();
    if limits.forget_after < limits.window {
        found.push(Clash {
            keys: &["limits.forget_after", "limits.window"],
            reason: "forgetting a member would reset a running window".to_owned(),
            remedy: format!(
                "set limits.forget_after to at least {} (limits.window)",
                show_span(limits.window.as_duration())
            ),
        });
    }
    if limits.budget < limits.tick {
        found.push(Clash {
            keys: &["limits.budget", "limits.tick"],
            reason: "sessions would stop between two ticks".to_owned(),
            remedy: format!(
                "set limits.budget to at least {} (limits.tick)",
                show_span(limits.tick.as_duration())
            ),
        });
    }
    if config.store.redis.is_some() && config.store.lease < limits.tick.as_duration() * 2 {
        found.push(Clash {
            keys: &["store.lease", "limits.tick"],
            reason: "places would be lost between two ticks".to_owned(),
            remedy: format!(
                "set store.lease to at least {}, twice limits.tick",
                show_span(limits.tick.as_duration() * 2)
            ),
        });
    }
    if let (Err(error), true) = (limits.validate(), found.len() == before) {
        found.push(Clash {
            keys: &["limits.max_duration"],
            reason: error.to_string(),
            remedy: "correct what is named".to_owned(),
        });
    }
}

/// Servers that `network` forbids to contact.
fn contacts(config: &Config, found: &mut Vec<Clash>) {
    let servers: [(&'static str, &'static [&'static str], &Option<String>); 5] = [
        ("brain.url", &["brain.url", "network"], &config.brain.url),
        (
            "recogniser.url",
            &["recogniser.url", "network"],
            &config.recogniser.url,
        ),
        (
            "synthesiser.url",
            &["synthesiser.url", "network"],
            &config.synthesiser.url,
        ),
        ("store.redis", &["store.redis", "network"], &config.store.redis),
        (
            "monitoring.otlp_endpoint",
            &["monitoring.otlp_endpoint", "network"],
            &config.monitoring.otlp_endpoint,
        ),
    ];
    for (setting, keys, address) in servers {
        let Some(Ok(address)) = address.as_deref().map(url::Url::parse) else {
            continue;
        };
        if let Err(Refused::Network { host, .. }) = Hosts::of(config.network, setting, &address) {
            found.push(Clash {
                keys,
                reason: format!("{host} would be contacted, and network = \"discord-only\" forbids it"),
                remedy: format!("name a server on this machine, remove {setting}, or set network = \"open\""),
            });
        }
    }
}

fn listeners(config: &Config, found: &mut Vec<Clash>) {
    let (Some(status), monitoring) = (config.status.listen, config.monitoring.listen) else {
        return;
    };
    if !status.ip().is_loopback() && !config.status.beyond_loopback {
        found.push(Clash {
            keys: &["status.listen"],
            reason: format!("other machines could reach {status}, and what they say would not be encrypted"),
            remedy: format!(
                "write \"127.0.0.1:{}\", or set status.beyond_loopback = true and put TLS in front of it",
                status.port()
            ),
        });
    }
    if monitoring == Some(status) && status.port() != 0 {
        found.push(Clash {
            keys: &["status.listen", "monitoring.listen"],
            reason: "status and monitoring cannot both listen there".to_owned(),
            remedy: "give one of them another port".to_owned(),
        });
    }
}

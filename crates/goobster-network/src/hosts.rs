//! Lists of hosts: what one client may contact, and the refusal of any other.

use std::net::IpAddr;

use url::{Host, Url};

use crate::network::Network;

/// Hosts of Discord's REST and files. Its gateway and voice servers are where Discord says they are.
const DISCORD: &[&str] = &[
    "discord.com",
    "discordapp.com",
    "discord.gg",
    "discord.media",
    "discordapp.net",
];

/// A host that may not be contacted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The setting `network` forbids it.
    #[error(
        "{host} is not contacted: network = \"discord-only\" allows Discord and this machine alone, and {setting} asks for it. \
         Set network = \"open\", or change {setting}"
    )]
    Network {
        /// The host.
        host: String,
        /// The setting, or the deed, that asks for it.
        setting: &'static str,
    },
    /// An answer led to a host that no setting names.
    #[error("{host} is not contacted: {setting} names {listed}, and was led elsewhere")]
    Elsewhere {
        /// The host.
        host: String,
        /// The setting that names the listed ones.
        setting: &'static str,
        /// The hosts that are listed.
        listed: String,
    },
    /// An answer led from an encrypted connection to one that is not.
    #[error(
        "{host} is not contacted without encryption: {setting} names an https address, and was led to one without"
    )]
    Unencrypted {
        /// The host.
        host: String,
        /// The setting that names the address.
        setting: &'static str,
    },
    /// An address without a host.
    #[error("{setting} leads to an address without a host")]
    NoHost {
        /// The setting that names the address.
        setting: &'static str,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum List {
    /// These alone.
    Named(Vec<String>),
    /// Discord's.
    Discord,
    /// Any: registries lead to mirrors that nobody can list.
    Any,
}

/// The hosts that one client may contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    setting: &'static str,
    list: List,
    encrypted: bool,
}

impl Hosts {
    /// The host of a server that `setting` names, and no other.
    ///
    /// # Errors
    /// [`Refused`] when `network` forbids it, or the address has no host.
    pub fn of(network: Network, setting: &'static str, address: &Url) -> Result<Self, Refused> {
        let host = address.host().ok_or(Refused::NoHost { setting })?;
        if network == Network::DiscordOnly && !is_this_machine(&host) {
            return Err(Refused::Network {
                host: host.to_string(),
                setting,
            });
        }
        Ok(Self {
            setting,
            list: List::Named(vec![host.to_string()]),
            encrypted: address.scheme() == "https",
        })
    }

    /// Discord's.
    pub const fn discord() -> Self {
        Self {
            setting: "Discord",
            list: List::Discord,
            encrypted: true,
        }
    }

    /// Package registries, wherever they lead; `first` is who would be asked first, for the refusal.
    ///
    /// # Errors
    /// [`Refused`] when `network` forbids it.
    pub fn registries(network: Network, first: &str) -> Result<Self, Refused> {
        let setting = "fetching models";
        match network {
            Network::Open => Ok(Self {
                setting,
                list: List::Any,
                encrypted: false,
            }),
            Network::DiscordOnly => Err(Refused::Network {
                host: first.to_owned(),
                setting,
            }),
        }
    }

    /// Whether an address may be contacted.
    ///
    /// # Errors
    /// [`Refused`], naming its host, when it may not.
    pub fn check(&self, address: &Url) -> Result<(), Refused> {
        let setting = self.setting;
        let host = address.host().ok_or(Refused::NoHost { setting })?.to_string();
        let listed = match &self.list {
            List::Any => return Ok(()),
            List::Discord => DISCORD
                .iter()
                .any(|name| host == *name || host.strip_suffix(name).is_some_and(|sub| sub.ends_with('.'))),
            List::Named(names) => names.contains(&host),
        };
        if !listed {
            return Err(Refused::Elsewhere {
                host,
                setting,
                listed: match &self.list {
                    List::Named(names) => names.join(", "),
                    _ => "its own hosts".to_owned(),
                },
            });
        }
        if self.encrypted && address.scheme() != "https" {
            return Err(Refused::Unencrypted { host, setting });
        }
        Ok(())
    }

    /// Whether all of them are this machine, which no proxy has to help to reach.
    #[cfg(feature = "client")]
    pub(crate) fn are_here(&self) -> bool {
        let here = |name: &String| Host::parse(name).is_ok_and(|host| is_this_machine(&host));
        matches!(&self.list, List::Named(names) if names.iter().all(here))
    }
}

/// Whether a host is this machine: a loopback address, or `localhost` with what stands below it (RFC 6761).
pub fn is_this_machine<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.is_loopback(),
            None => address.is_loopback(),
        },
        Host::Domain(name) => {
            let name = name.as_ref().trim_end_matches('.').to_ascii_lowercase();
            // Schemes that the standard does not know leave an address as words.
            name == "localhost"
                || name.ends_with(".localhost")
                || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_server_elsewhere_is_refused_by_name_unless_the_network_is_open() {
        let server = url("https://api.example.com/v1");
        let refused = Hosts::of(Network::DiscordOnly, "brain.url", &server).unwrap_err();
        let words = refused.to_string();
        for needed in ["api.example.com", "network = \"discord-only\"", "brain.url"] {
            assert!(words.contains(needed), "{words}");
        }
        let hosts = Hosts::of(Network::Open, "brain.url", &server).unwrap();
        assert_eq!(hosts.check(&server), Ok(()));
        assert_eq!(hosts.check(&url("https://api.example.com:8443/other")), Ok(()));
        let elsewhere = hosts.check(&url("https://example.com/")).unwrap_err();
        assert!(
            elsewhere
                .to_string()
                .contains("example.com is not contacted: brain.url names api.example.com")
        );
        assert_eq!(
            hosts.check(&url("http://api.example.com/v1")),
            Err(Refused::Unencrypted {
                host: "api.example.com".into(),
                setting: "brain.url"
            })
        );
    }

    #[test]
    fn this_machine_is_no_other_host() {
        for here in [
            "http://localhost:11434/v1",
            "http://LOCALHOST./",
            "http://ollama.localhost/",
            "http://127.0.0.1/",
            "http://127.8.9.1/",
            "http://2130706433/",
            "http://[::1]:80/",
            "http://[::ffff:127.0.0.1]/",
            "redis://127.0.0.1/",
            "redis://localhost/",
        ] {
            assert!(
                Hosts::of(Network::DiscordOnly, "brain.url", &url(here)).is_ok(),
                "{here}"
            );
        }
        for elsewhere in [
            "http://localhost.example.com/",
            "http://notlocalhost/",
            "http://10.0.0.1/",
            "http://127.0.0.1.example.com/",
            "http://0.0.0.0/",
            "http://[::ffff:10.0.0.1]/",
            "http://user@localhost:1@example.com/",
            "redis://192.168.0.1/",
        ] {
            let refused = Hosts::of(Network::DiscordOnly, "brain.url", &url(elsewhere));
            assert!(matches!(refused, Err(Refused::Network { .. })), "{elsewhere}");
        }
        assert!(Hosts::of(Network::DiscordOnly, "x", &url("unix:/run/redis.sock")).is_err());
    }

    #[test]
    fn discord_is_discord_and_its_subdomains() {
        let discord = Hosts::discord();
        for host in [
            "discord.com",
            "canary.discord.com",
            "cdn.discordapp.com",
            "gateway.discord.gg",
        ] {
            assert_eq!(
                discord.check(&url(&format!("https://{host}/api/v10/users/@me"))),
                Ok(())
            );
        }
        for other in [
            "notdiscord.com",
            "discord.com.example.org",
            "discord.co",
            "disc0rd.com",
        ] {
            assert!(
                discord.check(&url(&format!("https://{other}/"))).is_err(),
                "{other}"
            );
        }
        assert!(discord.check(&url("http://discord.com/")).is_err());
    }

    #[test]
    fn models_are_fetched_from_anywhere_or_not_at_all() {
        let open = Hosts::registries(Network::Open, "PyPI").unwrap();
        assert_eq!(open.check(&url("http://mirror.example.org/x.whl")), Ok(()));
        let refused = Hosts::registries(Network::DiscordOnly, "PyPI").unwrap_err();
        assert!(
            refused.to_string().starts_with("PyPI is not contacted"),
            "{refused}"
        );
    }

    proptest! {
        /// Whatever is asked for, a list of one host lets through that host alone.
        #[test]
        fn a_list_lets_through_what_it_names_alone(host in "[a-z0-9.-]{1,30}", path in "[ -~]{0,20}") {
            let hosts = Hosts::of(Network::Open, "brain.url", &url("https://api.example.com/")).unwrap();
            if let Ok(address) = Url::parse(&format!("https://{host}/{path}")) {
                prop_assert_eq!(hosts.check(&address).is_ok(), address.host_str() == Some("api.example.com"));
            }
        }
    }
}

//! The small blocking client that fetches models: it trusts what this machine trusts and takes its proxies from the environment.

use std::sync::Arc;
use std::time::Duration;

use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Body, SendBody};
use url::Url;

pub use ureq::{Agent, http};

use crate::hosts::Hosts;

/// A client that contacts these hosts alone.
pub fn agent(hosts: Hosts, connect: Duration, read: Duration) -> Agent {
    // What the machine's store holds that cannot be read is the machine's business; the rest will do.
    let found = rustls_native_certs::load_native_certs();
    let roots: Vec<Certificate<'static>> = found
        .certs
        .iter()
        .map(|der| Certificate::from_der(der.as_ref()).to_owned())
        .collect();
    // A machine without certificates of its own still gets the usual roots.
    let roots = if roots.is_empty() {
        RootCerts::WebPki
    } else {
        RootCerts::Specific(Arc::new(roots))
    };
    Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .timeout_connect(Some(connect))
        .timeout_recv_response(Some(read))
        .timeout_per_read(Some(read))
        .http_status_as_error(false)
        // A package is compressed already, and a resumed transfer must count the bytes of the file itself.
        .accept_encoding("identity")
        .user_agent(concat!("goobster/", env!("CARGO_PKG_VERSION")))
        .middleware(Guard(hosts))
        .build()
        .into()
}

/// Looks at each request before it is sent. Redirects are followed within a request and are not seen here, which is why only
/// [`Hosts::registries`], whose list is open, is made for this client.
struct Guard(Hosts);

impl Middleware for Guard {
    fn handle(
        &self,
        request: http::Request<SendBody<'_>>,
        next: MiddlewareNext<'_>,
    ) -> Result<http::Response<Body>, ureq::Error> {
        let address =
            Url::parse(&request.uri().to_string()).map_err(|error| ureq::Error::BadUri(error.to_string()))?;
        self.0
            .check(&address)
            .map_err(|refused| ureq::Error::Other(Box::new(refused)))?;
        next.handle(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;

    #[test]
    fn a_host_that_is_not_listed_is_not_asked() {
        let one: Url = "http://127.0.0.1:9/".parse().unwrap();
        let hosts = Hosts::of(Network::DiscordOnly, "a test", &one).unwrap();
        let agent = agent(hosts, Duration::from_secs(1), Duration::from_secs(1));
        let error = agent.get("http://mirror.example.org/x.whl").call().unwrap_err();
        assert!(
            error.to_string().contains("mirror.example.org is not contacted"),
            "{error}"
        );
    }
}

//! Where traces are sent, read from the configuration.

use std::collections::HashMap;

use goobster_network::{Hosts, Network};
use url::Url;

use crate::cli::exit::Failure;
use crate::cli::logging::blacken;
use crate::config::Monitoring;

/// Where OTLP over HTTP takes traces, below a collector's address.
const PATH: &str = "v1/traces";

/// A collector.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) endpoint: Url,
    /// Its host, and no other.
    pub(super) hosts: Hosts,
    pub(super) headers: HashMap<String, String>,
    /// The part of turns that is traced, `0.0..=1.0`.
    pub(super) ratio: f64,
    pub(super) service: String,
}

/// The collector of a configuration, if it names one.
///
/// # Errors
/// An address that is none, or that `network` forbids; headers that are not there or are none.
pub(super) fn of(settings: &Monitoring, network: Network) -> Result<Option<Collector>, Failure> {
    let Some(endpoint) = settings.otlp_endpoint.as_deref() else {
        return Ok(None);
    };
    let headers = match settings.otlp_headers_env.as_deref() {
        None => HashMap::new(),
        Some(name) => {
            let text = std::env::var(name)
                .ok()
                .filter(|text| !text.trim().is_empty())
                .ok_or_else(|| {
                    Failure::Configuration(format!(
                        "monitoring.otlp_headers_env: the environment variable {name} is not set"
                    ))
                })?;
            headers(name, &text)?
        }
    };
    for value in headers.values() {
        blacken(value);
        // Servers repeat a key without its scheme.
        if let Some((_, key)) = value.split_once(' ') {
            blacken(key);
        }
    }
    let endpoint = whole(endpoint)?;
    let hosts = Hosts::of(network, "monitoring.otlp_endpoint", &endpoint)
        .map_err(|refused| Failure::Configuration(refused.to_string()))?;
    Ok(Some(Collector {
        endpoint,
        hosts,
        headers,
        ratio: f64::from(settings.otlp_sample_percent) / 100.0,
        service: settings.otlp_service_name.clone(),
    }))
}

/// The address that traces are posted to; an address that ends with the path is left as it is.
fn whole(endpoint: &str) -> Result<Url, Failure> {
    let mut url = Url::parse(endpoint)
        .map_err(|error| Failure::Configuration(format!("monitoring.otlp_endpoint: {error}")))?;
    let path = url.path().trim_end_matches('/');
    if !path.ends_with(PATH) {
        let path = format!("{path}/{PATH}");
        url.set_path(&path);
    }
    Ok(url)
}

/// Headers as OpenTelemetry writes them in a variable: `name=value`, commas between them, values percent-encoded.
fn headers(variable: &str, text: &str) -> Result<HashMap<String, String>, Failure> {
    let mut headers = HashMap::new();
    for (number, pair) in (1..).zip(text.split(',').map(str::trim).filter(|pair| !pair.is_empty())) {
        // What is wrong may be a secret: it is not repeated.
        let wrong = || {
            Failure::Configuration(format!(
                "monitoring.otlp_headers_env: header {number} in {variable} is none; write name=value, commas between them"
            ))
        };
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        let value = decoded(value.trim()).ok_or_else(wrong)?;
        let name: goobster_network::http::header::HeaderName = name.trim().parse().map_err(|_| wrong())?;
        goobster_network::http::header::HeaderValue::from_str(&value).map_err(|_| wrong())?;
        headers.insert(name.to_string(), value);
    }
    Ok(headers)
}

fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_where_it_is_lacking() {
        for (given, posted) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            (
                "https://tempo.example/otlp",
                "https://tempo.example/otlp/v1/traces",
            ),
            ("https://a.example/v1/traces", "https://a.example/v1/traces"),
        ] {
            assert_eq!(whole(given).unwrap().as_str(), posted);
        }
    }

    #[test]
    fn headers_are_read_as_opentelemetry_writes_them() {
        let read = headers("H", "Authorization=Basic%20YTpi, x-scope-orgid = 7,").unwrap();
        assert_eq!(read["authorization"], "Basic YTpi");
        assert_eq!(read["x-scope-orgid"], "7");
        for bad in [
            "secretvalue",
            "a b=secretvalue",
            "a=%zzsecretvalue",
            "a=secret%0avalue",
        ] {
            let told = headers("H", bad).unwrap_err().to_string();
            assert!(told.contains("header 1 in H is none; write name=value"), "{told}");
            assert!(
                !told.contains("value\u{22}") && !told.contains("secret"),
                "{told}"
            );
        }
    }

    #[test]
    fn no_collector_is_none_and_a_lacking_variable_is_named() {
        assert!(of(&Monitoring::default(), Network::Open).unwrap().is_none());
        let settings = Monitoring {
            otlp_endpoint: Some("http://localhost:4318".to_owned()),
            otlp_headers_env: Some("GOOBSTER_TEST_NO_SUCH_HEADERS".to_owned()),
            otlp_sample_percent: 25,
            ..Monitoring::default()
        };
        let told = of(&settings, Network::Open).unwrap_err().to_string();
        assert!(
            told.contains("GOOBSTER_TEST_NO_SUCH_HEADERS is not set"),
            "{told}"
        );
        let settings = Monitoring {
            otlp_headers_env: None,
            ..settings
        };
        // The collector on this machine may be told in either case; one elsewhere only where the network is open.
        let collector = of(&settings, Network::DiscordOnly).unwrap().unwrap();
        assert!((collector.ratio - 0.25).abs() < 1e-9);
        let elsewhere = Monitoring {
            otlp_endpoint: Some("https://tempo.example".to_owned()),
            ..settings
        };
        assert!(of(&elsewhere, Network::Open).unwrap().is_some());
        let told = of(&elsewhere, Network::DiscordOnly).unwrap_err().to_string();
        assert!(
            told.contains("tempo.example is not contacted") && told.contains("monitoring.otlp_endpoint"),
            "{told}"
        );
    }
}

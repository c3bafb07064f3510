//! HTTP clients that know which hosts they may contact: each request and each redirect is looked at first.

use std::fmt;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::redirect::{Attempt, Policy};
use url::Url;

use crate::hosts::{Hosts, Refused};

/// What Discord's REST may take to lead elsewhere: it never does, but a proxy might.
const DISCORD_REDIRECTS: usize = 3;

/// How a client waits.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// Wait for a connection.
    pub connect: Option<Duration>,
    /// Wait for the next bytes.
    pub read: Option<Duration>,
    /// One request at most, its answer read to the end.
    pub whole: Option<Duration>,
    /// Redirects that are followed, to listed hosts alone.
    pub redirects: usize,
    /// Sent with each request.
    pub headers: HeaderMap,
}

/// Why there is no client, or no request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The host may not be contacted.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// TLS or the name service could not be set up.
    #[error("no HTTP client could be made: {0}")]
    Setup(#[from] reqwest::Error),
}

/// A client for the hosts of a list.
#[derive(Clone)]
pub struct Client {
    inner: reqwest::Client,
    hosts: Hosts,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The headers it sends hold keys.
        f.debug_struct("Client")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client that contacts these hosts alone. Servers on this machine are asked directly, others by the proxy that the
    /// environment names, if any.
    ///
    /// # Errors
    /// [`ClientError::Setup`] when TLS cannot be set up.
    pub fn new(hosts: Hosts, options: ClientOptions) -> Result<Self, ClientError> {
        let inner = make(&hosts, options)?;
        Ok(Self { inner, hosts })
    }

    /// Begins to send something to an address.
    ///
    /// # Errors
    /// [`Refused`] when its host is not listed: nothing is sent then.
    pub fn post(&self, address: &Url) -> Result<reqwest::RequestBuilder, Refused> {
        self.hosts.check(address)?;
        Ok(self.inner.post(address.clone()))
    }

    /// Begins to ask for something.
    ///
    /// # Errors
    /// [`Refused`] when its host is not listed: nothing is sent then.
    pub fn get(&self, address: &Url) -> Result<reqwest::RequestBuilder, Refused> {
        self.hosts.check(address)?;
        Ok(self.inner.get(address.clone()))
    }
}

/// The client that serenity asks Discord's REST with. It asks `discord.com` by itself; a redirect to a host that is not Discord's
/// is not followed.
///
/// # Errors
/// [`ClientError::Setup`] when TLS cannot be set up.
pub fn discord() -> Result<reqwest::Client, ClientError> {
    let options = ClientOptions {
        redirects: DISCORD_REDIRECTS,
        ..ClientOptions::default()
    };
    make(&Hosts::discord(), options)
}

fn make(hosts: &Hosts, options: ClientOptions) -> Result<reqwest::Client, ClientError> {
    let (listed, most) = (hosts.clone(), options.redirects);
    let mut builder = reqwest::Client::builder()
        .use_rustls_tls()
        .default_headers(options.headers)
        .user_agent(concat!("goobster/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::custom(move |attempt| follow(attempt, &listed, most)));
    if let Some(connect) = options.connect {
        builder = builder.connect_timeout(connect);
    }
    if let Some(read) = options.read {
        builder = builder.read_timeout(read);
    }
    if let Some(whole) = options.whole {
        builder = builder.timeout(whole);
    }
    if hosts.are_here() {
        builder = builder.no_proxy();
    }
    Ok(builder.build()?)
}

fn follow(attempt: Attempt<'_>, hosts: &Hosts, most: usize) -> reqwest::redirect::Action {
    if most == 0 {
        // The answer that led elsewhere is the answer.
        return attempt.stop();
    }
    if let Err(refused) = hosts.check(attempt.url()) {
        return attempt.error(refused);
    }
    if attempt.previous().len() > most {
        return attempt.error("too many redirects");
    }
    attempt.follow()
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::network::Network;

    /// A server that answers every request so, and counts them.
    async fn server(answer: String) -> (Url, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counting = std::sync::Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                counting.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (address, asked)
    }

    fn client(of: &Url, redirects: usize) -> Client {
        let hosts = Hosts::of(Network::DiscordOnly, "brain.url", of).unwrap();
        let options = ClientOptions {
            connect: Some(Duration::from_secs(2)),
            whole: Some(Duration::from_secs(5)),
            redirects,
            ..ClientOptions::default()
        };
        Client::new(hosts, options).unwrap()
    }

    #[tokio::test]
    async fn a_listed_host_is_asked_and_another_is_not() {
        let (address, asked) = server("HTTP/1.1 204 No Content\r\n\r\n".into()).await;
        let client = client(&address, 0);
        assert_eq!(client.get(&address).unwrap().send().await.unwrap().status(), 204);
        let port = address.port().unwrap();
        // The same machine by another name is another host: a list is a list.
        let other = format!("http://localhost:{port}/").parse().unwrap();
        let refused = client.post(&other).unwrap_err();
        assert!(
            refused.to_string().contains("localhost is not contacted"),
            "{refused}"
        );
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_redirect_to_another_host_is_not_followed() {
        let (victim, reached) = server("HTTP/1.1 204 No Content\r\n\r\n".into()).await;
        let port = victim.port().unwrap();
        let away = format!(
            "HTTP/1.1 307 Elsewhere\r\nlocation: http://localhost:{port}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let (address, _) = server(away).await;
        let error = client(&address, 3)
            .post(&address)
            .unwrap()
            .body("key")
            .send()
            .await
            .unwrap_err();
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        assert!(
            cause.contains("localhost is not contacted: brain.url names 127.0.0.1"),
            "{error}: {cause}"
        );
        assert_eq!(reached.load(std::sync::atomic::Ordering::SeqCst), 0);
        // Without redirects the answer itself is handed on.
        let answer = client(&address, 0).post(&address).unwrap().send().await.unwrap();
        assert_eq!(answer.status(), 307);
    }

    #[tokio::test]
    async fn a_redirect_on_the_same_host_is_followed_and_a_circle_ends() {
        let (end, _) = server("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".into()).await;
        let (begin, _) = server(format!(
            "HTTP/1.1 307 There\r\nlocation: {end}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ))
        .await;
        assert_eq!(
            client(&begin, 3)
                .get(&begin)
                .unwrap()
                .send()
                .await
                .unwrap()
                .status(),
            204
        );
        let (circle, asked) = server(
            "HTTP/1.1 302 Here\r\nlocation: /\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into(),
        )
        .await;
        assert!(client(&circle, 3).get(&circle).unwrap().send().await.is_err());
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 4);
    }

    #[test]
    fn what_a_client_sends_is_not_in_its_debug_print() {
        let address: Url = "http://127.0.0.1/".parse().unwrap();
        let hosts = Hosts::of(Network::Open, "brain.url", &address).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer s3cret".parse().unwrap());
        let options = ClientOptions {
            headers,
            ..ClientOptions::default()
        };
        let client = Client::new(hosts, options).unwrap();
        assert!(!format!("{client:?}").contains("s3cret"));
        assert!(discord().is_ok());
    }
}

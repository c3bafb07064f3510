//! Whom this program may contact: the one maker of HTTP clients, each with the list of hosts that it may ask.
//!
//! - `network`: the setting `network`. `hosts`: a list of hosts, and the refusal of any other.
//! - `client` (feature of that name): clients for servers that are asked while people talk, and the one that Discord's REST is
//!   asked with. `blocking`: the small client that fetches models.
//!
//! No other crate of the program depends on a library that makes HTTP clients; `cargo xtask tidy` checks that. What is re-exported
//! here can read an answer and fill a request, and cannot make a client.

#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "client")]
mod client;
mod hosts;
mod network;

#[cfg(feature = "client")]
pub use client::{Client, ClientError, ClientOptions, discord};
pub use hosts::{Hosts, Refused, is_this_machine};
pub use network::Network;

/// What requests are made of and answers are read with.
#[cfg(feature = "client")]
pub mod http {
    pub use reqwest::{Error, RequestBuilder, Response, StatusCode, header, multipart};
}

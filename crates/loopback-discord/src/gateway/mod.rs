//! The gateway: one WebSocket a shard, over which the bot identifies, is told what happens, and joins voice channels.
//!
//! Source: <https://discord.com/developers/docs/events/gateway>.

mod connection;
mod requests;
mod sessions;

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tracing::debug;

pub(crate) use sessions::Sessions;

use crate::hub::Hub;

/// What a test can do to a gateway connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayFault {
    /// Opcode 7: go elsewhere and go on there.
    Reconnect,
    /// Opcode 9: the session is invalid; `true` if it may go on nevertheless.
    InvalidSession(bool),
    /// A close frame with this code; 4004, 4013 and 4014 are final.
    Close(u16),
    /// The socket breaks without a word.
    Cut,
    /// From now on nothing is sent, heartbeats are not acknowledged, and the socket stays open.
    Silence,
}

/// Accepts connections to the address that `/gateway/bot` names.
pub(crate) async fn listen(hub: Arc<Hub>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = hub.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let here = Arc::clone(&hub);
        hub.tasks.spawn(async move {
            if stream.set_nodelay(true).is_err() {
                return;
            }
            match here.tls.acceptor.accept(stream).await {
                Ok(stream) => serve(&here, stream).await,
                Err(e) => debug!("gateway: no TLS: {e}"),
            }
        });
    }
}

/// Carries one connection to its end.
pub(crate) async fn serve(hub: &Arc<Hub>, stream: TlsStream<TcpStream>) {
    connection::run(hub, stream).await;
}

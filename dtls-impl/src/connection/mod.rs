//! One association, client or server: the public face of the crate.

use std::sync::Arc;

use crate::config::{ClientConfig, ServerConfig};
use crate::entropy::Seed;
use crate::error::{Error, Misuse};
use crate::event::Output;
use crate::time::Instant;

/// One end of one DTLS 1.2 association.
///
/// After each call that takes `now`, call [`poll_output`](Self::poll_output) until it gives [`Output::WakeAt`] or
/// [`Output::Idle`]. `now` never goes backwards.
#[derive(Debug)]
pub struct Connection {}

impl Connection {
    /// A client, which has its first flight ready. `server_name` goes into server_name, and is what the certificate is
    /// checked for: it may be absent with PSK only.
    pub fn client(
        config: Arc<ClientConfig>,
        server_name: Option<&str>,
        seed: Seed,
        now: Instant,
    ) -> Result<Self, Error> {
        config.check()?;
        let _ = (server_name, seed, now);
        Ok(Self {})
    }

    /// A server for the peer at `peer_address`, any bytes that name it: cookies are bound to them. Until a client has
    /// shown a valid cookie nothing of it is remembered, so one such value can stand for all new peers.
    pub fn server(config: Arc<ServerConfig>, peer_address: &[u8], seed: Seed, now: Instant) -> Result<Self, Error> {
        config.check()?;
        let _ = (peer_address, seed, now);
        Ok(Self {})
    }

    /// Takes a datagram of the peer. Nothing in it can be wrong enough for an error: bad bytes are dropped with
    /// [`Event::Discarded`](crate::Event::Discarded), a bad handshake ends in [`Event::Failed`](crate::Event::Failed).
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        let _ = (now, datagram);
    }

    /// Time has come to the last [`Output::WakeAt`]; earlier calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// The next piece of output.
    pub fn poll_output(&mut self) -> Output {
        Output::Idle
    }

    /// Sends application data as one record in one datagram.
    pub fn send(&mut self, now: Instant, data: &[u8]) -> Result<(), Error> {
        let _ = (now, data);
        Err(Misuse::NotEstablished.into())
    }

    /// Ends the association with close_notify (RFC 5246 §7.2.1).
    pub fn close(&mut self, now: Instant) {
        let _ = now;
    }

    /// Fills `out` with keying material for the application (RFC 5705). An empty context differs from none.
    pub fn export_keying_material(&self, label: &[u8], context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        let _ = (label, context, out);
        Err(Misuse::NotEstablished.into())
    }
}

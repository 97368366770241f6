//! Contexts and endpoints of a plugin: each call of [`Endpoint`] is one call of the table.
//!
//! What a plugin returns is checked here and nowhere else. A plugin that breaks its contract is not called any more.

use std::ffi::{CString, c_void};
use std::net::SocketAddr;
use std::ptr::{NonNull, null};
use std::rc::Rc;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use super::abi::{self, Bytes, Table, ask, event};
use super::config::Config;
use super::library::text;
use crate::endpoint::{Ask, Endpoint, EndpointConfig, EndpointEvent, Listener, Negotiated, Session, Transmit};
use crate::time::SimTime;

/// What the host does for a context or an endpoint: one generator. On the heap, since the plugin keeps its address.
struct Host(Box<(abi::Host, ChaCha20Rng)>);

impl Host {
    fn new(entropy: [u8; 32]) -> Self {
        let host = abi::Host { size: size_of::<abi::Host>() as u32, data: std::ptr::null_mut(), random };
        let mut this = Box::new((host, ChaCha20Rng::from_seed(entropy)));
        this.0.data = (&raw mut this.1).cast();
        Self(this)
    }

    fn raw(&self) -> *const abi::Host {
        &raw const self.0.0
    }
}

/// `wt_host.random`.
unsafe extern "C" fn random(data: *mut c_void, out: *mut u8, len: usize) {
    if out.is_null() || len == 0 {
        return;
    }
    // SAFETY: `data` is the generator of a `Host` that outlives the calls of its endpoint, which are on one thread; the
    // plugin vouches for `out`.
    let (generator, out) = unsafe { (&mut *data.cast::<ChaCha20Rng>(), std::slice::from_raw_parts_mut(out, len)) };
    generator.fill_bytes(out);
}

/// What the endpoints of one host share.
struct Context {
    table: &'static Table,
    raw: NonNull<abi::Context>,
    // After `raw`: fields are dropped in this order.
    _host: Host,
}

impl Context {
    fn new(
        table: &'static Table,
        config: &EndpointConfig,
        now: SimTime,
        entropy: [u8; 32],
    ) -> Result<Rc<Self>, String> {
        let config = Config::new(config)?;
        let host = Host::new(entropy);
        let mut why = null();
        let new = table.context_new.ok_or("its table has changed")?;
        // SAFETY: configuration and host are valid during the call, and the host after it.
        let raw = unsafe { new(config.raw(), host.raw(), now.as_nanos(), &mut why) };
        match NonNull::new(raw) {
            Some(raw) => Ok(Rc::new(Self { table, raw, _host: host })),
            None => Err(text(why).unwrap_or_else(|| "made no context and does not say why".to_owned())),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(free) = self.table.context_free {
            // SAFETY: made by `context_new`, and all its endpoints are gone: each holds a count of it.
            unsafe { free(self.raw.as_ptr()) };
        }
    }
}

/// A server of a plugin: its endpoints share one context.
pub(super) struct PluginListener {
    context: Rc<Context>,
    /// For the next endpoint.
    entropy: [u8; 32],
}

impl PluginListener {
    pub(super) fn new(table: &'static Table, config: &EndpointConfig, entropy: [u8; 32]) -> Result<Self, String> {
        let context = Context::new(table, config, SimTime::ZERO, of_context(entropy))?;
        Ok(Self { context, entropy })
    }
}

impl Listener for PluginListener {
    fn accept(&mut self, now: SimTime, peer: SocketAddr) -> Result<Box<dyn Endpoint>, String> {
        let next = Sha256::digest(self.entropy).into();
        let entropy = std::mem::replace(&mut self.entropy, next);
        Ok(Box::new(PluginEndpoint::new(Rc::clone(&self.context), peer, &[], now, entropy)?))
    }
}

/// The generator of a context is not that of its first endpoint.
fn of_context(entropy: [u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(b"context").chain_update(entropy).finalize().into()
}

/// A client, with a context of its own.
pub(super) fn client(
    table: &'static Table,
    config: &EndpointConfig,
    session: Option<&Session>,
    now: SimTime,
    entropy: [u8; 32],
) -> Result<Box<dyn Endpoint>, String> {
    let session = match session {
        None => &[][..],
        Some(Session(session)) => session.downcast_ref::<Vec<u8>>().ok_or("the session is of another stack")?,
    };
    let context = Context::new(table, config, now, of_context(entropy))?;
    Ok(Box::new(PluginEndpoint::new(context, config.peer, session, now, entropy)?))
}

/// One association.
struct PluginEndpoint {
    raw: NonNull<abi::Peer>,
    // After `raw`: its drop needs the table, and frees the endpoint before context and host.
    context: Rc<Context>,
    _host: Host,
    /// How the plugin broke its contract.
    broken: Option<String>,
}

impl PluginEndpoint {
    fn new(
        context: Rc<Context>,
        peer: SocketAddr,
        session: &[u8],
        now: SimTime,
        entropy: [u8; 32],
    ) -> Result<Self, String> {
        let host = Host::new(entropy);
        let address = CString::new(peer.to_string()).map_err(|error| error.to_string())?;
        let mut why = null();
        let new = context.table.peer_new.ok_or("its table has changed")?;
        let session = if session.is_empty() { Bytes::NONE } else { Bytes::of(session) };
        // SAFETY: the context is alive as long as the endpoint holds it, and so is the host; the rest during the call.
        let raw = unsafe { new(context.raw.as_ptr(), host.raw(), address.as_ptr(), session, now.as_nanos(), &mut why) };
        match NonNull::new(raw) {
            Some(raw) => Ok(Self { raw, context, _host: host, broken: None }),
            None => Err(text(why).unwrap_or_else(|| "made no endpoint and does not say why".to_owned())),
        }
    }

    /// The table and the endpoint, as long as the plugin can be called.
    fn call(&self) -> Option<(&'static Table, *mut abi::Peer)> {
        self.broken.is_none().then(|| (self.context.table, self.raw.as_ptr()))
    }

    fn breaks(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    /// Bytes that the plugin returned.
    fn bytes(&mut self, bytes: Bytes, most: usize) -> Option<Vec<u8>> {
        if bytes.len == 0 {
            return Some(Vec::new());
        }
        if bytes.data.is_null() || bytes.len > most {
            self.breaks(format!("returned {} B where at most {most} can be", bytes.len));
            return None;
        }
        // SAFETY: the plugin vouches for pointer and length until the next call.
        Some(unsafe { std::slice::from_raw_parts(bytes.data, bytes.len) }.to_vec())
    }

    fn event(&mut self, kind: u32, body: Vec<u8>) -> Option<EndpointEvent> {
        let words = || String::from_utf8_lossy(&body).into_owned();
        Some(match kind {
            event::ESTABLISHED => EndpointEvent::Established { suite: words() },
            event::DATA => EndpointEvent::Data(body),
            event::PEER_CLOSED => EndpointEvent::PeerClosed,
            event::FAILED => EndpointEvent::Failed(words()),
            event::DISCARDED => EndpointEvent::Discarded(words()),
            event::KEY_LOG => EndpointEvent::KeyLog(words()),
            event::SEND_REFUSED => EndpointEvent::SendRefused(words()),
            event::SESSION => EndpointEvent::Session(Session(Arc::new(body))),
            event::EARLY_DATA => EndpointEvent::EarlyData(body),
            event::EARLY_ACCEPTED => EndpointEvent::EarlyDataAnswer { accepted: true },
            event::EARLY_REJECTED => EndpointEvent::EarlyDataAnswer { accepted: false },
            event::PEER_MOVED => match words().parse() {
                Ok(address) => EndpointEvent::PeerMoved(address),
                Err(_) => {
                    self.breaks(format!("says that its peer moved to {:?}, which is no address", words()));
                    return None;
                }
            },
            event::RESUMED => EndpointEvent::Negotiated(Negotiated::Resumed),
            event::CLIENT_CERTIFICATE => {
                EndpointEvent::Negotiated(Negotiated::Peer(format!("certificate {}", short_digest(&body))))
            }
            event::ALPN => EndpointEvent::Negotiated(Negotiated::Alpn(words())),
            _ => {
                self.breaks(format!("reported event {kind}, which is nothing known"));
                return None;
            }
        })
    }

    fn refusal(refusal: abi::Refusal) -> Result<(), String> {
        text(refusal).map_or(Ok(()), Err)
    }
}

/// As every stack names the certificate of a client.
fn short_digest(der: &[u8]) -> String {
    Sha256::digest(der)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Most bytes of an event: far more than any record, ticket or line holds.
const EVENT_MAX: usize = 1 << 20;

// Each `unsafe` below has the same reason: the endpoint was made by `peer_new` and is not freed yet, `broken` is `None`, and
// what is passed is valid during the call.
impl Endpoint for PluginEndpoint {
    fn start(&mut self, now: SimTime) {
        if let Some((Table { start: Some(start), .. }, peer)) = self.call() {
            // SAFETY: see above.
            unsafe { start(peer, now.as_nanos()) };
        }
    }

    fn handle_datagram(&mut self, now: SimTime, from: SocketAddr, datagram: &[u8]) {
        let Ok(from) = CString::new(from.to_string()) else { return };
        if let Some((Table { datagram: Some(take), .. }, peer)) = self.call() {
            // SAFETY: see above.
            unsafe { take(peer, now.as_nanos(), from.as_ptr(), Bytes::of(datagram)) };
        }
    }

    fn poll_transmit(&mut self, now: SimTime) -> Option<Transmit> {
        let (Table { next_datagram: Some(next), .. }, peer) = self.call()? else { return None };
        let (mut datagram, mut to) = (Bytes::NONE, null());
        // SAFETY: see above.
        let there_is = unsafe { next(peer, now.as_nanos(), &mut datagram, &mut to) };
        if there_is == 0 {
            return None;
        }
        let to = match text(to).map(|to| to.parse().map_err(|_| to)) {
            None => None,
            Some(Ok(to)) => Some(to),
            Some(Err(to)) => {
                self.breaks(format!("sends to {to:?}, which is no address"));
                return None;
            }
        };
        let bytes = self.bytes(datagram, abi::DATAGRAM_MAX)?;
        Some(Transmit { to, bytes })
    }

    fn poll_timeout(&mut self, now: SimTime) -> Option<SimTime> {
        let (Table { deadline: Some(deadline), .. }, peer) = self.call()? else { return None };
        // SAFETY: see above.
        let at = unsafe { deadline(peer, now.as_nanos()) };
        (at != abi::NEVER).then(|| SimTime::from_nanos(at))
    }

    fn handle_timeout(&mut self, now: SimTime) {
        if let Some((Table { timeout: Some(timeout), .. }, peer)) = self.call() {
            // SAFETY: see above.
            unsafe { timeout(peer, now.as_nanos()) };
        }
    }

    fn poll_event(&mut self) -> Option<EndpointEvent> {
        let (Table { next_event: Some(next), .. }, peer) = self.call()? else { return None };
        let mut event = abi::Event { kind: 0, body: Bytes::NONE };
        // SAFETY: see above.
        let there_is = unsafe { next(peer, &mut event) };
        if there_is == 0 {
            return None;
        }
        let body = self.bytes(event.body, EVENT_MAX)?;
        self.event(event.kind, body)
    }

    fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    fn send(&mut self, now: SimTime, data: &[u8]) {
        if let Some((Table { send: Some(send), .. }, peer)) = self.call() {
            // SAFETY: see above.
            unsafe { send(peer, now.as_nanos(), Bytes::of(data)) };
        }
    }

    fn close(&mut self, now: SimTime) {
        if let Some((Table { close: Some(close), .. }, peer)) = self.call() {
            // SAFETY: see above.
            unsafe { close(peer, now.as_nanos()) };
        }
    }

    fn owns(&self, datagram: &[u8]) -> bool {
        match self.call() {
            // SAFETY: see above.
            Some((Table { owns: Some(owns), .. }, peer)) => unsafe { owns(peer, Bytes::of(datagram)) != 0 },
            _ => false,
        }
    }

    fn send_early(&mut self, now: SimTime, data: &[u8]) -> Result<(), String> {
        match self.call() {
            Some((Table { send_early: Some(send), .. }, peer)) => {
                // SAFETY: see above.
                Self::refusal(unsafe { send(peer, now.as_nanos(), Bytes::of(data)) })
            }
            _ => Err("sends no early data".to_owned()),
        }
    }

    fn ask(&mut self, now: SimTime, asked: Ask) -> Result<(), String> {
        let Some((Table { ask: Some(call), .. }, peer)) = self.call() else { return Err(format!("cannot {asked}")) };
        let (what, argument) = match asked {
            Ask::UpdateKeys { request_peer } => (ask::UPDATE_KEYS, u32::from(request_peer)),
            Ask::RequestConnectionIds(count) => (ask::REQUEST_CONNECTION_IDS, count.into()),
            Ask::NewConnectionIds(count) => (ask::NEW_CONNECTION_IDS, count.into()),
            Ask::ReplaceConnectionIds(count) => (ask::REPLACE_CONNECTION_IDS, count.into()),
        };
        // SAFETY: see above.
        Self::refusal(unsafe { call(peer, now.as_nanos(), what, argument) })
    }
}

impl Drop for PluginEndpoint {
    fn drop(&mut self) {
        if let Some(free) = self.context.table.peer_free {
            // SAFETY: made by `peer_new`, freed once, before its context and its host.
            unsafe { free(self.raw.as_ptr()) };
        }
    }
}

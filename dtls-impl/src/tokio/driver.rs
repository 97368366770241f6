//! The task that owns a socket: feeds its connections with datagrams, time and what applications ask for, and carries
//! out what they say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use ::tokio::sync::{mpsc, oneshot};
use ::tokio::time::sleep_until;

use super::Error;
use super::directory::Directory;
use super::listener::Limits;
use super::socket::Socket;
use super::stream::{Received, Stream};
use super::system::{Clock, seed};
use crate::{Connection, Event, Instant, Negotiated, Output, ServerConfig};

/// Largest datagram that UDP carries.
const DATAGRAM_LEN_MAX: usize = 65_535;

/// Servers that hold pieces of a ClientHello. The oldest makes room.
const PIECES_MAX: usize = 64;

/// Room that data leaves in an application's queue: for a session, and for how the connection ended.
const RESERVED: usize = 2;

/// What an application wants of a connection.
#[derive(Debug)]
pub(super) enum Command {
    Send(Vec<u8>),
    UpdateKeys { request_peer: bool },
    Export { label: Vec<u8>, context: Option<Vec<u8>>, len: usize },
    Close,
}

/// What comes of a command.
#[derive(Debug)]
pub(super) enum Outcome {
    Done,
    Exported(Vec<u8>),
}

pub(super) type Answer = oneshot::Sender<Result<Outcome, Error>>;
pub(super) type Request = (u64, Command, Answer);

/// One connection, and the way to its application.
struct Slot {
    connection: Connection,
    peer: SocketAddr,
    /// Those the directory knows.
    connection_ids: Vec<Vec<u8>>,
    received: mpsc::Sender<Received>,
    /// The other end of `received`, until there is a stream.
    unclaimed: Option<mpsc::Receiver<Received>>,
    /// Who waits for the handshake of a client.
    waiting: Option<oneshot::Sender<Result<Stream, Error>>>,
    wake: Option<Instant>,
    ended: bool,
}

/// What a server has.
pub(super) struct Serving {
    pub(super) config: Arc<ServerConfig>,
    pub(super) limits: Limits,
    pub(super) accepted: mpsc::Sender<Stream>,
}

pub(super) struct Driver {
    socket: Arc<dyn Socket>,
    clock: Clock,
    slots: BTreeMap<u64, Slot>,
    directory: Directory,
    /// Servers that hold pieces of a hello, oldest first.
    pieces: VecDeque<(SocketAddr, Connection)>,
    next_id: u64,
    /// When connections want to be called.
    timers: BTreeSet<(Instant, u64)>,
    /// Unbounded, as each asker waits for its answer.
    requests: mpsc::UnboundedReceiver<Request>,
    /// For new streams. Weak, so that the task ends when nobody is left to ask.
    requester: mpsc::WeakUnboundedSender<Request>,
    serving: Option<Serving>,
    queue: usize,
}

impl Driver {
    /// `connection_id_len` is that of every connection's.
    pub(super) fn new(
        socket: Arc<dyn Socket>,
        connection_id_len: Option<usize>,
        clock: Clock,
        (requester, requests): (mpsc::WeakUnboundedSender<Request>, mpsc::UnboundedReceiver<Request>),
        serving: Option<Serving>,
    ) -> Self {
        let queue = serving.as_ref().map_or(Limits::default().queue, |serving| serving.limits.queue);
        let directory = Directory::new(connection_id_len);
        let (slots, timers, pieces) = (BTreeMap::new(), BTreeSet::new(), VecDeque::new());
        Self { socket, clock, slots, directory, pieces, next_id: 0, timers, requests, requester, serving, queue }
    }

    /// Takes in a client that has its first flight ready.
    pub(super) fn add_client(
        &mut self,
        mut connection: Connection,
        peer: SocketAddr,
        waiting: oneshot::Sender<Result<Stream, Error>>,
    ) {
        connection.set_peer_address(&name(peer));
        self.add(connection, peer, Some(waiting));
    }

    fn add(
        &mut self,
        connection: Connection,
        peer: SocketAddr,
        waiting: Option<oneshot::Sender<Result<Stream, Error>>>,
    ) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let (received, unclaimed) = mpsc::channel(self.queue + RESERVED);
        let unclaimed = Some(unclaimed);
        self.slots.insert(
            id,
            Slot {
                connection,
                peer,
                connection_ids: Vec::new(),
                received,
                unclaimed,
                waiting,
                wake: None,
                ended: false,
            },
        );
        self.directory.set_address(id, None, peer);
        id
    }

    /// Runs until no handle is left, or the socket fails.
    pub(super) async fn run(mut self) {
        let ids: Vec<_> = self.slots.keys().copied().collect();
        for id in ids {
            self.drain(id).await;
        }
        let mut buffer = vec![0; DATAGRAM_LEN_MAX];
        loop {
            let wake = self.timers.first().map(|(at, _)| *at);
            let clock = self.clock;
            let timer = async {
                match wake {
                    Some(at) => sleep_until(clock.at(at)).await,
                    None => core::future::pending().await,
                }
            };
            ::tokio::select! {
                arrived = self.socket.recv_from(&mut buffer) => match arrived {
                    Ok((len, from)) => self.on_datagram(&buffer[..len], from).await,
                    // What ICMP says of an earlier datagram is for timers to find out.
                    Err(_) => ::tokio::task::yield_now().await,
                },
                request = self.requests.recv() => match request {
                    Some((id, command, answer)) => self.on_request(id, command, answer).await,
                    None => return self.close_all().await,
                },
                () = timer => self.on_timer().await,
            }
        }
    }

    async fn on_datagram(&mut self, datagram: &[u8], from: SocketAddr) {
        let now = self.clock.now();
        if let Some(id) = self.directory.find(from, datagram) {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.connection.handle_datagram_from(now, &name(from), datagram);
            }
            return self.drain(id).await;
        }
        self.on_stranger(now, datagram, from).await;
    }

    /// A datagram of nobody we know: a ClientHello, or a piece of one, or junk.
    async fn on_stranger(&mut self, now: Instant, datagram: &[u8], from: SocketAddr) {
        let Some(serving) = &self.serving else { return };
        if self.slots.len() >= serving.limits.connections || serving.accepted.is_closed() {
            return;
        }
        // It may go with pieces that are here.
        let known = self.pieces.iter().position(|(address, _)| *address == from);
        let connection = match known.and_then(|at| self.pieces.remove(at)) {
            Some((_, connection)) => Ok(connection),
            None => seed()
                .map_err(Error::from)
                .and_then(|seed| Ok(Connection::server(Arc::clone(&serving.config), &name(from), seed, now)?)),
        };
        let Ok(mut connection) = connection else { return };
        connection.handle_datagram(now, datagram);
        if !connection.is_listening() {
            let id = self.add(connection, from, None);
            return self.drain(id).await;
        }
        // Whoever takes in a piece says nothing. After an answer, or junk, there is nothing to keep.
        let mut silent = true;
        while let Some(answer) = say(&mut connection) {
            silent = false;
            self.send(answer, from).await;
        }
        if silent {
            if self.pieces.len() == PIECES_MAX {
                self.pieces.pop_front();
            }
            self.pieces.push_back((from, connection));
        }
    }

    async fn on_timer(&mut self) {
        let now = self.clock.now();
        let due: Vec<_> = self.timers.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect();
        for id in due {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.connection.handle_timeout(now);
            }
            self.drain(id).await;
        }
    }

    async fn on_request(&mut self, id: u64, command: Command, answer: Answer) {
        let now = self.clock.now();
        let Some(slot) = self.slots.get_mut(&id) else {
            let _ = answer.send(Err(Error::Closed));
            return;
        };
        let done = match command {
            Command::Send(data) => slot.connection.send(now, &data).map(|()| Outcome::Done),
            Command::UpdateKeys { request_peer } => {
                slot.connection.update_keys(now, request_peer).map(|()| Outcome::Done)
            }
            Command::Export { label, context, len } => {
                let mut out = vec![0; len];
                let made = slot.connection.export_keying_material(&label, context.as_deref(), &mut out);
                made.map(|()| Outcome::Exported(out))
            }
            Command::Close => {
                slot.connection.close(now);
                slot.ended = true;
                Ok(Outcome::Done)
            }
        };
        let _ = answer.send(done.map_err(Error::from));
        self.drain(id).await;
    }

    /// Carries out all that a connection has to say.
    async fn drain(&mut self, id: u64) {
        let mut next = Some(id);
        while let Some(id) = next {
            next = self.drain_one(id).await;
        }
    }

    /// Carries out what a connection has to say, and gives the number it goes on under if its client began anew.
    async fn drain_one(&mut self, id: u64) -> Option<u64> {
        let slot = self.slots.get_mut(&id)?;
        let wake = loop {
            match slot.connection.poll_output() {
                // Lost like any other if it cannot be sent.
                Output::Datagram(datagram) => drop(self.socket.send_to(&datagram, slot.peer).await),
                Output::Event(Event::Established { .. }) => {
                    let negotiated = slot.connection.negotiated();
                    let stream = new_stream(id, slot.peer, &mut slot.unclaimed, negotiated, &self.requester);
                    let Some(stream) = stream else { continue };
                    // A stream that nobody takes closes its connection.
                    match (slot.waiting.take(), &self.serving) {
                        (Some(waiting), _) => drop(waiting.send(Ok(stream))),
                        (None, Some(serving)) => drop(serving.accepted.try_send(stream)),
                        (None, None) => drop(stream),
                    }
                }
                Output::DatagramTo { address, datagram } => {
                    if let Some(address) = address_of(&address) {
                        let _ = self.socket.send_to(&datagram, address).await;
                    }
                }
                Output::Event(Event::PeerMoved { address }) => {
                    if let Some(address) = address_of(&address) {
                        self.directory.set_address(id, Some(slot.peer), address);
                        slot.peer = address;
                    }
                }
                Output::Event(Event::ConnectionIds) => {
                    let now = slot.connection.connection_ids().into_iter().map(<[u8]>::to_vec).collect();
                    self.directory.set_connection_ids(id, &mut slot.connection_ids, now);
                }
                Output::Event(Event::Restarted) => return self.restart(id),
                Output::Event(event) => slot.on_event(event),
                Output::WakeAt(at) => break Some(at),
                Output::Idle => break None,
            }
        };
        let wake = wake.filter(|_| !slot.ended);
        if slot.wake != wake {
            let before = std::mem::replace(&mut slot.wake, wake);
            before.map(|at| self.timers.remove(&(at, id)));
            wake.map(|at| self.timers.insert((at, id)));
        }
        if slot.ended {
            self.remove(id);
        }
        None
    }

    fn remove(&mut self, id: u64) -> Option<Slot> {
        let slot = self.slots.remove(&id)?;
        slot.wake.map(|at| self.timers.remove(&(at, id)));
        self.directory.remove(id, slot.peer, slot.connection_ids.clone());
        Some(slot)
    }

    /// The client is another now, or has at least forgotten all: a stream of its own is to be accepted for it, and the one
    /// before ends.
    fn restart(&mut self, id: u64) -> Option<u64> {
        let Slot { connection, peer, received, .. } = self.remove(id)?;
        drop(received.try_send(Received::Restarted));
        Some(self.add(connection, peer, None))
    }

    async fn send(&self, datagram: Vec<u8>, to: SocketAddr) {
        if !datagram.is_empty() {
            let _ = self.socket.send_to(&datagram, to).await;
        }
    }

    /// Nobody is left to ask: says goodbye.
    async fn close_all(&mut self) {
        let now = self.clock.now();
        let ids: Vec<_> = self.slots.keys().copied().collect();
        for id in ids {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.connection.close(now);
                slot.ended = true;
            }
            self.drain(id).await;
        }
    }
}

impl Slot {
    fn on_event(&mut self, event: Event) {
        let received = match event {
            // A full queue loses data, as any step on the way may.
            Event::Data(data) if self.received.capacity() > RESERVED => Received::Data(data),
            Event::Session(session) if self.received.capacity() > 1 => Received::Session(session),
            Event::PeerClosed => {
                self.ended = true;
                Received::Closed
            }
            Event::Failed(error) => {
                self.ended = true;
                match self.waiting.take() {
                    Some(waiting) => return drop(waiting.send(Err(error.into()))),
                    None => Received::Failed(error),
                }
            }
            _ => return,
        };
        drop(self.received.try_send(received));
    }
}

/// An address as connections know it.
fn name(address: SocketAddr) -> Vec<u8> {
    address.to_string().into_bytes()
}

/// The way back.
fn address_of(name: &[u8]) -> Option<SocketAddr> {
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// What a server without state has to say: a datagram, or an empty one for an event.
fn say(connection: &mut Connection) -> Option<Vec<u8>> {
    match connection.poll_output() {
        Output::Datagram(answer) => Some(answer),
        Output::DatagramTo { .. } | Output::Event(_) => Some(Vec::new()),
        Output::WakeAt(_) | Output::Idle => None,
    }
}

fn new_stream(
    id: u64,
    peer: SocketAddr,
    unclaimed: &mut Option<mpsc::Receiver<Received>>,
    negotiated: Option<Negotiated>,
    requester: &mpsc::WeakUnboundedSender<Request>,
) -> Option<Stream> {
    Some(Stream::new(id, peer, negotiated?, unclaimed.take()?, requester.upgrade()?))
}

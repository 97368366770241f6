//! The task that owns a socket: feeds its connections with datagrams, time and what applications ask for, and carries
//! out what they say.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use ::tokio::net::UdpSocket;
use ::tokio::sync::{mpsc, oneshot};
use ::tokio::time::sleep_until;

use super::Error;
use super::listener::Limits;
use super::stream::{Received, Stream};
use super::system::{Clock, seed};
use crate::{Connection, Event, Instant, Negotiated, Output, ServerConfig};

/// Largest datagram that UDP carries.
const DATAGRAM_LEN_MAX: usize = 65_535;

/// Listening connections that may hold pieces of a ClientHello. The oldest makes room.
const PIECES_MAX: usize = 64;

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
    socket: Arc<UdpSocket>,
    clock: Clock,
    slots: BTreeMap<u64, Slot>,
    by_address: BTreeMap<SocketAddr, u64>,
    /// Servers that may hold pieces of a hello, oldest first.
    pieces: VecDeque<(SocketAddr, Connection)>,
    next_id: u64,
    requests: mpsc::Receiver<Request>,
    /// For new streams. Weak, so that the task ends when nobody is left to ask.
    requester: mpsc::WeakSender<Request>,
    serving: Option<Serving>,
    queue: usize,
}

impl Driver {
    pub(super) fn new(
        socket: Arc<UdpSocket>,
        clock: Clock,
        (requester, requests): (mpsc::WeakSender<Request>, mpsc::Receiver<Request>),
        serving: Option<Serving>,
    ) -> Self {
        let queue = serving.as_ref().map_or(Limits::default().queue, |serving| serving.limits.queue);
        let (slots, by_address, pieces) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Self { socket, clock, slots, by_address, pieces, next_id: 0, requests, requester, serving, queue }
    }

    /// Takes in a client that has its first flight ready.
    pub(super) fn add_client(
        &mut self,
        connection: Connection,
        peer: SocketAddr,
        waiting: oneshot::Sender<Result<Stream, Error>>,
    ) {
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
        let (received, unclaimed) = mpsc::channel(self.queue);
        let unclaimed = Some(unclaimed);
        self.slots.insert(id, Slot { connection, peer, received, unclaimed, waiting, wake: None, ended: false });
        self.by_address.insert(peer, id);
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
            let wake = self.slots.values().filter_map(|slot| slot.wake).min();
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
        if let Some(id) = self.by_address.get(&from).copied() {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.connection.handle_datagram(now, datagram);
            }
            return self.drain(id).await;
        }
        let Some(serving) = &self.serving else { return };
        // A server without state; it may be one that has got a piece of this hello.
        let known = self.pieces.iter().position(|(address, _)| *address == from);
        let connection = match known.and_then(|at| self.pieces.remove(at)) {
            Some((_, connection)) => Ok(connection),
            None => seed().map_err(Error::from).and_then(|seed| {
                let address = from.to_string();
                Ok(Connection::server(Arc::clone(&serving.config), address.as_bytes(), seed, now)?)
            }),
        };
        let Ok(mut connection) = connection else { return };
        connection.handle_datagram(now, datagram);
        if !connection.is_listening() {
            if self.slots.len() >= serving.limits.connections {
                return;
            }
            let id = self.add(connection, from, None);
            return self.drain(id).await;
        }
        while let Output::Datagram(_) | Output::Event(_) = {
            let output = connection.poll_output();
            if let Output::Datagram(answer) = &output {
                let _ = self.socket.send_to(answer, from).await;
            }
            output
        } {}
        if self.pieces.len() == PIECES_MAX {
            self.pieces.pop_front();
        }
        self.pieces.push_back((from, connection));
    }

    async fn on_timer(&mut self) {
        let now = self.clock.now();
        let due: Vec<_> = self.slots.iter().filter(|(_, slot)| slot.wake.is_some_and(|at| at <= now)).collect();
        let due: Vec<_> = due.into_iter().map(|(id, _)| *id).collect();
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
        let Some(slot) = self.slots.get_mut(&id) else { return };
        loop {
            match slot.connection.poll_output() {
                Output::Datagram(datagram) => {
                    // Lost like any other.
                    let _ = self.socket.send_to(&datagram, slot.peer).await;
                }
                Output::Event(event) => {
                    let (received, negotiated) = (&slot.received, slot.connection.negotiated());
                    match event {
                        Event::Established { .. } => {
                            let stream = new_stream(id, slot.peer, &mut slot.unclaimed, negotiated, &self.requester);
                            let Some(stream) = stream else { continue };
                            match (slot.waiting.take(), &self.serving) {
                                (Some(waiting), _) => slot.ended |= waiting.send(Ok(stream)).is_err(),
                                // An application that does not accept has no room for more.
                                (None, Some(serving)) => slot.ended |= serving.accepted.try_send(stream).is_err(),
                                (None, None) => slot.ended = true,
                            }
                        }
                        // Full queues lose data, as any step on the way may.
                        Event::Data(data) => drop(received.try_send(Received::Data(data))),
                        Event::Session(session) => drop(received.try_send(Received::Session(session))),
                        Event::PeerClosed => {
                            drop(received.try_send(Received::Closed));
                            slot.ended = true;
                        }
                        Event::Failed(error) => {
                            match slot.waiting.take() {
                                Some(waiting) => drop(waiting.send(Err(error.into()))),
                                None => drop(received.try_send(Received::Failed(error))),
                            }
                            slot.ended = true;
                        }
                        _ => {}
                    }
                }
                Output::WakeAt(at) => {
                    slot.wake = Some(at);
                    break;
                }
                Output::Idle => {
                    slot.wake = None;
                    break;
                }
            }
        }
        let abandoned = slot.unclaimed.is_none() && slot.received.is_closed();
        if abandoned && !slot.ended {
            slot.connection.close(self.clock.now());
            while let Output::Datagram(_) | Output::Event(_) = {
                let output = slot.connection.poll_output();
                if let Output::Datagram(datagram) = &output {
                    let _ = self.socket.send_to(datagram, slot.peer).await;
                }
                output
            } {}
        }
        if abandoned || slot.ended {
            let peer = slot.peer;
            self.slots.remove(&id);
            self.by_address.remove(&peer);
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

fn new_stream(
    id: u64,
    peer: SocketAddr,
    unclaimed: &mut Option<mpsc::Receiver<Received>>,
    negotiated: Option<Negotiated>,
    requester: &mpsc::WeakSender<Request>,
) -> Option<Stream> {
    Some(Stream::new(id, peer, negotiated?, unclaimed.take()?, requester.upgrade()?))
}

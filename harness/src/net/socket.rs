//! A UDP socket on the simulated network, for tokio tasks.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::ReadBuf;

use crate::endpoint::Transmit;

/// Datagrams between the tasks and the simulation.
#[derive(Debug, Default)]
pub(super) struct Wire {
    arrived: VecDeque<(SocketAddr, Vec<u8>)>,
    pub(super) sent: VecDeque<Transmit>,
    readers: Vec<Waker>,
}

/// A socket as [`tokio::net::UdpSocket`] is one, on the simulated network. Clones are the same socket.
///
/// Sending never waits. What arrives waits until it is read.
#[derive(Clone, Debug)]
pub struct UdpSocket {
    local: SocketAddr,
    /// The only peer, once connected.
    peer: Option<SocketAddr>,
    wire: Arc<Mutex<Wire>>,
}

impl UdpSocket {
    pub(super) fn new(local: SocketAddr) -> Self {
        Self { local, peer: None, wire: Arc::default() }
    }

    pub(super) fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A datagram arrives.
    pub(super) fn deliver(&self, from: SocketAddr, datagram: &[u8]) {
        let mut wire = self.wire();
        wire.arrived.push_back((from, datagram.to_vec()));
        wire.readers.drain(..).for_each(Waker::wake);
    }

    /// Its own address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    /// Where [`send`](Self::send) sends to.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The same socket with one peer: [`recv`](Self::recv) drops what others send.
    #[must_use]
    pub fn connected(&self, peer: SocketAddr) -> Self {
        Self { peer: Some(peer), ..self.clone() }
    }

    /// The next datagram, cut to the buffer, and where it came from.
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<SocketAddr>> {
        let mut wire = self.wire();
        while let Some((from, datagram)) = wire.arrived.pop_front() {
            if self.peer.is_none_or(|peer| peer == from) {
                let len = datagram.len().min(buffer.remaining());
                buffer.put_slice(&datagram[..len]);
                return Poll::Ready(Ok(from));
            }
        }
        wire.readers.push(cx.waker().clone());
        Poll::Pending
    }

    /// The next datagram, cut to the buffer, and where it came from.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut buffer = ReadBuf::new(buffer);
        let from = poll_fn(|cx| self.poll_recv_from(cx, &mut buffer)).await?;
        Ok((buffer.filled().len(), from))
    }

    /// The next datagram of the connected peer, cut to the buffer.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.peer_addr()?;
        Ok(self.recv_from(buffer).await?.0)
    }

    /// Sends one datagram.
    pub fn try_send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.wire().sent.push_back(Transmit { to: Some(to), bytes: datagram.to_vec() });
        Ok(datagram.len())
    }

    /// Sends one datagram.
    pub async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.try_send_to(datagram, to)
    }

    /// Sends one datagram to the connected peer.
    pub async fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        self.try_send_to(datagram, self.peer_addr()?)
    }
}

impl dtls_impl::tokio::Socket for UdpSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn poll_recv_from(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<SocketAddr>> {
        self.poll_recv_from(cx, buffer)
    }

    fn poll_send_to(&self, _cx: &mut Context<'_>, datagram: &[u8], to: SocketAddr) -> Poll<io::Result<usize>> {
        Poll::Ready(self.try_send_to(datagram, to))
    }
}

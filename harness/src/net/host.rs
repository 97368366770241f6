//! A host that runs an async application under tokio's paused clock, as an endpoint of the simulation.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::Instant;

use super::UdpSocket;
use crate::endpoint::{Endpoint, EndpointEvent, Transmit};
use crate::time::SimTime;

/// The step of tokio's timers.
const TICK: Duration = Duration::from_millis(1);

/// Turns that each task gets at one instant: more than any chain of tasks that wake one another is long.
const TURNS: usize = 64;

/// What the simulation wants of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// To send this.
    Send(Vec<u8>),
    /// To close.
    Close,
}

/// The application's side: what it is told, and what it tells.
#[derive(Debug)]
pub struct Application {
    commands: mpsc::UnboundedReceiver<Command>,
    events: Arc<Mutex<VecDeque<EndpointEvent>>>,
}

impl Application {
    /// The next command; `None` once the simulation has ended. May be cancelled without loss.
    pub async fn command(&mut self) -> Option<Command> {
        self.commands.recv().await
    }

    /// Tells the simulation what happened.
    pub fn report(&self, event: EndpointEvent) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    }
}

/// One host with one socket and one application on a runtime of its own.
pub struct AsyncHost<F> {
    runtime: Runtime,
    /// tokio's time at virtual time zero.
    origin: Instant,
    socket: UdpSocket,
    commands: mpsc::UnboundedSender<Command>,
    events: Arc<Mutex<VecDeque<EndpointEvent>>>,
    /// Until it starts.
    waiting: Option<F>,
    task: Option<JoinHandle<()>>,
}

impl<F, R> AsyncHost<F>
where
    F: FnOnce(UdpSocket, Application) -> R,
    R: Future<Output = ()> + Send + 'static,
{
    /// A host at an address at a time. The application begins when the simulation starts the endpoint, or with the first
    /// datagram.
    pub fn new(local: SocketAddr, now: SimTime, application: F) -> Result<Self, String> {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        let origin = runtime.block_on(async { Instant::now() });
        let (commands, _) = mpsc::unbounded_channel();
        let mut host = Self {
            runtime,
            origin,
            socket: UdpSocket::new(local),
            commands,
            events: Arc::default(),
            waiting: Some(application),
            task: None,
        };
        host.go_to(now);
        Ok(host)
    }

    fn launch(&mut self) {
        let Some(application) = self.waiting.take() else { return };
        let (commands, receiver) = mpsc::unbounded_channel();
        self.commands = commands;
        let side = Application { commands: receiver, events: Arc::clone(&self.events) };
        self.task = Some(self.runtime.spawn(application(self.socket.clone(), side)));
    }

    /// Lets all tasks run at this instant until they have nothing to do, first those whose timers are due.
    fn go_to(&mut self, now: SimTime) {
        let at = self.origin + Duration::from_nanos(now.as_nanos());
        self.runtime.block_on(async {
            // The future here is always ready again, so the runtime never comes to rest and never moves its clock itself.
            tokio::time::advance(at.saturating_duration_since(Instant::now())).await;
            for _ in 0..TURNS {
                yield_now().await;
            }
        });
    }
}

impl<F, R> Endpoint for AsyncHost<F>
where
    F: FnOnce(UdpSocket, Application) -> R,
    R: Future<Output = ()> + Send + 'static,
{
    fn start(&mut self, now: SimTime) {
        self.launch();
        self.go_to(now);
    }

    fn handle_datagram(&mut self, now: SimTime, from: SocketAddr, datagram: &[u8]) {
        self.launch();
        self.socket.deliver(from, datagram);
        self.go_to(now);
    }

    fn poll_transmit(&mut self, _now: SimTime) -> Option<Transmit> {
        self.socket.wire().sent.pop_front()
    }

    fn poll_timeout(&mut self, now: SimTime) -> Option<SimTime> {
        // On tokio's own steps: a timer fires in the first one at or after its deadline.
        let next = SimTime::from_nanos((now + TICK).as_nanos() / TICK_NANOS * TICK_NANOS);
        self.task.as_ref().is_some_and(|task| !task.is_finished()).then_some(next)
    }

    fn handle_timeout(&mut self, now: SimTime) {
        self.go_to(now);
    }

    fn poll_event(&mut self) -> Option<EndpointEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn send(&mut self, now: SimTime, data: &[u8]) {
        // An application that is gone has said so.
        let _ = self.commands.send(Command::Send(data.to_vec()));
        self.go_to(now);
    }

    fn close(&mut self, now: SimTime) {
        let _ = self.commands.send(Command::Close);
        self.go_to(now);
    }
}

const TICK_NANOS: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    /// Sends a datagram after a time that is given to it, and again after each answer.
    fn ping(socket: UdpSocket, application: Application, wait: Duration) -> impl Future<Output = ()> + Send + 'static {
        async move {
            let socket = socket.connected(address(2));
            let mut buffer = [0; 64];
            loop {
                tokio::time::sleep(wait).await;
                let _ = socket.send(b"ping").await;
                let answer = tokio::time::timeout(Duration::from_secs(2), socket.recv(&mut buffer)).await;
                application.report(EndpointEvent::Discarded(format!("{:?}", answer.is_ok())));
                if answer.is_err() {
                    return;
                }
            }
        }
    }

    /// Calls the host whenever it wants until a time.
    fn run(host: &mut impl Endpoint, from: SimTime, until: SimTime) -> Vec<SimTime> {
        let (mut sent, mut now) = (Vec::new(), from);
        while let Some(next) = host.poll_timeout(now).filter(|next| *next <= until) {
            now = next;
            host.handle_timeout(now);
            while host.poll_transmit(now).is_some() {
                sent.push(now);
            }
        }
        sent
    }

    fn at(millis: u64) -> SimTime {
        SimTime::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn timers_are_those_of_virtual_time() {
        let wait = Duration::from_millis(250);
        let mut host = AsyncHost::new(address(1), SimTime::ZERO, |socket, side| ping(socket, side, wait)).unwrap();
        host.start(SimTime::ZERO);
        assert_eq!(run(&mut host, SimTime::ZERO, at(1000)), [at(250)]);
        // An hour of nothing but this answer passes at once, and the next ping follows it.
        host.handle_datagram(at(1500), address(3), b"from a stranger");
        assert_eq!(host.poll_event(), None);
        host.handle_datagram(at(1600), address(2), b"pong");
        assert_eq!(host.poll_event(), Some(EndpointEvent::Discarded("true".to_owned())));
        assert_eq!(run(&mut host, at(1600), at(10_000)), [at(1850)]);
        assert_eq!(host.poll_event(), Some(EndpointEvent::Discarded("false".to_owned())));
        // The application is over, and wants nothing any more.
        assert_eq!(host.poll_timeout(at(10_000)), None);
    }
}

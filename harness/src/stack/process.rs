//! Adapter for programs that exist as a binary alone: `openssl s_server` and the like, over loopback, in real time.
//!
//! The simulation stays what it is. This endpoint asks to be called every [`TICK`] of virtual time, and lets no tick pass
//! before the same wall time has: so virtual time keeps pace with the program. What it sends between two ticks enters the
//! network at the second. Such runs repeat in no respect, and are labelled `wall-clock`.
//!
//! A program says nothing of its handshake. It counts as established once records of the epochs of application data have
//! gone both ways. Its standard output is what its application receives, its standard input what it sends.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::options::features_refused;
use super::{Determinism, Stack};
use crate::endpoint::{
    ClientAuth, Credentials, Dtls, Endpoint, EndpointConfig, EndpointEvent, Listener, MTU_DEFAULT, Role, Session,
    Transmit,
};
use crate::pki;
use crate::time::SimTime;

/// How often the program's socket is looked at.
const TICK: Duration = Duration::from_millis(1);
/// Without a datagram in either direction for so long, the program is left alone: no run waits for ever.
const IDLE: Duration = Duration::from_secs(10);
/// A server has so long to open its port.
const START: Duration = Duration::from_secs(5);

/// A program and its arguments, with words that are replaced.
pub(super) struct Process {
    name: &'static str,
    about: &'static str,
    words: Vec<String>,
}

impl Process {
    /// Words in a command, and what they become.
    pub(super) const WORDS: &str = "{port} (to listen at, or to connect to on 127.0.0.1), {cert}, {key} and {ca} (PEM files), \
                             {psk} (hex), {identity}, {name} (of the server), {mtu}";

    /// A stack from a command line, split at spaces.
    pub(super) fn new(command: &str) -> Result<Self, String> {
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let program = words.first().ok_or("no program is named")?;
        if !command.contains("{port}") {
            return Err(format!("the command has no place for the port; there are {}", Self::WORDS));
        }
        let stem = std::path::Path::new(program).file_stem().unwrap_or_default().to_string_lossy();
        // Once for each command line of a process.
        let (name, about) = (format!("exec-{stem}").leak(), format!("the program `{command}`").leak());
        Ok(Self { name, about, words })
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|given| given.contains(word))
    }
}

impl Stack for Process {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> &'static str {
        "-"
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn determinism(&self) -> Determinism {
        Determinism::WallClock
    }

    fn unsupported(&self, config: &EndpointConfig) -> Option<String> {
        if let Some(reason) = features_refused(config, &["client authentication"]) {
            return Some(reason);
        }
        let shows = config.role == Role::Server || config.features.client_certificate.is_some();
        let asks = config.role == Role::Client || config.features.client_auth != ClientAuth::None;
        let needed = match config.credentials {
            Credentials::Psk { .. } => vec!["{psk}"],
            Credentials::Certificate(_) => [("{cert}", shows), ("{key}", shows), ("{ca}", asks)]
                .iter()
                .filter(|(_, is)| *is)
                .map(|(word, _)| *word)
                .collect(),
        };
        let mtu = if config.mtu == MTU_DEFAULT { None } else { Some("{mtu}") };
        if let Some(word) = needed.into_iter().chain(mtu).find(|word| !self.has(word)) {
            return Some(format!("its command has no {word}"));
        }
        if matches!(config.credentials, Credentials::Certificate(_)) && self.has("{psk}") {
            return Some("its command asks for a pre-shared key".to_owned());
        }
        let has_more = !config.suites.is_empty() || !config.groups.is_empty();
        let has_timers = config.timer_initial.or(config.timer_max).or(config.give_up).is_some();
        (has_more || has_timers).then(|| "what its command does not say, a scenario cannot".to_owned())
    }

    fn client(
        &self,
        config: &EndpointConfig,
        _session: Option<&Session>,
        now: SimTime,
        _entropy: [u8; 32],
    ) -> Result<Box<dyn Endpoint>, String> {
        Ok(Box::new(ProcessEndpoint::new(&self.words, config, now)?))
    }

    fn listen(&self, config: &EndpointConfig, _entropy: [u8; 32]) -> Result<Box<dyn Listener>, String> {
        Ok(Box::new(ProcessListener { words: self.words.clone(), config: config.clone() }))
    }
}

/// Each association has a program of its own.
struct ProcessListener {
    words: Vec<String>,
    config: EndpointConfig,
}

impl Listener for ProcessListener {
    fn accept(&mut self, now: SimTime, _peer: SocketAddr) -> Result<Box<dyn Endpoint>, String> {
        let mut endpoint = ProcessEndpoint::new(&self.words, &self.config, now)?;
        endpoint.spawn()?;
        Ok(Box::new(endpoint))
    }
}

/// One program, and the socket that stands for the network.
struct ProcessEndpoint {
    config: EndpointConfig,
    words: Vec<String>,
    /// Credentials as files, as long as the program may read them.
    _files: tempfile::TempDir,
    socket: UdpSocket,
    /// The program's address: a server's from the beginning, a client's from its first datagram.
    program: Option<SocketAddr>,
    child: Option<Child>,
    stdin: Option<ChildStdin>,
    output: Option<Receiver<Vec<u8>>>,
    /// What wall time was at virtual time zero.
    origin: Instant,
    now: SimTime,
    last_datagram: SimTime,
    datagrams: VecDeque<Vec<u8>>,
    events: VecDeque<EndpointEvent>,
    sent_protected: bool,
    received_protected: bool,
    established: bool,
    ended: bool,
}

impl ProcessEndpoint {
    fn new(words: &[String], config: &EndpointConfig, now: SimTime) -> Result<Self, String> {
        let socket =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| format!("cannot open a socket: {error}"))?;
        let own_port = socket.local_addr().map_err(|error| error.to_string())?.port();
        let (port, program) = match config.role {
            Role::Client => (own_port, None),
            Role::Server => {
                let port = free_port()?;
                (port, Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
            }
        };
        let files = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
        let words = replaced(words, config, port, files.path())?;
        Ok(Self {
            config: config.clone(),
            words,
            _files: files,
            socket,
            program,
            child: None,
            stdin: None,
            output: None,
            origin: wall() - Duration::from_nanos(now.as_nanos()),
            now,
            last_datagram: now,
            datagrams: VecDeque::new(),
            events: VecDeque::new(),
            sent_protected: false,
            received_protected: false,
            established: false,
            ended: false,
        })
    }

    fn spawn(&mut self) -> Result<(), String> {
        let program = self.words.first().cloned().ok_or("no program is named")?;
        let mut child = Command::new(&program)
            .args(&self.words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start `{program}`: {error}"))?;
        self.stdin = child.stdin.take();
        if let Some(mut stdout) = child.stdout.take() {
            let (sender, receiver) = mpsc::channel();
            self.output = Some(receiver);
            // Ends with the program, whose end of the pipe it reads.
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(len @ 1..) = stdout.read(&mut buffer) {
                    if sender.send(buffer[..len].to_vec()).is_err() {
                        break;
                    }
                }
            });
        }
        self.child = Some(child);
        if let Some(address) = self.program {
            let begin = wall();
            // Its port is open once nobody else can open it.
            while UdpSocket::bind(address).is_ok() {
                if begin.elapsed() > START || self.has_exited() {
                    return Err(format!("`{program}` does not listen at {address}"));
                }
                self.read_until(wall() + TICK);
            }
        }
        self.origin = wall() - Duration::from_nanos(self.now.as_nanos());
        Ok(())
    }

    fn has_exited(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_)) | Err(_)))
    }

    /// Takes in what the program sends until this wall time.
    fn read_until(&mut self, until: Instant) {
        let mut buffer = [0; 1 << 16];
        loop {
            let left = until.saturating_duration_since(wall());
            if left.is_zero() || self.socket.set_read_timeout(Some(left)).is_err() {
                return;
            }
            match self.socket.recv_from(&mut buffer) {
                Ok((len, from)) if self.program.is_none_or(|program| program == from) => {
                    self.program = Some(from);
                    self.sent_protected |= self.is_of_application(&buffer[..len]);
                    self.datagrams.push_back(buffer[..len].to_vec());
                    self.last_datagram = self.now;
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
                // The program's port is closed, or not open yet: a lost datagram.
                Err(_) => {}
            }
        }
    }

    /// Whether a datagram ends in a record of an epoch that application data may be in.
    fn is_of_application(&self, datagram: &[u8]) -> bool {
        match self.config.dtls {
            Dtls::V12 => {
                let (mut rest, mut found) = (datagram, false);
                while let Some([_, _, _, e1, e2, .., l1, l2]) = rest.first_chunk::<13>() {
                    found |= u16::from_be_bytes([*e1, *e2]) > 0;
                    rest = rest.get(13 + usize::from(u16::from_be_bytes([*l1, *l2]))..).unwrap_or_default();
                }
                found
            }
            // The low bits of epoch 3 in the unified header, RFC 9147 §4.
            Dtls::V13 => datagram.first().is_some_and(|first| first & 0b1110_0011 == 0b0010_0011),
        }
    }

    /// Looks at what has become of the program.
    fn look(&mut self) {
        if !self.established && self.sent_protected && self.received_protected {
            self.established = true;
            self.events.push_back(EndpointEvent::Established { suite: String::new() });
        }
        if self.established
            && let Some(output) = &self.output
        {
            self.events.extend(output.try_iter().map(EndpointEvent::Data));
        }
        if !self.ended && self.has_exited() {
            self.ended = true;
            let status = self.child.as_mut().and_then(|child| child.wait().ok());
            self.events.push_back(match status {
                Some(status) if status.success() => EndpointEvent::PeerClosed,
                Some(status) => EndpointEvent::Failed(format!("the program ended: {status}")),
                None => EndpointEvent::Failed("the program is gone".to_owned()),
            });
        }
    }
}

impl Endpoint for ProcessEndpoint {
    fn start(&mut self, now: SimTime) {
        self.now = now;
        if self.config.role == Role::Client
            && let Err(error) = self.spawn()
        {
            self.ended = true;
            self.events.push_back(EndpointEvent::Failed(error));
        }
    }

    fn handle_datagram(&mut self, now: SimTime, _from: SocketAddr, datagram: &[u8]) {
        (self.now, self.last_datagram) = (now, now);
        self.received_protected |= self.is_of_application(datagram);
        if let Some(program) = self.program {
            // What cannot be sent is lost, as on any network.
            let _ = self.socket.send_to(datagram, program);
        }
    }

    fn poll_transmit(&mut self, _now: SimTime) -> Option<Transmit> {
        self.datagrams.pop_front().map(Transmit::from)
    }

    fn poll_timeout(&mut self, now: SimTime) -> Option<SimTime> {
        let is_idle = now >= self.last_datagram + IDLE;
        (!self.ended && !is_idle && self.child.is_some()).then(|| now + TICK)
    }

    fn handle_timeout(&mut self, now: SimTime) {
        self.now = now;
        self.read_until(self.origin + Duration::from_nanos(now.as_nanos()));
        self.look();
    }

    fn poll_event(&mut self) -> Option<EndpointEvent> {
        self.events.pop_front()
    }

    fn send(&mut self, _now: SimTime, data: &[u8]) {
        let sent = self.stdin.as_mut().map(|stdin| stdin.write_all(data).and_then(|()| stdin.flush()));
        if !matches!(sent, Some(Ok(()))) {
            self.events.push_back(EndpointEvent::SendRefused("the program reads no more".to_owned()));
        }
    }

    fn close(&mut self, _now: SimTime) {
        // The end of its input.
        self.stdin = None;
    }
}

impl Drop for ProcessEndpoint {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a program runs in real time")]
fn wall() -> Instant {
    Instant::now()
}

fn free_port() -> Result<u16, String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| format!("cannot open a socket: {error}"))?;
    Ok(socket.local_addr().map_err(|error| error.to_string())?.port())
}

/// The words of a command for this endpoint; credentials are written to files in `folder`.
fn replaced(
    words: &[String],
    config: &EndpointConfig,
    port: u16,
    folder: &std::path::Path,
) -> Result<Vec<String>, String> {
    let mut values =
        vec![("{port}", port.to_string()), ("{mtu}", config.mtu.to_string()), ("{name}", config.server_name.clone())];
    let mut file = |word: &'static str, text: String| {
        let path = folder.join(word.trim_matches(['{', '}']).to_owned() + ".pem");
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        values.push((word, path.display().to_string()));
        Ok::<(), String>(())
    };
    match &config.credentials {
        Credentials::Psk { identity, key, .. } => {
            values.push(("{psk}", key.iter().map(|byte| format!("{byte:02x}")).collect()));
            values.push(("{identity}", String::from_utf8_lossy(identity).into_owned()));
        }
        Credentials::Certificate(server) => {
            let client = pki::identity(&config.features.client_shape());
            let (own, peer) = match config.role {
                Role::Client => (&client, server),
                Role::Server => (server, &client),
            };
            file("{cert}", own.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect())?;
            file("{key}", pem("PRIVATE KEY", own.key.secret_der()))?;
            file("{ca}", pem("CERTIFICATE", &peer.root))?;
        }
    }
    let replace = |word: &String| values.iter().fold(word.clone(), |word, (from, to)| word.replace(from, to));
    Ok(words.iter().map(replace).collect())
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, der))
}

//! How to use the crate, by examples that are run as tests.
//!
//! # Two ends, a network, and timers
//!
//! Whoever owns a [`Connection`](crate::Connection) does three things in turn: takes all its output, gives it the
//! datagrams that arrive, and calls it again when the time of its last [`WakeAt`](crate::Output::WakeAt) has come. Here
//! both ends are in one program, the network is a queue that loses a datagram, and time passes when nothing is under way.
//!
//! ```
//! use std::collections::{BTreeMap, VecDeque};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use dtls_impl::config::{ClientCredentials, Cookies, Psk, ServerCredentials, UnknownIdentity};
//! use dtls_impl::crypto::{Secret, rustcrypto};
//! use dtls_impl::{ClientConfig, Connection, Event, Instant, Output, Seed, ServerConfig};
//!
//! # fn main() -> Result<(), dtls_impl::Error> {
//! let key = Secret::new(b"sixteen byte key".to_vec());
//! let client = ClientCredentials::Psk(Psk { identity: b"sensor".to_vec(), key: key.clone() });
//! let client = Arc::new(ClientConfig::new(rustcrypto::provider(), client));
//! let server = ServerCredentials::Psk {
//!     keys: BTreeMap::from([(b"sensor".to_vec(), key)]),
//!     hint: None,
//!     unknown: UnknownIdentity::Alert,
//! };
//! let cookies = Cookies::Required { secret: Secret::new(vec![7; 32]) };
//! let server = Arc::new(ServerConfig::new(rustcrypto::provider(), server, cookies));
//!
//! let mut now = Instant::ZERO;
//! // In real use seeds are fresh random bytes, and the second argument names the client's address.
//! let mut ends = [
//!     Connection::client(client, None, Seed([1; 32]), now)?,
//!     Connection::server(server, b"192.0.2.1:5684", Seed([2; 32]), now)?,
//! ];
//! let mut network = VecDeque::new();
//! let mut wake = [None; 2];
//! let (mut sent, mut established, mut heard) = (0, 0, Vec::new());
//! while heard.is_empty() {
//!     // 1. All that both have to say.
//!     for (this, end) in ends.iter_mut().enumerate() {
//!         wake[this] = loop {
//!             match end.poll_output() {
//!                 Output::Datagram(datagram) => {
//!                     sent += 1;
//!                     // The third is lost on the way.
//!                     if sent != 3 {
//!                         network.push_back((1 - this, datagram));
//!                     }
//!                 }
//!                 Output::Event(Event::Established { .. }) => {
//!                     established += 1;
//!                     if established == 2 {
//!                         end.send(now, b"22.5 C")?;
//!                     }
//!                 }
//!                 Output::Event(Event::Data(data)) => heard = data,
//!                 Output::Event(Event::Failed(error)) => return Err(error),
//!                 Output::Event(_) | Output::DatagramTo { .. } => {}
//!                 Output::WakeAt(at) => break Some(at),
//!                 Output::Idle => break None,
//!             }
//!         };
//!     }
//!     // 2. What arrives. 3. If nothing is under way, time goes on to the next deadline.
//!     if let Some((to, datagram)) = network.pop_front() {
//!         ends[to].handle_datagram(now, &datagram);
//!     } else if let Some(at) = wake.into_iter().flatten().min() {
//!         now = at;
//!         ends.iter_mut().for_each(|end| end.handle_timeout(now));
//!     }
//! }
//! assert_eq!(heard, b"22.5 C");
//! // The lost datagram was sent again after a second, the first timeout.
//! assert_eq!(now, Instant::ZERO + Duration::from_secs(1));
//! # Ok(())
//! # }
//! ```
//!
//! # Resumption
//!
//! A client that is told to keep [`sessions`](crate::ClientConfig::sessions) gets one with
//! [`Event::Session`](crate::Event::Session), and offers it to the server with
//! [`Connection::resume`](crate::Connection::resume). The server seals what it needs to know into tickets
//! ([`Tickets`](crate::config::Tickets)) or, in DTLS 1.2, remembers it ([`SessionCache`](crate::config::SessionCache)).
//!
//! ```
//! # use std::collections::BTreeMap;
//! # use std::sync::Arc;
//! # use dtls_impl::config::{ClientCredentials, Cookies, Psk, ServerCredentials, UnknownIdentity};
//! use dtls_impl::config::{TicketKeys, Tickets};
//! # use dtls_impl::crypto::{Secret, rustcrypto};
//! # use dtls_impl::{ClientConfig, Connection, Error, Event, Instant, Output, Seed, ServerConfig};
//! # fn main() -> Result<(), Error> {
//! # let key = Secret::new(b"sixteen byte key".to_vec());
//! # let credentials = ClientCredentials::Psk(Psk { identity: b"sensor".to_vec(), key: key.clone() });
//! # let mut client_config = ClientConfig::new(rustcrypto::provider(), credentials);
//! # let keys = BTreeMap::from([(b"sensor".to_vec(), key)]);
//! # let credentials = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
//! # let mut server_config = ServerConfig::new(rustcrypto::provider(), credentials, Cookies::Off);
//! # let now = Instant::ZERO;
//! # /// Delivers everything until nobody speaks; gives the events of the client.
//! # fn talk(ends: &mut [Connection; 2]) -> Vec<Event> {
//! #     let mut events = Vec::new();
//! #     for turn in 0..10 {
//! #         loop {
//! #             match ends[turn % 2].poll_output() {
//! #                 Output::Datagram(datagram) => ends[(turn + 1) % 2].handle_datagram(Instant::ZERO, &datagram),
//! #                 Output::Event(event) if turn % 2 == 0 => events.push(event),
//! #                 Output::Event(_) | Output::DatagramTo { .. } => {}
//! #                 Output::WakeAt(_) | Output::Idle => break,
//! #             }
//! #         }
//! #     }
//! #     events
//! # }
//! client_config.sessions = true;
//! // 32 random bytes, shared by all connections of the server.
//! server_config.tickets = Some(Tickets::new(TicketKeys::new([7; 32])));
//! let (client_config, server_config) = (Arc::new(client_config), Arc::new(server_config));
//!
//! let client = Connection::client(Arc::clone(&client_config), None, Seed([1; 32]), now)?;
//! let server = Connection::server(Arc::clone(&server_config), b"192.0.2.1:5684", Seed([2; 32]), now)?;
//! let events = talk(&mut [client, server]);
//! let session = events.into_iter().find_map(|event| match event {
//!     Event::Session(session) => Some(session),
//!     _ => None,
//! });
//! let session = session.expect("the server gives tickets");
//!
//! let client = Connection::resume(client_config, None, session, Seed([3; 32]), now)?;
//! let server = Connection::server(server_config, b"192.0.2.1:5684", Seed([4; 32]), now)?;
//! let mut ends = [client, server];
//! talk(&mut ends);
//! assert!(ends.iter().all(|end| end.negotiated().is_some_and(|negotiated| negotiated.resumed)));
//! # Ok(())
//! # }
//! ```
//!
//! # Early data
//!
//! A client that resumes a session of DTLS 1.3 can send data with its first flight: see
//! [`config::EarlyData`](crate::config::EarlyData), which has the example.
//!
//! # Many connections on one socket
//!
//! A server's socket has one connection per client, told apart by address. With connection IDs a client stays known when
//! its address changes, as it does behind a NAT that has forgotten it: a datagram from an unknown address goes to the
//! connection that [`owns`](crate::Connection::owns) it. The connection believes the new address once it has answered.
//!
//! ```
//! # use std::collections::BTreeMap;
//! # use std::sync::Arc;
//! # use dtls_impl::config::{ClientCredentials, Cookies, Psk, ServerCredentials, UnknownIdentity};
//! use dtls_impl::config::ConnectionId;
//! # use dtls_impl::crypto::{Secret, rustcrypto};
//! # use dtls_impl::{ClientConfig, Connection, Error, Event, Instant, Output, Seed, ServerConfig};
//! # fn main() -> Result<(), Error> {
//! # let key = Secret::new(b"sixteen byte key".to_vec());
//! # let credentials = ClientCredentials::Psk(Psk { identity: b"sensor".to_vec(), key: key.clone() });
//! # let mut client_config = ClientConfig::new(rustcrypto::provider(), credentials);
//! # let keys = BTreeMap::from([(b"sensor".to_vec(), key)]);
//! # let credentials = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
//! # let mut server_config = ServerConfig::new(rustcrypto::provider(), credentials, Cookies::Off);
//! # let mut now = Instant::ZERO;
//! // The server wants 8 random bytes in every record; clients have one connection per socket, and need none.
//! server_config.common.connection_id = ConnectionId::Random { len: 8 };
//! client_config.common.connection_id = ConnectionId::Use(Vec::new());
//! let (client_config, server_config) = (Arc::new(client_config), Arc::new(server_config));
//!
//! let addresses = [&b"192.0.2.1:5684"[..], b"192.0.2.2:5684"];
//! let (mut clients, mut servers) = (Vec::new(), Vec::new());
//! for (n, address) in addresses.into_iter().enumerate() {
//!     let seeds = [Seed([n as u8; 32]), Seed([n as u8 + 2; 32])];
//!     let [ours, theirs] = seeds;
//!     clients.push(Connection::client(Arc::clone(&client_config), None, theirs, now)?);
//!     servers.push(Connection::server(Arc::clone(&server_config), address, ours, now)?);
//! #   for turn in 0..10 {
//! #       let (from, to) = if turn % 2 == 0 { (&mut clients[n], &mut servers[n]) } else { (&mut servers[n], &mut clients[n]) };
//! #       loop {
//! #           match from.poll_output() {
//! #               Output::Datagram(datagram) => to.handle_datagram(now, &datagram),
//! #               Output::WakeAt(_) | Output::Idle => break,
//! #               _ => {}
//! #           }
//! #       }
//! #   }
//! }
//! // ... two handshakes later, a datagram of the second client arrives from an address that nobody has had:
//! clients[1].send(now, b"22.5 C")?;
//! let Output::Datagram(datagram) = clients[1].poll_output() else { panic!() };
//! let from = b"192.0.2.77:1024";
//! let owner = servers.iter().position(|server| server.owns(&datagram));
//! assert_eq!(owner, Some(1));
//! let server = &mut servers[1];
//! server.handle_datagram_from(now, from, &datagram);
//!
//! // The old address is asked first, and then the new one: that is where the client is.
//! let mut events = Vec::new();
//! while server.peer_address() != Some(from) {
//!     match server.poll_output() {
//!         Output::DatagramTo { address, datagram } if address == from => {
//!             clients[1].handle_datagram(now, &datagram);
//!             while let Output::Datagram(answer) = clients[1].poll_output() {
//!                 server.handle_datagram_from(now, from, &answer);
//!             }
//!         }
//!         Output::Event(event) => events.push(event),
//!         Output::WakeAt(at) => {
//!             now = at;
//!             server.handle_timeout(now);
//!         }
//!         // To the old address, where nobody is any more.
//!         Output::Datagram(_) | Output::DatagramTo { .. } => {}
//!         Output::Idle => panic!("the check has an end"),
//!     }
//! }
//! assert!(events.contains(&Event::Data(b"22.5 C".to_vec())));
//! # Ok(())
//! # }
//! ```

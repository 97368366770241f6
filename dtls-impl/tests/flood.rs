//! A flood of forged ClientHellos: whatever they look like, and whatever addresses they claim to come from, a server that
//! asks for cookies keeps nothing of them.

use std::alloc::System;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use cap::Cap;
use dtls_impl::config::{
    ClientCredentials, Cookies, EarlyData, Psk, ReplayGuard, ServerCredentials, TicketKeys, Tickets, UnknownIdentity,
    Versions,
};
use dtls_impl::crypto::{Secret, rustcrypto};
use dtls_impl::wire::{
    ClientHello, ContentType, Extension, ExtensionType, Fragment, Fragments, HandshakeHeader, ProtocolVersion, Record,
    RecordHeader, Records, Writer,
};
use dtls_impl::{ClientConfig, Connection, Instant, Output, Seed, ServerConfig};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Connections with pieces of a hello that the owner of a socket keeps; the oldest goes first.
const KEPT_MAX: usize = 16;
const FLOOD: usize = 100_000;
/// Forged hellos until all that is allocated once has been.
const WARM_UP: usize = 2_000;

fn secret() -> Secret {
    Secret::new(vec![9; 16])
}

fn server(versions: Versions) -> Arc<ServerConfig> {
    let keys = BTreeMap::from([(b"device".to_vec(), secret())]);
    let credentials = ServerCredentials::Psk { keys, hint: None, unknown: UnknownIdentity::Alert };
    let cookies = Cookies::Required { secret: Secret::new(vec![7; 32]) };
    let mut config = ServerConfig::new(rustcrypto::provider(), credentials, cookies);
    config.common.versions = versions;
    config.tickets = Some(Tickets::new(TicketKeys::new([7; 32])));
    config.early_data = Some(EarlyData::new(Arc::new(ReplayGuard::new(100))));
    Arc::new(config)
}

/// The body of an honest client's first ClientHello.
fn hello(versions: Versions) -> Vec<u8> {
    let credentials = ClientCredentials::Psk(Psk { identity: b"device".to_vec(), key: secret() });
    let mut config = ClientConfig::new(rustcrypto::provider(), credentials);
    config.common.versions = versions;
    let mut client = Connection::client(Arc::new(config), None, Seed([1; 32]), Instant::ZERO).unwrap();
    let Output::Datagram(datagram) = client.poll_output() else { panic!("a client speaks first") };
    let record = Records::new(&datagram).next().unwrap().unwrap();
    Fragments::new(record.body).next().unwrap().unwrap().body.to_vec()
}

/// A datagram with these bytes of a hello of `length` bytes.
fn datagram(message_seq: u16, length: usize, offset: usize, body: &[u8]) -> Vec<u8> {
    let header = HandshakeHeader {
        message_type: dtls_impl::wire::HandshakeType::CLIENT_HELLO,
        length: length as u32,
        message_seq,
        fragment_offset: offset as u32,
        fragment_length: body.len() as u32,
    };
    let mut content = Writer::new();
    Fragment { header, body }.emit(&mut content);
    let header = RecordHeader {
        content_type: ContentType::HANDSHAKE,
        version: ProtocolVersion::DTLS1_2,
        epoch: 0,
        seq: u64::from(message_seq),
    };
    let mut w = Writer::new();
    Record { header, connection_id: &[], body: &content.into_bytes() }.emit(&mut w);
    w.into_bytes()
}

/// The hello with a cookie that this server has not made.
fn with_cookie(body: &[u8], nth: usize) -> Vec<u8> {
    let mut hello = ClientHello::parse(body).unwrap();
    let cookie = [nth as u8; 32];
    hello.start.cookie = &cookie;
    let dtls13 = hello.extensions.contains(ExtensionType::SUPPORTED_VERSIONS);
    if dtls13 {
        hello.start.cookie = &[];
        hello.extensions.0.insert(0, Extension::cookie(&cookie));
    }
    let mut w = Writer::new();
    hello.emit(&mut w);
    w.into_bytes()
}

fn forged(body: &[u8], nth: usize) -> Vec<u8> {
    let mut body = body.to_vec();
    // Another random each time.
    body[2..10].copy_from_slice(&(nth as u64).to_be_bytes());
    let len = body.len();
    match nth % 6 {
        0 => datagram(0, len, 0, &body),
        1 => {
            let body = with_cookie(&body, nth);
            datagram(1, body.len(), 0, &body)
        }
        2 => datagram(0, len, 0, &body[..len / 2]),
        3 => datagram(0, len, len / 2, &body[len / 2..]),
        // A message of the largest size, of which there is little.
        4 => datagram(0, 1 << 16, 0, &body),
        _ => datagram(0, len, 0, &[&body[..len - 3], &[0xff; 3]].concat()),
    }
}

/// Bytes that the flood leaves allocated beyond those that the first few do.
fn flood(versions: Versions) -> usize {
    let (config, hello) = (server(versions), hello(versions));
    let mut kept: VecDeque<Connection> = VecDeque::new();
    let mut after_warm_up = 0;
    for nth in 0..WARM_UP + FLOOD {
        let address = (nth as u32).to_be_bytes();
        let mut connection = Connection::server(Arc::clone(&config), &address, Seed([2; 32]), Instant::ZERO).unwrap();
        connection.handle_datagram(Instant::ZERO, &forged(&hello, nth));
        let mut sent = 0;
        loop {
            match connection.poll_output() {
                Output::Datagram(answer) => sent += answer.len(),
                Output::DatagramTo { .. } | Output::Event(_) => {}
                Output::WakeAt(_) | Output::Idle => break,
            }
        }
        assert!(connection.is_listening(), "forged hello {nth} was accepted");
        assert!(sent <= 3 * hello.len(), "an amplifier: {sent} bytes for one hello");
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(connection);
        if nth == WARM_UP {
            kept.clear();
            after_warm_up = ALLOCATOR.allocated();
        }
    }
    kept.clear();
    ALLOCATOR.allocated().saturating_sub(after_warm_up)
}

/// One test, as the allocator counts for all that runs at the time.
#[test]
fn a_hundred_thousand_forged_hellos_leave_memory_as_it_was() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Both] {
        let grown = flood(versions);
        assert!(grown < 1024, "{versions:?}: {grown} bytes more after {FLOOD} hellos");
    }
}

use std::sync::Arc;
use std::time::Duration;

use etherparse::{NetHeaders, PacketHeaders, TransportHeader};
use pcap_file::pcapng::{Block, PcapNgReader};

use super::*;
use crate::trace::{Cause, Copy, DatagramId, Event, Fate, FaultAction, Path, Refusal, Sent, Visit};

const ADDRESSES: Addresses = Addresses { client: crate::plan::CLIENT, server: crate::plan::SERVER };

fn capture(trace: &Trace, view: View) -> Vec<u8> {
    pcapng(&[Source { trace, dissected: &[], addresses: ADDRESSES }], view)
}

fn at(nanos: u64) -> SimTime {
    SimTime::from_nanos(nanos)
}

fn sent(id: u32, from: Role, fate: Fate) -> What {
    What::Sent(Sent { id: DatagramId(id), from, path: None, index: id, bytes: Arc::from([id as u8; 9]), fate })
}

fn trace() -> Trace {
    let copy = |nanos| Copy { due: Some(at(nanos)), forged: None };
    let events = [
        (5, sent(0, Role::Client, Fate { causes: vec![Cause::Loss], copies: vec![] })),
        (7, What::Endpoint(Role::Client, EndpointEvent::KeyLog("CLIENT_RANDOM aa bb".to_owned()))),
        (7, What::Endpoint(Role::Server, EndpointEvent::KeyLog("CLIENT_RANDOM aa bb".to_owned()))),
        (
            1_000_000_001,
            sent(
                1,
                Role::Client,
                Fate { causes: vec![Cause::Duplicate], copies: vec![copy(2_000_000_000), copy(2_000_000_500)] },
            ),
        ),
        (
            1_000_000_002,
            sent(
                2,
                Role::Server,
                Fate {
                    causes: vec![Cause::Fault { fault: 1, action: FaultAction::Hold }],
                    copies: vec![Copy { due: None, forged: None }],
                },
            ),
        ),
        (2_000_000_000, What::Delivered { id: DatagramId(1), copy: 0 }),
        (2_000_000_500, What::Delivered { id: DatagramId(1), copy: 1 }),
    ];
    Trace {
        events: events.into_iter().map(|(nanos, what)| Event { at: at(nanos), visit: Visit::FIRST, what }).collect(),
    }
}

/// Time, payload and comment.
type PacketRead = (u64, Vec<u8>, String);

/// Block kinds in order, and the packets.
fn read(file: &[u8]) -> (Vec<&'static str>, Vec<PacketRead>) {
    let mut reader = PcapNgReader::new(file).unwrap();
    let (mut kinds, mut packets) = (vec![], vec![]);
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(block) => {
                assert!(block.options.contains(&InterfaceDescriptionOption::IfTsResol(9)));
                kinds.push("interface");
            }
            Block::NameResolution(_) => kinds.push("names"),
            Block::Unknown(block) => {
                assert_eq!((block.type_, &block.value[..4]), (0x0A, &b"KSLT"[..]));
                assert_eq!(u32::from_le_bytes(block.value[4..8].try_into().unwrap()), 20);
                assert_eq!(&block.value[8..28], b"CLIENT_RANDOM aa bb\n");
                kinds.push("secrets");
            }
            Block::EnhancedPacket(block) => {
                let headers = PacketHeaders::from_ip_slice(&block.data).unwrap();
                let Some(NetHeaders::Ipv4(ip, _)) = &headers.net else { panic!("IPv4") };
                let Some(TransportHeader::Udp(udp)) = &headers.transport else { panic!("UDP") };
                assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                assert_eq!(udp.checksum, udp.calc_checksum_ipv4(ip, headers.payload.slice()).unwrap());
                let [EnhancedPacketOption::Comment(comment)] = &block.options[..] else { panic!("one comment") };
                let nanos = u64::try_from(block.timestamp.as_nanos()).unwrap();
                packets.push((nanos, headers.payload.slice().to_vec(), comment.to_string()));
                kinds.push("packet");
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    (kinds, packets)
}

#[test]
fn the_wire_view_has_secrets_first_and_each_datagram_at_its_sending() {
    let (kinds, packets) = read(&capture(&trace(), View::Wire));
    assert_eq!(kinds, ["interface", "names", "secrets", "packet", "packet", "packet", "packet"]);
    let expected = [
        (5, 0, "#0 client: dropped: random loss"),
        (1_000_000_001, 1, "#1 client: delivered at 2.000000000; duplicated at random"),
        (1_000_000_002, 2, "#2 server: held when the run ended; held by fault #2"),
        (1_000_000_501, 1, "#1 client, copy 1 made by the network: delivered at 2.000000500"),
    ];
    for ((nanos, payload, comment), (at, byte, wanted)) in packets.iter().zip(expected) {
        assert_eq!((*nanos, payload, comment.as_str()), (at, &vec![byte; 9], wanted));
    }
}

#[test]
fn a_vantage_view_has_what_this_end_sends_and_gets() {
    let (_, client) = read(&capture(&trace(), View::At(Role::Client)));
    assert_eq!(client.iter().map(|(nanos, ..)| *nanos).collect::<Vec<_>>(), [5, 1_000_000_001]);
    let (_, server) = read(&capture(&trace(), View::At(Role::Server)));
    let times: Vec<u64> = server.iter().map(|(nanos, ..)| *nanos).collect();
    assert_eq!(times, [1_000_000_002, 2_000_000_000, 2_000_000_500]);
}

#[test]
fn a_datagram_too_large_for_ip_is_cut_and_says_so() {
    let bytes = Arc::from(vec![0; PAYLOAD_MAX + 1]);
    let sent = Sent { id: DatagramId(0), from: Role::Client, path: None, index: 0, bytes, fate: Fate::default() };
    let trace = Trace {
        events: vec![Event { at: SimTime::ZERO + Duration::ZERO, visit: Visit::FIRST, what: What::Sent(sent) }],
    };
    let (_, packets) = read(&capture(&trace, View::Wire));
    assert_eq!(packets[0].2, "#0 client (cut from 65508 B): dropped");
}

/// Source and destination of each packet.
fn addresses(file: &[u8]) -> Vec<[String; 2]> {
    let mut reader = PcapNgReader::new(file).unwrap();
    let mut found = vec![];
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(block) = block.unwrap() else { continue };
        let headers = PacketHeaders::from_ip_slice(&block.data).unwrap();
        let (Some(NetHeaders::Ipv4(ip, _)), Some(TransportHeader::Udp(udp))) = (headers.net, headers.transport) else {
            panic!("UDP over IPv4")
        };
        let text = |ip: [u8; 4], port| SocketAddr::from((ip, port)).to_string();
        found.push([text(ip.source, udp.source_port), text(ip.destination, udp.destination_port)]);
    }
    found
}

#[test]
fn behind_a_nat_each_end_sees_addresses_of_its_own_and_copies_show_where_they_claim_to_be_from() {
    let (inside, outside) = (crate::addresses::CLIENT, crate::addresses::OUTSIDE);
    let path = Some(Path { inside: Some(inside), outside });
    let on_path = |id, from, forged| {
        let copies = vec![Copy { due: Some(at(20)), forged: None }, Copy { due: Some(at(25)), forged }];
        let What::Sent(sent) = sent(id, from, Fate { causes: vec![], copies }) else { panic!() };
        Event { at: at(10), visit: Visit::FIRST, what: What::Sent(Sent { path, ..sent }) }
    };
    let arrival =
        |id, copy| Event { at: at(20), visit: Visit::FIRST, what: What::Delivered { id: DatagramId(id), copy } };
    let refused = What::Refused { id: DatagramId(1), copy: 0, why: Refusal::NoMapping };
    let trace = Trace {
        events: vec![
            on_path(0, Role::Client, Some(crate::addresses::STRANGER)),
            on_path(1, Role::Server, None),
            arrival(0, 0),
            arrival(0, 1),
            Event { at: at(20), visit: Visit::FIRST, what: refused },
            arrival(1, 1),
        ],
    };
    let server = ADDRESSES.server.to_string();
    let [inside, outside] = [inside, outside].map(|address| address.to_string());
    let stranger = crate::addresses::STRANGER.to_string();
    let up = |from: &str| [from.to_owned(), server.clone()];
    let down = |to: &str| [server.clone(), to.to_owned()];
    assert_eq!(addresses(&capture(&trace, View::At(Role::Client))), [up(&inside), down(&inside)]);
    let at_server = addresses(&capture(&trace, View::At(Role::Server)));
    assert_eq!(at_server, [down(&outside), up(&outside), up(&stranger)]);
    let on_wire = addresses(&capture(&trace, View::Wire));
    assert_eq!(on_wire, [up(&outside), down(&outside), up(&stranger), down(&outside)]);
    let (_, packets) = read(&capture(&trace, View::Wire));
    assert!(packets[1].2.contains("lost at 0.000000020: the NAT has no mapping"), "{}", packets[1].2);
    assert!(packets[2].2.contains("copy 1 made by a third party"), "{}", packets[2].2);
}

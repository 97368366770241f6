//! Captures that Wireshark opens and decrypts: pcapng with virtual time in nanoseconds, the key log inside, and the fate
//! of each datagram as its comment.
//!
//! The bytes are a function of the trace: no wall time, path or name of a system is in them.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use etherparse::{IpHeaders, Ipv4Extensions, Ipv4Header, PacketBuilder};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::name_resolution::{Ipv4Record, NameResolutionBlock, Record};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::blocks::unknown::UnknownBlock;
use pcap_file::{DataLink, Endianness};

use super::path::{Arrival, Passage, passages};
use crate::dissect::Dissected;
use crate::endpoint::{EndpointEvent, Role};
use crate::time::SimTime;
use crate::trace::{Trace, What};

/// Largest UDP payload of an IPv4 packet: 65,535 less 20 for IP and 8 for UDP.
const PAYLOAD_MAX: usize = 65_507;
/// pcapng block type of the Decryption Secrets Block, which `pcap-file` has no type for.
const DECRYPTION_SECRETS: u32 = 0x0A;
/// Secrets type of the TLS key log, "TLSK".
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// Key exponent of 10 of `if_tsresol`: nanoseconds. `pcap-file` writes nanoseconds whatever this says.
const NANOSECONDS: u8 = 9;

/// Where the capture is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Each datagram once, at the instant of sending, also those that the network drops. Copies that the network or others
    /// make follow as packets of their own, later than their original by as much as they arrive later. A client behind a
    /// NAT has the address that the server sees.
    Wire,
    /// What this end's interface sees: what it sends when it sends it, what reaches it when it reaches it. Addresses are
    /// those that it has to do with.
    At(Role),
}

/// The two addresses of a run.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The client's.
    pub client: SocketAddr,
    /// The server's.
    pub server: SocketAddr,
}

/// A run as a capture needs it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What happened.
    pub trace: &'a Trace,
    /// Each datagram as it was read, in the order of sending.
    pub dissected: &'a [Dissected],
    /// Between whom.
    pub addresses: Addresses,
}

/// One packet of the file.
struct Packet {
    at: SimTime,
    id: u32,
    copy: u8,
    comment: String,
}

/// The whole capture file. It can hold several runs, one after the other, if their addresses differ.
pub fn pcapng(sources: &[Source<'_>], view: View) -> Vec<u8> {
    write(sources, view).expect("writing to memory cannot fail")
}

/// The packets that one datagram is in a view.
fn packets(passage: &Passage<'_>, dissected: &[Dissected], view: View) -> Vec<Packet> {
    let id = passage.sent.id.0;
    let from = passage.sent.from;
    let packet = |at, copy, comment| Packet { at, id, copy, comment };
    let name = name(passage, dissected.get(id as usize));
    match view {
        View::At(role) if role == from => {
            vec![packet(passage.at, 0, name)]
        }
        View::At(_) => (0u8..)
            .zip(&passage.copies)
            .filter_map(|(copy, arrival)| {
                let comment = if copy == 0 { name.clone() } else { format!("{name}, copy {copy}") };
                Some(packet(arrival.delivered?, copy, format!("{comment}: sent at {}", passage.at)))
            })
            .collect(),
        View::Wire => {
            let causes = passage.causes().map(|causes| format!("; {causes}")).unwrap_or_default();
            let Some(original) = passage.copies.first() else {
                let causes = passage.causes().unwrap_or_else(|| "dropped".to_owned());
                return vec![packet(passage.at, 0, format!("{name}: {causes}"))];
            };
            let mut packets = vec![packet(passage.at, 0, format!("{name}: {}{causes}", arrives(*original)))];
            for (copy, arrival) in (0u8..).zip(&passage.copies).skip(1) {
                let lag = match (arrival.due, original.due) {
                    (Some(copy), Some(original)) => copy - original,
                    _ => std::time::Duration::ZERO,
                };
                let is_forged =
                    passage.sent.fate.copies.get(usize::from(copy)).is_some_and(|copy| copy.forged.is_some());
                let maker = if is_forged { "a third party" } else { "the network" };
                let comment = format!("{name}, copy {copy} made by {maker}: {}", arrives(*arrival));
                packets.push(packet(passage.at + lag, copy, comment));
            }
            packets
        }
    }
}

/// `#12 client flight 3 attempt 1`.
fn name(passage: &Passage<'_>, dissected: Option<&Dissected>) -> String {
    let mut name = format!("#{} {}", passage.sent.id.0, passage.sent.from);
    if let Some((flight, dissected)) = dissected.and_then(|dissected| Some((dissected.flight?, dissected))) {
        name += &format!(" flight {flight} attempt {}", dissected.attempt);
    }
    if passage.sent.bytes.len() > PAYLOAD_MAX {
        name += &format!(" (cut from {} B)", passage.sent.bytes.len());
    }
    name
}

fn arrives(arrival: Arrival) -> String {
    if let Some((at, why)) = arrival.refused {
        return format!("lost at {at}: {why}");
    }
    match (arrival.delivered, arrival.due) {
        (Some(at), _) => format!("delivered at {at}"),
        (None, Some(due)) => format!("on its way when the run ended, due at {due}"),
        (None, None) => "held when the run ended".to_owned(),
    }
}

fn write(sources: &[Source<'_>], view: View) -> pcap_file::PcapResult<Vec<u8>> {
    let section = SectionHeaderBlock {
        endianness: Endianness::Little,
        options: vec![SectionHeaderOption::UserApplication("windtunnel".into())],
        ..Default::default()
    };
    let mut writer = PcapNgWriter::with_section_header(Vec::new(), section)?;
    writer.write_pcapng_block(InterfaceDescriptionBlock {
        linktype: DataLink::RAW,
        snaplen: 0,
        options: vec![
            InterfaceDescriptionOption::IfName("link".into()),
            InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
        ],
    })?;
    let names = sources.iter().flat_map(|source| host_names(source.addresses)).collect();
    writer.write_pcapng_block(NameResolutionBlock { records: names, options: vec![] })?;
    for secrets in sources.iter().map(|source| secrets(source.trace)).filter(|secrets| !secrets.is_empty()) {
        writer.write_pcapng_block(UnknownBlock {
            type_: DECRYPTION_SECRETS,
            length: 0, // taken from the value when it is written
            value: secrets_block(&secrets).into(),
        })?;
    }
    for source in sources {
        let passages = passages(source.trace);
        let of = |passage| packets(passage, source.dissected, view);
        let mut packets: Vec<Packet> = passages.iter().flat_map(of).collect();
        packets.sort_by_key(|packet| (packet.at, packet.id, packet.copy));
        for packet in packets {
            let passage = &passages[packet.id as usize];
            let (from, to) = between(passage, packet.copy, source.addresses, view);
            let data = ip_packet(passage, packet.id, from, to);
            writer.write_pcapng_block(EnhancedPacketBlock {
                interface_id: 0,
                timestamp: packet.at.since_start(),
                original_len: u32::try_from(data.len()).expect("an IP packet has at most 65,535 bytes"),
                data: data.into(),
                options: vec![EnhancedPacketOption::Comment(packet.comment.into())],
            })?;
        }
    }
    Ok(writer.into_inner())
}

fn host_names(addresses: Addresses) -> impl Iterator<Item = Record<'static>> {
    [("client", addresses.client), ("server", addresses.server)].into_iter().filter_map(|(name, address)| {
        let IpAddr::V4(ip) = address.ip() else { return None };
        Some(Record::Ipv4(Ipv4Record { ip_addr: Cow::Owned(ip.octets().to_vec()), names: vec![name.into()] }))
    })
}

/// The key log of both ends, each line once, in the order of appearance. Readers need all of it before the packets.
fn secrets(trace: &Trace) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for event in &trace.events {
        if let What::Endpoint(_, EndpointEvent::KeyLog(line)) = &event.what
            && !lines.contains(&line.trim_end())
        {
            lines.push(line.trim_end());
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Body of a Decryption Secrets Block: type, length, secrets, padding to 32 bits.
fn secrets_block(secrets: &str) -> Vec<u8> {
    let length = u32::try_from(secrets.len()).expect("a key log has a few lines");
    let mut block = Vec::with_capacity(secrets.len() + 11);
    block.extend_from_slice(&TLS_KEY_LOG.to_le_bytes());
    block.extend_from_slice(&length.to_le_bytes());
    block.extend_from_slice(secrets.as_bytes());
    block.resize(block.len().next_multiple_of(4), 0);
    block
}

/// Source and destination of a copy of a datagram.
fn between(passage: &Passage<'_>, copy: u8, addresses: Addresses, view: View) -> (SocketAddr, SocketAddr) {
    let sent = passage.sent;
    let client = match (sent.path, view) {
        (None, _) => addresses.client,
        (Some(path), View::At(Role::Client)) => path.inside.unwrap_or(path.outside),
        (Some(path), View::Wire | View::At(Role::Server)) => path.outside,
    };
    match sent.from {
        Role::Client => {
            let forged = sent.fate.copies.get(usize::from(copy)).and_then(|copy| copy.forged);
            (forged.unwrap_or(client), addresses.server)
        }
        Role::Server => (addresses.server, client),
    }
}

/// The IP packet around a datagram. A network that copies a packet copies its IP identification too.
fn ip_packet(passage: &Passage<'_>, id: u32, source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (IpAddr::V4(source_ip), IpAddr::V4(destination_ip)) = (source.ip(), destination.ip()) else {
        unreachable!("the addresses of a run are constants of the harness, and IPv4");
    };
    let payload = &passage.sent.bytes[..passage.sent.bytes.len().min(PAYLOAD_MAX)];
    let header = Ipv4Header {
        identification: (id & 0xffff) as u16,
        dont_fragment: true,
        time_to_live: 64,
        protocol: etherparse::IpNumber::UDP,
        source: source_ip.octets(),
        destination: destination_ip.octets(),
        ..Default::default()
    };
    let builder =
        PacketBuilder::ip(IpHeaders::Ipv4(header, Ipv4Extensions::default())).udp(source.port(), destination.port());
    let mut data = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut data, payload).expect("the payload fits");
    data
}

#[cfg(test)]
mod tests;

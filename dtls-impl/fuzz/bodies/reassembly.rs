use std::sync::Arc;

use dtls_impl::wire::{
    ContentType, Fragment, Fragments, HandshakeHeader, ProtocolVersion, Record, RecordHeader, Records, Writer,
};
use dtls_impl::{Connection, Instant, Output, Seed};

use super::input::Input;
use super::pair::Pair;
use super::setup::Setup;

/// Cuts a ClientHello as the input says. Pieces that are all true, and together the whole, are as good as the whole.
pub(crate) fn reassembly(input: &[u8]) {
    let mut input = Input::new(input);
    // Without cookies. Resumption changes no more than what the hello holds.
    let setup = Setup(input.byte() | 4);
    let mut client = Pair::new(setup);
    let hello = client.waiting[1].remove(0);
    let Some(Ok(record)) = Records::new(&hello).next() else { return };
    let Some(Ok(fragment)) = Fragments::new(record.body).next() else { return };
    if !fragment.header.is_whole() {
        return;
    }
    let body = fragment.body;
    let (_, config) = setup.configs();
    let mut server =
        Connection::server(Arc::new(config), b"client", Seed([2; 32]), Instant::ZERO).expect("a good configuration");
    let mut there = vec![false; body.len()];
    let (mut honest, mut answered, mut seq) = (true, false, 0);
    while !input.is_empty() && seq < 60 {
        let start = input.below(body.len());
        let end = start + input.below(body.len() - start + 1);
        let lie = input.byte();
        let mut piece = body[start..end].to_vec();
        let mut header =
            HandshakeHeader { fragment_offset: start as u32, fragment_length: (end - start) as u32, ..fragment.header };
        match lie {
            0xff => header.length = header.length.wrapping_add(1) & 0xff_ffff,
            0xfe => header.message_seq = 1,
            0xfd => piece.iter_mut().for_each(|byte| *byte ^= 0x55),
            _ => {}
        }
        honest &= lie < 0xfd;
        if header.fragment_offset + header.fragment_length > header.length {
            continue;
        }
        let mut content = Writer::new();
        Fragment { header, body: &piece }.emit(&mut content);
        let record_header =
            RecordHeader { content_type: ContentType::HANDSHAKE, version: ProtocolVersion::DTLS1_2, epoch: 0, seq };
        let mut datagram = Writer::new();
        Record { header: record_header, connection_id: &[], body: &content.into_bytes() }.emit(&mut datagram);
        server.handle_datagram(Instant::ZERO, &datagram.into_bytes());
        there[start..end].fill(true);
        seq += 1;
        for _ in 0..200 {
            match server.poll_output() {
                Output::Datagram(_) | Output::DatagramTo { .. } => answered = true,
                Output::Event(_) => {}
                Output::WakeAt(_) | Output::Idle => break,
            }
        }
        if honest && there.iter().all(|there| *there) {
            // DTLS 1.2 decides on the first piece, which has to hold all that comes before the extensions.
            assert!(answered || !setup.is_dtls13_only(), "the whole hello is there, and nothing came of it");
            return;
        }
    }
}

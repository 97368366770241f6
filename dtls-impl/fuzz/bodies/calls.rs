use std::time::Duration;

use dtls_impl::wire::ConnectionIdUsage;

use super::input::Input;
use super::pair::{Pair, address};
use super::setup::Setup;

/// An application may call anything at any time, also after the end; errors are values, not panics.
pub(crate) fn calls(input: &[u8]) {
    let mut input = Input::new(input);
    let setup = Setup(input.byte());
    let mut pair = Pair::new(setup);
    let mut steps = 0;
    while !input.is_empty() && steps < 200 {
        steps += 1;
        let op = input.byte();
        let end = usize::from(op & 1);
        let now = pair.now;
        // Where there are connection IDs, the other end may be elsewhere.
        let elsewhere = op & 0x40 != 0;
        match op >> 1 & 15 {
            0..=4 => pair.deliver_first_from(end, elsewhere),
            5 => {
                let data = input.bytes();
                let fits = data.len() <= pair.ends[end].data_len_max();
                let sent = pair.ends[end].send(now, data);
                assert!(sent.is_err() || fits);
            }
            6 => drop(pair.ends[end].send_early(now, input.bytes())),
            7 => drop(pair.ends[end].update_keys(now, op & 0x20 != 0)),
            8 => pair.ends[end].close(now),
            9 => pair.wait(),
            10 => pair.pass(Duration::from_secs(input.below(400) as u64)),
            11 => pair.ends[end].handle_timeout(now),
            12 => {
                let mut out = vec![0; usize::from(input.byte())];
                let context = input.bytes();
                let context = (op & 0x20 != 0).then_some(context);
                let made = pair.ends[end].export_keying_material(b"EXPORTER-fuzz", context, &mut out);
                assert!(made.is_err() || pair.ends[end].negotiated().is_some());
            }
            13 => {
                let datagram = input.bytes();
                let owned = pair.ends[end].owns(datagram);
                assert!(!owned || setup.has_connection_ids());
                pair.deliver_from(end, datagram, elsewhere);
            }
            14 if elsewhere && setup.has_connection_ids() => {
                pair.ends[end].set_peer_address(address(1 - end, op & 0x80 != 0));
            }
            15 if elsewhere && setup.has_connection_ids() => {
                let count = input.byte() % 10;
                let usage = [ConnectionIdUsage::Spare, ConnectionIdUsage::Immediate][usize::from(op >> 7)];
                let _ = if op & 0x20 == 0 {
                    pair.ends[end].new_connection_ids(now, count, usage)
                } else {
                    pair.ends[end].request_connection_ids(now, count)
                };
            }
            14 => {
                let end = &pair.ends[end];
                let _ = (end.negotiated(), end.data_len_max(), end.peer_address(), end.connection_ids());
            }
            _ => {
                // Time never goes backwards, but nothing happens if a timer is early.
                pair.ends[end].handle_timeout(now + Duration::from_nanos(1));
            }
        }
        pair.drain(end);
    }
    pair.calm();
}

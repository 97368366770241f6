use std::time::Duration;

use super::input::Input;
use super::pair::Pair;

/// An application may call anything at any time, also after the end; errors are values, not panics.
pub(crate) fn calls(input: &[u8]) {
    let mut input = Input::new(input);
    let mut pair = Pair::new(input.byte());
    let mut steps = 0;
    while !input.is_empty() && steps < 200 {
        steps += 1;
        let op = input.byte();
        let end = usize::from(op & 1);
        let now = pair.now;
        match op >> 1 & 15 {
            0..=4 => pair.deliver_first(end),
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
            13 => pair.ends[end].handle_datagram(now, input.bytes()),
            14 => {
                let _ = (pair.ends[end].negotiated(), pair.ends[end].data_len_max());
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

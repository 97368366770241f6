use std::time::Duration;

use super::input::Input;
use super::pair::{DATA, Pair};
use super::setup::Setup;

/// The network loses, repeats, delays, cuts, changes and invents. Afterwards it is calm: whatever was established still
/// works, and nothing was received that was not sent. Bit 6 of a step says that the datagram comes from elsewhere.
pub(crate) fn datagrams(input: &[u8]) {
    let mut input = Input::new(input);
    let mut pair = Pair::new(Setup(input.byte()));
    let mut steps = 0;
    while !input.is_empty() && steps < 200 {
        steps += 1;
        let op = input.byte();
        let to = usize::from(op & 1);
        let waiting = pair.waiting[to].len();
        let elsewhere = op & 0x40 != 0;
        match op >> 1 & 15 {
            0..=5 => pair.deliver_first_from(to, elsewhere),
            6 if waiting > 0 => drop(pair.waiting[to].remove(0)),
            7 if waiting > 0 => {
                let copy = pair.waiting[to][input.below(waiting)].clone();
                pair.deliver_from(to, &copy, elsewhere);
            }
            8 if waiting > 1 => pair.waiting[to].swap(0, waiting - 1),
            9 if waiting > 0 => {
                let mut changed = pair.waiting[to][0].clone();
                let at = input.below(changed.len());
                changed[at] ^= input.byte() | 1;
                pair.deliver(to, &changed);
            }
            10 if waiting > 0 => {
                let mut cut = pair.waiting[to][0].clone();
                cut.truncate(input.below(cut.len()));
                pair.deliver(to, &cut);
            }
            11 => {
                let invented = input.bytes();
                pair.deliver(to, invented);
            }
            12 => pair.wait(),
            13 => pair.pass(Duration::from_millis(input.below(5000) as u64)),
            14 => pair.send_data(to),
            15 if waiting > 0 => {
                // Two datagrams glued together.
                let mut glued = pair.waiting[to][0].clone();
                glued.extend_from_slice(&pair.waiting[to][input.below(waiting)].clone());
                pair.deliver(to, &glued);
            }
            _ => {}
        }
    }
    pair.calm();
    assert!(pair.received.iter().flatten().all(|data| data == DATA), "data that nobody sent");
    // Without a failure there is no reason not to come to an end.
    if pair.failed == [false; 2] {
        assert_eq!(pair.established, [true; 2], "the network is calm, and the handshake is not complete");
    }
}

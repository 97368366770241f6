//! What became of each datagram on its way, in one place for captures and ladders. Reads the trace, decides nothing.

use crate::time::SimTime;
use crate::trace::{DatagramId, Refusal, Sent, Trace, What};

/// One datagram of a run and what the network did with it.
#[derive(Clone, Debug)]
pub struct Passage<'a> {
    /// When it was sent.
    pub at: SimTime,
    /// The datagram and its fate.
    pub sent: &'a Sent,
    /// Each copy that was to arrive, the original first; empty if it was dropped.
    pub copies: Vec<Arrival>,
}

/// One copy on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// When it is to arrive; `None` if it was held to the end of the run.
    pub due: Option<SimTime>,
    /// When it did; `None` if the run ended before.
    pub delivered: Option<SimTime>,
    /// When and why nobody took it in at the end of the link.
    pub refused: Option<(SimTime, Refusal)>,
}

/// All datagrams of a run in the order of sending, so that a [`DatagramId`] is an index.
pub fn passages(trace: &Trace) -> Vec<Passage<'_>> {
    let mut passages: Vec<Passage<'_>> = trace
        .sent()
        .map(|(at, sent)| Passage {
            at,
            sent,
            copies: sent.fate.copies.iter().map(|copy| Arrival { due: copy.due, ..Arrival::default() }).collect(),
        })
        .collect();
    for event in &trace.events {
        match event.what {
            What::Released { id, copy, due } => {
                if let Some(arrival) = arrival(&mut passages, id, copy) {
                    arrival.due = Some(due);
                }
            }
            What::Delivered { id, copy } => {
                if let Some(arrival) = arrival(&mut passages, id, copy) {
                    arrival.delivered = Some(event.at);
                }
            }
            What::Refused { id, copy, why } => {
                if let Some(arrival) = arrival(&mut passages, id, copy) {
                    arrival.refused = Some((event.at, why));
                }
            }
            _ => {}
        }
    }
    passages
}

fn arrival<'p>(passages: &'p mut [Passage<'_>], id: DatagramId, copy: u8) -> Option<&'p mut Arrival> {
    passages.get_mut(id.0 as usize)?.copies.get_mut(usize::from(copy))
}

impl Passage<'_> {
    /// Whether the network dropped it: no copy was ever to arrive.
    pub fn dropped(&self) -> bool {
        self.copies.is_empty()
    }

    /// Why, in words, joined by semicolons; `None` if the datagram passed untouched.
    pub fn causes(&self) -> Option<String> {
        let causes: Vec<String> = self.sent.fate.causes.iter().map(ToString::to_string).collect();
        (!causes.is_empty()).then(|| causes.join("; "))
    }
}

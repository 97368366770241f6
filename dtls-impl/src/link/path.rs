//! What the link does for [`Paths`](crate::path::Paths): records that carry a check, and outputs to other addresses.

use super::Link;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::event::{DiscardReason, Output};
use crate::path::{Action, Means};
use crate::wire::{ContentType, PathMessage};

impl Link {
    /// Both hellos are known: records carry the peer's connection ID from now on, once they are protected.
    pub(crate) fn use_connection_id(&mut self) {
        self.outbound.connection_id = self.ids.peer().to_vec();
    }

    /// An authentic record has come, of so many bytes.
    pub(crate) fn on_path_record(&mut self, newest: bool, len: usize, entropy: &mut Entropy) {
        self.uncounted = self.uncounted.saturating_sub(len);
        if self.paths.is_elsewhere() {
            let mut means = self.means(entropy);
            let actions = self.paths.on_record(newest, len, &mut means);
            self.carry_out(actions);
        }
    }

    /// The peer repeats its last flight, in a record that is authentic. If it does so from another address, our answer goes
    /// there, too.
    pub(crate) fn on_peer_repeats_protected(&mut self) -> Result<(), Error> {
        let before = self.outputs.len();
        self.on_peer_repeats()?;
        let len = |output: &Output| if let Output::Datagram(bytes) = output { bytes.len() } else { 0 };
        let bytes: usize = self.outputs.iter().skip(before).map(len).sum();
        if bytes == 0 {
            return Ok(());
        }
        let more = core::mem::take(&mut self.uncounted);
        let Some(address) = self.paths.answers_elsewhere(more, bytes) else { return Ok(()) };
        // Once more, as every record has a number of its own.
        let before = self.outputs.len();
        self.resend_flight()?;
        for output in self.outputs.iter_mut().skip(before) {
            if let Output::Datagram(datagram) = output {
                let datagram = core::mem::take(datagram);
                *output = Output::DatagramTo { address: address.clone(), datagram };
            }
        }
        Ok(())
    }

    /// A message of a check has come.
    pub(crate) fn on_path_message(&mut self, content: &[u8], entropy: &mut Entropy) -> Result<(), DiscardReason> {
        let message = PathMessage::parse(content).map_err(|_| DiscardReason::Malformed)?;
        let message = message.ok_or(DiscardReason::Unexpected)?;
        let mut means = self.means(entropy);
        let actions = self.paths.on_message(message, &mut means);
        self.carry_out(actions);
        Ok(())
    }

    /// Time has passed.
    pub(crate) fn check_paths(&mut self, entropy: &mut Entropy) {
        let mut means = self.means(entropy);
        let actions = self.paths.on_timeout(&mut means);
        self.carry_out(actions);
    }

    fn means<'a>(&self, entropy: &'a mut Entropy) -> Means<'a> {
        let challenge_len = self.outbound.overhead(1) + PathMessage::LEN;
        Means { now: self.now, entropy, challenge_len, rtt: self.retransmitter.timing().rtt() }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { to, message } => self.send_path_message(to, &message),
                Action::Moved(event) | Action::Stays(event) | Action::Tell(event) => self.event(event),
            }
        }
    }

    fn send_path_message(&mut self, to: Option<Vec<u8>>, message: &PathMessage) {
        let mut datagram = Vec::new();
        let content_type = ContentType::RETURN_ROUTABILITY_CHECK;
        // With all numbers used up there is nothing more to say.
        if self.outbound.record(content_type, 1, [&message.to_bytes(), &[]], &mut datagram).is_ok() {
            self.outputs.push_back(match to {
                Some(address) => Output::DatagramTo { address, datagram },
                None => Output::Datagram(datagram),
            });
        }
    }
}

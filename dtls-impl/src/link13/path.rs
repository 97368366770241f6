//! What the link does for [`Paths`](crate::path::Paths) and [`ConnectionIds`](crate::ids::ConnectionIds): records that
//! carry a check, outputs to other addresses, and the connection ID that goes with each path.

use super::Link13;
use crate::entropy::Entropy;
use crate::event::{DiscardReason, Output};
use crate::path::{Action, Means};
use crate::wire::{ContentType, PathMessage, PathMessageKind};

impl Link13 {
    /// What records to the peer carry has been agreed on, or has changed.
    pub(crate) fn use_connection_id(&mut self) {
        self.write.set_connection_id(self.ids.peer());
    }

    /// An authentic record has come, of so many bytes.
    pub(crate) fn on_path_record(&mut self, newest: bool, len: usize, entropy: &mut Entropy) {
        if self.paths.is_elsewhere() {
            let mut means = self.means(entropy);
            let actions = self.paths.on_record(newest, len, &mut means);
            self.carry_out(actions);
        }
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
        let overhead = self.write.overhead(self.write.current()) - self.ids.peer().len();
        let challenge_len = overhead + self.ids.for_probe().len() + PathMessage::LEN;
        Means { now: self.now, entropy, challenge_len, rtt: self.retransmitter.timing().rtt() }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { to, message } => self.send_path_message(to, &message),
                Action::Moved(event) => {
                    self.ids.on_probed(true);
                    self.use_connection_id();
                    self.event(event);
                }
                Action::Stays(event) => {
                    self.ids.on_probed(false);
                    self.event(event);
                }
                Action::Tell(event) => self.event(event),
            }
        }
    }

    /// A challenge to another address carries a connection ID that was not seen on the path to the old one, if the peer
    /// gave any to spare (RFC 9147 §9).
    fn send_path_message(&mut self, to: Option<Vec<u8>>, message: &PathMessage) {
        let probes = to.is_some() && message.kind == PathMessageKind::Challenge;
        if probes {
            let probe = self.ids.take_probe();
            self.write.set_connection_id(probe);
        }
        let mut datagram = Vec::new();
        let content_type = ContentType::RETURN_ROUTABILITY_CHECK;
        let epoch = self.write.current();
        let sealed = self.record(epoch, content_type, &message.to_bytes(), &mut datagram);
        if probes {
            self.use_connection_id();
        }
        // With all numbers used up there is nothing more to say.
        if sealed.is_ok() {
            self.outputs.push_back(match to {
                Some(address) => Output::DatagramTo { address, datagram },
                None => Output::Datagram(datagram),
            });
        }
    }
}

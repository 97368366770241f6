//! NewConnectionId and RequestConnectionId (RFC 9147 §9): who may send them, and what they change. Which connection IDs
//! there are is [`ConnectionIds`](crate::ids::ConnectionIds)'s business.

use super::{Connection13, LateFlight};
use crate::error::{Error, Misuse, PeerMisbehaved};
use crate::event::Event;
use crate::ids::SPARES_MAX;
use crate::time::Instant;
use crate::wire::{ConnectionIdUsage, HandshakeType, NewConnectionId, RequestConnectionId, body_of};

/// Connection IDs that the peer is to be given. They are made when they are sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewIds {
    count: u8,
    usage: ConnectionIdUsage,
    /// The peer asked for some.
    answers: bool,
}

impl NewIds {
    /// As many as are wanted together, as soon as one of the two wants them used.
    pub(super) fn merge(&mut self, later: Self) {
        self.count = self.count.saturating_add(later.count);
        self.answers |= later.answers;
        if later.usage == ConnectionIdUsage::Immediate {
            self.usage = later.usage;
        }
    }
}

impl Connection13 {
    /// Gives the peer more connection IDs.
    pub(crate) fn new_connection_ids(
        &mut self,
        now: Instant,
        count: u8,
        usage: ConnectionIdUsage,
    ) -> Result<(), Error> {
        self.link.now = now;
        self.established()?;
        if !self.link.ids.may_issue() {
            return Err(Misuse::NoConnectionIds.into());
        }
        let wanted = NewIds { count, usage, answers: false };
        let mut together = wanted;
        for flight in &self.late.waiting {
            if let LateFlight::NewIds(waiting) = flight {
                together.merge(*waiting);
            }
        }
        if count == 0 || usize::from(together.count) > self.link.ids.room(together.usage) {
            return Err(Misuse::BadConnectionIdCount.into());
        }
        let result = self.send_late(LateFlight::NewIds(wanted));
        self.fail_on_error(result.clone());
        result
    }

    /// Asks the peer for more connection IDs.
    pub(crate) fn request_connection_ids(&mut self, now: Instant, count: u8) -> Result<(), Error> {
        self.link.now = now;
        self.established()?;
        let ids = &mut self.link.ids;
        if !ids.may_request() {
            return Err(Misuse::NoConnectionIds.into());
        }
        if ids.is_requested() {
            return Err(Misuse::RequestOutstanding.into());
        }
        if count == 0 || usize::from(count) > SPARES_MAX - ids.spares() {
            return Err(Misuse::BadConnectionIdCount.into());
        }
        ids.set_requested(true);
        let result = self.send_late(LateFlight::RequestIds { count });
        self.fail_on_error(result.clone());
        result
    }

    /// The body of a NewConnectionId. It may have none, if there is no room: even that answers a request.
    pub(super) fn make_new_ids(&mut self, wanted: NewIds) -> Vec<u8> {
        let NewIds { count, usage, answers } = wanted;
        let issued = self.link.ids.issue(usize::from(count), usage, &mut self.entropy);
        if answers {
            self.link.ids.on_answered(issued.len());
        }
        if !issued.is_empty() {
            self.link.event(Event::ConnectionIds);
        }
        let usage = if issued.is_empty() { ConnectionIdUsage::Spare } else { usage };
        body_of(|w| NewConnectionId { cids: issued.iter().map(Vec::as_slice).collect(), usage }.emit(w))
    }

    /// The peer gives connection IDs.
    pub(super) fn on_new_ids(&mut self, body: &[u8]) -> Result<(), Error> {
        let message_type = HandshakeType::NEW_CONNECTION_ID;
        if !self.link.ids.may_receive() {
            return Err(PeerMisbehaved::UnexpectedMessage(message_type).into());
        }
        let message = NewConnectionId::parse(body).map_err(|reason| Error::BadMessage(message_type, reason))?;
        let ids = &mut self.link.ids;
        ids.set_requested(false);
        match message.usage {
            ConnectionIdUsage::Spare => ids.add_spares(&message.cids),
            ConnectionIdUsage::Immediate => {
                if !ids.replace(&message.cids) {
                    return Err(PeerMisbehaved::NoConnectionId.into());
                }
                self.link.use_connection_id();
            }
        }
        let spares = self.link.ids.spares();
        self.link.event(Event::NewConnectionIds { spares });
        Ok(())
    }

    /// The peer asks for connection IDs. It gets what there is room for (RFC 9147 §9).
    pub(super) fn on_ids_requested(&mut self, body: &[u8]) -> Result<(), Error> {
        let message_type = HandshakeType::REQUEST_CONNECTION_ID;
        if !self.link.ids.may_issue() {
            return Err(PeerMisbehaved::UnexpectedMessage(message_type).into());
        }
        let message = RequestConnectionId::parse(body).map_err(|reason| Error::BadMessage(message_type, reason))?;
        if !self.link.ids.on_request() {
            return Err(PeerMisbehaved::TooManyConnectionIdRequests.into());
        }
        let usage = ConnectionIdUsage::Spare;
        self.send_late(LateFlight::NewIds(NewIds { count: message.num_cids, usage, answers: true }))
    }
}

#[cfg(test)]
mod tests;

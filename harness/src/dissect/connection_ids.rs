//! Connection IDs on records: how long they are, learned from the hellos, and which of a receiver's IDs is which
//! (RFC 9146 §3, RFC 9147 §9). Opens nothing.

use dtls_impl::wire::{ContentType, Extensions, NewConnectionId, ProtocolVersion, Reader, RecordHeader};

use crate::endpoint::Role;

/// Extension connection_id (RFC 9146 §3).
const EXTENSION: u16 = 54;

/// IDs told apart per receiver; more are an attack, or a run of days.
const IDS_MAX: usize = 256;

/// What is known of the IDs of both ends.
#[derive(Debug, Default)]
pub(super) struct ConnectionIds {
    /// The one each end asked for in its hello.
    asked: [Option<Vec<u8>>; 2],
    /// Those that an end gave later, whose lengths are its own business.
    given: [Vec<Vec<u8>>; 2],
    /// Those seen on records, by receiver.
    seen: [Vec<Vec<u8>>; 2],
}

impl ConnectionIds {
    /// Takes what the hello of one end asks for. An end that says it again, as in the second ClientHello, says the same.
    pub(super) fn learn(&mut self, asks: Role, extensions: &Extensions<'_>) {
        let found = extensions.0.iter().find(|extension| extension.extension_type.0 == EXTENSION);
        if let Some([len, id @ ..]) = found.map(|extension| &*extension.data)
            && id.len() == usize::from(*len)
        {
            self.asked[asks as usize] = Some(id.to_vec());
        }
    }

    /// Length of the IDs on records that `from` sends: that of the receiver's, if both ends have the extension and the
    /// receiver wants any.
    pub(super) fn len(&self, from: Role) -> Option<usize> {
        let [Some(_), Some(_)] = &self.asked else { return None };
        let asked = self.asked[from.peer() as usize].as_ref()?;
        Some(asked.len()).filter(|len| *len > 0)
    }

    /// Takes what an end gives in a NewConnectionId.
    pub(super) fn learn_new(&mut self, gives: Role, message: &NewConnectionId<'_>) {
        let given = &mut self.given[gives as usize];
        for id in message.cids.iter().take(IDS_MAX - given.len().min(IDS_MAX)) {
            if given.iter().all(|known| known != id) {
                given.push(id.to_vec());
            }
        }
    }

    /// Length of the ID on the record of DTLS 1.3 that comes next from `from`: that of one given later that it shows, the
    /// longest if there are several, or else as in [`len`](Self::len).
    pub(super) fn len13(&self, from: Role, record: &[u8]) -> Option<usize> {
        let shown = |id: &&Vec<u8>| record.get(1..).is_some_and(|rest| rest.starts_with(id));
        let given = self.given[from.peer() as usize].iter().filter(shown).map(Vec::len).max();
        given.filter(|len| *len > 0).or_else(|| self.len(from))
    }

    /// Which of the receiver's this one is, from 1 by first appearance.
    pub(super) fn number(&mut self, from: Role, id: &[u8]) -> u16 {
        let seen = &mut self.seen[from.peer() as usize];
        let place = seen.iter().position(|known| known == id).unwrap_or_else(|| {
            if seen.len() < IDS_MAX {
                seen.push(id.to_vec());
            }
            seen.len() - 1
        });
        u16::try_from(place + 1).unwrap_or(u16::MAX)
    }
}

/// A record of DTLS 1.2, not opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framed<'a> {
    pub(super) header: RecordHeader,
    /// Its connection ID, if it is of the type that has one (RFC 9146 §4).
    pub(super) cid: Option<&'a [u8]>,
    pub(super) body: &'a [u8],
}

impl<'a> Framed<'a> {
    /// The next record, with an ID of this length if its type says that it has one.
    pub(super) fn parse(reader: &mut Reader<'a>, cid_len: Option<usize>) -> Option<Self> {
        let mut rest = *reader;
        let header = RecordHeader {
            content_type: ContentType(rest.u8().ok()?),
            version: ProtocolVersion(rest.u16().ok()?),
            epoch: rest.u16().ok()?,
            seq: rest.u48().ok()?,
        };
        let has_cid = header.content_type == ContentType::TLS12_CID;
        let cid = match cid_len.filter(|_| has_cid) {
            Some(len) => Some(rest.take(len).ok()?),
            None => None,
        };
        let body = rest.vec16().ok()?;
        *reader = rest;
        Some(Self { header, cid, body })
    }
}

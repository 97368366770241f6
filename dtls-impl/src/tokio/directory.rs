//! Which connection of a socket a datagram is for: by its connection ID if it carries one, else by where it comes from.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::wire::{AnyRecord, AnyRecords};

/// Connections by address and by connection ID.
#[derive(Debug, Default)]
pub(super) struct Directory {
    by_address: BTreeMap<SocketAddr, u64>,
    by_connection_id: BTreeMap<Vec<u8>, u64>,
    /// Bytes of each connection ID, as records do not say; none if there are no connection IDs.
    connection_id_len: Option<usize>,
}

impl Directory {
    pub(super) fn new(connection_id_len: Option<usize>) -> Self {
        Self { connection_id_len: connection_id_len.filter(|len| *len > 0), ..Self::default() }
    }

    /// The connection that a datagram is for. An address may have been another's before (RFC 9146 §3), so that its
    /// connection ID comes first; only the first record's, as the rest goes to the same connection.
    pub(super) fn find(&self, from: SocketAddr, datagram: &[u8]) -> Option<u64> {
        let by_connection_id = self.connection_id_len.and_then(|len| {
            let connection_id = match AnyRecords::new(datagram, Some(len)).next()?.ok()? {
                AnyRecord::Plain(record) => record.connection_id,
                AnyRecord::Protected(record) => record.connection_id()?,
            };
            self.by_connection_id.get(connection_id)
        });
        by_connection_id.or_else(|| self.by_address.get(&from)).copied()
    }

    /// The connection is at an address, and no longer at another. Whoever was there before is known by connection ID only.
    pub(super) fn set_address(&mut self, id: u64, before: Option<SocketAddr>, now: SocketAddr) {
        if let Some(before) = before {
            self.forget_address(id, before);
        }
        self.by_address.insert(now, id);
    }

    /// The connection has these connection IDs, and no longer those of `before`, which become the same.
    pub(super) fn set_connection_ids(&mut self, id: u64, before: &mut Vec<Vec<u8>>, now: Vec<Vec<u8>>) {
        for connection_id in before.iter() {
            self.by_connection_id.remove(connection_id);
        }
        for connection_id in now.iter().filter(|connection_id| !connection_id.is_empty()) {
            self.by_connection_id.insert(connection_id.clone(), id);
        }
        *before = now;
    }

    /// The connection is gone.
    pub(super) fn remove(&mut self, id: u64, address: SocketAddr, mut connection_ids: Vec<Vec<u8>>) {
        self.forget_address(id, address);
        self.set_connection_ids(id, &mut connection_ids, Vec::new());
    }

    fn forget_address(&mut self, id: u64, address: SocketAddr) {
        if self.by_address.get(&address) == Some(&id) {
            self.by_address.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of DTLS 1.2 with a connection ID (RFC 9146 §4).
    fn record(connection_id: &[u8]) -> Vec<u8> {
        let header = [25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1];
        [&header[..], connection_id, &[0, 2, 7, 7]].concat()
    }

    #[test]
    fn connection_ids_come_before_addresses() {
        let address = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let mut directory = Directory::new(Some(2));
        directory.set_address(1, None, address(1));
        directory.set_address(2, None, address(2));
        let mut ids = Vec::new();
        directory.set_connection_ids(1, &mut ids, vec![b"ab".to_vec(), b"cd".to_vec()]);
        assert_eq!(directory.find(address(2), &record(b"cd")), Some(1));
        assert_eq!(directory.find(address(2), &record(b"xx")), Some(2));
        assert_eq!(directory.find(address(3), b"junk"), None);
        // The second comes to the first one's address; the first one's end does not drive it out.
        directory.set_address(2, Some(address(2)), address(1));
        assert_eq!(directory.find(address(2), b"junk"), None);
        directory.remove(1, address(1), ids);
        assert_eq!(directory.find(address(1), b"junk"), Some(2));
        assert_eq!(directory.find(address(3), &record(b"ab")), None);
    }
}

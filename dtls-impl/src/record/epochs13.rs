//! The epochs of a DTLS 1.3 association in each direction: which keys a record is read or written with (RFC 9147 §4.2,
//! §6.1). Knows numbers, windows and limits, not what a record means.

use super::protection13::{OpenError, Opener, PlainRecord, Sealer, forgeries_max, records_max};
use super::replay::ReplayWindow;
use super::seq::{RecordSeq, SeqCounter};
use crate::crypto::CryptoError;
use crate::wire::{
    ContentType, HeaderForm, ProtectedRecord, ProtocolVersion, RECORD_HEADER_LEN, RecordHeader, RecordNumber,
};

/// Plaintext: the hellos.
pub(crate) const EPOCH_PLAIN: u64 = 0;
/// Early data.
pub(crate) const EPOCH_EARLY: u64 = 1;
/// Handshake traffic keys: the rest of the handshake.
pub(crate) const EPOCH_HANDSHAKE: u64 = 2;
/// The first application traffic keys.
pub(crate) const EPOCH_APPLICATION: u64 = 3;
/// The last epoch a sender may use, 2^48 - 1 (RFC 9147 §8).
pub(crate) const EPOCH_MAX: u64 = (1 << 48) - 1;

/// A KeyUpdate is due this many records before the limit of the AEAD: enough for all that may be sent while its ACK is
/// on the way.
const REKEY_MARGIN: u64 = 1 << 20;

/// Why a protected record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// There are no keys for such an epoch.
    NoKeys,
    /// Longer than the peer has agreed to (RFC 8449 §4); nothing was decrypted.
    TooLong,
    /// Not authentic, or not a record at all.
    BadRecord,
    /// Received before, or too old to tell.
    Replayed,
    /// One forgery too many for the AEAD: the association must end (RFC 9147 §4.5.3).
    TooManyForgeries,
}

#[derive(Debug)]
struct ReadEpoch {
    epoch: u64,
    opener: Opener,
    window: ReplayWindow,
    forgeries: u64,
}

/// The keys to read with, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ReadEpochs {
    epochs: Vec<ReadEpoch>,
    /// Most that may be encrypted of a record: content, type and padding.
    inner_max: Option<usize>,
    /// To decrypt the next record in.
    buffer: Vec<u8>,
}

impl ReadEpochs {
    /// Adds the keys of a later epoch.
    pub(crate) fn install(&mut self, epoch: u64, opener: Opener) {
        debug_assert!(self.newest().is_none_or(|newest| newest < epoch), "epochs come in order");
        self.epochs.push(ReadEpoch { epoch, opener, window: ReplayWindow::new(), forgeries: 0 });
    }

    /// Refuses records with more than this to decrypt, but for early data, which may be older than the agreement.
    pub(crate) const fn limit(&mut self, inner_max: Option<usize>) {
        self.inner_max = inner_max;
    }

    /// Forgets the keys of epochs before `epoch`.
    pub(crate) fn forget_before(&mut self, epoch: u64) {
        self.epochs.retain(|read| read.epoch >= epoch);
    }

    /// Forgets the keys of early data.
    pub(crate) fn forget_early(&mut self) {
        self.epochs.retain(|read| read.epoch != EPOCH_EARLY);
    }

    /// The newest epoch with keys.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.epochs.last().map(|read| read.epoch)
    }

    /// The highest number of all records opened.
    pub(crate) fn highest(&self) -> Option<RecordNumber> {
        let highest = |read: &ReadEpoch| Some(RecordNumber { epoch: read.epoch, seq: read.window.highest()? });
        self.epochs.iter().rev().find_map(highest)
    }

    /// Takes back what a record was decrypted in, for the next: records of handshakes come several at a time.
    pub(crate) fn reuse(&mut self, content: Vec<u8>) {
        self.buffer = content;
    }

    /// Whether a record is authentic under the keys that [`open`](Self::open) would take. Nothing changes.
    pub(crate) fn can_open(&self, record: ProtectedRecord<'_>) -> bool {
        let Some(read) = self.epochs.iter().rev().find(|read| record.epoch().fit(read.epoch)) else { return false };
        let next = read.window.highest().map_or(0, |highest| highest.saturating_add(1));
        read.opener.number(record, read.epoch, next).is_ok_and(|numbered| read.opener.open(numbered).is_ok())
    }

    /// Opens a record with the keys of the most recent epoch whose bits match (RFC 9147 §4.2.2). Its number is compared
    /// with those seen before only after deprotection, as RFC 9147 §4.5.1 asks, so that the time taken tells nothing.
    pub(crate) fn open(&mut self, record: ProtectedRecord<'_>, accept_replay: bool) -> Result<PlainRecord, ReadError> {
        let fits = |read: &&mut ReadEpoch| record.epoch().fit(read.epoch);
        let read = self.epochs.iter_mut().rev().find(fits).ok_or(ReadError::NoKeys)?;
        let body_max = self.inner_max.map(|max| max + read.opener.algorithm().tag_len());
        if read.epoch != EPOCH_EARLY && body_max.is_some_and(|max| record.body().len() > max) {
            return Err(ReadError::TooLong);
        }
        let next = read.window.highest().map_or(0, |highest| highest.saturating_add(1));
        let numbered = read.opener.number(record, read.epoch, next).map_err(|_| ReadError::BadRecord)?;
        match read.opener.open_in(core::mem::take(&mut self.buffer), numbered) {
            Ok(plain) if read.window.check(plain.number.seq) || accept_replay => {
                read.window.commit(plain.number.seq);
                Ok(plain)
            }
            Ok(_) => Err(ReadError::Replayed),
            Err(OpenError::NotAuthentic) => {
                read.forgeries += 1;
                let too_many = read.forgeries > forgeries_max(read.opener.algorithm());
                Err(if too_many { ReadError::TooManyForgeries } else { ReadError::BadRecord })
            }
            Err(OpenError::BadLength | OpenError::NoContentType) => Err(ReadError::BadRecord),
        }
    }
}

#[derive(Debug)]
struct WriteEpoch {
    epoch: u64,
    /// None in epoch 0.
    sealer: Option<Sealer>,
    numbers: SeqCounter,
}

/// Why a record could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteError {
    /// The epoch's numbers, or what its AEAD may protect, are used up.
    Exhausted,
    /// A primitive refused.
    Crypto(CryptoError),
}

/// The keys to write with, oldest first. Several are kept, as messages are repeated in the epoch they were first sent in
/// (RFC 9147 §4.2.1).
#[derive(Debug)]
pub(crate) struct WriteEpochs {
    epochs: Vec<WriteEpoch>,
    /// The receiver's connection ID; empty for none.
    connection_id: Vec<u8>,
}

impl WriteEpochs {
    /// Epoch 0, whose first record gets this number.
    pub(crate) fn starting_at(first: RecordSeq) -> Self {
        let plain = WriteEpoch { epoch: EPOCH_PLAIN, sealer: None, numbers: SeqCounter::starting_at(first) };
        // Room for those of a handshake and of the data after it.
        let mut epochs = Vec::with_capacity(3);
        epochs.push(plain);
        Self { epochs, connection_id: Vec::new() }
    }

    /// Protected records carry this connection ID from now on, or none if it is empty.
    pub(crate) fn set_connection_id(&mut self, connection_id: &[u8]) {
        self.connection_id.clear();
        self.connection_id.extend_from_slice(connection_id);
    }

    /// The first record in epoch 0 gets this number.
    pub(crate) fn start_at(&mut self, first: RecordSeq) {
        if let Some(plain) = self.epochs.first_mut().filter(|write| write.epoch == EPOCH_PLAIN) {
            plain.numbers = SeqCounter::starting_at(first);
        }
    }

    /// Adds the keys of a later epoch.
    pub(crate) fn install(&mut self, epoch: u64, sealer: Sealer) {
        debug_assert!(self.epochs.iter().all(|write| write.epoch < epoch), "epochs come in order");
        self.epochs.push(WriteEpoch { epoch, sealer: Some(sealer), numbers: SeqCounter::new() });
    }

    /// Forgets the keys of epochs before `epoch`, but never the newest.
    pub(crate) fn forget_before(&mut self, epoch: u64) {
        let newest = self.current();
        self.epochs.retain(|write| write.epoch >= epoch || write.epoch == newest);
    }

    /// Forgets the keys of early data.
    pub(crate) fn forget_early(&mut self) {
        self.epochs.retain(|write| write.epoch != EPOCH_EARLY);
    }

    /// The newest epoch, but for that of early data, in which nothing else is sent.
    pub(crate) fn current(&self) -> u64 {
        let newest = self.epochs.iter().rev().find(|write| write.epoch != EPOCH_EARLY);
        newest.map_or(EPOCH_PLAIN, |write| write.epoch)
    }

    /// Bytes of a record of an epoch beyond its content.
    pub(crate) fn overhead(&self, epoch: u64) -> usize {
        let sealer = self.find(epoch).and_then(|write| write.sealer.as_ref());
        sealer.map_or(RECORD_HEADER_LEN, |sealer| {
            super::protection13::overhead(sealer.algorithm()) + self.connection_id.len()
        })
    }

    /// The number of the next plaintext record.
    pub(crate) fn next_plain_seq(&self) -> RecordSeq {
        self.find(EPOCH_PLAIN).and_then(|write| write.numbers.peek()).unwrap_or(RecordSeq::MAX)
    }

    /// Whether new keys should be negotiated while the current ones still last.
    pub(crate) fn wants_rekey(&self) -> bool {
        let Some(WriteEpoch { sealer: Some(sealer), numbers, epoch }) = self.epochs.last() else { return false };
        let used = numbers.peek().map_or(u64::MAX, RecordSeq::get);
        *epoch >= EPOCH_APPLICATION && used >= records_max(sealer.algorithm()).saturating_sub(REKEY_MARGIN)
    }

    /// Appends a record under the epoch's next number, and says which that is.
    pub(crate) fn record(
        &mut self,
        epoch: u64,
        content_type: ContentType,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<RecordNumber, WriteError> {
        self.record_parts(epoch, content_type, [content, &[]], out)
    }

    /// As [`record`](Self::record), with content in two parts.
    pub(crate) fn record_parts(
        &mut self,
        epoch: u64,
        content_type: ContentType,
        content: [&[u8]; 2],
        out: &mut Vec<u8>,
    ) -> Result<RecordNumber, WriteError> {
        let write = self.epochs.iter_mut().find(|write| write.epoch == epoch).ok_or(WriteError::Exhausted)?;
        let seq = write.numbers.take().ok_or(WriteError::Exhausted)?.get();
        let number = RecordNumber { epoch, seq };
        match &write.sealer {
            Some(sealer) if seq >= records_max(sealer.algorithm()) => return Err(WriteError::Exhausted),
            Some(sealer) => {
                let cid = Some(&self.connection_id[..]).filter(|cid| !cid.is_empty());
                let sealed = sealer.seal_parts(HeaderForm::FULL, cid, number, content_type, content, out);
                sealed.map_err(WriteError::Crypto)?;
            }
            None => {
                let version = ProtocolVersion::DTLS1_2;
                let header = RecordHeader { content_type, version, epoch: 0, seq };
                out.extend_from_slice(&header.to_bytes((content[0].len() + content[1].len()) as u16));
                content.iter().for_each(|part| out.extend_from_slice(part));
            }
        }
        Ok(number)
    }

    fn find(&self, epoch: u64) -> Option<&WriteEpoch> {
        self.epochs.iter().find(|write| write.epoch == epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::AeadAlgorithm;
    use crate::crypto::rustcrypto::provider;
    use crate::crypto::schedule13::TrafficKeys;
    use crate::wire::{AnyRecord, AnyRecords};

    const ALGORITHM: AeadAlgorithm = AeadAlgorithm::Aes128Gcm;

    fn keys(epoch: u64) -> TrafficKeys {
        TrafficKeys::of(&[epoch as u8; 16], &[1; 12], &[2; 16])
    }

    fn opener(epoch: u64) -> Opener {
        Opener::new(&*provider(), ALGORITHM, &keys(epoch)).unwrap()
    }

    fn sealer(epoch: u64) -> Sealer {
        Sealer::new(&*provider(), ALGORITHM, &keys(epoch)).unwrap()
    }

    fn open(read: &mut ReadEpochs, datagram: &[u8]) -> Result<PlainRecord, ReadError> {
        match AnyRecords::new(datagram, None).next() {
            Some(Ok(AnyRecord::Protected(record))) => read.open(record, false),
            other => panic!("{other:?}"),
        }
    }

    fn write(epochs: &mut WriteEpochs, epoch: u64) -> Vec<u8> {
        let mut out = Vec::new();
        epochs.record(epoch, ContentType::APPLICATION_DATA, b"data", &mut out).unwrap();
        out
    }

    #[test]
    fn each_epoch_has_its_own_keys_numbers_and_window() {
        let mut writing = WriteEpochs::starting_at(RecordSeq::ZERO);
        let mut reading = ReadEpochs::default();
        for epoch in [2, 3] {
            writing.install(epoch, sealer(epoch));
            reading.install(epoch, opener(epoch));
        }
        let (two, three) = (write(&mut writing, 2), write(&mut writing, 3));
        for (epoch, datagram) in [(3, &three), (2, &two)] {
            let plain = open(&mut reading, datagram).unwrap();
            assert_eq!((plain.number, &plain.content[..]), (RecordNumber { epoch, seq: 0 }, &b"data"[..]));
            assert_eq!(open(&mut reading, datagram), Err(ReadError::Replayed));
        }
        let again = write(&mut writing, 2);
        assert_eq!(open(&mut reading, &again).unwrap().number, RecordNumber { epoch: 2, seq: 1 });
        reading.forget_before(3);
        let late = write(&mut writing, 2);
        assert_eq!(open(&mut reading, &late), Err(ReadError::NoKeys));
    }

    /// RFC 9147 §4.2.2: the most recent epoch whose bits match.
    #[test]
    fn a_later_epoch_with_the_same_bits_takes_over() {
        let mut writing = WriteEpochs::starting_at(RecordSeq::ZERO);
        let mut reading = ReadEpochs::default();
        for epoch in [2, 3, 6] {
            writing.install(epoch, sealer(epoch));
            reading.install(epoch, opener(epoch));
        }
        let (old, new) = (write(&mut writing, 2), write(&mut writing, 6));
        assert_eq!(open(&mut reading, &new).unwrap().number.epoch, 6);
        assert_eq!(open(&mut reading, &old), Err(ReadError::BadRecord));
    }

    #[test]
    fn plaintext_records_are_written_in_epoch_zero_only() {
        let mut writing = WriteEpochs::starting_at(RecordSeq::new(7).unwrap());
        let mut out = Vec::new();
        let number = writing.record(0, ContentType::HANDSHAKE, b"hello", &mut out).unwrap();
        assert_eq!((number, writing.overhead(0)), (RecordNumber { epoch: 0, seq: 7 }, RECORD_HEADER_LEN));
        assert_eq!(out, *b"\x16\xfe\xfd\0\0\0\0\0\0\0\x07\0\x05hello");
        assert_eq!(writing.record(2, ContentType::HANDSHAKE, b"", &mut out), Err(WriteError::Exhausted));
    }

    #[test]
    fn new_keys_are_asked_for_before_the_old_ones_are_used_up() {
        let mut writing = WriteEpochs::starting_at(RecordSeq::ZERO);
        writing.install(3, sealer(3));
        assert!(!writing.wants_rekey());
        let limit = records_max(ALGORITHM);
        writing.epochs[1].numbers = SeqCounter::starting_at(RecordSeq::new(limit - REKEY_MARGIN).unwrap());
        assert!(writing.wants_rekey());
        writing.epochs[1].numbers = SeqCounter::starting_at(RecordSeq::new(limit).unwrap());
        let refused = writing.record(3, ContentType::APPLICATION_DATA, b"", &mut Vec::new());
        assert_eq!(refused, Err(WriteError::Exhausted));
    }
}

//! The hash of the handshake: every message as if sent in one piece. In DTLS 1.2 with the header of its only fragment
//! (RFC 6347 §4.2.6); in DTLS 1.3 with the header of TLS, which knows neither `message_seq` nor fragments (RFC 9147
//! §5.2). HelloRequest, HelloVerifyRequest and the ClientHello it answers are left out by those who add.

use crate::crypto::{CryptoProvider, Digest, Hash, HashAlgorithm};
use crate::flight::reassembly::Message;
use crate::wire::{HandshakeHeader, HandshakeType};

/// Length of the header of a handshake message in TLS.
const TLS_HEADER_LEN: usize = 4;

/// With which header a message is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HashedHeader {
    Dtls12,
    Dtls13,
}

impl HashedHeader {
    /// Passes on the header of a message with a body of `len` bytes.
    pub(crate) fn with<T>(
        self,
        message_type: HandshakeType,
        message_seq: u16,
        len: usize,
        take: impl FnOnce(&[u8]) -> T,
    ) -> T {
        let header = HandshakeHeader::whole(message_type, message_seq, len as u32).to_bytes();
        take(match self {
            Self::Dtls12 => &header,
            Self::Dtls13 => &header[..TLS_HEADER_LEN],
        })
    }
}

/// The messages so far.
#[derive(Debug)]
pub(crate) struct Transcript {
    header: HashedHeader,
    state: State,
    /// The messages themselves, for a CertificateVerify of DTLS 1.2: each scheme has a hash of its own (RFC 5246
    /// §7.4.8). As bounded as reassembly bounds the messages of two flights.
    kept: Option<Vec<u8>>,
}

/// Until the suite is known the messages themselves are kept: two hellos at most, of bounded length.
#[derive(Debug)]
enum State {
    Buffering(Vec<u8>),
    Hashing(Box<dyn Hash>),
}

impl Transcript {
    /// Of a DTLS 1.2 handshake.
    pub(crate) const fn new() -> Self {
        Self { header: HashedHeader::Dtls12, state: State::Buffering(Vec::new()), kept: None }
    }

    /// Of a DTLS 1.3 handshake.
    pub(crate) const fn dtls13() -> Self {
        Self { header: HashedHeader::Dtls13, state: State::Buffering(Vec::new()), kept: None }
    }

    /// Of a DTLS 1.3 handshake whose first ClientHello was answered with a HelloRetryRequest: its hash stands for it
    /// (RFC 8446 §4.4.1).
    pub(crate) fn after_retry(provider: &dyn CryptoProvider, algorithm: HashAlgorithm, hello: &Digest) -> Self {
        let mut transcript = Self::dtls13();
        transcript.start(provider, algorithm);
        transcript.add(HandshakeType::MESSAGE_HASH, 0, hello.as_ref());
        transcript
    }

    /// The suite is chosen: hashes what was kept and all that follows.
    pub(crate) fn start(&mut self, provider: &dyn CryptoProvider, algorithm: HashAlgorithm) {
        if let State::Buffering(messages) = &self.state {
            let mut hash = provider.hash(algorithm);
            hash.update(messages);
            self.state = State::Hashing(hash);
        }
    }

    /// From now on also keeps the messages, those before included. To be called before [`start`](Self::start).
    pub(crate) fn keep_messages(&mut self) {
        if let State::Buffering(messages) = &self.state {
            self.kept = Some(messages.clone());
        }
    }

    /// The messages, as a CertificateVerify of DTLS 1.2 signs them; nothing if they were not to be kept.
    pub(crate) fn messages(&self) -> &[u8] {
        self.kept.as_deref().unwrap_or_default()
    }

    pub(crate) fn forget_messages(&mut self) {
        self.kept = None;
    }

    pub(crate) fn add(&mut self, message_type: HandshakeType, message_seq: u16, body: &[u8]) {
        let (state, kept) = (&mut self.state, &mut self.kept);
        let append = |messages: &mut Vec<u8>, header: &[u8]| {
            messages.reserve(header.len() + body.len());
            messages.extend_from_slice(header);
            messages.extend_from_slice(body);
        };
        self.header.with(message_type, message_seq, body.len(), |header| {
            match state {
                State::Buffering(messages) => append(messages, header),
                State::Hashing(hash) => {
                    hash.update(header);
                    hash.update(body);
                }
            }
            if let Some(kept) = kept {
                append(kept, header);
            }
        });
    }

    pub(crate) fn add_received(&mut self, message: &Message) {
        self.add(message.message_type, message.message_seq, &message.body);
    }

    /// The hash up to here; empty as long as no suite is chosen, when there is nothing to verify with it.
    pub(crate) fn hash(&self) -> Digest {
        match &self.state {
            State::Buffering(_) => Digest::new(&[]),
            State::Hashing(hash) => hash.current(),
        }
    }

    /// The hash if the first `len` bytes of this message came next: what a binder covers of a ClientHello (RFC 8446
    /// §4.2.11.2). The algorithm is that of the key, should the transcript have none yet.
    pub(crate) fn hash_with(
        &self,
        provider: &dyn CryptoProvider,
        algorithm: HashAlgorithm,
        message_type: HandshakeType,
        body: &[u8],
        len: usize,
    ) -> Digest {
        let mut hash = match &self.state {
            State::Buffering(messages) => {
                let mut hash = provider.hash(algorithm);
                hash.update(messages);
                hash
            }
            State::Hashing(hash) => hash.fork(),
        };
        self.header.with(message_type, 0, body.len(), |header| hash.update(header));
        hash.update(&body[..len]);
        hash.current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::provider;

    #[test]
    fn messages_before_the_choice_of_the_hash_count_as_those_after() {
        let provider = provider();
        let mut early = Transcript::new();
        early.add(HandshakeType::CLIENT_HELLO, 1, b"hello");
        early.start(&*provider, HashAlgorithm::Sha256);
        let mut hash = provider.hash(HashAlgorithm::Sha256);
        hash.update(&[1, 0, 0, 5, 0, 1, 0, 0, 0, 0, 0, 5]);
        hash.update(b"hello");
        assert_eq!(early.hash(), hash.current());
    }

    #[test]
    fn messages_are_kept_on_request_from_the_first_on() {
        let provider = provider();
        let mut transcript = Transcript::new();
        transcript.add(HandshakeType::CLIENT_HELLO, 0, b"hello");
        transcript.keep_messages();
        transcript.start(&*provider, HashAlgorithm::Sha384);
        transcript.add(HandshakeType::SERVER_HELLO, 0, b"there");
        assert_eq!(transcript.messages().len(), 2 * (12 + 5));
        assert_eq!(transcript.hash(), provider.hash_of(HashAlgorithm::Sha384, transcript.messages()));
        transcript.forget_messages();
        assert!(transcript.messages().is_empty());
    }

    /// RFC 8446 §4.4.1: 254, a length, and the hash of the first ClientHello.
    #[test]
    fn a_retried_hello_is_replaced_by_its_hash_and_1_3_hashes_the_header_of_tls() {
        let provider = provider();
        let hello = Digest::new(&[7; 32]);
        let mut retried = Transcript::after_retry(&*provider, HashAlgorithm::Sha256, &hello);
        retried.add(HandshakeType::SERVER_HELLO, 3, b"retry");
        let mut hash = provider.hash(HashAlgorithm::Sha256);
        hash.update(&[254, 0, 0, 32]);
        hash.update(&[7; 32]);
        hash.update(&[2, 0, 0, 5]);
        hash.update(b"retry");
        assert_eq!(retried.hash(), hash.current());
        let binder = retried.hash_with(&*provider, HashAlgorithm::Sha256, HandshakeType::CLIENT_HELLO, b"hello", 3);
        hash.update(&[1, 0, 0, 5]);
        hash.update(b"hel");
        assert_eq!(binder, hash.current());
    }
}

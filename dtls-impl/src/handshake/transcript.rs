//! The hash of the handshake (RFC 6347 §4.2.6): every message as if sent in one fragment. HelloRequest,
//! HelloVerifyRequest and the ClientHello it answers are left out by those who add.

use crate::crypto::{CryptoProvider, Digest, Hash, HashAlgorithm};
use crate::flight::reassembly::Message;
use crate::wire::{HandshakeHeader, HandshakeType, body_of};

/// Until the suite is known the messages themselves are kept: two hellos at most, of bounded length.
#[derive(Debug)]
pub(crate) enum Transcript {
    Buffering(Vec<u8>),
    Hashing(Box<dyn Hash>),
}

impl Transcript {
    pub(crate) const fn new() -> Self {
        Self::Buffering(Vec::new())
    }

    /// The suite is chosen: hashes what was kept and all that follows.
    pub(crate) fn start(&mut self, provider: &dyn CryptoProvider, algorithm: HashAlgorithm) {
        if let Self::Buffering(messages) = self {
            let mut hash = provider.hash(algorithm);
            hash.update(messages);
            *self = Self::Hashing(hash);
        }
    }

    pub(crate) fn add(&mut self, message_type: HandshakeType, message_seq: u16, body: &[u8]) {
        let header = HandshakeHeader::whole(message_type, message_seq, body.len() as u32);
        let header = body_of(|w| header.emit(w));
        match self {
            Self::Buffering(messages) => {
                messages.extend_from_slice(&header);
                messages.extend_from_slice(body);
            }
            Self::Hashing(hash) => {
                hash.update(&header);
                hash.update(body);
            }
        }
    }

    pub(crate) fn add_received(&mut self, message: &Message) {
        self.add(message.message_type, message.message_seq, &message.body);
    }

    /// The hash up to here; empty as long as no suite is chosen, when there is nothing to verify with it.
    pub(crate) fn hash(&self) -> Digest {
        match self {
            Self::Buffering(_) => Digest::new(&[]),
            Self::Hashing(hash) => hash.current(),
        }
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
}

//! Real record bytes for tests: hellos, messages cut into fragments, records, datagrams.

use dtls_impl::crypto::schedule12::{KeyBlock, Side};
use dtls_impl::crypto::{AeadAlgorithm, HashAlgorithm, rustcrypto};
use dtls_impl::record::protection12::Sealer;

use crate::endpoint::Role;

/// A message, to be cut and sent.
#[derive(Clone, Debug)]
pub(crate) struct Msg {
    pub(crate) code: u8,
    pub(crate) seq: u16,
    pub(crate) body: Vec<u8>,
}

impl Msg {
    pub(crate) fn new(code: u8, seq: u16, body: &[u8]) -> Self {
        Self { code, seq, body: body.to_vec() }
    }

    /// The fragment `from..to`.
    pub(crate) fn cut(&self, from: usize, to: usize) -> Vec<u8> {
        let uint24 = |value: usize| u32::try_from(value).unwrap().to_be_bytes()[1..].to_vec();
        [
            &[self.code][..],
            &uint24(self.body.len()),
            &self.seq.to_be_bytes(),
            &uint24(from),
            &uint24(to - from),
            &self.body[from..to],
        ]
        .concat()
    }

    /// The whole message in one fragment.
    pub(crate) fn whole(&self) -> Vec<u8> {
        self.cut(0, self.body.len())
    }
}

pub(crate) const CLIENT_RANDOM: [u8; 32] = [0xc1; 32];
pub(crate) const SERVER_RANDOM: [u8; 32] = [0x5e; 32];
/// TLS_PSK_WITH_AES_128_CCM_8.
pub(crate) const SUITE: u16 = 0xc0a8;

pub(crate) fn client_hello_with(random: [u8; 32], seq: u16, cookie: &[u8]) -> Msg {
    let cookie_len = u8::try_from(cookie.len()).unwrap();
    let suite = SUITE.to_be_bytes();
    let body = [&[0xfe, 0xfd][..], &random, &[0, cookie_len], cookie, &[0, 2], &suite, &[1, 0]].concat();
    Msg::new(1, seq, &body)
}

pub(crate) fn client_hello(seq: u16, cookie: &[u8]) -> Msg {
    client_hello_with(CLIENT_RANDOM, seq, cookie)
}

pub(crate) fn server_hello(seq: u16) -> Msg {
    let body = [&[0xfe, 0xfd][..], &SERVER_RANDOM, &[0], &SUITE.to_be_bytes(), &[0]].concat();
    Msg::new(2, seq, &body)
}

/// A record.
pub(crate) fn record(content_type: u8, epoch: u16, seq: u64, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[content_type, 0xfe, 0xfd][..], &epoch.to_be_bytes(), &seq.to_be_bytes()[2..], &length, body].concat()
}

/// A record with one fragment.
pub(crate) fn handshake(seq: u64, fragment: &[u8]) -> Vec<u8> {
    record(22, 0, seq, fragment)
}

/// A ChangeCipherSpec record.
pub(crate) fn change_cipher_spec(seq: u64) -> Vec<u8> {
    record(20, 0, seq, &[1])
}

/// The master secret of the tests' associations.
const MASTER: [u8; 48] = [0x3a; 48];

/// The line of the key log for an association between [`CLIENT_RANDOM`] and [`SERVER_RANDOM`].
pub(crate) fn key_log() -> String {
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("CLIENT_RANDOM {} {}", hexadecimal(&CLIENT_RANDOM), hexadecimal(&MASTER))
}

/// A record of epoch 1 of that association.
pub(crate) fn protected(from: Role, content_type: u8, seq: u64, plaintext: &[u8]) -> Vec<u8> {
    let provider = rustcrypto::provider();
    let (aead, hash) = (AeadAlgorithm::Aes128Ccm8, HashAlgorithm::Sha256);
    let block = KeyBlock::derive(&*provider, hash, aead, &MASTER, &CLIENT_RANDOM, &SERVER_RANDOM);
    let part = match from {
        Role::Client => block.of(Side::Client),
        Role::Server => block.of(Side::Server),
    };
    let sealer = Sealer::new(&*provider, aead, part.key, part.iv).unwrap();
    let mut out = Vec::new();
    sealer.seal(content_type, 1, seq, plaintext, &mut out).unwrap();
    out
}

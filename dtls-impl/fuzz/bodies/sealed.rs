use dtls_impl::crypto::hkdf::Hkdf;
use dtls_impl::crypto::schedule12::{KeyBlock, Side};
use dtls_impl::crypto::schedule13::TrafficSecret;
use dtls_impl::crypto::{AeadAlgorithm, HashAlgorithm, Secret, rustcrypto};
use dtls_impl::record::{protection12, protection13};
use dtls_impl::wire::{
    AnyRecord, AnyRecords, CipherSuite, ContentType, Fragments, HandshakeType, HeaderForm, RecordNumber, ServerHello,
};

use super::input::Input;
use super::pair::Pair;
use super::setup::Setup;

/// Numbers that neither end reaches by itself.
const FIRST_NUMBER: u64 = 1000;

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks_exact(2);
    digits.filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
}

/// What `from` logged under a label, last first.
fn logged(pair: &Pair, label: &str) -> Option<Vec<u8>> {
    let line = pair.key_log.iter().rev().find_map(|line| line.strip_prefix(label)?.strip_prefix(' '))?;
    Some(bytes_of(line.split(' ').nth(1)?))
}

/// Seals whatever it is told with the keys of either end.
struct Forger {
    dtls13: bool,
    server_random: Vec<u8>,
    suite: CipherSuite,
    next: u64,
}

impl Forger {
    fn aead(&self) -> Option<(AeadAlgorithm, HashAlgorithm)> {
        let name = self.suite.to_string();
        let aead = [
            ("CCM_8", AeadAlgorithm::Aes128Ccm8),
            ("128_CCM", AeadAlgorithm::Aes128Ccm),
            ("128_GCM", AeadAlgorithm::Aes128Gcm),
            ("256_GCM", AeadAlgorithm::Aes256Gcm),
            ("CHACHA20", AeadAlgorithm::ChaCha20Poly1305),
        ];
        let (_, aead) = aead.into_iter().find(|(part, _)| name.contains(part))?;
        let hash = if name.ends_with("SHA384") { HashAlgorithm::Sha384 } else { HashAlgorithm::Sha256 };
        Some((aead, hash))
    }

    /// Epoch 0 stands for the first protected one, without connection ID.
    fn record(&mut self, pair: &Pair, from: usize, epoch: u64, content_type: u8, content: &[u8]) -> Option<Vec<u8>> {
        let to = pair.ends[1 - from].connection_ids();
        let connection_id = to.first().copied().filter(|_| epoch != 0);
        let epoch = epoch.max(1);
        let provider = rustcrypto::provider();
        let (aead, hash) = self.aead()?;
        self.next += 1;
        let mut out = Vec::new();
        if !self.dtls13 {
            let line = pair.key_log.iter().find_map(|line| line.strip_prefix("CLIENT_RANDOM "))?;
            let (client_random, master) = line.split_once(' ')?;
            let client_random = bytes_of(client_random).try_into().ok()?;
            let server_random = self.server_random.clone().try_into().ok()?;
            let block = KeyBlock::derive(&*provider, hash, aead, &bytes_of(master), &client_random, &server_random);
            let part = block.of(if from == 0 { Side::Client } else { Side::Server });
            let sealer = protection12::Sealer::new(&*provider, aead, part.key, part.iv).ok()?;
            match connection_id {
                Some(id) => sealer.seal_with_cid(id, (content_type, 0), 1, self.next, content, &mut out).ok()?,
                None => sealer.seal(content_type, 1, self.next, content, &mut out).ok()?,
            }
            return Some(out);
        }
        let label = match (epoch, from) {
            (1, _) => "CLIENT_EARLY_TRAFFIC_SECRET",
            (2, 0) => "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            (2, _) => "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            (_, 0) => "CLIENT_TRAFFIC_SECRET_0",
            (..) => "SERVER_TRAFFIC_SECRET_0",
        };
        let secret = TrafficSecret::logged(Secret::new(logged(pair, label)?));
        let keys = secret.keys(&Hkdf::dtls13(provider.clone(), hash), aead);
        let sealer = protection13::Sealer::new(&*provider, aead, &keys).ok()?;
        let number = RecordNumber { epoch, seq: self.next };
        let content_type = ContentType(content_type);
        sealer.seal_with_cid(HeaderForm::FULL, connection_id, number, content_type, content, &mut out).ok()?;
        Some(out)
    }
}

/// A peer that has the keys says anything: neither end may panic, spin, or send what is too large.
pub(crate) fn sealed(input: &[u8]) {
    let mut input = Input::new(input);
    let mut pair = Pair::new(Setup(input.byte()));
    let mut forger = Forger { dtls13: false, server_random: Vec::new(), suite: CipherSuite(0), next: FIRST_NUMBER };
    // How far the handshake goes before the forger speaks.
    let before = usize::from(input.byte() % 12);
    for step in 0..before {
        let to = (step + 1) % 2;
        while !pair.waiting[to].is_empty() {
            if to == 0 {
                let datagram = pair.waiting[0][0].clone();
                learn(&mut forger, &datagram);
            }
            pair.deliver_first(to);
        }
    }
    let mut steps = 0;
    while !input.is_empty() && steps < 60 {
        steps += 1;
        let op = input.byte();
        let (from, epoch) = (usize::from(op & 1), u64::from(op >> 1 & 3));
        let content_type = [20, 21, 22, 23, 24, 25, 26, 27][usize::from(op >> 3 & 7)];
        let content = if op & 0x40 == 0 { input.bytes() } else { input.rest() };
        if let Some(record) = forger.record(&pair, from, epoch, content_type, content) {
            pair.deliver_from(1 - from, &record, op & 0x80 != 0);
        }
        if op & 0x80 != 0 {
            pair.deliver_first(from);
            pair.wait();
        }
    }
    pair.calm();
}

/// Remembers what the server's hello says.
fn learn(forger: &mut Forger, datagram: &[u8]) {
    for record in AnyRecords::new(datagram, None).flatten() {
        let AnyRecord::Plain(record) = record else { continue };
        if record.header.content_type != ContentType::HANDSHAKE || record.header.epoch != 0 {
            continue;
        }
        for fragment in Fragments::new(record.body).flatten() {
            if fragment.header.message_type == HandshakeType::SERVER_HELLO
                && let Ok(hello) = ServerHello::parse(fragment.body)
            {
                forger.dtls13 = hello.extensions.selected_version().ok().flatten().is_some();
                forger.server_random = hello.random.to_vec();
                forger.suite = hello.cipher_suite;
            }
        }
    }
}

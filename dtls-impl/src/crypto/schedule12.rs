//! The DTLS 1.2 key schedule: from a premaster secret to keys, Finished and exported material.
//!
//! Pure functions over the provider's HMAC. Which of them to call when, and with which transcript, is the handshake's
//! business.

use core::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::{AeadAlgorithm, CryptoError, CryptoProvider, HashAlgorithm, Secret};

/// Length of every master secret (RFC 5246 §8.1).
pub const MASTER_SECRET_LEN: usize = 48;

/// Length of Finished.verify_data in every supported cipher suite (RFC 5246 §7.4.9).
pub const VERIFY_DATA_LEN: usize = 12;

/// Seeds a single PRF call takes: an exporter has client random, server random, context length and context.
const SEEDS_MAX: usize = 4;

/// The PRF of RFC 5246 §5 with P_`hash`, filling `out`. The seed is the concatenation of `seeds`, at most four.
pub fn prf(
    provider: &dyn CryptoProvider,
    hash: HashAlgorithm,
    secret: &[u8],
    label: &[u8],
    seeds: &[&[u8]],
    out: &mut [u8],
) {
    assert!(seeds.len() <= SEEDS_MAX, "callers pass a fixed, small number of seeds");
    let mut input: [&[u8]; 2 + SEEDS_MAX] = [&[]; 2 + SEEDS_MAX];
    input[1] = label;
    input[2..2 + seeds.len()].copy_from_slice(seeds);

    // A(0) is the seed, A(i) = HMAC(secret, A(i-1)); each block is HMAC(secret, A(i) + seed).
    provider.hmacs(hash, secret, &mut |hmac| {
        let mut a = hmac(&input);
        let mut chunks = out.chunks_mut(hash.output_len()).peekable();
        while let Some(chunk) = chunks.next() {
            let mut parts = input;
            parts[0] = a.as_ref();
            let mut block = hmac(&parts);
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
            block.zeroize();
            if chunks.peek().is_some() {
                a = hmac(&[a.as_ref()]);
            }
        }
        a.zeroize();
    });
}

/// What a master secret is bound to.
#[derive(Clone, Copy, Debug)]
pub enum MasterSecretSeed<'a> {
    /// Extended master secret: the hash of all messages up to and including ClientKeyExchange (RFC 7627 §4).
    SessionHash(&'a [u8]),
    /// The randoms of both hellos (RFC 5246 §8.1).
    Randoms {
        /// ClientHello.random.
        client: &'a [u8; 32],
        /// ServerHello.random.
        server: &'a [u8; 32],
    },
}

/// The master secret for a premaster secret.
pub fn master_secret(
    provider: &dyn CryptoProvider,
    hash: HashAlgorithm,
    premaster: &[u8],
    seed: MasterSecretSeed<'_>,
) -> Secret {
    let mut out = vec![0; MASTER_SECRET_LEN];
    match seed {
        MasterSecretSeed::SessionHash(session_hash) => {
            prf(provider, hash, premaster, b"extended master secret", &[session_hash], &mut out);
        }
        MasterSecretSeed::Randoms { client, server } => {
            prf(provider, hash, premaster, b"master secret", &[client, server], &mut out);
        }
    }
    Secret::new(out)
}

/// The premaster secret of a PSK key exchange: `other` is the ECDHE secret of ECDHE_PSK (RFC 5489 §2), and absent for
/// plain PSK, where as many zero bytes as the key has take its place (RFC 4279 §2).
pub fn psk_premaster(psk: &[u8], other: Option<&[u8]>) -> Result<Secret, CryptoError> {
    let length = |len: usize| u16::try_from(len).map(u16::to_be_bytes).map_err(|_| CryptoError::BadLength);
    let other_len = other.map_or(psk.len(), <[u8]>::len);
    // Allocated once: a growing vector would leave copies of the secret behind.
    let mut out = Vec::with_capacity(4 + other_len + psk.len());
    out.extend_from_slice(&length(other_len)?);
    match other {
        Some(other) => out.extend_from_slice(other),
        None => out.resize(2 + other_len, 0),
    }
    out.extend_from_slice(&length(psk.len())?);
    out.extend_from_slice(psk);
    Ok(Secret::new(out))
}

/// One direction's key material.
#[derive(Clone, Copy)]
pub struct WriteKey<'a> {
    /// Key of the AEAD.
    pub key: &'a [u8],
    /// The part of every nonce that is not sent: [`AeadAlgorithm::fixed_iv_len`] bytes.
    pub iv: &'a [u8],
}

/// The key block of RFC 5246 §6.3. AEAD suites have no MAC keys.
///
/// Not on the heap: it lives only until ciphers are made of it.
#[derive(Clone)]
pub struct KeyBlock {
    block: Zeroizing<[u8; KEY_BLOCK_LEN_MAX]>,
    aead: AeadAlgorithm,
}

/// Two of the longest keys, and two of the longest nonces.
const KEY_BLOCK_LEN_MAX: usize = 2 * (32 + 12);

impl KeyBlock {
    /// Expands the master secret. Note that here, unlike elsewhere, the server's random comes first.
    pub fn derive(
        provider: &dyn CryptoProvider,
        hash: HashAlgorithm,
        aead: AeadAlgorithm,
        master: &[u8],
        client_random: &[u8; 32],
        server_random: &[u8; 32],
    ) -> Self {
        let mut block = Zeroizing::new([0; KEY_BLOCK_LEN_MAX]);
        let used = &mut block[..2 * (aead.key_len() + aead.fixed_iv_len())];
        prf(provider, hash, master, b"key expansion", &[server_random, client_random], used);
        Self { block, aead }
    }

    /// What this side writes with.
    pub fn of(&self, side: Side) -> WriteKey<'_> {
        let (key_len, iv_len) = (self.aead.key_len(), self.aead.fixed_iv_len());
        let (keys, ivs) = self.block.split_at(2 * key_len);
        let (client_key, server_key) = keys.split_at(key_len);
        let (client_iv, server_iv) = ivs[..2 * iv_len].split_at(iv_len);
        match side {
            Side::Client => WriteKey { key: client_key, iv: client_iv },
            Side::Server => WriteKey { key: server_key, iv: server_iv },
        }
    }
}

impl fmt::Debug for KeyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBlock({:?})", self.aead)
    }
}

/// Whose keys, or whose Finished message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client's.
    Client,
    /// The server's.
    Server,
}

/// Finished.verify_data (RFC 5246 §7.4.9). Compare with [`equal`](super::equal).
pub fn verify_data(
    provider: &dyn CryptoProvider,
    hash: HashAlgorithm,
    master: &[u8],
    side: Side,
    transcript_hash: &[u8],
) -> [u8; VERIFY_DATA_LEN] {
    let label: &[u8] = match side {
        Side::Client => b"client finished",
        Side::Server => b"server finished",
    };
    let mut out = [0; VERIFY_DATA_LEN];
    prf(provider, hash, master, label, &[transcript_hash], &mut out);
    out
}

/// Keying material for an application (RFC 5705 §4). An empty context differs from no context.
/// Fails only for contexts longer than 65535 bytes.
#[expect(clippy::too_many_arguments, reason = "the inputs of RFC 5705 §4, each of them a plain value")]
pub fn export(
    provider: &dyn CryptoProvider,
    hash: HashAlgorithm,
    master: &[u8],
    client_random: &[u8; 32],
    server_random: &[u8; 32],
    label: &[u8],
    context: Option<&[u8]>,
    out: &mut [u8],
) -> Result<(), CryptoError> {
    match context {
        None => prf(provider, hash, master, label, &[client_random, server_random], out),
        Some(context) => {
            let len = u16::try_from(context.len()).map_err(|_| CryptoError::BadLength)?.to_be_bytes();
            prf(provider, hash, master, label, &[client_random, server_random, &len, context], out);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::provider;
    use crate::crypto::test_vectors::hex;

    const CLIENT: [u8; 32] = [0xc1; 32];
    const SERVER: [u8; 32] = [0x5e; 32];

    fn expand(hash: HashAlgorithm, secret: &[u8], label: &[u8], seeds: &[&[u8]], len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        prf(&*provider(), hash, secret, label, seeds, &mut out);
        out
    }

    /// The vectors that went round on the TLS working group's list, with which most stacks test their PRF.
    #[test]
    fn prf_matches_the_published_vectors() {
        let sha256 = expand(
            HashAlgorithm::Sha256,
            &hex("9bbe436ba940f017b17652849a71db35"),
            b"test label",
            &[&hex("a0ba9f936cda311827a6f796ffd5198c")],
            100,
        );
        let expected = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af\
            0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
            87347b66";
        assert_eq!(sha256, hex(expected));

        let sha384 = expand(
            HashAlgorithm::Sha384,
            &hex("b80b733d6ceefcdc71566ea48e5567df"),
            b"test label",
            &[&hex("cd665cf6a8447dd6ff8b27555edb7465")],
            148,
        );
        let expected = "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0\
            e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425\
            9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e099070\
            3d73e56f";
        assert_eq!(sha384, hex(expected));
    }

    #[test]
    fn prf_output_is_a_prefix_of_longer_output_and_does_not_see_where_seeds_are_cut() {
        let long = expand(HashAlgorithm::Sha256, b"secret", b"label", &[b"seed"], 130);
        for len in [0, 1, 31, 32, 33, 64, 129] {
            assert_eq!(expand(HashAlgorithm::Sha256, b"secret", b"label", &[b"seed"], len), long[..len]);
        }
        assert_eq!(expand(HashAlgorithm::Sha256, b"secret", b"label", &[b"s", b"", b"ee", b"d"], 130), long);
        assert_eq!(expand(HashAlgorithm::Sha256, b"secret", b"labels", &[b"eed"], 130), long);
    }

    #[test]
    fn master_secrets_are_48_bytes_and_depend_on_the_kind_of_seed() {
        let provider = provider();
        let hash = HashAlgorithm::Sha256;
        let seed = MasterSecretSeed::Randoms { client: &CLIENT, server: &SERVER };
        let plain = master_secret(&*provider, hash, b"premaster", seed);
        assert_eq!(plain.expose(), expand(hash, b"premaster", b"master secret", &[&CLIENT, &SERVER], 48));
        let extended = master_secret(&*provider, hash, b"premaster", MasterSecretSeed::SessionHash(&[7; 32]));
        assert_eq!(extended.expose(), expand(hash, b"premaster", b"extended master secret", &[&[7; 32]], 48));
        assert_ne!(plain, extended);
    }

    #[test]
    fn psk_premasters_have_the_structure_of_rfc_4279() {
        assert_eq!(psk_premaster(b"key", None).unwrap().expose(), b"\0\x03\0\0\0\0\x03key");
        assert_eq!(psk_premaster(b"key", Some(b"ecdhe")).unwrap().expose(), b"\0\x05ecdhe\0\x03key");
        assert_eq!(psk_premaster(b"", None).unwrap().expose(), [0; 4]);
        assert_eq!(psk_premaster(&[0; 65536], None), Err(CryptoError::BadLength));
    }

    #[test]
    fn key_blocks_are_cut_in_the_order_of_rfc_5246() {
        let provider = provider();
        for (aead, key_len, iv_len) in [
            (AeadAlgorithm::Aes128Gcm, 16, 4),
            (AeadAlgorithm::Aes256Gcm, 32, 4),
            (AeadAlgorithm::ChaCha20Poly1305, 32, 12),
            (AeadAlgorithm::Aes128Ccm, 16, 4),
            (AeadAlgorithm::Aes128Ccm8, 16, 4),
        ] {
            let hash = HashAlgorithm::Sha384;
            let block = KeyBlock::derive(&*provider, hash, aead, b"master", &CLIENT, &SERVER);
            let (client, server) = (block.of(Side::Client), block.of(Side::Server));
            let parts = [client.key, server.key, client.iv, server.iv];
            assert_eq!(parts.map(<[u8]>::len), [key_len, key_len, iv_len, iv_len], "{aead:?}");
            let joined = parts.concat();
            assert_eq!(joined, expand(hash, b"master", b"key expansion", &[&SERVER, &CLIENT], joined.len()));
        }
    }

    #[test]
    fn each_side_has_its_own_finished_label() {
        let provider = provider();
        let of = |side| verify_data(&*provider, HashAlgorithm::Sha256, b"master", side, &[1; 32]);
        assert_eq!(of(Side::Client)[..], expand(HashAlgorithm::Sha256, b"master", b"client finished", &[&[1; 32]], 12));
        assert_eq!(of(Side::Server)[..], expand(HashAlgorithm::Sha256, b"master", b"server finished", &[&[1; 32]], 12));
    }

    #[test]
    fn exporters_tell_an_empty_context_from_none() {
        let provider = provider();
        let export = |context: Option<&[u8]>| {
            let mut out = [0; 40];
            let hash = HashAlgorithm::Sha256;
            export(&*provider, hash, b"master", &CLIENT, &SERVER, b"EXPORTER-test", context, &mut out).map(|()| out)
        };
        let expected = |seeds| expand(HashAlgorithm::Sha256, b"master", b"EXPORTER-test", seeds, 40);
        assert_eq!(export(None).unwrap()[..], expected(&[&CLIENT, &SERVER]));
        assert_eq!(export(Some(b"")).unwrap()[..], expected(&[&CLIENT, &SERVER, &[0, 0]]));
        assert_eq!(export(Some(b"ab")).unwrap()[..], expected(&[&CLIENT, &SERVER, &[0, 2], b"ab"]));
        assert_eq!(export(Some(&[0; 65536])), Err(CryptoError::BadLength));
    }
}

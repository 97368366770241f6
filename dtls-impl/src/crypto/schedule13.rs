//! The key schedule of TLS 1.3 with the labels of DTLS 1.3 (RFC 8446 §7.1, RFC 9147 §5.9).
//!
//! A stage is a type: [`Early`] becomes [`Handshake`] becomes [`Traffic`], each consuming the one before, so that no
//! secret can be derived from the wrong stage or twice. Which transcript hash goes where is the handshake's business.

use core::fmt;
use core::marker::PhantomData;

use zeroize::{Zeroize, Zeroizing};

use super::hkdf::Hkdf;
use super::{AeadAlgorithm, CryptoError, Digest, Secret};

/// In place of a secret that there is not: as many as the hash is long (RFC 8446 §7.1).
const ZEROS: [u8; 48] = [0; 48];

/// The stage before the hellos are exchanged.
#[derive(Clone, Debug)]
pub struct Early(());
/// The stage of the shared ephemeral secret.
#[derive(Clone, Debug)]
pub struct Handshake(());
/// The stage of application data.
#[derive(Clone, Debug)]
pub struct Traffic(());

/// The secret at one stage of the schedule.
#[derive(Clone, Debug)]
pub struct KeySchedule<Stage> {
    hkdf: Hkdf,
    secret: Secret,
    stage: PhantomData<Stage>,
}

/// Where a pre-shared key comes from, which its binder must not leave open (RFC 8446 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PskOrigin {
    /// Agreed on outside of DTLS.
    External,
    /// From a NewSessionTicket.
    Resumption,
    /// Agreed on outside of DTLS, and imported (RFC 9258 §5.2).
    Imported,
}

impl KeySchedule<Early> {
    /// Starts with a pre-shared key, or without.
    pub fn new(hkdf: Hkdf, psk: Option<&[u8]>) -> Self {
        let zeros = &ZEROS[..hkdf.hash_algorithm().output_len()];
        let secret = hkdf.extract(&[], psk.unwrap_or(zeros));
        Self { hkdf, secret, stage: PhantomData }
    }

    /// The binder of the pre-shared key over a ClientHello cut before the binders (RFC 8446 §4.2.11.2).
    pub fn binder(&self, origin: PskOrigin, truncated_hello: &Digest) -> Digest {
        let label: &[u8] = match origin {
            PskOrigin::External => b"ext binder",
            PskOrigin::Resumption => b"res binder",
            PskOrigin::Imported => b"imp binder",
        };
        let mut key = HashSized::default();
        self.hkdf.expand_into(self.secret.expose(), label, self.hkdf.hash(&[]).as_ref(), key.of(&self.hkdf));
        finished(&self.hkdf, key.of(&self.hkdf), truncated_hello)
    }

    /// The secret of early data, over the ClientHello.
    pub fn early_traffic_secret(&self, hello: &Digest) -> TrafficSecret {
        TrafficSecret(self.derive(b"c e traffic", hello))
    }

    /// Adds the ephemeral secret, or none for key exchange by PSK alone.
    pub fn into_handshake(self, shared: Option<&Secret>) -> KeySchedule<Handshake> {
        self.next(shared)
    }
}

impl KeySchedule<Handshake> {
    /// Secrets of epoch 2, over the transcript from ClientHello to ServerHello.
    pub fn traffic_secrets(&self, transcript: &Digest) -> TrafficSecrets {
        TrafficSecrets {
            client: TrafficSecret(self.derive(b"c hs traffic", transcript)),
            server: TrafficSecret(self.derive(b"s hs traffic", transcript)),
        }
    }

    /// Goes on to the secret of application data.
    pub fn into_traffic(self) -> KeySchedule<Traffic> {
        self.next(None)
    }
}

impl KeySchedule<Traffic> {
    /// Secrets of epoch 3, over the transcript from ClientHello to the server's Finished.
    pub fn traffic_secrets(&self, transcript: &Digest) -> TrafficSecrets {
        TrafficSecrets {
            client: TrafficSecret(self.derive(b"c ap traffic", transcript)),
            server: TrafficSecret(self.derive(b"s ap traffic", transcript)),
        }
    }

    /// The exporter's secret, over the transcript from ClientHello to the server's Finished.
    pub fn exporter(&self, transcript: &Digest) -> Exporter {
        Exporter { secret: self.derive(b"exp master", transcript), hkdf: self.hkdf.clone() }
    }

    /// What tickets are made from, over the transcript from ClientHello to the client's Finished.
    pub fn into_resumption(mut self, transcript: &Digest) -> Resumption {
        let mut secret = HashSized::default();
        let secret = secret.of(&self.hkdf);
        self.hkdf.expand_into(self.secret.expose(), b"res master", transcript.as_ref(), secret);
        self.secret.overwrite(secret);
        Resumption { secret: self.secret, hkdf: self.hkdf }
    }
}

impl<Stage> KeySchedule<Stage> {
    /// The HKDF of this connection.
    pub const fn hkdf(&self) -> &Hkdf {
        &self.hkdf
    }

    /// Derive-Secret (RFC 8446 §7.1).
    fn derive(&self, label: &[u8], transcript: &Digest) -> Secret {
        let len = self.hkdf.hash_algorithm().output_len();
        self.hkdf.expand_secret(&self.secret, label, transcript.as_ref(), len)
    }

    /// The next secret takes the place of this one.
    fn next<Next>(mut self, input: Option<&Secret>) -> KeySchedule<Next> {
        let mut salt = HashSized::default();
        let salt = salt.of(&self.hkdf);
        self.hkdf.expand_into(self.secret.expose(), b"derived", self.hkdf.hash(&[]).as_ref(), salt);
        let zeros = &ZEROS[..salt.len()];
        let mut next = self.hkdf.mac(salt, input.map_or(zeros, Secret::expose));
        self.secret.overwrite(next.as_ref());
        next.zeroize();
        KeySchedule { hkdf: self.hkdf, secret: self.secret, stage: PhantomData }
    }
}

/// Room for a secret of a hash's length that is needed for one step only; wiped when dropped.
struct HashSized(Zeroizing<[u8; 48]>);

impl HashSized {
    fn of(&mut self, hkdf: &Hkdf) -> &mut [u8] {
        &mut self.0[..hkdf.hash_algorithm().output_len()]
    }
}

impl Default for HashSized {
    fn default() -> Self {
        Self(Zeroizing::new([0; 48]))
    }
}

/// Finished, or a binder, from the secret it proves knowledge of (RFC 8446 §4.4.4).
fn finished(hkdf: &Hkdf, secret: &[u8], transcript: &Digest) -> Digest {
    let mut key = HashSized::default();
    let key = key.of(hkdf);
    hkdf.expand_into(secret, b"finished", b"", key);
    hkdf.mac(key, transcript.as_ref())
}

/// The secrets of both directions of an epoch.
#[derive(Clone, Debug)]
pub struct TrafficSecrets {
    /// What the client writes with.
    pub client: TrafficSecret,
    /// What the server writes with.
    pub server: TrafficSecret,
}

/// The secret of one direction of one epoch, from which come its keys, its Finished and its successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficSecret(Secret);

impl TrafficSecret {
    /// A secret that was read from a key log.
    pub const fn logged(secret: Secret) -> Self {
        Self(secret)
    }

    /// Keys for records (RFC 8446 §7.3) and for their numbers (RFC 9147 §4.2.3).
    pub fn keys(&self, hkdf: &Hkdf, aead: AeadAlgorithm) -> TrafficKeys {
        let key_len = aead.key_len();
        let mut keys = TrafficKeys { material: Zeroizing::new([0; MATERIAL_LEN]), key_len };
        let (iv, rest) = keys.material.split_at_mut(NONCE_LEN);
        let (key, rest) = rest.split_at_mut(key_len);
        let number_key = &mut rest[..key_len];
        hkdf.expand_each(self.expose(), [(b"key", key), (b"sn", number_key), (b"iv", iv)]);
        keys
    }

    /// Finished.verify_data over a transcript (RFC 8446 §4.4.4).
    pub fn verify_data(&self, hkdf: &Hkdf, transcript: &Digest) -> Digest {
        finished(hkdf, self.expose(), transcript)
    }

    /// The secret after a KeyUpdate (RFC 8446 §7.2).
    pub fn next(&self, hkdf: &Hkdf) -> Self {
        Self(hkdf.expand_secret(&self.0, b"traffic upd", b"", hkdf.hash_algorithm().output_len()))
    }

    /// The secret's bytes, for a key log.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

/// Length of every nonce (RFC 8446 §5.3).
pub const NONCE_LEN: usize = 12;

/// A nonce and two of the longest keys.
const MATERIAL_LEN: usize = NONCE_LEN + 2 * 32;

/// One direction's keys of one epoch.
#[derive(Clone)]
pub struct TrafficKeys {
    /// The nonce, and behind it both keys. Not on the heap: it lives only until ciphers are made of it.
    material: Zeroizing<[u8; MATERIAL_LEN]>,
    key_len: usize,
}

impl TrafficKeys {
    /// Key of the AEAD.
    pub fn key(&self) -> &[u8] {
        &self.material[NONCE_LEN..NONCE_LEN + self.key_len]
    }

    /// Key of the cipher that hides record numbers.
    pub fn number_key(&self) -> &[u8] {
        &self.material[NONCE_LEN + self.key_len..NONCE_LEN + 2 * self.key_len]
    }

    /// What the record's number is added to, without carry, to make its nonce.
    pub fn iv(&self) -> &[u8] {
        &self.material[..NONCE_LEN]
    }

    /// Keys from somewhere else than a traffic secret.
    #[cfg(test)]
    pub(crate) fn of(key: &[u8], iv: &[u8], number_key: &[u8]) -> Self {
        let mut material = Zeroizing::new([0; MATERIAL_LEN]);
        let parts = [iv, key, number_key].concat();
        material[..parts.len()].copy_from_slice(&parts);
        Self { material, key_len: key.len() }
    }
}

impl fmt::Debug for TrafficKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrafficKeys({} bytes)", self.key_len)
    }
}

/// Gives keying material to the application (RFC 8446 §7.5).
#[derive(Clone, Debug)]
pub struct Exporter {
    secret: Secret,
    hkdf: Hkdf,
}

impl Exporter {
    /// Fills `out`. No context and an empty one are the same here, unlike in DTLS 1.2.
    pub fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
        let len = self.hkdf.hash_algorithm().output_len();
        let mut secret = vec![0; len];
        self.hkdf.expand_label(&self.secret, label, self.hkdf.hash(&[]).as_ref(), &mut secret)?;
        self.hkdf.expand_label(&Secret::new(secret), b"exporter", self.hkdf.hash(context).as_ref(), out)
    }

    /// The secret's bytes, for a key log.
    pub fn expose(&self) -> &[u8] {
        self.secret.expose()
    }
}

/// Makes the pre-shared keys of tickets (RFC 8446 §4.6.1).
#[derive(Clone, Debug)]
pub struct Resumption {
    secret: Secret,
    hkdf: Hkdf,
}

impl Resumption {
    /// The key of the ticket with this nonce, which is at most 255 bytes on the wire.
    pub fn psk(&self, nonce: &[u8]) -> Result<Secret, CryptoError> {
        let mut out = vec![0; self.hkdf.hash_algorithm().output_len()];
        self.hkdf.expand_label(&self.secret, b"resumption", nonce, &mut out)?;
        Ok(Secret::new(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::HashAlgorithm;
    use crate::crypto::hkdf::LabelPrefix;
    use crate::crypto::rustcrypto::provider;
    use crate::crypto::test_vectors::hex;

    fn tls() -> Hkdf {
        Hkdf::with_prefix(provider(), HashAlgorithm::Sha256, LabelPrefix::Tls13)
    }

    fn digest(text: &str) -> Digest {
        Digest::new(&hex(text))
    }

    /// RFC 8448 §3: ClientHello to ServerHello, and to server and client Finished.
    const TO_SERVER_HELLO: &str = "860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8";
    const TO_SERVER_FINISHED: &str = "9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13";
    const TO_CLIENT_FINISHED: &str = "209145a96ee8e2a122ff810047cc952684658d6049e86429426db87c54ad143d";

    fn handshake() -> KeySchedule<Handshake> {
        let shared = Secret::new(hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d"));
        KeySchedule::new(tls(), None).into_handshake(Some(&shared))
    }

    #[test]
    fn the_secrets_of_every_stage_are_those_of_rfc_8448() {
        let early = KeySchedule::new(tls(), None);
        assert_eq!(early.secret.expose(), hex("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"));
        let handshake = handshake();
        let expected = "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac";
        assert_eq!(handshake.secret.expose(), hex(expected));
        let secrets = handshake.traffic_secrets(&digest(TO_SERVER_HELLO));
        let expected = "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21";
        assert_eq!(secrets.client.expose(), hex(expected));
        let expected = "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38";
        assert_eq!(secrets.server.expose(), hex(expected));

        let traffic = handshake.into_traffic();
        assert_eq!(traffic.secret.expose(), hex("18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919"));
        let secrets = traffic.traffic_secrets(&digest(TO_SERVER_FINISHED));
        let expected = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
        assert_eq!(secrets.client.expose(), hex(expected));
        let expected = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
        assert_eq!(secrets.server.expose(), hex(expected));
        let exporter = traffic.exporter(&digest(TO_SERVER_FINISHED));
        assert_eq!(exporter.expose(), hex("fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50"));

        let resumption = traffic.into_resumption(&digest(TO_CLIENT_FINISHED));
        let expected = "7df235f2031d2a051287d02b0241b0bfdaf86cc856231f2d5aba46c434ec196c";
        assert_eq!(resumption.secret.expose(), hex(expected));
        let expected = "4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3";
        assert_eq!(resumption.psk(&[0, 0]).unwrap().expose(), hex(expected));
    }

    #[test]
    fn traffic_keys_are_those_of_rfc_8448() {
        let secrets = handshake().traffic_secrets(&digest(TO_SERVER_HELLO));
        let keys = secrets.server.keys(&tls(), AeadAlgorithm::Aes128Gcm);
        assert_eq!(keys.key(), hex("3fce516009c21727d0f2e4e86ee403bc"));
        assert_eq!(keys.iv(), hex("5d313eb2671276ee13000b30"));
        let keys = secrets.client.keys(&tls(), AeadAlgorithm::Aes128Gcm);
        assert_eq!(keys.key(), hex("dbfaa693d1762c5b666af5d950258d01"));
        assert_eq!(keys.iv(), hex("5bd3c71b836e0b76bb73265f"));
        assert_eq!(keys.number_key().len(), 16);
    }

    #[test]
    fn finished_and_binder_are_those_of_rfc_8448() {
        let secrets = handshake().traffic_secrets(&digest(TO_SERVER_HELLO));
        let verify_data = secrets.client.verify_data(&tls(), &digest(TO_SERVER_FINISHED));
        assert_eq!(verify_data, digest("a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61"));

        let psk = hex("4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3");
        let early = KeySchedule::new(tls(), Some(&psk));
        let hello = digest("63224b2e4573f2d3454ca84b9d009a04f6be9e05711a8396473aefa01e924a14");
        let binder = early.binder(PskOrigin::Resumption, &hello);
        assert_eq!(binder, digest("3add4fb2d8fdf822a0ca3cf7678ef5e88dae990141c5924d57bb6fa31b9e5f9d"));
        assert_ne!(early.binder(PskOrigin::External, &hello), binder);
    }

    /// RFC 8448 §4: a resumed handshake with early data.
    #[test]
    fn the_secrets_of_a_resumed_handshake_are_those_of_rfc_8448() {
        let psk = hex("4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3");
        let early = KeySchedule::new(tls(), Some(&psk));
        assert_eq!(early.secret.expose(), hex("9b2188e9b2fc6d64d71dc329900e20bb41915000f678aa839cbb797cb7d8332c"));
        let hello = digest("08ad0fa05d7c7233b1775ba2ff9f4c5b8b59276b7f227f13a976245f5d960913");
        let secret = early.early_traffic_secret(&hello);
        assert_eq!(secret.expose(), hex("3fbbe6a60deb66c30a32795aba0eff7eaa10105586e7be5c09678d63b6caab62"));
        let keys = secret.keys(&tls(), AeadAlgorithm::Aes128Gcm);
        assert_eq!(keys.key(), hex("920205a5b7bf2115e6fc5c2942834f54"));
        assert_eq!(keys.iv(), hex("6d475f0993c8e564610db2b9"));

        let shared = Secret::new(hex("f44194756ff9ec9d25180635d66ea6824c6ab3bf179977be37f723570e7ccb2e"));
        let handshake = early.into_handshake(Some(&shared));
        let expected = "005cb112fd8eb4ccc623bb88a07c64b3ede1605363fc7d0df8c7ce4ff0fb4ae6";
        assert_eq!(handshake.secret.expose(), hex(expected));
        let to_server_hello = digest("f736cb34fe25e701551bee6fd24c1cc7102a7daf9405cb15d97aafe16f757d03");
        let secrets = handshake.traffic_secrets(&to_server_hello);
        let expected = "2faac08f851d35fea3604fcb4de82dc62c9b164a70974d0462e27f1ab278700f";
        assert_eq!(secrets.client.expose(), hex(expected));
        let expected = "fe927ae271312e8bf0275b581c54eef020450dc4ecffaa05a1a35d27518e7803";
        assert_eq!(secrets.server.expose(), hex(expected));
        let traffic = handshake.into_traffic();
        assert_eq!(traffic.secret.expose(), hex("e2d32d4ed66dd37897a0e80c84107503ce58bf8aad4cb55a5002d77ecb890ece"));
    }

    #[test]
    fn each_key_update_gives_another_secret_and_both_sides_the_same() {
        let secret = handshake().traffic_secrets(&digest(TO_SERVER_HELLO)).client;
        assert_ne!(secret.next(&tls()), secret);
        assert_eq!(secret.next(&tls()), secret.clone().next(&tls()));
    }

    #[test]
    fn exported_material_depends_on_label_and_context() {
        let exporter = handshake().into_traffic().exporter(&digest(TO_SERVER_FINISHED));
        let export = |label: &[u8], context: &[u8]| {
            let mut out = [0; 40];
            exporter.export(label, context, &mut out).map(|()| out)
        };
        assert_eq!(export(b"a", b""), export(b"a", b""));
        assert_ne!(export(b"a", b""), export(b"b", b""));
        assert_ne!(export(b"a", b""), export(b"a", b"c"));
        assert_eq!(export(&[b'l'; 300], b""), Err(CryptoError::BadLength));
        assert!(!format!("{exporter:?}").contains("254"), "no secret in debug output");
    }
}

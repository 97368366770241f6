//! What both sides know once keys are agreed on: the master secret, and what follows from it.

use std::sync::Arc;

use super::push_hex;
use crate::crypto::schedule12::{self, KeyBlock, MasterSecretSeed, Side};
use crate::crypto::{CryptoError, CryptoProvider, Digest, Secret, equal};
use crate::error::{Error, Misuse, PeerMisbehaved};
use crate::negotiated::PeerIdentity;
use crate::record::protection12::{Opener, Sealer};
use crate::session::ClientSession;
use crate::suite::Suite;
use crate::wire::VERIFY_DATA_LEN;

/// A master secret and what it is bound to.
#[derive(Debug)]
pub(crate) struct Session {
    provider: Arc<dyn CryptoProvider>,
    suite: Suite,
    master: Secret,
    client_random: [u8; 32],
    server_random: [u8; 32],
    extended: bool,
    /// Who the peer has shown to be.
    pub(crate) identity: PeerIdentity,
    /// Whether an earlier session was resumed.
    pub(crate) resumed: bool,
    /// What a server remembers the session by; empty if it does not.
    pub(crate) id: Vec<u8>,
    /// What a client can resume it with, until it is handed out.
    pub(crate) kept: Option<Box<ClientSession>>,
}

/// The randoms of both hellos.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Randoms {
    pub(crate) client: [u8; 32],
    pub(crate) server: [u8; 32],
}

impl Session {
    /// `session_hash` is the transcript including ClientKeyExchange, if both sides agreed on extended_master_secret.
    pub(crate) fn new(
        provider: &Arc<dyn CryptoProvider>,
        suite: Suite,
        premaster: &Secret,
        randoms: &Randoms,
        session_hash: Option<Digest>,
    ) -> Self {
        let seed = match &session_hash {
            Some(hash) => MasterSecretSeed::SessionHash(hash.as_ref()),
            None => MasterSecretSeed::Randoms { client: &randoms.client, server: &randoms.server },
        };
        let master = schedule12::master_secret(&**provider, suite.hash, premaster.expose(), seed);
        Self {
            provider: Arc::clone(provider),
            suite,
            master,
            client_random: randoms.client,
            server_random: randoms.server,
            extended: session_hash.is_some(),
            identity: PeerIdentity::Anonymous,
            resumed: false,
            id: Vec::new(),
            kept: None,
        }
    }

    /// A session under an earlier, extended master secret: new randoms give it new keys (RFC 5246 §F.1.4).
    pub(crate) fn resume(
        provider: &Arc<dyn CryptoProvider>,
        suite: Suite,
        master: Secret,
        randoms: &Randoms,
        identity: PeerIdentity,
    ) -> Self {
        Self {
            provider: Arc::clone(provider),
            suite,
            master,
            client_random: randoms.client,
            server_random: randoms.server,
            extended: true,
            identity,
            resumed: true,
            id: Vec::new(),
            kept: None,
        }
    }

    pub(crate) const fn suite(&self) -> Suite {
        self.suite
    }

    /// For whoever keeps the session.
    pub(crate) const fn master(&self) -> &Secret {
        &self.master
    }

    /// Whether the master secret is that of RFC 7627.
    pub(crate) const fn extended_master_secret(&self) -> bool {
        self.extended
    }

    /// What one side writes with and reads with.
    pub(crate) fn keys(&self, own: Side) -> Result<(Sealer, Opener), CryptoError> {
        let (provider, aead) = (&*self.provider, self.suite.aead);
        let (client, server) = (&self.client_random, &self.server_random);
        let block = KeyBlock::derive(provider, self.suite.hash, aead, self.master.expose(), client, server);
        let peer = match own {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        };
        let (write, read) = (block.of(own), block.of(peer));
        let sealer = Sealer::new(provider, aead, write.key, write.iv)?;
        let opener = Opener::new(provider, aead, read.key, read.iv)?;
        Ok((sealer, opener))
    }

    /// What a side's Finished says after these messages.
    pub(crate) fn verify_data(&self, side: Side, transcript: &Digest) -> [u8; VERIFY_DATA_LEN] {
        schedule12::verify_data(&*self.provider, self.suite.hash, self.master.expose(), side, transcript.as_ref())
    }

    /// Checks the peer's Finished against the messages before it.
    pub(crate) fn check_finished(&self, side: Side, transcript: &Digest, received: &[u8]) -> Result<(), Error> {
        let good = equal(&self.verify_data(side, transcript), received);
        if good { Ok(()) } else { Err(PeerMisbehaved::BadFinished.into()) }
    }

    /// Keying material for the application (RFC 5705).
    pub(crate) fn export(&self, label: &[u8], context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        let (client, server) = (&self.client_random, &self.server_random);
        schedule12::export(&*self.provider, self.suite.hash, self.master.expose(), client, server, label, context, out)
            .map_err(|_| Misuse::ContextTooLong.into())
    }

    /// The line of the NSS key log from which captures are decrypted.
    pub(crate) fn key_log_line(&self) -> String {
        let mut line = String::from("CLIENT_RANDOM ");
        push_hex(&mut line, &self.client_random);
        line.push(' ');
        push_hex(&mut line, self.master.expose());
        line
    }
}

//! What the hellos of both versions say about connection IDs and return routability checks (RFC 9146 §3, RFC 9147 §9,
//! RFC 9853 §3).

use crate::config::Common;
use crate::entropy::Entropy;
use crate::ids::ConnectionIds;
use crate::path::Paths;
use crate::wire::{Extension, Extensions, ParseError};

/// What a client's hello has: its own connection ID, chosen before, and rrc, which goes with it only.
pub(crate) fn offer(ids: &ConnectionIds, common: &Common) -> Vec<Extension<'static>> {
    extensions(ids, common.return_routability.is_some())
}

fn extensions(ids: &ConnectionIds, rrc: bool) -> Vec<Extension<'static>> {
    let Some(own) = ids.offer() else { return Vec::new() };
    [Some(Extension::connection_id(own)), rrc.then(Extension::rrc)].into_iter().flatten().collect()
}

/// What a client offered.
#[derive(Debug)]
pub(crate) struct Offered {
    connection_id: Option<Vec<u8>>,
    rrc: bool,
}

impl Offered {
    pub(crate) fn read(hello: &Extensions<'_>) -> Result<Self, ParseError> {
        Ok(Self { connection_id: hello.connection_id()?.map(<[u8]>::to_vec), rrc: hello.rrc()? })
    }

    /// Takes up the offer, if the configuration does: what the server's hello has.
    pub(crate) fn answer(
        &self,
        common: &Common,
        (ids, paths): (&mut ConnectionIds, &mut Paths),
        entropy: &mut Entropy,
    ) -> Vec<Extension<'static>> {
        let (Some(peer), Some(_)) = (&self.connection_id, common.connection_id.len()) else { return Vec::new() };
        ids.choose(&common.connection_id, entropy);
        ids.agree(peer);
        let checks = common.return_routability.filter(|_| self.rrc);
        if let Some(checks) = checks {
            paths.agree_on_checks(checks);
        }
        extensions(ids, checks.is_some())
    }
}

/// Takes what the server answered, which has nothing that was not offered.
pub(crate) fn take_answer(
    hello: &Extensions<'_>,
    common: &Common,
    (ids, paths): (&mut ConnectionIds, &mut Paths),
) -> Result<(), ParseError> {
    match hello.connection_id()? {
        Some(peer) => ids.agree(peer),
        None => ids.refuse(),
    }
    if let (true, Some(checks)) = (hello.rrc()?, common.return_routability) {
        paths.agree_on_checks(checks);
    }
    Ok(())
}

//! A memory of one: what was last made from an identity.
//!
//! Loading a private key costs more than a signature, and a run of thousands of handshakes has one server.

use std::sync::{Arc, Mutex, PoisonError};

use crate::pki::Identity;

/// The last value made, and what from.
pub(super) struct Last<T>(Mutex<Option<(Arc<Identity>, T)>>);

impl<T: Clone> Last<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The value for `identity`, made anew if the last one was for another.
    pub(super) fn get<E>(&self, identity: &Arc<Identity>, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, value)) = &*last
            && Arc::ptr_eq(known, identity)
        {
            return Ok(value.clone());
        }
        let value = make()?;
        *last = Some((Arc::clone(identity), value.clone()));
        Ok(value)
    }
}

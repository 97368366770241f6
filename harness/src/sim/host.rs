//! One end of the pair: an endpoint that is not trusted. Every call is guarded against panics and counted.

use super::budget::{Budget, Usage};
use super::guard::guarded;
use crate::endpoint::{Endpoint, EndpointEvent, Role, Transmit};
use crate::time::SimTime;
use crate::trace::End;

/// Ends a run: the endpoint of `role` broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    role: Role,
    what: String,
}

impl Broken {
    pub(super) fn new(role: Role, what: String) -> Self {
        Self { role, what }
    }
}

impl From<Broken> for End {
    fn from(Broken { role, what }: Broken) -> Self {
        Self::Broken { role, what }
    }
}

/// An endpoint with its budget.
pub(super) struct Host {
    role: Role,
    /// Taken out before it is dropped, since that may panic too.
    endpoint: Option<Box<dyn Endpoint>>,
    budget: Budget,
    usage: Usage,
}

impl Host {
    pub(super) fn new(role: Role, endpoint: Box<dyn Endpoint>, budget: Budget) -> Self {
        Self { role, endpoint: Some(endpoint), budget, usage: Usage::default() }
    }

    /// The host loses its endpoint without a word: nothing comes from it any more.
    pub(super) fn forget(&mut self) {
        let endpoint = self.endpoint.take();
        // What a stack does wrong when it is dropped is of no interest after this.
        let _ = guarded(|| drop(endpoint));
    }

    /// Whether the endpoint says that this datagram is for it.
    pub(super) fn owns(&mut self, datagram: &[u8]) -> Result<bool, Broken> {
        Ok(self.call(|endpoint| endpoint.owns(datagram))?.unwrap_or(false))
    }

    /// Gives the endpoint an input; what it makes of it comes back.
    pub(super) fn input<T: Default>(
        &mut self,
        now: SimTime,
        call: impl FnOnce(&mut dyn Endpoint) -> T,
    ) -> Result<T, Broken> {
        let counted = self.usage.call(&self.budget, now);
        self.check(counted)?;
        self.call(call).map(Option::unwrap_or_default)
    }

    /// The next event.
    pub(super) fn poll_event(&mut self, now: SimTime) -> Result<Option<EndpointEvent>, Broken> {
        let Some(event) = self.call(|endpoint| endpoint.poll_event())?.flatten() else { return Ok(None) };
        let size = match &event {
            EndpointEvent::Established { suite: text }
            | EndpointEvent::Failed(text)
            | EndpointEvent::Discarded(text)
            | EndpointEvent::KeyLog(text)
            | EndpointEvent::SendRefused(text) => text.len(),
            EndpointEvent::Data(data) | EndpointEvent::EarlyData(data) => data.len(),
            EndpointEvent::PeerClosed
            | EndpointEvent::Session(_)
            | EndpointEvent::EarlyDataAnswer { .. }
            | EndpointEvent::PeerMoved(_)
            | EndpointEvent::Negotiated(_) => 0,
        };
        let counted = self.usage.call(&self.budget, now).and_then(|()| self.usage.bytes(&self.budget, size));
        self.check(counted)?;
        Ok(Some(event))
    }

    /// The next datagram.
    pub(super) fn poll_transmit(&mut self, now: SimTime) -> Result<Option<Transmit>, Broken> {
        let Some(transmit) = self.call(|endpoint| endpoint.poll_transmit(now))?.flatten() else { return Ok(None) };
        let size = transmit.bytes.len();
        let counted = self.usage.call(&self.budget, now).and_then(|()| self.usage.datagram(&self.budget, size));
        self.check(counted)?;
        Ok(Some(transmit))
    }

    /// When the endpoint wants to be called; a deadline that has passed is due now.
    pub(super) fn poll_timeout(&mut self, now: SimTime) -> Result<Option<SimTime>, Broken> {
        let deadline = self.call(|endpoint| endpoint.poll_timeout(now))?.flatten();
        Ok(deadline.map(|deadline| deadline.max(now)))
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut dyn Endpoint) -> T) -> Result<Option<T>, Broken> {
        let Some(endpoint) = self.endpoint.as_deref_mut() else { return Ok(None) };
        let result = guarded(|| call(endpoint)).map_err(|message| format!("panicked: {message}"));
        let result = match (result, endpoint.broken()) {
            (Ok(_), Some(what)) => Err(what.to_owned()),
            (result, _) => result.map(Some),
        };
        self.check(result)
    }

    fn check<T>(&self, result: Result<T, String>) -> Result<T, Broken> {
        result.map_err(|what| Broken { role: self.role, what })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.forget();
    }
}

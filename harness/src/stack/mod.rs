//! The stacks that can fly: their names, what they can do, and how to build an endpoint of each.
//!
//! Adapters translate; they add no protocol behaviour and hide none. None reads a clock, blocks or starts a thread.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::endpoint::{Endpoint, EndpointConfig, Listener, Session};
use crate::time::SimTime;

#[cfg(any(feature = "dimpl", feature = "rtc-dtls"))]
mod clock;
#[cfg(feature = "dimpl")]
mod dimpl;
#[cfg(any(feature = "dimpl", feature = "rtc-dtls"))]
mod key_log;
mod last;
#[cfg(any(feature = "dimpl", feature = "rtc-dtls", feature = "async"))]
mod listener;
mod native;
mod options;
pub mod plugin;
mod process;
#[cfg(feature = "rtc-dtls")]
mod rtc;

/// What is promised of a stack's runs with the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Determinism {
    /// Nothing: a program in real time.
    WallClock,
    /// The same instants on the millisecond steps of tokio's timers.
    TokioMs,
    /// The same instants and sizes up to what unseedable randomness moves; never a byte golden.
    Timing,
    /// The same bytes.
    Bytes,
}

impl fmt::Display for Determinism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WallClock => "wall-clock",
            Self::TokioMs => "tokio-ms",
            Self::Timing => "timing",
            Self::Bytes => "bytes",
        })
    }
}

/// A DTLS implementation under test.
pub trait Stack: Send + Sync {
    /// Short name, as typed: `native`, `dimpl`, ...
    fn name(&self) -> &'static str;
    /// Version of the implementation.
    fn version(&self) -> &'static str;
    /// One line on what it is and speaks.
    fn about(&self) -> &'static str;
    /// What its runs promise.
    fn determinism(&self) -> Determinism;
    /// Whether it is foreign code behind the interface of plugins. Its runs are each on a thread of their own, since some
    /// stacks keep what they draw from on their thread; and where it breaks its run, the plugin may be at fault.
    fn is_plugin(&self) -> bool {
        false
    }
    /// Why this stack cannot be this endpoint, or `None` if it can.
    fn unsupported(&self, config: &EndpointConfig) -> Option<String>;
    /// Builds a client that begins at `now`, to resume `session` if there is one; all its randomness comes from `entropy`
    /// where the stack allows.
    fn client(
        &self,
        config: &EndpointConfig,
        session: Option<&Session>,
        now: SimTime,
        entropy: [u8; 32],
    ) -> Result<Box<dyn Endpoint>, String>;
    /// Builds a server. Its first endpoint draws from `entropy` as if there were no others.
    fn listen(&self, config: &EndpointConfig, entropy: [u8; 32]) -> Result<Box<dyn Listener>, String>;
}

/// All stacks of this build, by name. Mutants and plugins are left out: [`get`] finds them, no run picks one up by accident.
pub fn registry() -> Vec<Arc<dyn Stack>> {
    vec![
        #[cfg(feature = "dimpl")]
        Arc::new(dimpl::Dimpl),
        Arc::new(native::Native::HONEST),
        #[cfg(feature = "rtc-dtls")]
        Arc::new(rtc::RtcDtls),
    ]
}

/// All mutants of the native stack, by name: each breaks one rule on purpose.
pub fn mutants() -> Vec<Arc<dyn Stack>> {
    native::Native::mutants().values().map(|mutant| Arc::new(*mutant) as Arc<dyn Stack>).collect()
}

/// Async stacks, on a paused clock. Left out of the registry like plugins: [`get`] finds them.
#[cfg(feature = "async")]
fn asynchronous() -> Vec<Arc<dyn Stack>> {
    vec![Arc::new(native::NativeTokio)]
}

#[cfg(not(feature = "async"))]
fn asynchronous() -> Vec<Arc<dyn Stack>> {
    Vec::new()
}

/// The stack called `name`, mutants and plugins included.
pub fn get(name: &str) -> Result<Arc<dyn Stack>, NoStack> {
    let stacks: Vec<_> = registry().into_iter().chain(asynchronous()).collect();
    if let Some(stack) = stacks.iter().find(|stack| stack.name() == name) {
        return Ok(Arc::clone(stack));
    }
    let mutants = native::Native::mutants();
    if let Some(mutant) = mutants.get(name) {
        return Ok(Arc::new(*mutant));
    }
    match plugin::get(name) {
        Some(Ok(stack)) => return Ok(stack),
        Some(Err(what)) => return Err(NoStack::Broken { name: name.to_owned(), what }),
        None if plugin::recipe(name).is_some() => return Err(NoStack::NotBuilt(name.to_owned())),
        None => {}
    }
    let plugins = plugin::built();
    let recipes = plugin::RECIPES.iter().map(|recipe| recipe.name);
    let known: Vec<&str> = stacks.iter().map(|stack| stack.name()).chain(plugins.iter().map(String::as_str)).collect();
    let near = recipes.chain(mutants.keys().map(String::as_str).filter(|_| name.contains('+')));
    Err(NoStack::Unknown(UnknownStack::new(name, &known, near)))
}

/// A program as a stack, in real time, from its command line; for a first look at one without a plugin. The error says
/// what is wrong with the command.
pub fn program(command: &str) -> Result<Arc<dyn Stack>, String> {
    Ok(Arc::new(process::Process::new(command)?))
}

/// Why there is no stack to fly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoStack {
    /// Nothing is called so.
    Unknown(UnknownStack),
    /// It comes as a plugin, which is not there.
    NotBuilt(String),
    /// It comes as a plugin, which is of no use.
    Broken {
        /// Its name.
        name: String,
        /// What is wrong, in words that follow the name.
        what: String,
    },
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(unknown) => unknown.fmt(f),
            Self::NotBuilt(name) => {
                write!(f, "`{name}` is a plugin that is not built: `windtunnel peers build {name}`")
            }
            Self::Broken { name, what } => write!(f, "the plugin `{name}` {what}"),
        }
    }
}

impl std::error::Error for NoStack {}

/// No stack has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownStack {
    /// What was asked for.
    pub name: String,
    /// All names there are, without those of mutants.
    pub known: Vec<String>,
    /// Those that look like a slip of the finger away.
    pub near: Vec<String>,
}

impl UnknownStack {
    /// `known` are those that can fly, `more` those that could be meant as well.
    fn new<'a>(name: &str, known: &[&'a str], more: impl Iterator<Item = &'a str>) -> Self {
        let alike = |candidate: &&str| !name.is_empty() && (candidate.starts_with(name) || edits(name, candidate) <= 2);
        let mut near: Vec<&str> = known.iter().copied().chain(more).filter(alike).collect();
        near.sort_unstable();
        near.dedup();
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self { name: name.to_owned(), known: owned(known), near: owned(&near) }
    }
}

impl fmt::Display for UnknownStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no stack is called `{}`", self.name)?;
        if !self.near.is_empty() {
            write!(f, ", did you mean `{}`", self.near.join("` or `"))?;
        }
        write!(f, "; there are {}", self.known.join(", "))
    }
}

/// Insertions, deletions and replacements that turn `a` into `b`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;

//! What each fuzz target does with an input. The same bodies run over the kept inputs in the plain tests, so they use
//! nothing but the crate's public face.
//!
//! | body | input |
//! |---|---|
//! | `records` | a datagram |
//! | `messages` | a kind of message, and its body |
//! | `reassembly` | how a ClientHello is cut, repeated and mixed up |
//! | `datagrams` | what a network does to the datagrams of a connection, at every stage |
//! | `sealed` | what a peer that has the keys puts into its records |
//! | `calls` | what an application calls, in which order |

mod calls;
mod datagrams;
mod input;
mod messages;
mod pair;
mod reassembly;
mod records;
mod sealed;
mod setup;

pub(crate) use calls::calls;
pub(crate) use datagrams::datagrams;
pub(crate) use messages::messages;
pub(crate) use pair::Pair;
pub(crate) use reassembly::reassembly;
pub(crate) use records::records;
pub(crate) use sealed::sealed;
pub(crate) use setup::Setup;

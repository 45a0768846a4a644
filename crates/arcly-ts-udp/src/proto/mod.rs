//! What datagrams hold, whom to believe and when to send, without sockets and clocks.
//!
//! * [`Receiver`]: datagrams of one port in, frames out.
//! * [`Sender`]: frames in, datagrams out, each at its time.

mod datagrams;
mod pacing;
mod receiver;
mod sender;
mod source_lock;

pub use receiver::{Received, Receiver, ReceiverCounters};
pub use sender::{Framing, Sender};

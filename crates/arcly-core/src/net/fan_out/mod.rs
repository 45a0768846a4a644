//! One stream to the connections of many viewers.
//!
//! A viewer with a task of its own wakes for each picture, looks at all it could have been woken for, writes, and goes to sleep again; the write
//! is half of what that costs. So viewers of one [rendition](crate::Rendition) share a task that waits for the next picture once, and then writes to
//! one socket after the other, straight from the log.
//!
//! * A connection's socket, and what waits to be written to it, is a [`Line`] behind the lock of a [`Wire`]. What is played there is the protocol's
//!   [`Media`].
//! * [`Flushers::join`] has a wire written to whenever its rendition has something. The connection's own task only answers the peer
//!   ([`Line::push_reply`], [`Wire::poll_read`]), and calls [`Line::poll_send`], which writes what a full socket has left over.
//! * [`Joined`] is what most viewers of a rendition get next, put together once.
//!
//! RTMP and RTSP play in this way.

mod flushers;
mod joined;
mod line;
mod wire;

pub use flushers::Flushers;
pub use joined::{Batch, Joined, WireBytes};
pub use line::{Line, Media, Straight};
pub use wire::Wire;

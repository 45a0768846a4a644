//! What relays have in common, by whatever protocol: a remote stream that is pulled in, or one of ours that is pushed out, over a connection
//! that is made anew, with growing pauses, for as long as the host wants it.
//!
//! A protocol crate's pull or push is an [`InboundProtocol`](crate::InboundProtocol) around a [`Supervisor`], which tries again and again,
//! and says by a [`RelayStatus`] how it stands. [`Dialer`](crate::net::Dialer) connects over TCP and TLS, and a [`RelaySocket`] moves the bytes of
//! the connection.

mod backoff;
mod socket;
mod status;
mod supervisor;
mod traffic;

pub use backoff::Backoff;
pub use socket::{RelaySocket, SocketError, SocketRead, SocketReady};
pub use status::RelayStatus;
pub use supervisor::{Attempt, MAX_TURNS, Outcome, Supervisor};
pub use traffic::RelayTraffic;

//! WHEP viewers and the floor beside them.
//!
//! A viewer is a socket, the crate's own ICE agent and DTLS client until it is connected, and a counter from there on: only what keeps the way
//! open is looked at, and one viewer in [`CHECKED`] decrypts all that comes.

pub mod floor;
pub mod media;
pub mod viewer;

/// One viewer in so many decrypts what comes, to see that all pictures are there.
pub const CHECKED: usize = 20;

//! The protocol, sans-IO.
//!
//! [`message`] splits a connection's bytes, [`session`] is the server's side of a connection; the other modules read and write what headers carry.

pub mod auth;
pub mod client;
pub mod message;
mod parameters;
pub mod range;
pub mod rtp_info;
pub mod session;
pub mod session_header;
pub mod target;
pub mod transport;
pub mod url;

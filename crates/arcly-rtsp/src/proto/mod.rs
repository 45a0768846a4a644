//! The protocol, sans-IO.
//!
//! [`message`] splits a connection's bytes; the other modules read and write what headers carry.

pub mod auth;
pub mod client;
pub mod message;
mod parameters;
pub mod range;
pub mod rtp_info;
pub mod session_header;
pub mod transport;
pub mod url;

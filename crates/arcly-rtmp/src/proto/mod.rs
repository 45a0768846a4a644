//! The protocol without sockets, clocks and tasks: bytes and the time go in, bytes, events and the next deadline come out.
//!
//! | module | what | RTMP 1.0 |
//! |---|---|---|
//! | [`chunk`] | messages cut into interleaved chunks | 5.3 |
//! | [`message`], [`control`] | messages, control messages | 5.4, 6, 7.1 |
//! | [`command`], [`status`] | commands and status replies in AMF0 | 7.2 |
//! | [`capabilities`] | what each end can do beyond RTMP 1.0 | Enhanced RTMP v2 |
//! | [`client`] | the client's side of a connection | 5.2, 7 |
//! | [`session`] | the server's side of a connection | 5.2, 7 |
//! | [`target`] | which stream a peer means, and its token | |

pub mod capabilities;
pub mod chunk;
pub mod client;
pub mod command;
pub mod control;
mod handshake;
pub mod message;
pub mod session;
pub mod status;
pub mod target;

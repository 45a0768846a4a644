//! The protocol without sockets, clocks and tasks: datagrams and the time go in, datagrams, events and the next deadline
//! come out.
//!
//! | module | what | draft-sharabayko-srt-01 |
//! |---|---|---|
//! | [`packet`] | data and control packets | 3 |
//! | [`sequence`], [`time`] | numbers and times that wrap | 3.1 |
//! | [`handshake`] | caller, listener and rendezvous up to a connection | 4.3 |
//! | [`crypto`] | keys, their exchange and renewal, payload encryption | 6 |
//! | `connection` | the established connection's data plane | 4.4 to 4.8, 5 |
//! | [`listener`] | all callers on one port | 4.3.1 |
//! | [`stream_id`] | what a caller wants | appendix B |
//!
//! # From handshake to connection
//!
//! Each side of a handshake ends with one [`handshake::Negotiated`], and a connection starts from it:
//! `Connection::new(negotiated, options, now)`. Its [`crypto::Session`] is the encryption hook of the connection: it encrypts each
//! packet once, decrypts what comes, and takes and gives the key material of control packets.
//!
//! What is sent is a [`packet::Datagram`]: a header and a shared body, so that drivers can gather many into one send.

pub mod connection;
pub mod crypto;
pub mod handshake;
pub mod listener;
pub mod packet;
pub mod sequence;
pub mod stream_id;
pub mod time;

//! The protocol without sockets, clocks and tasks: datagrams and the time go in, datagrams, events and the next deadline
//! come out.
//!
//! | module | what | draft-sharabayko-srt-01 |
//! |---|---|---|
//! | [`packet`] | data and control packets | 3 |
//! | [`sequence`], [`time`] | numbers and times that wrap | 3.1 |
//! | `handshake` | caller, listener and rendezvous up to a connection | 4.3 |
//! | [`crypto`] | keys, their exchange and renewal, payload encryption | 6 |
//! | `connection` | the established connection's data plane | 4.4 to 4.8, 5 |
//! | `listener` | all callers on one port | 4.3.1 |
//! | `stream_id` | what a caller wants | appendix B |
//!
//! # From handshake to connection
//!
//! Each side of a handshake ends with one `handshake::Negotiated`, and a connection starts from it:
//! `Connection::new(negotiated: Negotiated, options: …, now: Instant)`. It has
//!
//! ```text
//! pub struct Negotiated {
//!     pub local_id: SocketId,             // packets to us carry it
//!     pub peer_id: SocketId,              // packets to the peer carry it
//!     pub send_isn: SequenceNumber,       // of our first data packet
//!     pub receive_isn: SequenceNumber,    // of the peer's first data packet (libsrt: the same)
//!     pub epoch: Instant,                 // PacketTime 0 of what we send
//!     pub peer_time: (Instant, PacketTime), // arrival and stamp of the peer's HSREQ or HSRSP: TSBPD's time base
//!     pub receive_latency: Duration,      // TSBPD delay of what we receive
//!     pub send_latency: Duration,         // TSBPD delay of what the peer receives: too-late drop of the sender
//!     pub peer_version: Version,          // 0x010501 for 1.5.1
//!     pub peer_flags: Flags,              // TSBPDSND, TSBPDRCV, TLPKTDROP, NAKREPORT, REXMITFLG …
//!     pub max_packet_bytes: usize,        // header included: the smaller MTU of both, without IP and UDP headers
//!     pub peer_flow_window: u32,          // packets
//!     pub stream_id: Option<StreamId>,    // raw text
//!     pub crypto: Option<crypto::Session>,
//! }
//! ```
//!
//! `crypto::Session` is the encryption hook of a connection:
//!
//! * `encrypt(&mut self, sequence, payload: &Bytes) -> (KeyFlag, Bytes)` once a packet (keep the result for retransmission),
//! * `decrypt(&mut self, key: KeyFlag, sequence, payload: Bytes) -> Result<Bytes>`, in the receiver before delivery,
//! * `handle(&mut self, kind: KeyMaterialKind, message: Bytes, now) -> Option<Control>`: what to answer a
//!   [`packet::Control::KeyMaterial`] with,
//! * `poll(&mut self, rtt: Duration, now) -> Option<Control>`: key material that is to be sent now (announcement of a new key,
//!   repeated until it is answered), and `deadline()`: when to call it next.
//!
//! What is sent is a [`packet::Datagram`]: a header and a shared body, so that drivers can gather many into one send.

pub mod crypto;
pub mod packet;
pub mod sequence;
pub mod time;

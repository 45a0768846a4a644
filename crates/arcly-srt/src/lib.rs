//! SRT for [`arcly_core`]: listener, caller and rendezvous, as libsrt speaks it, on one UDP port.
//!
//! # Layers
//!
//! * [`proto`]: the protocol without sockets, clocks and tasks: datagrams and the time go in, datagrams, events and the
//!   next deadline come out.
//!
//! # Bad input
//!
//! Peers are hostile until shown otherwise: nothing panics, memory is taken for bytes that arrived and up to documented
//! limits, and a datagram never costs more than its own handling. An [`Error`] says who is at fault.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod client;
mod config;
mod driver;
pub mod egress;
mod error;
pub mod proto;

pub use client::{InvalidUrl, Mode, SrtPull, SrtPush, SrtUrl};
pub use config::{Config, Passphrases, PlayStart};
pub use driver::SrtServer;
pub use driver::report::{ConnectionReport, Connections};
pub use error::{Error, Result};

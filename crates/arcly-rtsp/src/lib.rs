//! RTSP 1.0 (RFC 2326) for [`arcly_core`].
//!
//! [`proto`] is sans-IO: bytes in, bytes and events out, without a socket or a clock.
//!
//! # Bad input
//!
//! Peers are hostile until shown otherwise. Every length and count has a bound in [`Limits`], on by default; memory is taken for bytes
//! that arrived, never on the word of a length field; nothing panics. An [`Error`] says who is at fault and where in the peer's bytes,
//! so that the place is found in a capture.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod client;
mod config;
mod driver;
mod error;
mod limits;
mod pacing;
pub mod proto;

pub use client::{OnDemand, RtspPush, RtspSource, TransportPolicy};
pub use config::{Config, PlayStart, UdpPorts};
pub use driver::{PasswordLookup, RtspServer};
pub use error::{Error, Fault, Location, Result};
pub use limits::{Limits, MessageLimits};

//! WHIP and WHEP: browsers publish and watch by WebRTC, on one UDP port.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod config;
mod driver;
mod extension_uri;
pub mod http;
mod limits;
mod media;
mod peers;
pub mod sdp;
mod self_test;
mod server;
mod statistics;
pub mod transport;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use driver::fuzzing;

pub use config::{IceServer, WhipConfig};
pub use http::{WhipMethod, WhipRequest, WhipResource, WhipResponse};
pub use limits::Limits;
pub use self_test::{Reached, Scope, SelfTest, TestedCandidate, Unreached};
pub use server::WhipServer;
pub use statistics::{Measured, SessionReport, SessionState, TrackCounters, TrackReport};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! RTMP for [`arcly_core`]: ingest from ffmpeg, OBS and GStreamer.
//!
//! A server that takes publishers into an engine:
//!
//! ```no_run
//! use arcly_core::{AppSpec, Engine};
//! use arcly_rtmp::{Config, RtmpServer};
//! use std::net::SocketAddr;
//!
//! # async fn run() -> arcly_core::Result<()> {
//! let mut config = Config::default();
//! config.limits.message_bytes = 4 << 20;
//! let server = RtmpServer::bind(SocketAddr::from(([0, 0, 0, 0], 1935))).await?.config(config);
//! println!("publish to rtmp://{}/live/<stream>", server.local_addr());
//! let engine = Engine::builder()
//!     .application(AppSpec::new("live"))
//!     .protocol(server)
//!     .build();
//! engine.serve_registered_until_signal().await
//! # }
//! ```
//!
//! # Layers
//!
//! * [`proto`]: the protocol without sockets, clocks and tasks. [`proto::session::ServerSession`] takes bytes and the
//!   time and gives bytes, events and the next deadline; use it to run RTMP on a transport of your own.
//! * [`flv`]: from FLV tag bodies to the frames of the bus.
//! * [`amf0`]: the notation of commands and metadata.
//! * [`RtmpServer`]: the driver on tokio, which moves bytes and sleeps, and decides nothing.
//! * [`RtmpPull`] and [`RtmpPush`]: clients on tokio that bring a remote stream in, and send one out.
//!
//! # Bad input
//!
//! Peers are hostile until shown otherwise. Every length, count, depth, rate and wait has a bound in [`Limits`], on by
//! default; memory is taken for bytes that arrived, never on the word of a length field; nothing panics. An [`Error`]
//! says who is at fault and where in the peer's bytes, so that the place is found in a capture.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod amf0;
mod client;
mod config;
mod driver;
pub mod egress;
mod error;
pub mod flv;
mod limits;
pub mod proto;

pub use client::{Backoff, RelayStatus, RelayTraffic, RtmpPull, RtmpPush};
pub use config::{Config, PlayStart};
pub use driver::RtmpServer;
pub use error::{Error, Fault, Location, Result};
pub use limits::Limits;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

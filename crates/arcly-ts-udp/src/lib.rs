//! MPEG-TS over UDP and RTP for [`arcly_core`]: unicast and multicast, in and out.
//!
//! Each of both is an [`InboundProtocol`](arcly_core::InboundProtocol) for one stream: [`TsUdpInput`] listens on a port, or to a group, and publishes
//! what comes; [`TsUdpPush`] plays a stream and sends it to an address. What MPEG-TS is they leave to the
//! [`Demuxer`](arcly_core::mux::Demuxer) or [`Muxer`](arcly_core::mux::Muxer) that they are given.
//!
//! ```no_run
//! use arcly_core::{AppSpec, Engine, StreamKey};
//! use arcly_mux_ts::{TsDemuxer, TsMuxer};
//! use arcly_ts_udp::{TsUdpInput, TsUdpPush};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let camera = StreamKey::new("live", "camera");
//! let input = TsUdpInput::new("udp://239.1.1.1:5000".parse()?, camera.clone(), TsDemuxer::default);
//! let push = TsUdpPush::new(camera, "rtp://192.0.2.7:6000".parse()?, TsMuxer::default);
//! let engine = Engine::builder()
//!     .application(AppSpec::new("live"))
//!     .protocol(input)
//!     .protocol(push)
//!     .build();
//! engine.serve_registered_until_signal().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! * [`proto`]: what datagrams hold, whom to believe and when to send, without sockets and clocks.
//! * [`TsUdpInput`] and [`TsUdpPush`]: the drivers on tokio.
//!
//! # Bad input
//!
//! UDP has no handshake: whoever reaches the port is heard. The first that sends holds the stream until it has been silent for
//! [`Limits::source_timeout`]; what others send meanwhile is dropped. What is buffered has limits, nothing panics, and what is not MPEG-TS is
//! said to be so. Where not everybody on the network is to be trusted, use SRT or RTMPS.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod driver;
mod limits;
pub mod proto;
mod url;

pub use driver::{TsUdpInput, TsUdpPush};
pub use limits::Limits;
pub use url::{InvalidUrl, TsUrl};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

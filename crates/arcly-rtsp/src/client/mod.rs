//! Clients on tokio: [`RtspSource`] brings a camera or a remote stream in, [`RtspPush`] sends one to a remote server.
//!
//! Both are [`InboundProtocol`](arcly_core::InboundProtocol)s, so that an engine runs them beside its servers. They connect, and connect
//! again with growing pauses ([`Backoff`](arcly_core::relay::Backoff)) for as long as they are told to;
//! [`RelayStatus`](arcly_core::relay::RelayStatus) says how it stands.
//!
//! ```no_run
//! use arcly_core::{AppSpec, Engine, StreamKey};
//! use arcly_rtsp::{OnDemand, RtspPush, RtspSource};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let door = StreamKey::new("live", "door");
//! let camera = RtspSource::new("rtsp://admin:secret@192.0.2.7/Streaming/Channels/101".parse()?, door.clone())
//!     .on_demand(OnDemand::default());
//! let push = RtspPush::new(door, "rtsps://recorder.example/in/door".parse()?);
//! let engine = Engine::builder().application(AppSpec::new("live")).protocol(camera).protocol(push).build();
//! engine.serve_registered_until_signal().await?;
//! # Ok(())
//! # }
//! ```

mod datagrams;
mod demand;
mod failure;
mod link;
mod push;
mod relay;
mod sending;
mod source;

pub use demand::OnDemand;
pub use push::RtspPush;
pub use relay::TransportPolicy;
pub use source::RtspSource;

//! Clients on tokio: [`RtmpPull`] brings a remote stream in, [`RtmpPush`] sends one to a remote server.
//!
//! Both are [`InboundProtocol`](arcly_core::InboundProtocol)s, so that an engine runs them beside its servers. They connect, and connect
//! again with growing pauses ([`Backoff`]) for as long as they are told to; [`RelayStatus`] says how it stands.
//!
//! ```no_run
//! use arcly_core::{AppSpec, Engine, StreamKey};
//! use arcly_rtmp::{RtmpPull, RtmpPush};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let key = StreamKey::new("live", "cam");
//! let pull = RtmpPull::new("rtmp://camera.example/app/cam".parse()?, key.clone());
//! let push = RtmpPush::new(key, "rtmps://a.example/live2/key".parse()?);
//! let mut status = push.status();
//! tokio::spawn(async move {
//!     while status.changed().await.is_ok() {
//!         println!("{}", *status.borrow_and_update());
//!     }
//! });
//! let engine = Engine::builder().application(AppSpec::new("live")).protocol(pull).protocol(push).build();
//! engine.serve_registered_until_signal().await?;
//! # Ok(())
//! # }
//! ```

mod failure;
mod link;
mod moving;
mod pull;
mod push;
mod push_queue;
mod relay;
mod sending;

pub use arcly_core::relay::{Backoff, RelayStatus, RelayTraffic};
pub use pull::RtmpPull;
pub use push::RtmpPush;

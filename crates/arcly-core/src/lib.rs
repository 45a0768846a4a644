//! The live-media streaming kernel: streams are published into it and played from it, whatever the protocol.
//!
//! ```
//! use arcly_core::{AppSpec, CodecId, Engine, IngestContext, MediaFrame, PlaybackRegistry, StartAt, StreamKey};
//! use bytes::Bytes;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> arcly_core::Result<()> {
//! let engine = Engine::builder().application(AppSpec::new("live")).build();
//! let camera = StreamKey::new("live", "camera");
//!
//! // A publisher: a protocol crate, or your own code.
//! let session = IngestContext::new(engine.clone()).open_publish(camera.clone()).await?;
//! session.publish_frame(MediaFrame::new_video(0, 0, Bytes::from_static(b"avcC"), CodecId::H264, false).into_config())?;
//! session.publish_frame(MediaFrame::new_video(0, 0, Bytes::from_static(b"key picture"), CodecId::H264, true))?;
//!
//! // A viewer that comes later starts at once, with the codec config and the newest keyframe.
//! let mut viewer = engine.get_stream(&camera)?.subscribe_from(StartAt::LatestKeyframe);
//! assert!(viewer.recv().await.is_some_and(|frame| frame.is_config()));
//! assert!(viewer.recv().await.is_some_and(|frame| frame.is_keyframe()));
//!
//! session.finish().await?;
//! assert!(viewer.recv().await.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! # What to implement, what to call
//!
//! | to | implement or call | where |
//! |---|---|---|
//! | bring streams in by a protocol | [`InboundProtocol`], given an [`IngestContext`]; [`run_tcp_ingest_server`] for TCP | [`PublishSession`] |
//! | bring frames in from your own code | [`MediaSource`] with [`Engine::pump_source`], or [`IngestContext::open_publish`] | [`MediaFrame`] says what a payload looks like |
//! | bring a stream in when somebody wants it | [`IngestContext::offer`], [`StreamHandle::unwatched`] | [`Demand`] |
//! | pull from or push to other servers | [`relay::Supervisor`], [`net::Dialer`] | [`relay`] |
//! | send streams out | [`PlaybackContext::open_play`], then [`PlaySession::subscribe_from`] | [`Subscription`] |
//! | send out bytes that are the same for all viewers | [`Packager`] with [`StreamHandle::rendition`] | [`Packets`] |
//! | take or send RTP | `rtp::RtpIngest`, `rtp::RtpPackager` | feature `rtp` |
//! | write or read a container | [`mux::Muxer`], [`mux::SegmentMuxer`], [`mux::Demuxer`] | [`mux`] |
//! | record | [`RecordingSink`] with [`record_stream`], over a [`StorageBackend`] | [`FsStorage`] |
//! | decide who may do what | [`Authenticator`] | [`AccessRequest`]; feature `auth-jwt` brings `JwtAuthenticator` |
//! | know what happens | [`Observer`], [`EventBus`], [`AuditSink`], [`health::HealthRegistry`], [`StreamHandle::qos`] | [`EventKind`] |
//! | see who plays, and end it | [`Engine::viewers`], [`Engine::end_play`] | [`PlaySession::ended`] |
//! | run it all | [`Engine::serve_registered_until_signal`] | [`Engine`] |
//!
//! The kernel has no global state, reads no configuration file, and starts no thread; it runs on the tokio runtime it is called on.
//!
//! # Which crate to depend on
//!
//! A protocol or output crate depends on this crate alone, with `default-features = false`. What it needs of bitstreams is in feature
//! `codec`, which re-exports `arcly-codec` as `arcly_core::codec` and also fills [`TrackInfo`] from codec configs. A host
//! depends on the umbrella crate `arcly-stream`, or on this crate and the protocol crates that it wants.
//!
//! # Limits
//!
//! Everything that a peer or a publisher can make grow is bounded, by default:
//!
//! | what | default | set by |
//! |---|---|---|
//! | frames and bytes kept a stream | 2 048 and 32 MiB | [`AppSpec::gop_cache`], [`AppSpec::gop_cache_bytes`] |
//! | time kept beside the newest GOP | 4 s | [`AppSpec::history`] |
//! | size of a frame | 16 MiB | [`AppSpec::max_frame_bytes`] |
//! | size of a codec config | 64 KiB | [`AppSpec::max_config_bytes`] |
//! | tracks a stream | 32 | [`AppSpec::max_tracks`] |
//! | frames a viewer may miss without catching up | 4 096 | [`AppSpec::max_lag`] |
//! | names | 200 bytes, no path characters | [`StreamKey::validate`] |
//! | credentials | 8 KiB each | [`MAX_CREDENTIAL_BYTES`] |
//! | an authenticator's answer | 10 s | [`EngineBuilder::auth_timeout`] |
//! | winding down | 10 s | [`EngineBuilder::drain_deadline`] |
//! | streams at once | unlimited | [`EngineBuilder::max_publishers`] |
//! | a stream without frames | unlimited | [`EngineBuilder::idle_timeout`] |
//! | TCP connections, in all and a peer | see there | [`TcpIngestConfig`] |
//! | sessions that were ended elsewhere, remembered for their protocol's own end | 1 024 a protocol | fixed |
//! | events waiting for a slow receiver | 1 024 | [`EVENT_BACKLOG`] |

mod audit;
mod auth;
#[cfg(feature = "auth-jwt")]
mod auth_jwt;
#[cfg(not(arcly_loom))]
mod bus;
#[cfg(arcly_loom)]
pub mod bus;
mod clock;
mod codec_id;
mod engine;
mod error;
mod frame;
pub mod health;
mod inbound;
mod key;
mod media;
pub mod mux;
pub mod net;
mod observe;
mod own_sessions;
mod playback;
mod record;
pub mod relay;
#[cfg(feature = "rtp")]
pub mod rtp;
mod storage;
mod stream;
mod time_source;
mod timestamp;
pub mod transcode;
mod viewer_loss;

#[cfg(feature = "codec")]
pub use arcly_codec as codec;
pub use async_trait::async_trait;
pub use bytes;
pub use tokio_util::sync::CancellationToken;

pub use audit::{AuditOutcome, AuditRecord, AuditSink};
pub use auth::{
    AccessDenied, AccessRequest, Action, AllowAll, Authenticator, Credentials, MAX_CREDENTIAL_BYTES,
};
#[cfg(feature = "auth-jwt")]
pub use auth_jwt::{JwtAlgorithm, JwtAuthenticator, JwtClaims, JwtKey, JwtKeyError, JwtSigner};
pub use bus::{
    Delivery, LogItem, Retention, Shared, StartAt, SubscribeOptions, Subscription, SubscriptionEnd,
};
pub use codec_id::CodecId;
pub use engine::{AppSpec, Demand, Engine, EngineBuilder};
pub use error::{Result, StreamError};
pub use frame::{FrameFlags, MediaFrame, MediaKind, TrackId, WallClock};
pub use inbound::{
    InboundProtocol, IngestContext, ProtocolHandler, PublishRegistry, PublishRequest,
    PublishSession, Takeover,
};
pub use key::{AppName, MAX_NAME_BYTES, StreamId, StreamKey};
pub use media::{MediaSink, MediaSource};
pub use net::{
    ConnectionRefusal, Handshake, RefusalHook, TcpConnection, TcpIngestConfig, Transport,
    run_tcp_ingest_server,
};
pub use observe::{
    EVENT_BACKLOG, Event, EventBus, EventKind, EventReceiver, Observer, SessionId, ViewerId,
};
pub use playback::{PlayRequest, PlaySession, PlaybackContext, PlaybackRegistry, ViewerInfo};
pub use record::{
    FileNameTemplate, RecordingConfig, RecordingEvent, RecordingObserver, RecordingSink,
    record_stream,
};
pub use storage::{
    FsStorage, MAX_OBJECT_BYTES, MAX_OBJECT_DEPTH, MAX_READ_BYTES, MemoryStorage, ObjectInfo,
    ObjectWriter, StorageBackend, validate_object,
};
#[cfg(feature = "object-store")]
pub use storage::{ObjectStorage, ObjectStorageConfig, open_storage};
pub use stream::{
    EndReason, Origin, Packager, Packet, Packets, Qos, Rendition, RenditionSubscription,
    SharedFrame, Shedding, StreamHandle, StreamLimits, StreamMetadata, TrackInfo, TrackQos,
};
pub use time_source::TimeSource;
pub use timestamp::{TICKS_PER_SECOND, TimeDelta, Timestamp, TimestampUnwrapper};
pub use viewer_loss::ViewerLoss;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

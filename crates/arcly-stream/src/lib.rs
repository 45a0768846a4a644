//! Embeddable live-media streaming: the arcly crates behind one set of features.
//!
//! | you write | depend on |
//! |---|---|
//! | a product that streams | this crate, with the features you need |
//! | a protocol or an output | `arcly-core` alone: it changes less often, and your crate then fits every host |
//! | a tool that reads bitstreams | `arcly-codec` alone |
//!
//! ```
//! use arcly_stream::prelude::*;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let engine = Engine::builder().application(AppSpec::new("live")).build();
//! let session = IngestContext::new(engine.clone()).open_publish(StreamKey::new("live", "camera")).await?;
//! assert_eq!(engine.streams().len(), 1);
//! session.finish().await
//! # }
//! ```
//!
//! # Features
//!
//! None is on by default; the kernel alone is then what there is.
//!
//! | feature | brings |
//! |---|---|
//! | `rtmp` | [`protocol::rtmp`]: RTMP ingest |
//! | `whip` | [`protocol::whip`]: WHIP and WHEP, WebRTC for browsers |
//! | `transcode-opus` | `transcode::opus`: AAC made Opus, for viewers by WebRTC |
//! | `rtsp` | [`protocol::rtsp`]: RTSP in and out, over UDP and TCP |
//! | `srt` | [`protocol::srt`]: SRT, both ways |
//! | `ts` | [`mux::ts`]: MPEG-TS |
//! | `ts-udp` | `protocol::ts_udp`: MPEG-TS over UDP and RTP, unicast and multicast |
//! | `fmp4` | [`mux::fmp4`]: CMAF segments and fragmented MP4 |
//! | `hls` | [`mux::hls`]: HLS packaging |
//! | `tls` | `net::tls`: TLS with certificates that reload; with `rtmp` and `rtsp`, RTMPS and RTSPS |
//! | `codec` | `codec`: bitstream parsers; fills stream metadata |
//! | `auth-jwt` | [`auth::JwtAuthenticator`](auth): signed tokens |
//! | `full` | all of these |
//!
//! # Where things are
//!
//! [`engine`], [`inbound`], [`playback`], [`bus`], [`auth`], [`observe`], [`health`], [`net`], [`record`], [`storage`] and [`mux`] are
//! the parts of `arcly-core`; [`protocol`] and the modules in [`mux`] are the other crates; [`presets`] composes several. [`prelude`] brings
//! in what most programs use.

pub mod prelude;
pub mod presets;

pub use arcly_core as core;
#[cfg(feature = "codec")]
pub use arcly_core::codec;
pub use arcly_core::health;
pub use arcly_core::{Result, StreamError, async_trait};

/// Frames, time and names.
pub mod media {
    pub use arcly_core::{
        AppName, CodecId, FrameFlags, MediaFrame, MediaKind, MediaSink, MediaSource, StreamId,
        StreamKey, TimeDelta, TimeSource, Timestamp, TimestampUnwrapper, TrackId, WallClock,
    };
}

/// The log of a stream, and reading it.
pub mod bus {
    pub use arcly_core::{
        Delivery, Packager, Packet, Packets, Qos, Rendition, RenditionSubscription, Retention,
        Shared, SharedFrame, StartAt, StreamHandle, StreamLimits, StreamMetadata, SubscribeOptions,
        Subscription, SubscriptionEnd, TrackInfo, TrackQos,
    };
}

/// The engine: applications, live streams, and the protocols that run on it.
pub mod engine {
    pub use arcly_core::{AppSpec, EndReason, Engine, EngineBuilder};
}

/// The ingestion seam: how a protocol brings streams in.
pub mod inbound {
    pub use arcly_core::{
        InboundProtocol, IngestContext, ProtocolHandler, PublishRegistry, PublishRequest,
        PublishSession, Takeover,
    };
}

/// The playback seam: how an output gets at streams.
pub mod playback {
    pub use arcly_core::{PlayRequest, PlaySession, PlaybackContext, PlaybackRegistry, ViewerInfo};
}

/// Who may publish and play, and the record of it.
pub mod auth {
    pub use arcly_core::{
        AccessDenied, AccessRequest, Action, AllowAll, AuditOutcome, AuditRecord, AuditSink,
        Authenticator, Credentials,
    };
    #[cfg(feature = "auth-jwt")]
    pub use arcly_core::{
        JwtAlgorithm, JwtAuthenticator, JwtClaims, JwtKey, JwtKeyError, JwtSigner,
    };
}

/// What happens in an engine, as events.
pub mod observe {
    pub use arcly_core::{
        EVENT_BACKLOG, Event, EventBus, EventKind, EventReceiver, Observer, SessionId, ViewerId,
        ViewerLoss,
    };
}

/// The accept loop that TCP protocols share, and TLS.
pub mod net {
    #[cfg(feature = "tls")]
    pub use arcly_core::net::tls;
    pub use arcly_core::{
        ConnectionRefusal, Handshake, RefusalHook, TcpConnection, TcpIngestConfig, Transport,
        run_tcp_ingest_server,
    };
}

/// Recording streams to files.
pub mod record {
    pub use arcly_core::{
        FileNameTemplate, RecordingConfig, RecordingEvent, RecordingObserver, RecordingSink,
        record_stream,
    };
}

/// Where recordings are kept.
pub mod storage {
    pub use arcly_core::{FsStorage, MemoryStorage, ObjectInfo, ObjectWriter, StorageBackend};
    #[cfg(feature = "object-store")]
    pub use arcly_core::{ObjectStorage, ObjectStorageConfig, open_storage};
}

/// Wire protocols, one module for each feature.
pub mod protocol {
    #[cfg(feature = "rtmp")]
    pub use arcly_rtmp as rtmp;
    #[cfg(feature = "rtsp")]
    pub use arcly_rtsp as rtsp;
    #[cfg(feature = "srt")]
    pub use arcly_srt as srt;
    #[cfg(feature = "ts-udp")]
    pub use arcly_ts_udp as ts_udp;
    #[cfg(feature = "whip")]
    pub use arcly_whip as whip;
}

/// Sound in another codec: the traits, and one module for each feature.
pub mod transcode {
    pub use arcly_core::transcode::*;
    #[cfg(feature = "transcode-opus")]
    pub use arcly_transcode_opus as opus;
}

/// Containers: the traits, and one module for each feature.
pub mod mux {
    pub use arcly_core::mux::*;
    #[cfg(feature = "fmp4")]
    pub use arcly_mux_fmp4 as fmp4;
    #[cfg(feature = "hls")]
    pub use arcly_mux_hls as hls;
    #[cfg(feature = "ts")]
    pub use arcly_mux_ts as ts;
}

/// The Rust blocks of the project's README are tests of this crate.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

//! The live-media streaming kernel.

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
mod net;
mod observe;
mod playback;
mod record;
mod storage;
mod stream;
mod time_source;
mod timestamp;

#[cfg(feature = "codec")]
pub use arcly_codec as codec;
pub use async_trait::async_trait;

pub use audit::{AuditOutcome, AuditRecord, AuditSink};
pub use auth::{
    AccessDenied, AccessRequest, Action, AllowAll, Authenticator, Credentials, MAX_CREDENTIAL_BYTES,
};
#[cfg(feature = "auth-jwt")]
pub use auth_jwt::{JwtAlgorithm, JwtAuthenticator, JwtClaims, JwtKey, JwtKeyError, JwtSigner};
pub use bus::{
    Delivery, LagObserver, LogItem, Retention, Shared, StartAt, SubscribeOptions, Subscription,
    SubscriptionEnd,
};
pub use codec_id::CodecId;
pub use engine::{AppSpec, Engine, EngineBuilder};
pub use error::{Result, StreamError};
pub use frame::{FrameFlags, MediaFrame, MediaKind, TrackId, WallClock};
pub use inbound::{
    InboundProtocol, IngestContext, ProtocolHandler, PublishRegistry, PublishRequest,
    PublishSession, Takeover,
};
pub use key::{AppName, MAX_NAME_BYTES, StreamId, StreamKey};
pub use media::{MediaSink, MediaSource};
pub use net::{
    ConnectionRefusal, Handshake, RefusalHook, TcpConnection, TcpIngestConfig,
    run_tcp_ingest_server,
};
pub use observe::{
    EVENT_BACKLOG, Event, EventBus, EventKind, EventReceiver, Observer, SessionId, ViewerId,
};
pub use playback::{PlayRequest, PlaySession, PlaybackContext, PlaybackRegistry};
pub use record::{
    FileNameTemplate, RecordingConfig, RecordingEvent, RecordingObserver, RecordingSink,
    record_stream,
};
pub use storage::{
    FsStorage, MAX_OBJECT_BYTES, MAX_OBJECT_DEPTH, MAX_READ_BYTES, MemoryStorage, ObjectInfo,
    ObjectWriter, StorageBackend, validate_object,
};
pub use stream::{
    EndReason, Origin, Packager, Packet, Packets, Qos, Rendition, RenditionSubscription,
    SharedFrame, StreamHandle, StreamLimits, StreamMetadata, TrackInfo, TrackQos,
};
pub use time_source::TimeSource;
pub use timestamp::{TICKS_PER_SECOND, TimeDelta, Timestamp, TimestampUnwrapper};

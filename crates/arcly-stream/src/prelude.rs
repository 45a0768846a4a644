//! What most programs use: `use arcly_stream::prelude::*;`.

pub use arcly_core::{
    AccessDenied, AccessRequest, Action, AllowAll, AppSpec, Authenticator, CodecId, Credentials,
    EndReason, Engine, EngineBuilder, Event, EventBus, EventKind, FrameFlags, FsStorage,
    InboundProtocol, IngestContext, MediaFrame, MediaKind, MediaSink, MediaSource, Observer,
    PlayRequest, PlaySession, PlaybackContext, PlaybackRegistry, ProtocolHandler, PublishRegistry,
    PublishRequest, PublishSession, Qos, RecordingConfig, RecordingSink, Result, SharedFrame,
    StartAt, StorageBackend, StreamError, StreamHandle, StreamKey, StreamMetadata,
    SubscribeOptions, Subscription, Takeover, TcpIngestConfig, TimeDelta, Timestamp, TrackId,
    async_trait, run_tcp_ingest_server,
};
pub use tokio_util::sync::CancellationToken;

#[cfg(feature = "auth-jwt")]
pub use arcly_core::{JwtAlgorithm, JwtAuthenticator, JwtClaims, JwtKey, JwtSigner};
#[cfg(feature = "hls")]
pub use arcly_mux_hls::{HlsConfig, HlsOrigin};
#[cfg(feature = "rtmp")]
pub use arcly_rtmp::{RtmpPull, RtmpPush, RtmpServer};
#[cfg(feature = "rtsp")]
pub use arcly_rtsp::{RtspPush, RtspServer, RtspSource};
#[cfg(feature = "ts-udp")]
pub use arcly_ts_udp::{TsUdpInput, TsUdpPush};
#[cfg(feature = "whip")]
pub use arcly_whip::WhipServer;

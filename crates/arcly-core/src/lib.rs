//! The live-media streaming kernel.

mod bus;
mod codec_id;
mod error;
mod frame;
mod key;
pub mod mux;
mod stream;
mod timestamp;

#[cfg(feature = "codec")]
pub use arcly_codec as codec;

pub use bus::{
    Delivery, LagObserver, LogItem, Retention, Shared, StartAt, SubscribeOptions, Subscription, SubscriptionEnd,
};
pub use codec_id::CodecId;
pub use error::{Result, StreamError};
pub use frame::{FrameFlags, MediaFrame, MediaKind, TrackId, WallClock};
pub use key::{AppName, MAX_NAME_BYTES, StreamId, StreamKey};
pub use stream::EndReason;
pub use timestamp::{TICKS_PER_SECOND, TimeDelta, Timestamp, TimestampUnwrapper};

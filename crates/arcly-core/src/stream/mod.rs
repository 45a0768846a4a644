//! A live stream: its tracks, quality of service, end, and what is derived from it.

mod end_reason;
mod gop_clock;
mod handle;
mod live;
mod qos;
mod rendition;
mod track;

pub use end_reason::EndReason;
pub use handle::{SharedFrame, StreamHandle};
pub(crate) use live::LiveStream;
pub use live::{Origin, StreamLimits};
pub use qos::{Qos, TrackQos};
pub use rendition::{Packager, Packet, Packets, Rendition, RenditionSubscription};
pub use track::{StreamMetadata, TrackInfo};

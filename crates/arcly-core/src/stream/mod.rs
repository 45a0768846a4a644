//! A live stream: its tracks, quality of service, end, and what is derived from it.

mod end_reason;
mod gop_clock;
mod handle;
mod live;
mod publication;
mod qos;
mod rendition;
mod shedding;
mod track;
#[cfg(feature = "codec")]
mod track_audio;
#[cfg(feature = "codec")]
mod track_video;
mod tracks;
mod viewers;

pub use end_reason::EndReason;
pub use handle::{SharedFrame, StreamHandle};
pub(crate) use live::LiveStream;
pub use live::StreamLimits;
pub use publication::Origin;
pub(crate) use publication::Publication;
pub use qos::{Qos, TrackQos};
pub use rendition::{Packager, Packet, Packets, Rendition, RenditionSubscription};
pub use shedding::Shedding;
pub use track::{StreamMetadata, TrackInfo};

//! FLV tag bodies, which RTMP's audio, video and data messages carry (Adobe Flash Video File Format 10.1, annex E.4).
//!
//! [`TagReader`] turns them into [`MediaFrame`](arcly_core::MediaFrame)s in the shape that the bus carries, and [`TagWriter`]
//! turns these into tag bodies. They know nothing of RTMP, so that they serve FLV over HTTP and in files too.

mod audio;
mod audio_codecs;
mod av1;
mod avc;
mod clock;
mod codec_state;
mod ex_header;
pub(crate) mod four_cc;
mod hevc_vvc;
mod metadata;
mod nal_track;
mod packet;
mod script;
mod tag;
mod tag_header;
mod tag_reader;
mod tag_writer;
mod track;
mod video;
mod vpx;
mod write_clock;

pub use metadata::on_meta_data;
pub use tag::{Tag, TagHeader, TagKind};
pub use tag_reader::{Drops, Item, Notice, TagReader};
pub use tag_writer::{NotCarried, TagForm, TagWriter};
pub(crate) use track::may_be_only;

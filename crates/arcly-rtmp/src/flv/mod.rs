//! FLV tag bodies, which RTMP's audio, video and data messages carry (Adobe Flash Video File Format 10.1, annex E.4).
//!
//! [`TagReader`] turns them into [`MediaFrame`](arcly_core::MediaFrame)s in the shape that the bus carries. It knows
//! nothing of RTMP, so that FLV over HTTP is read by it too.

mod audio;
mod avc;
mod clock;
mod script;
mod tag_reader;
mod video;

pub use tag_reader::{Drops, Item, Notice, TagKind, TagReader};

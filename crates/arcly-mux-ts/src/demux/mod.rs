//! Transport packets in, frames out.
//!
//! | what | where |
//! |---|---|
//! | finding packets | `sync.rs` |
//! | their headers, continuity | `packet.rs` |
//! | PAT, PMT | `section.rs`, `tables.rs`, `program.rs` |
//! | a stream's PES packets | `stream.rs`, `pes.rs` |
//! | access units and configs | `es/` |
//! | one timeline | `timeline.rs`, `track.rs` |

mod config;
mod es;
mod packet;
mod pes;
mod program;
mod section;
mod stats;
mod stream;
mod sync;
mod tables;
mod timeline;
mod track;

pub use config::{DemuxLimits, TsDemuxConfig};
pub use stats::TsStats;

use arcly_core::MediaFrame;
use arcly_core::mux::{ContainerFormat, Demuxer, MuxError};
use bytes::Bytes;
use program::Program;
use sync::PacketSync;

/// Turns a transport stream into frames.
///
/// Give it the stream with [`read`](Demuxer::read), cut anywhere; each call adds the frames that it completes, in the order in which
/// they end. At the end of the input [`finish`](Demuxer::finish).
///
/// ```
/// use arcly_core::mux::{Demuxer, Muxer};
/// use arcly_core::{CodecId, MediaFrame};
/// use arcly_mux_ts::{TIMESTAMP_BASE, TsDemuxer, TsMuxer};
/// use bytes::Bytes;
///
/// let (mut muxer, mut stream) = (TsMuxer::default(), Vec::new());
/// let config = MediaFrame::new_audio(0, Bytes::from_static(&[0x11, 0x90]), CodecId::Aac).into_config();
/// let sound = MediaFrame::new_audio(0, Bytes::from_static(b"\x21\x10\x04"), CodecId::Aac);
/// for frame in [&config, &sound, &sound] {
///     muxer.write(frame, &mut stream)?;
/// }
/// muxer.finish(&mut stream)?;
///
/// let (mut demuxer, mut frames) = (TsDemuxer::default(), Vec::new());
/// for piece in stream.concat().chunks(100) {
///     demuxer.read(Bytes::copy_from_slice(piece), &mut frames)?;
/// }
/// demuxer.finish(&mut frames);
/// assert_eq!(frames.len(), 3);
/// assert_eq!((&frames[0].payload, &frames[1].payload), (&config.payload, &sound.payload));
/// assert_eq!(frames[1].pts.to_ticks(90_000), TIMESTAMP_BASE);
/// # Ok::<(), arcly_core::mux::MuxError>(())
/// ```
///
/// **What comes out.** Video, audio and data tracks of one program, under the ids of [`TrackId`](arcly_core::TrackId): the first of each kind gets its
/// conventional one, further ones the numbers from 3 on. Codec configs are made from the stream and come before the first frame of
/// their track, and again whenever they change; frames before that are dropped. Times are those of the stream on one unwrapped
/// timeline, see `docs/mpeg-ts.md`.
///
/// **Damage** is passed over: what is not whole is dropped, the next frame of the track has
/// [`DISCONTINUITY`](arcly_core::FrameFlags::DISCONTINUITY), and [`stats`](Self::stats) counts it.
///
/// **Memory** is bounded by [`DemuxLimits`].
#[derive(Debug)]
pub struct TsDemuxer {
    sync: PacketSync,
    program: Program,
    leading_garbage_bytes: u64,
}

impl TsDemuxer {
    /// A demuxer that has seen nothing yet.
    #[must_use]
    pub fn new(config: TsDemuxConfig) -> Self {
        Self {
            sync: PacketSync::default(),
            leading_garbage_bytes: config.limits.leading_garbage_bytes,
            program: Program::new(config),
        }
    }

    /// What was counted so far.
    #[must_use]
    pub const fn stats(&self) -> &TsStats {
        self.program.stats()
    }
}

impl Default for TsDemuxer {
    fn default() -> Self {
        Self::new(TsDemuxConfig::default())
    }
}

impl Demuxer for TsDemuxer {
    fn format(&self) -> ContainerFormat {
        crate::FORMAT
    }

    fn read(&mut self, data: Bytes, out: &mut Vec<MediaFrame>) -> Result<(), MuxError> {
        let Self { sync, program, .. } = self;
        sync.push(&data, &mut |packets, garbage| {
            program.packets(packets, garbage, out);
        });
        if self.stats().packets == 0 && self.sync.garbage() > self.leading_garbage_bytes {
            return Err(MuxError::Malformed {
                what: "MPEG transport stream",
                reason: format!("no packets within {} bytes", self.sync.garbage()),
            });
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<MediaFrame>) {
        let Self { sync, program, .. } = self;
        sync.finish(&mut |packets, garbage| program.packets(packets, garbage, out));
        program.finish(out);
    }
}

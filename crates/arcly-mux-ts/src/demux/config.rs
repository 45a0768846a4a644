//! What can be set of a demuxer, and what is bounded.

use arcly_core::TimeDelta;

/// How the demuxer behaves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TsDemuxConfig {
    /// The program to read, by its number in the PAT. Default: the first that the PAT lists.
    pub program: Option<u16>,
    /// The limits.
    pub limits: DemuxLimits,
}

/// What a peer can make the demuxer hold.
///
/// A demuxer takes at most `2 * buffered_bytes` (buffers grow by doubling) plus about 64 KiB: its table of PIDs, a section and a counter
/// for each track, and 4 KiB of input that is not in step. With the defaults: 64 MiB; a 4 Mbit/s stream holds about 150 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DemuxLimits {
    /// Tracks that are read at once; further ones of the program are passed over. Default: 16; at most 128 are taken.
    pub tracks: usize,
    /// Bytes of a PES packet and of what waits before it on the same track. One that is larger is dropped. Default: 16 MiB.
    pub access_unit_bytes: usize,
    /// Bytes that wait on all tracks together. The PES packet that exceeds it is dropped. Default: 32 MiB.
    pub buffered_bytes: usize,
    /// The longest step forward that is believed; a longer one is taken for a break of the clock, behind which the timeline goes on
    /// without the step. Also how far PTS and DTS may lie apart. Default: 10 s.
    pub gap: TimeDelta,
    /// Bytes without a packet after which the input is refused as no transport stream. Only before the first packet. Default: 1 MiB.
    pub leading_garbage_bytes: u64,
}

impl Default for DemuxLimits {
    fn default() -> Self {
        Self {
            tracks: 16,
            access_unit_bytes: 16 * 1024 * 1024,
            buffered_bytes: 32 * 1024 * 1024,
            gap: TimeDelta::from_millis(10_000),
            leading_garbage_bytes: 1024 * 1024,
        }
    }
}

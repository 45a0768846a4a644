//! What an ingest is told, and what it tells.

use crate::rtp::{PayloadFormat, ReorderLimits};
use crate::{MediaFrame, TrackId};
use bytes::Bytes;
use std::time::Duration;

/// How a source's packets are taken. Every limit is on by default.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IngestConfig {
    /// How long a missing packet is waited for; zero where the transport keeps the order and loses nothing.
    pub reorder_wait: Duration,
    /// How many packets a track holds back at most while one is missing.
    pub max_reorder_packets: usize,
    /// How many bytes these have at most.
    pub max_reorder_bytes: usize,
    /// How often a keyframe is asked for, while one is needed.
    pub keyframe_interval: Duration,
    /// How long the first packets of a source with several tracks are held back at most, until a sender report of each track that has come says how they
    /// relate. Without one, tracks lie where their packets arrived, and move when the first report comes. Zero: nothing is held back.
    pub sync_wait: Duration,
    /// How many bytes these have at most.
    pub max_sync_bytes: usize,
}

impl IngestConfig {
    /// For UDP: missing packets are waited for as long as 100 ms, behind at most 512 others of 1 MiB together. Sender reports are not waited for.
    #[must_use]
    pub const fn datagrams() -> Self {
        Self {
            reorder_wait: Duration::from_millis(100),
            max_reorder_packets: 512,
            max_reorder_bytes: 1 << 20,
            keyframe_interval: Duration::from_secs(1),
            sync_wait: Duration::ZERO,
            max_sync_bytes: 8 << 20,
        }
    }

    /// For TCP and other transports that keep the order: nothing is held back.
    #[must_use]
    pub const fn reliable() -> Self {
        Self {
            reorder_wait: Duration::ZERO,
            ..Self::datagrams()
        }
    }

    pub(super) const fn reorder_limits(&self) -> ReorderLimits {
        ReorderLimits {
            wait: self.reorder_wait,
            packets: self.max_reorder_packets,
            bytes: self.max_reorder_bytes,
        }
    }
}

/// A track of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IngestTrack {
    /// The track that its frames are put on.
    pub track: TrackId,
    /// The payload type of its packets; others are left out.
    pub payload_type: u8,
    /// Its payload format.
    pub format: PayloadFormat,
    /// The rate of its timestamps in Hz, where that is not the one of the format.
    pub clock_rate: u32,
    /// Its SSRC, where that was agreed on. Without one, the first to come is taken, and others after it as the source having restarted.
    pub ssrc: Option<u32>,
}

impl IngestTrack {
    /// A track with the clock rate of its format, from any SSRC.
    #[must_use]
    pub fn new(track: TrackId, payload_type: u8, format: PayloadFormat) -> Self {
        Self {
            track,
            payload_type,
            clock_rate: format.clock_rate(),
            format,
            ssrc: None,
        }
    }

    /// Sets [`clock_rate`](Self::clock_rate); 0 is left out.
    #[must_use]
    pub fn clock_rate(mut self, clock_rate: u32) -> Self {
        if clock_rate > 0 {
            self.clock_rate = clock_rate;
        }
        self
    }

    /// Sets [`ssrc`](Self::ssrc).
    #[must_use]
    pub fn ssrc(mut self, ssrc: Option<u32>) -> Self {
        self.ssrc = ssrc;
        self
    }
}

/// What comes out of an [`RtpIngest`](super::RtpIngest).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum IngestEvent {
    /// A frame to be published: decodable, in decoding order, its track's config before it.
    Frame(MediaFrame),
    /// Whole packets of an MPEG transport stream ([`PayloadFormat::MpegTs`]), for a [`Demuxer`](crate::mux::Demuxer).
    TransportStream {
        /// The track.
        track: TrackId,
        /// The bytes, a multiple of 188.
        data: Bytes,
    },
    /// Pictures of this track cannot be decoded until a keyframe comes: to be turned into PLI or FIR, where the source can answer (see
    /// [`RtpIngest::keyframe_request`](super::RtpIngest::keyframe_request)). Comes again at each [`keyframe_interval`](IngestConfig::keyframe_interval) until there is one.
    KeyframeWanted {
        /// The track's index, as [`RtpIngest::add_track`](super::RtpIngest::add_track) gave it.
        index: usize,
    },
    /// The source has said that the track ends (BYE).
    Bye {
        /// The track's index.
        index: usize,
    },
}

/// What came and went on a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IngestStats {
    /// RTP packets taken, duplicates and late ones included.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets that never came, or too late.
    pub lost: u64,
    /// Packets that came after they had been given up.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that broke their payload format.
    pub malformed: u64,
    /// Packets of another payload type or SSRC.
    pub foreign: u64,
    /// Frames given out, configs not counted.
    pub frames: u64,
    /// Whole access units that were left out because what they refer to was lost, or no config had come.
    pub undecodable: u64,
    /// Interarrival jitter in ticks of the clock rate (RFC 3550 A.8).
    pub jitter: u32,
}

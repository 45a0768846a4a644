//! From the packets of a source's tracks to frames.

use super::{NtpTime, PayloadFormat, Result, RtpError, RtpHeader, RtpPacket};
use crate::{MediaFrame, TrackId};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// The most tracks of a source.
pub const MAX_INGEST_TRACKS: usize = 32;

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
}

impl IngestConfig {
    /// For UDP: missing packets are waited for as long as 100 ms, behind at most 512 others of 1 MiB together.
    #[must_use]
    pub const fn datagrams() -> Self {
        Self {
            reorder_wait: Duration::from_millis(100),
            max_reorder_packets: 512,
            max_reorder_bytes: 1 << 20,
            keyframe_interval: Duration::from_secs(1),
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

/// What comes out of an [`RtpIngest`].
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
    /// [`RtpIngest::keyframe_request`]). Comes again at each [`keyframe_interval`](IngestConfig::keyframe_interval) until there is one.
    KeyframeWanted {
        /// The track's index, as [`RtpIngest::add_track`] gave it.
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

/// Takes the packets of a source's tracks, gives out frames.
///
/// Call [`add_track`](Self::add_track) for each; then [`handle_rtp`](Self::handle_rtp) and [`handle_rtcp`](Self::handle_rtcp) as packets
/// come, and [`handle_timeout`](Self::handle_timeout) at [`next_timeout`](Self::next_timeout). After each of these, take what there is with
/// [`poll_event`](Self::poll_event) until it returns `None`. `now` is the time since any start of the caller's, and never steps back.
/// [`receiver_report`](Self::receiver_report) makes what is to be sent back every few seconds.
///
/// Timestamps begin near 0 and are those of the source's clock, in the resolution of the payload format; B-frames get decoding times.
/// An access unit that misses a packet is left out whole, and pictures go on at the next keyframe, which is flagged
/// [`DISCONTINUITY`](crate::FrameFlags::DISCONTINUITY).
#[derive(Debug)]
pub struct RtpIngest {
    config: IngestConfig,
    tracks: Vec<IngestTrack>,
    events: VecDeque<IngestEvent>,
}

impl RtpIngest {
    /// An ingest without tracks.
    #[must_use]
    pub fn new(config: IngestConfig) -> Self {
        Self {
            config,
            tracks: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Adds a track; returns its index, which counts from 0.
    ///
    /// # Errors
    /// [`RtpError::Unsupported`] where its format is not read, [`RtpError::LimitExceeded`] past [`MAX_INGEST_TRACKS`].
    pub fn add_track(&mut self, track: IngestTrack) -> Result<usize> {
        if self.tracks.len() == MAX_INGEST_TRACKS {
            return Err(RtpError::LimitExceeded {
                what: "tracks of an RTP source",
                max: MAX_INGEST_TRACKS,
            });
        }
        self.tracks.push(track);
        Ok(self.tracks.len() - 1)
    }

    /// The track that a packet belongs to, for transports that carry several together: by SSRC, and by payload type where no track
    /// has that yet.
    #[must_use]
    pub fn track_of(&self, header: &RtpHeader) -> Option<usize> {
        let mut tracks = self.tracks.iter();
        tracks.position(|track| track.payload_type == header.payload_type)
    }

    /// An RTP packet of a track has come.
    ///
    /// # Errors
    /// Where it is no RTP packet, or breaks its payload format: it is left out, and the source can go on. What it was part of is
    /// dropped whole.
    pub fn handle_rtp(&mut self, index: usize, datagram: Bytes, now: Duration) -> Result<()> {
        let _ = (index, RtpPacket::parse(datagram)?, now);
        Ok(())
    }

    /// An RTCP packet of a track, or of all where they share a transport, has come.
    ///
    /// # Errors
    /// Where it is no RTCP packet; what was read of it before counts.
    pub fn handle_rtcp(&mut self, index: usize, datagram: &[u8], now: Duration) -> Result<()> {
        let _ = (index, datagram, now);
        Ok(())
    }

    /// A sender report of a track has come, for transports that read RTCP themselves.
    pub fn handle_sender_report(
        &mut self,
        index: usize,
        ntp: NtpTime,
        timestamp: u32,
        now: Duration,
    ) {
        let _ = (index, ntp, timestamp, now);
    }

    /// Gives up waiting for what is overdue.
    pub fn handle_timeout(&mut self, now: Duration) {
        let _ = now;
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next; `None` where nothing is waited for.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        None
    }

    /// The next event, in order; `None` where all is taken.
    pub fn poll_event(&mut self) -> Option<IngestEvent> {
        self.events.pop_front()
    }

    /// The source pauses or starts over: what is held back is given out, and what comes next is a new start on the same timeline.
    pub fn restart(&mut self) {}

    /// The source has ended: gives out what is held back.
    pub fn finish(&mut self, now: Duration) {
        let _ = now;
    }

    /// What is to be sent to the track's source every few seconds: a compound packet with a receiver report and `own_ssrc`'s name
    /// (RFC 3550 6.1). `None` until packets of the track have come.
    pub fn receiver_report(&mut self, index: usize, own_ssrc: u32, now: Duration) -> Option<Bytes> {
        let _ = (index, own_ssrc, now);
        None
    }

    /// A compound packet with a receiver report and a PLI (RFC 4585 6.3.1), which asks the track's source for a keyframe. `None` until
    /// packets of it have come.
    pub fn keyframe_request(
        &mut self,
        index: usize,
        own_ssrc: u32,
        now: Duration,
    ) -> Option<Bytes> {
        let _ = (index, own_ssrc, now);
        None
    }

    /// What came and went on a track.
    #[must_use]
    pub fn stats(&self, index: usize) -> Option<IngestStats> {
        let _ = index;
        None
    }

    /// How packets are taken.
    #[must_use]
    pub const fn config(&self) -> &IngestConfig {
        &self.config
    }
}

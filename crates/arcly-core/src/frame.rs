//! The unit that travels the bus: one access unit with its timing.

use crate::{CodecId, TimeDelta, Timestamp};
use bytes::Bytes;
use std::fmt;

bitflags::bitflags! {
    /// What a frame is beyond its payload.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct FrameFlags: u16 {
        /// A random access point: decoding can start here (H.264 IDR, AV1 key frame, …). Video only; audio
        /// frames of the codecs carried here can all be decoded alone and do not set it.
        const KEYFRAME = 1 << 0;
        /// The payload is the track's codec config, not media. Its timestamps say when it takes effect. On a data track: what describes
        /// the stream until further notice, as RTMP's `onMetaData`. Either way each joiner gets the newest one first.
        const CONFIG = 1 << 1;
        /// The timeline breaks before this frame: the source restarted, or frames are missing.
        const DISCONTINUITY = 1 << 2;
        /// No other frame refers to this one, so a congested viewer can drop it and keep a correct picture.
        const DISPOSABLE = 1 << 3;
    }
}

/// The kind of media of a track.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a track is one of these three; matching all of them is what callers want"
)]
pub enum MediaKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Timed metadata.
    Data,
}

impl MediaKind {
    /// The lower-case name used in logs, metrics and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Data => "data",
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Identifies a track within its stream. The first video, audio and data tracks are
/// [`TrackId::VIDEO`], [`TrackId::AUDIO`] and [`TrackId::DATA`] by convention; further ones take any other number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct TrackId(pub u16);

impl TrackId {
    /// The first video track.
    pub const VIDEO: Self = Self(0);
    /// The first audio track.
    pub const AUDIO: Self = Self(1);
    /// The first data track.
    pub const DATA: Self = Self(2);
}

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The sender's wall clock at a frame's presentation, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct WallClock(pub i64);

/// One access unit, or one codec config, of one track.
///
/// Cloning is cheap: the payload is shared. The payload's shape depends on the codec:
///
/// | codec | media payload | payload with [`FrameFlags::CONFIG`] |
/// |---|---|---|
/// | H.264, H.265, VVC | NAL units with 4-byte lengths, without parameter sets | avcC, hvcC, vvcC record |
/// | AV1 | low-overhead temporal unit without temporal delimiter | av1C record |
/// | VP8, VP9 | the frame (VP9: superframe) | none; vpcC record |
/// | AAC | raw data block, no ADTS header | AudioSpecificConfig |
/// | Opus | the packet | OpusHead |
/// | MP3, AC-3, E-AC-3 | one sync frame, and behind it those of its dependent substreams | none |
/// | FLAC | one frame | STREAMINFO block with its header |
/// | G.711, G.722, L16 | whole samples, channels interleaved (L16: big-endian) | none for mono at 8 kHz (G.722: 16); rate in Hz, 32 bits, big-endian, and channels, 8 bits |
/// | data | see [`CodecId`] | the same, to be kept for joiners |
///
/// Frames of a stream are published in decode order: DTS never decreases within a track.
///
/// Made by its constructors, after which any field can be set; non-exhaustive, as a frame may come to carry more.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaFrame {
    /// When the frame is to be presented.
    pub pts: Timestamp,
    /// When the frame is to be decoded; at most `pts` but for broken sources, and equal to it without B-frames.
    pub dts: Timestamp,
    /// The coded bytes, in the shape that the table above gives.
    pub payload: Bytes,
    /// The sender's wall clock at `pts`, where the protocol carries one.
    pub wall_clock: Option<WallClock>,
    /// The track the frame belongs to.
    pub track: TrackId,
    /// Keyframe, config, discontinuity, disposable.
    pub flags: FrameFlags,
    /// The codec of the payload.
    pub codec: CodecId,
    /// The kind of the track.
    pub kind: MediaKind,
}

impl MediaFrame {
    /// A video frame of the first video track. Integer times are milliseconds.
    ///
    /// ```
    /// use arcly_core::{CodecId, MediaFrame, Timestamp};
    /// use bytes::Bytes;
    ///
    /// let idr = Bytes::from_static(b"\0\0\0\x02\x65\x88");
    /// let frame = MediaFrame::new_video(80, 0, idr.clone(), CodecId::H264, true);
    /// assert!(frame.is_keyframe());
    /// // The same, exact on the 90 kHz clock:
    /// let same = MediaFrame::new_video(
    ///     Timestamp::from_ticks(7_200, 90_000), Timestamp::ZERO, idr, CodecId::H264, true);
    /// assert_eq!(frame, same);
    /// ```
    #[must_use]
    pub fn new_video(
        pts: impl Into<Timestamp>,
        dts: impl Into<Timestamp>,
        payload: Bytes,
        codec: CodecId,
        is_key: bool,
    ) -> Self {
        Self {
            pts: pts.into(),
            dts: dts.into(),
            payload,
            wall_clock: None,
            track: TrackId::VIDEO,
            flags: if is_key {
                FrameFlags::KEYFRAME
            } else {
                FrameFlags::empty()
            },
            codec,
            kind: MediaKind::Video,
        }
    }

    /// An audio frame of the first audio track. Integer times are milliseconds.
    #[must_use]
    pub fn new_audio(pts: impl Into<Timestamp>, payload: Bytes, codec: CodecId) -> Self {
        let pts = pts.into();
        Self {
            pts,
            dts: pts,
            payload,
            wall_clock: None,
            track: TrackId::AUDIO,
            flags: FrameFlags::empty(),
            codec,
            kind: MediaKind::Audio,
        }
    }

    /// A timed metadata frame of the first data track. Integer times are milliseconds.
    #[must_use]
    pub fn new_data(pts: impl Into<Timestamp>, payload: Bytes, codec: CodecId) -> Self {
        Self {
            track: TrackId::DATA,
            kind: MediaKind::Data,
            ..Self::new_audio(pts, payload, codec)
        }
    }

    /// Marks the frame as the track's codec config, see [`FrameFlags::CONFIG`].
    #[must_use]
    pub fn into_config(mut self) -> Self {
        self.flags.insert(FrameFlags::CONFIG);
        self.flags.remove(FrameFlags::KEYFRAME);
        self
    }

    /// Puts the frame on another track.
    #[must_use]
    pub fn on_track(mut self, track: TrackId) -> Self {
        self.track = track;
        self
    }

    /// Whether decoding can start at this frame. A config frame is none.
    #[must_use]
    pub fn is_keyframe(&self) -> bool {
        self.flags.contains(FrameFlags::KEYFRAME) && !self.is_config()
    }

    /// Whether the payload is the track's codec config.
    #[must_use]
    pub fn is_config(&self) -> bool {
        self.flags.contains(FrameFlags::CONFIG)
    }

    /// Whether the frame can be dropped without harm to others.
    #[must_use]
    pub fn is_disposable(&self) -> bool {
        self.flags.contains(FrameFlags::DISPOSABLE)
    }

    /// Whether the timeline breaks before this frame.
    #[must_use]
    pub fn is_discontinuity(&self) -> bool {
        self.flags.contains(FrameFlags::DISCONTINUITY)
    }

    /// Whether this is video.
    #[must_use]
    pub fn is_video(&self) -> bool {
        self.kind == MediaKind::Video
    }

    /// Whether this is audio.
    #[must_use]
    pub fn is_audio(&self) -> bool {
        self.kind == MediaKind::Audio
    }

    /// PTS − DTS: RTMP's composition time, MP4's composition offset.
    #[must_use]
    pub fn composition_offset(&self) -> TimeDelta {
        self.pts.since(self.dts)
    }
}

/// The payload is shown by its length.
impl fmt::Debug for MediaFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaFrame")
            .field("kind", &self.kind)
            .field("codec", &self.codec)
            .field("track", &self.track.0)
            .field("pts", &self.pts)
            .field("dts", &self.dts)
            .field("flags", &self.flags)
            .field("bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_frame_is_no_keyframe() {
        let frame = MediaFrame::new_video(0, 0, Bytes::new(), CodecId::H264, true).into_config();
        assert!(frame.is_config() && !frame.is_keyframe());
    }

    #[test]
    fn a_frame_fits_eighty_bytes() {
        // The log stores frames inline; a slot should stay near one and a half cache lines.
        assert!(size_of::<MediaFrame>() <= 80, "{}", size_of::<MediaFrame>());
    }
}

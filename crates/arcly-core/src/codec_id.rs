//! Which codec a frame is coded in.

use std::fmt;

/// The codec of a frame's payload. The shape of the payload is fixed per codec, see
/// [`MediaFrame`](crate::MediaFrame).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CodecId {
    /// H.264 / AVC (ITU-T H.264).
    H264,
    /// H.265 / HEVC (ITU-T H.265).
    H265,
    /// H.266 / VVC (ITU-T H.266).
    Vvc,
    /// AV1 (AOMedia).
    Av1,
    /// VP8 (RFC 6386).
    Vp8,
    /// VP9.
    Vp9,
    /// Motion JPEG, one picture a frame.
    Mjpeg,
    /// AAC (ISO/IEC 14496-3), raw access units.
    Aac,
    /// Opus (RFC 6716).
    Opus,
    /// MPEG-1/2 audio layer III.
    Mp3,
    /// AC-3 (ETSI TS 102 366).
    Ac3,
    /// Enhanced AC-3 (ETSI TS 102 366).
    Eac3,
    /// FLAC (RFC 9639).
    Flac,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
    /// Linear PCM, 16 bits, big-endian.
    L16,
    /// AMF0 values of an RTMP data message (`onMetaData`, `onCuePoint`, …), message name first.
    Amf0,
    /// An ID3v2 tag.
    Id3,
    /// A SCTE-35 splice information section.
    Scte35,
    /// A KLV unit (SMPTE ST 336).
    Klv,
}

impl CodecId {
    /// The lower-case name used in logs, metrics and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Vvc => "vvc",
            Self::Av1 => "av1",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Mjpeg => "mjpeg",
            Self::Aac => "aac",
            Self::Opus => "opus",
            Self::Mp3 => "mp3",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
            Self::Flac => "flac",
            Self::Pcmu => "pcmu",
            Self::Pcma => "pcma",
            Self::G722 => "g722",
            Self::L16 => "l16",
            Self::Amf0 => "amf0",
            Self::Id3 => "id3",
            Self::Scte35 => "scte35",
            Self::Klv => "klv",
        }
    }
}

impl fmt::Display for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! Which codec a frame is coded in.

use crate::MediaKind;
use std::fmt;

/// The one table of codecs: variant, name, kind.
macro_rules! codecs {
    ($($(#[$doc:meta])* $codec:ident = $name:literal, $kind:ident;)*) => {
        /// The codec of a frame's payload. The shape of the payload is fixed per codec, see
        /// [`MediaFrame`](crate::MediaFrame).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum CodecId {
            $($(#[$doc])* $codec,)*
        }

        impl CodecId {
            /// All codecs.
            pub const ALL: &[Self] = &[$(Self::$codec),*];

            /// The lower-case name used in logs, metrics and the API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$codec => $name,)*
                }
            }

            /// The codec with this [`name`](Self::name); `None` where there is none.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$codec),)*
                    _ => None,
                }
            }

            /// What the codec codes.
            #[must_use]
            pub const fn kind(self) -> MediaKind {
                match self {
                    $(Self::$codec => MediaKind::$kind,)*
                }
            }
        }
    };
}

codecs! {
    /// H.264 / AVC (ITU-T H.264).
    H264 = "h264", Video;
    /// H.265 / HEVC (ITU-T H.265).
    H265 = "h265", Video;
    /// H.266 / VVC (ITU-T H.266).
    Vvc = "vvc", Video;
    /// AV1 (AOMedia).
    Av1 = "av1", Video;
    /// VP8 (RFC 6386).
    Vp8 = "vp8", Video;
    /// VP9.
    Vp9 = "vp9", Video;
    /// Motion JPEG, one picture a frame.
    Mjpeg = "mjpeg", Video;
    /// AAC (ISO/IEC 14496-3), raw access units.
    Aac = "aac", Audio;
    /// Opus (RFC 6716).
    Opus = "opus", Audio;
    /// MPEG-1/2 audio layer III.
    Mp3 = "mp3", Audio;
    /// AC-3 (ETSI TS 102 366).
    Ac3 = "ac3", Audio;
    /// Enhanced AC-3 (ETSI TS 102 366).
    Eac3 = "eac3", Audio;
    /// FLAC (RFC 9639).
    Flac = "flac", Audio;
    /// G.711 µ-law.
    Pcmu = "pcmu", Audio;
    /// G.711 A-law.
    Pcma = "pcma", Audio;
    /// G.722.
    G722 = "g722", Audio;
    /// Linear PCM, 16 bits, big-endian.
    L16 = "l16", Audio;
    /// AMF0 values of an RTMP data message (`onMetaData`, `onCuePoint`, …), message name first.
    Amf0 = "amf0", Data;
    /// An ID3v2 tag.
    Id3 = "id3", Data;
    /// A SCTE-35 splice information section.
    Scte35 = "scte35", Data;
    /// A KLV unit (SMPTE ST 336).
    Klv = "klv", Data;
}

impl fmt::Display for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_codec_is_found_by_its_name() {
        for &codec in CodecId::ALL {
            assert_eq!(CodecId::from_name(codec.name()), Some(codec));
        }
        assert_eq!(CodecId::from_name("H264"), None, "names are lower-case");
        assert_eq!(CodecId::from_name(""), None);
    }

    #[test]
    fn each_codec_has_a_kind() {
        assert_eq!(CodecId::Av1.kind(), MediaKind::Video);
        assert_eq!(CodecId::Opus.kind(), MediaKind::Audio);
        assert_eq!(CodecId::Scte35.kind(), MediaKind::Data);
    }
}

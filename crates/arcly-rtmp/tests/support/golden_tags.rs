//! Enhanced RTMP tags written by hand from the specification (Enhanced RTMP v2, "ExAudioTagHeader", "ExAudioTagBody",
//! "ExVideoTagHeader", "ExVideoTagBody"; FLV 10.1, E.4.2 and E.4.3 for the legacy ones).

use arcly_core::{CodecId, MediaFrame, MediaKind};
use arcly_rtmp::amf0::Limits;
use arcly_rtmp::flv::{Item, Notice, TagKind, TagReader};
use bytes::Bytes;

/// x264, 320x240, High: an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).
pub(crate) const AVCC: &[u8] = b"\x01\x64\x00\x0d\xff\xe1\x00\x19\
    \x67\x64\x00\x0d\xac\xd9\x41\x41\xfb\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x03\x20\xf1\x42\x99\x60\
    \x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

/// x265, 64x64, Main: an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1).
pub(crate) const HVCC: &[u8] = b"\x01\x01\x60\x00\x00\x00\x90\x00\x00\x00\x00\x00\x1e\xf0\x00\xfc\xfd\xf8\xf8\x00\x00\x0f\x03\
    \xa0\x00\x01\x00\x18\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x1e\x91\x10\x09\
    \xa1\x00\x01\x00\x28\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x1e\xa0\x20\x81\x05\x96\x44\x49\
    \x24\xca\xf0\x16\x80\x80\x00\x00\x03\x00\x80\x00\x00\x0c\x84\
    \xa2\x00\x01\x00\x06\x44\x01\xc1\x71\xa1\x12";

/// SVT-AV1, 64x64: an AV1CodecConfigurationRecord (AV1 in ISOBMFF, 2.3).
pub(crate) const AV1C: &[u8] = b"\x81\x00\x0c\x00\x0a\x0a\x00\x00\x00\x02\xaf\xff\x9f\x7f\x30\x08";

/// libopus, stereo: an OpusHead (RFC 7845, 5.1).
pub(crate) const OPUS_HEAD: &[u8] = b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00";

/// 44.1 kHz, stereo, 16 bits: a STREAMINFO block with its header (RFC 9639, 8.2).
pub(crate) const STREAMINFO: &[u8] =
    b"\x80\x00\x00\x22\x10\x00\x10\x00\x00\x00\x00\x00\x00\x00\x0a\xc4\x42\xf0\x00\x00\x00\x00\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

/// AAC-LC, 44.1 kHz, stereo (ISO/IEC 14496-3, 1.6.2.1).
pub(crate) const ASC: &[u8] = b"\x12\x10";

/// One tag: kind, timestamp, header, payload.
pub(crate) type Tag = (TagKind, u32, &'static [u8], &'static [u8]);

/// Tags of one publication and what they mean.
pub(crate) struct Golden {
    pub(crate) name: &'static str,
    pub(crate) tags: &'static [Tag],
    pub(crate) frames: &'static [Frame],
}

/// What tests look at of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: MediaKind,
    pub(crate) codec: CodecId,
    pub(crate) track: u16,
    /// Nanoseconds.
    pub(crate) dts: i64,
    /// Milliseconds from DTS to PTS.
    pub(crate) composition: i64,
    pub(crate) is_config: bool,
    pub(crate) is_key: bool,
    pub(crate) payload: &'static [u8],
}

const MS: i64 = 1_000_000;

const fn frame(codec: CodecId, kind: MediaKind, track: u16, payload: &'static [u8]) -> Frame {
    Frame {
        kind,
        codec,
        track,
        dts: 0,
        composition: 0,
        is_config: false,
        is_key: false,
        payload,
    }
}

const fn video(codec: CodecId, payload: &'static [u8]) -> Frame {
    frame(codec, MediaKind::Video, 0, payload)
}

const fn audio(codec: CodecId, payload: &'static [u8]) -> Frame {
    frame(codec, MediaKind::Audio, 1, payload)
}

impl Frame {
    const fn config(mut self) -> Self {
        self.is_config = true;
        self
    }

    const fn key(mut self) -> Self {
        self.is_key = true;
        self
    }

    const fn at(mut self, dts: i64) -> Self {
        self.dts = dts;
        self
    }

    const fn composed(mut self, millis: i64) -> Self {
        self.composition = millis;
        self
    }

    const fn on(mut self, track: u16) -> Self {
        self.track = track;
        self
    }
}

// Access units with 4-byte lengths: IDR and non-IDR slices, IDR_W_RADL and TRAIL_R, a shown key frame and an inter frame.
const AVC_IDR: &[u8] = b"\0\0\0\x03\x65\x88\x84";
const AVC_P: &[u8] = b"\0\0\0\x03\x41\x9a\x24";
const HEVC_IDR: &[u8] = b"\0\0\0\x03\x26\x01\xaf";
const HEVC_P: &[u8] = b"\0\0\0\x03\x02\x01\xd0";
const AV1_KEY: &[u8] = b"\x32\x04\x10\x00\x00\x00";
const OPUS: &[u8] = b"\xfc\x01\x02";
const AC3: &[u8] = b"\x0b\x77\x12\x34\x08\x40";
const FLAC: &[u8] = b"\xff\xf8\xc9\x18\x00\xc2";
const MP3: &[u8] = b"\xff\xfb\x90\x64\x00";
const AAC: &[u8] = b"\x21\x10\x04";

use CodecId as C;
use TagKind::{Audio, Video};

pub(crate) const GOLDEN: &[Golden] = &[
    Golden {
        name: "hvc1: SequenceStart, CodedFrames, CodedFramesX, SequenceEnd",
        tags: &[
            (Video, 0, b"\x90hvc1", HVCC),
            (Video, 0, b"\x91hvc1\x00\x00\x50", HEVC_IDR), // SI24 compositionTimeOffset 80
            (Video, 40, b"\xa1hvc1\xff\xff\xd8", HEVC_P),  // -40
            (Video, 80, b"\xa3hvc1", HEVC_P),
            (Video, 120, b"\xa2hvc1", b""),
        ],
        frames: &[
            video(C::H265, HVCC).config(),
            video(C::H265, HEVC_IDR).key().composed(80),
            video(C::H265, HEVC_P).at(40 * MS).composed(-40),
            video(C::H265, HEVC_P).at(80 * MS),
        ],
    },
    Golden {
        name: "avc1",
        tags: &[
            (Video, 7, b"\x90avc1", AVCC),
            (Video, 7, b"\x93avc1", AVC_IDR),
            (Video, 47, b"\xa1avc1\x00\x00\x01", AVC_P),
        ],
        frames: &[
            video(C::H264, AVCC).config().at(7 * MS),
            video(C::H264, AVC_IDR).key().at(7 * MS),
            video(C::H264, AVC_P).at(47 * MS).composed(1),
        ],
    },
    Golden {
        name: "av01: no composition time; temporal delimiter left out",
        tags: &[
            (Video, 0, b"\x90av01", AV1C),
            (Video, 0, b"\x91av01", b"\x12\x00\x32\x04\x10\x00\x00\x00"),
        ],
        frames: &[
            video(C::Av1, AV1C).config(),
            video(C::Av1, AV1_KEY).key(),
        ],
    },
    Golden {
        name: "Opus: SequenceStart, CodedFrames, SequenceEnd",
        tags: &[
            (Audio, 0, b"\x90Opus", OPUS_HEAD),
            (Audio, 20, b"\x91Opus", OPUS),
            (Audio, 40, b"\x92Opus", b""),
        ],
        frames: &[
            audio(C::Opus, OPUS_HEAD).config().at(20 * MS),
            audio(C::Opus, OPUS).at(20 * MS),
        ],
    },
    Golden {
        name: "Opus: MultichannelConfig (Native, 6 channels, 5.1) in place of a head",
        tags: &[
            (Audio, 0, b"\x90Opus", b""),
            (Audio, 0, b"\x94Opus", b"\x01\x06\x00\x00\x00\x3f"),
            (Audio, 0, b"\x91Opus", OPUS),
        ],
        frames: &[
            audio(
                C::Opus,
                b"OpusHead\x01\x06\x00\x00\x80\xbb\x00\x00\x00\x00\x01\x04\x02\x00\x04\x01\x02\x03\x05",
            )
            .config(),
            audio(C::Opus, OPUS),
        ],
    },
    Golden {
        name: "fLaC: the marker before STREAMINFO is left out",
        tags: &[
            (Audio, 0, b"\x90fLaCfLaC", STREAMINFO),
            (Audio, 0, b"\x91fLaC", FLAC),
        ],
        frames: &[
            audio(C::Flac, STREAMINFO_LIVE).config(),
            audio(C::Flac, FLAC),
        ],
    },
    Golden {
        name: "ac-3, with an empty SequenceStart and the MultichannelConfig that ffmpeg sends",
        tags: &[
            (Audio, 0, b"\x90ac-3", b""),
            (Audio, 0, b"\x94ac-3", b"\x01\x01\x00\x00\x00\x04"),
            (Audio, 0, b"\x91ac-3", AC3),
        ],
        frames: &[audio(C::Ac3, AC3)],
    },
    Golden {
        name: "ec-3",
        tags: &[(Audio, 32, b"\x91ec-3", AC3)],
        frames: &[audio(C::Eac3, AC3).at(32 * MS)],
    },
    Golden {
        name: ".mp3",
        tags: &[(Audio, 0, b"\x91.mp3", MP3)],
        frames: &[audio(C::Mp3, MP3)],
    },
    Golden {
        name: "mp4a",
        tags: &[
            (Audio, 0, b"\x90mp4a", ASC),
            (Audio, 0, b"\x91mp4a", AAC),
        ],
        frames: &[audio(C::Aac, ASC).config(), audio(C::Aac, AAC)],
    },
    Golden {
        name: "ModEx: TimestampOffsetNano 333333 for video, 999999 after an unknown modifier for audio",
        tags: &[
            (Video, 0, b"\x90hvc1", HVCC),
            (Video, 33, b"\x97\x02\x05\x16\x15\x03hvc1", HEVC_IDR),
            (Audio, 33, b"\x97\x00\xaa\x17\x02\x0f\x42\x3f\x01Opus", OPUS),
        ],
        frames: &[
            video(C::H265, HVCC).config().at(33 * MS + 333_333),
            video(C::H265, HEVC_IDR).key().at(33 * MS + 333_333),
            audio(
                C::Opus,
                b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00",
            )
            .config()
            .at(33 * MS + 999_999),
            audio(C::Opus, OPUS).at(33 * MS + 999_999),
        ],
    },
    Golden {
        name: "Multitrack: OneTrack",
        tags: &[
            (Video, 0, b"\x96\x00hvc1\x00", HVCC),
            (Video, 0, b"\x96\x00avc1\x05", AVCC),
            (Video, 0, b"\x96\x03hvc1\x00", HEVC_IDR),
            (Video, 0, b"\x96\x01avc1\x05\x00\x00\x28", AVC_IDR),
        ],
        frames: &[
            video(C::H265, HVCC).config(),
            video(C::H264, AVCC).config().on(0x105),
            video(C::H265, HEVC_IDR).key(),
            video(C::H264, AVC_IDR).key().on(0x105).composed(40),
        ],
    },
    Golden {
        name: "Multitrack: ManyTracks (one codec, sizes of 24 bits), after ModEx",
        tags: &[(
            Audio,
            10,
            b"\x97\x02\x00\x00\x64\x05\x11Opus",
            b"\x00\x00\x00\x03\xfc\x01\x02\x02\x00\x00\x03\xfc\x01\x02",
        )],
        frames: &[
            audio(C::Opus, OPUS_MADE).config().at(10 * MS + 100),
            audio(C::Opus, OPUS).at(10 * MS + 100),
            audio(C::Opus, OPUS_MADE).config().on(0x202).at(10 * MS + 100),
            audio(C::Opus, OPUS).on(0x202).at(10 * MS + 100),
        ],
    },
    Golden {
        name: "Multitrack: ManyTracksManyCodecs",
        tags: &[(
            Audio,
            0,
            b"\x95\x21",
            b"ac-3\x00\x00\x00\x06\x0b\x77\x12\x34\x08\x40.mp3\x01\x00\x00\x05\xff\xfb\x90\x64\x00",
        )],
        frames: &[audio(C::Ac3, AC3), audio(C::Mp3, MP3).on(0x201)],
    },
    Golden {
        name: "Metadata: colorInfo becomes data",
        tags: &[
            (Video, 0, b"\x90hvc1", HVCC),
            (Video, 0, b"\xd4hvc1", COLOR_INFO), // the frame type (5) is ignored
            (Video, 0, b"\x93hvc1", HEVC_IDR),
        ],
        frames: &[
            frame(C::Amf0, MediaKind::Data, 2, COLOR_INFO),
            video(C::H265, HVCC).config(),
            video(C::H265, HEVC_IDR).key(),
        ],
    },
    Golden {
        name: "legacy codec id 12: H.265 in the form of H.264",
        tags: &[
            (Video, 0, b"\x1c\x00\x00\x00\x00", HVCC),
            (Video, 0, b"\x1c\x01\x00\x00\x28", HEVC_IDR),
            (Video, 40, b"\x2c\x01\x00\x00\x00", HEVC_P),
        ],
        frames: &[
            video(C::H265, HVCC).config(),
            video(C::H265, HEVC_IDR).key().composed(40),
            video(C::H265, HEVC_P).at(40 * MS),
        ],
    },
    Golden {
        name: "legacy codec id 13: AV1 in the form of H.264",
        tags: &[
            (Video, 0, b"\x1d\x00\x00\x00\x00", AV1C),
            (Video, 0, b"\x1d\x01\x00\x00\x00", AV1_KEY),
        ],
        frames: &[
            video(C::Av1, AV1C).config(),
            video(C::Av1, AV1_KEY).key(),
        ],
    },
    Golden {
        name: "legacy G.711",
        tags: &[(Audio, 0, b"\x72", b"\xd5\xd5"), (Audio, 20, b"\x82", b"\xff")],
        frames: &[audio(C::Pcma, b"\xd5\xd5"), audio(C::Pcmu, b"\xff").at(20 * MS)],
    },
];

/// The head that is made for a stereo packet.
const OPUS_MADE: &[u8] = b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00";

/// [`STREAMINFO`] as the bus has it: always the last block.
const STREAMINFO_LIVE: &[u8] = STREAMINFO;

/// `"colorInfo", {}` in AMF0: back to the original colours.
const COLOR_INFO: &[u8] = b"\x02\x00\x09colorInfo\x03\x00\x00\x09";

impl Golden {
    /// The bodies of the tags.
    pub(crate) fn bodies(&self) -> Vec<(TagKind, u32, Vec<u8>)> {
        let body = |&(kind, timestamp, header, payload): &Tag| {
            (kind, timestamp, [header, payload].concat())
        };
        self.tags.iter().map(body).collect()
    }
}

/// All frames and notices of tags that are in order.
pub(crate) fn read(tags: &[(TagKind, u32, Vec<u8>)]) -> (Vec<MediaFrame>, Vec<Notice>) {
    let mut reader = TagReader::new(Limits::default());
    let (mut frames, mut notices) = (Vec::new(), Vec::new());
    for (kind, timestamp, body) in tags {
        reader
            .read(*kind, *timestamp, &Bytes::copy_from_slice(body))
            .expect("in order");
        while let Some(item) = reader.poll() {
            match item {
                Item::Frame(frame) => frames.push(frame),
                Item::Notice(notice) => notices.push(notice),
                _ => {}
            }
        }
    }
    (frames, notices)
}

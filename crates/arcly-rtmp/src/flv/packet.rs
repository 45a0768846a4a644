//! What tags of either form, legacy and Enhanced RTMP, come down to: packets of tracks.

use super::ex_header::{ExPacket, ExTag, PacketType};
use super::four_cc;
use crate::Fault;
use arcly_core::{CodecId, MediaKind};
use bytes::{Buf, Bytes};

/// One packet of one track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// The track among those of its kind.
    pub(super) track: u8,
    pub(super) codec: CodecId,
    pub(super) content: Content,
}

/// What a packet holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The codec config.
    SequenceStart(Bytes),
    /// Media.
    Coded(Coded),
    /// Which speakers the channels of the audio are for.
    Channels(Bytes),
    /// AMF0 about the video.
    Metadata(Bytes),
    /// Nothing more comes, for now.
    SequenceEnd,
}

/// Coded media as the tag has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coded {
    pub(super) payload: Bytes,
    /// Milliseconds from decoding to presentation.
    pub(super) composition: i32,
    /// Whether the tag says that it is a keyframe.
    pub(super) flagged_key: bool,
}

impl Coded {
    pub(super) fn audio(payload: Bytes) -> Self {
        Self {
            payload,
            composition: 0,
            flagged_key: false,
        }
    }
}

/// The packets of one tag.
#[derive(Debug)]
pub(super) enum Packets {
    /// At most one.
    Legacy(Option<Packet>),
    /// Those of an Enhanced RTMP tag, and the frame type that they share.
    Enhanced(ExTag, MediaKind, FrameType),
}

impl Packets {
    /// A tag that says nothing.
    pub(super) const NONE: Self = Self::Legacy(None);

    /// The packet of a legacy tag.
    pub(super) fn one(codec: CodecId, content: Content) -> Self {
        Self::Legacy(Some(Packet {
            track: 0,
            codec,
            content,
        }))
    }

    /// Nanoseconds to be added to the tag's timestamp.
    pub(super) fn nanos(&self) -> u32 {
        match self {
            Self::Legacy(_) => 0,
            Self::Enhanced(tag, ..) => tag.nanos,
        }
    }
}

impl Iterator for Packets {
    type Item = Result<Packet, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Legacy(packet) => packet.take().map(Ok),
            Self::Enhanced(tag, kind, frame_type) => {
                let (kind, frame_type) = (*kind, *frame_type);
                Some(
                    tag.next()?
                        .and_then(|packet| enhanced(packet, kind, frame_type)),
                )
            }
        }
    }
}

/// VideoFrameType (FLV, E.4.3.1), as far as it tells anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameType {
    Key,
    /// Any other picture. That a picture is disposable is read from its bits: the flag was for H.263.
    Inter,
    /// Not a picture but a command to the player.
    Command,
}

impl FrameType {
    /// Of the bits of the tag's first byte.
    pub(super) fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            // 4 is a keyframe that a server made.
            1 | 4 => Self::Key,
            5 => Self::Command,
            _ => Self::Inter,
        }
    }
}

/// Brings a packet of Enhanced RTMP into the common form.
fn enhanced(packet: ExPacket, kind: MediaKind, frame_type: FrameType) -> Result<Packet, Fault> {
    let ExPacket {
        packet_type,
        four_cc,
        track,
        mut body,
    } = packet;
    let codec = four_cc::codec(four_cc).filter(|codec| codec.kind() == kind);
    let Some(codec) = codec else {
        return Err(Fault::Unsupported(match kind {
            MediaKind::Audio => {
                "audio codec with a FourCC that is none of mp4a, Opus, .mp3, ac-3, ec-3, fLaC"
            }
            _ => "video codec with a FourCC that is none of avc1, hvc1, vvc1, av01, vp09, vp08",
        }));
    };
    let content = match packet_type {
        PacketType::SequenceStart => Content::SequenceStart(body),
        PacketType::CodedFrames | PacketType::CodedFramesX => {
            let has_composition = packet_type == PacketType::CodedFrames
                && matches!(codec, CodecId::H264 | CodecId::H265 | CodecId::Vvc);
            let composition = if has_composition && !body.is_empty() {
                take_composition(&mut body)?
            } else {
                0
            };
            Content::Coded(Coded {
                payload: body,
                composition,
                flagged_key: frame_type == FrameType::Key,
            })
        }
        PacketType::SequenceEnd => Content::SequenceEnd,
        PacketType::Metadata => Content::Metadata(body),
        PacketType::MultichannelConfig => Content::Channels(body),
        PacketType::Mpeg2TsSequenceStart => {
            return Err(Fault::Unsupported(
                "Enhanced RTMP video with an MPEG-2 TS sequence start; send a sequence start with the codec's record",
            ));
        }
    };
    Ok(Packet {
        track,
        codec,
        content,
    })
}

/// CompositionTime (FLV, E.4.3.2): 24 bits, signed.
pub(super) fn take_composition(body: &mut Bytes) -> Result<i32, Fault> {
    let Some(&[a, b, c]) = body.first_chunk::<3>() else {
        return Err(Fault::Malformed("video tag shorter than its header"));
    };
    body.advance(3);
    Ok(i32::from_be_bytes([a, b, c, 0]) >> 8)
}

//! Access units in the form that MPEG-TS carries, and how the PMT announces them.

use super::packetize::UnitWriter;
use super::pes::{self, StreamId};
use super::psi::Elementary;
use super::track::malformed;
use crate::carriage::{OPUS_EXTENSION, format, push_descriptor, stream_type, tag};
use crate::config::Limits;
use crate::crc::crc32;
use crate::packet::{Pid, TABLE_ID_SPLICE};
use arcly_core::codec::aac::{AdtsHeader, AdtsHeaderBytes, AudioSpecificConfig};
use arcly_core::codec::ac3::SyncFrame;
use arcly_core::codec::h264::{AvcDecoderConfig, LengthSize, MAX_NAL_UNITS, length_prefixed};
use arcly_core::codec::h265::HevcDecoderConfig;
use arcly_core::codec::mpeg_audio::{MpegAudioHeader, MpegVersion};
use arcly_core::codec::opus::{OpusHead, ts::ControlHeader};
use arcly_core::codec::{h264, h265};
use arcly_core::mux::MuxError;
use arcly_core::{CodecId, MediaFrame, MediaKind};
use bytes::{BufMut, Bytes, BytesMut};

/// Before each NAL unit, with the zero byte that Annex B wants before parameter sets and the first
/// unit.
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The longest payload of a stream that is not video: its PES packets must have a length (2.4.3.7),
/// which has 16 bits and counts the header, too.
const MAX_BOUNDED: usize = 0xffff - pes::Header::MAX_SIZE;

/// How the access units of a track are written.
#[derive(Debug, Clone)]
pub(crate) enum Format {
    /// The parameter sets of the avcC record as a byte stream, to stand before each keyframe.
    H264(Bytes),
    /// Those of the hvcC record.
    H265(Bytes),
    /// What ADTS headers are made from.
    Aac(AudioSpecificConfig),
    /// The content of the Opus descriptor, and the samples to trim from the first packet.
    Opus { descriptor: Bytes, pre_skip: u16 },
    /// MPEG-1, or MPEG-2 with its halved rates.
    Mp3 { mpeg1: bool },
    /// Sync frames.
    Ac3,
    /// Sync frames.
    Eac3,
    /// Tags.
    Id3,
    /// Splice information sections.
    Scte35,
    /// Units in metadata access unit cells.
    Klv,
}

impl Format {
    /// Whether there is a form for `codec`.
    pub(crate) const fn carries(codec: CodecId) -> bool {
        matches!(
            codec,
            CodecId::H264 | CodecId::H265 | CodecId::Aac | CodecId::Opus
        ) || Self::needs_no_config(codec)
    }

    /// Whether the first frame of a track of `codec` tells all there is to know.
    pub(crate) const fn needs_no_config(codec: CodecId) -> bool {
        matches!(
            codec,
            CodecId::Mp3
                | CodecId::Ac3
                | CodecId::Eac3
                | CodecId::Id3
                | CodecId::Scte35
                | CodecId::Klv
        )
    }

    /// The error for a frame of `codec` whose track has no format for it. Where no config could ever
    /// help, it says that.
    pub(crate) const fn missing(codec: CodecId) -> MuxError {
        if Self::carries(codec) {
            MuxError::MissingConfig { codec }
        } else {
            MuxError::UnsupportedCodec {
                container: crate::FORMAT.name,
                codec,
            }
        }
    }

    /// The format that `frame`, a codec config, asks for.
    pub(crate) fn from_config(frame: &MediaFrame) -> Result<Self, MuxError> {
        match (frame.codec, frame.kind) {
            (CodecId::H264, MediaKind::Video) => {
                let config = AvcDecoderConfig::parse(&frame.payload)
                    .map_err(|error| malformed("avcC", error))?;
                Ok(Self::H264(byte_stream(
                    config.sps.iter().chain(&config.pps),
                )))
            }
            (CodecId::H265, MediaKind::Video) => {
                let config = HevcDecoderConfig::parse(&frame.payload)
                    .map_err(|error| malformed("hvcC", error))?;
                let sets = config.vps().chain(config.sps()).chain(config.pps());
                Ok(Self::H265(byte_stream(sets)))
            }
            (CodecId::Aac, MediaKind::Audio) => {
                let refuse = |error| malformed("AudioSpecificConfig", error);
                let config = AudioSpecificConfig::parse(&frame.payload).map_err(refuse)?;
                // Refuses here, once, what ADTS cannot express.
                AdtsHeader::for_payload(&config, 0).map_err(refuse)?;
                Ok(Self::Aac(config))
            }
            (CodecId::Opus, MediaKind::Audio) => {
                let refuse = |error| malformed("OpusHead", error);
                let head = OpusHead::parse(&frame.payload).map_err(refuse)?;
                Ok(Self::Opus {
                    descriptor: head.to_ts_descriptor().map_err(refuse)?,
                    pre_skip: head.pre_skip,
                })
            }
            (codec, _) => Err(MuxError::UnsupportedCodec {
                container: crate::FORMAT.name,
                codec,
            }),
        }
    }

    /// The format of a track that starts with `frame`, of a codec that needs no config.
    pub(crate) fn from_media(frame: &MediaFrame) -> Result<Self, MuxError> {
        if frame.kind != frame.codec.kind() {
            return Err(malformed("frame", "its kind is not that of its codec"));
        }
        match frame.codec {
            CodecId::Mp3 => {
                let header = MpegAudioHeader::parse(&frame.payload)
                    .map_err(|error| malformed("MP3 frame", error))?;
                Ok(Self::Mp3 {
                    mpeg1: header.version == MpegVersion::Mpeg1,
                })
            }
            CodecId::Ac3 => Ok(Self::Ac3),
            CodecId::Eac3 => Ok(Self::Eac3),
            CodecId::Id3 => Ok(Self::Id3),
            CodecId::Scte35 => Ok(Self::Scte35),
            CodecId::Klv => Ok(Self::Klv),
            codec => Err(Self::missing(codec)),
        }
    }

    /// The PMT's entry for a track of this format. Which types and descriptors, and why, stands in
    /// `docs/mpeg-ts.md`.
    pub(crate) fn elementary(&self, pid: Pid) -> Elementary {
        let mut descriptors = Vec::new();
        let mut register = |format| push_descriptor(&mut descriptors, tag::REGISTRATION, format);
        let stream_type = match self {
            Self::H264(_) => stream_type::H264,
            Self::H265(_) => {
                register(&format::HEVC);
                stream_type::H265
            }
            Self::Aac(_) => stream_type::AAC_ADTS,
            Self::Opus { descriptor, .. } => {
                register(&format::OPUS);
                let content = [&[OPUS_EXTENSION][..], descriptor].concat();
                push_descriptor(&mut descriptors, tag::EXTENSION, &content);
                stream_type::PRIVATE
            }
            Self::Mp3 { mpeg1: true } => stream_type::MPEG1_AUDIO,
            Self::Mp3 { mpeg1: false } => stream_type::MPEG2_AUDIO,
            Self::Ac3 => {
                register(&format::AC3);
                stream_type::AC3
            }
            Self::Eac3 => {
                register(&format::EAC3);
                stream_type::EAC3
            }
            Self::Id3 => {
                push_descriptor(
                    &mut descriptors,
                    tag::METADATA,
                    b"\xff\xffID3 \xffID3 \x00\x0f",
                );
                stream_type::METADATA
            }
            Self::Klv => {
                push_descriptor(&mut descriptors, tag::METADATA, b"\x01\x00\xffKLVA\x00\x0f");
                stream_type::METADATA
            }
            Self::Scte35 => stream_type::SCTE35,
        };
        Elementary {
            stream_type,
            pid,
            descriptors,
        }
    }

    /// The `stream_id` of the PES packets of the track that is the `number`th of its kind.
    pub(crate) const fn stream_id(&self, number: u8) -> StreamId {
        match self {
            Self::H264(_) | Self::H265(_) => StreamId::Video(number),
            Self::Aac(_) | Self::Mp3 { .. } => StreamId::Audio(number),
            Self::Klv => StreamId::Metadata,
            Self::Opus { .. } | Self::Ac3 | Self::Eac3 | Self::Id3 | Self::Scte35 => {
                StreamId::Private
            }
        }
    }

    /// Whether both are announced and written the same way; for codecs without config.
    pub(crate) fn is_same_kind(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mp3 { mpeg1: a }, Self::Mp3 { mpeg1: b }) => a == b,
            _ => self.codec() == other.codec(),
        }
    }

    const fn codec(&self) -> CodecId {
        match self {
            Self::H264(_) => CodecId::H264,
            Self::H265(_) => CodecId::H265,
            Self::Aac(_) => CodecId::Aac,
            Self::Opus { .. } => CodecId::Opus,
            Self::Mp3 { .. } => CodecId::Mp3,
            Self::Ac3 => CodecId::Ac3,
            Self::Eac3 => CodecId::Eac3,
            Self::Id3 => CodecId::Id3,
            Self::Scte35 => CodecId::Scte35,
            Self::Klv => CodecId::Klv,
        }
    }

    /// Checks `frame` and works out what it becomes. All that can fail fails here. `first` says that
    /// it is the first of its track.
    pub(crate) fn plan(
        &self,
        frame: &MediaFrame,
        first: bool,
        limits: &Limits,
    ) -> Result<Plan, MuxError> {
        if frame.codec != self.codec() {
            return Err(Self::missing(frame.codec));
        }
        let max = match frame.kind {
            MediaKind::Video => limits.access_unit_bytes,
            MediaKind::Audio | MediaKind::Data => limits.access_unit_bytes.min(MAX_BOUNDED),
        };
        if frame.payload.len() > max {
            return Err(MuxError::LimitExceeded {
                what: "bytes of an access unit",
                max: max as u64,
            });
        }
        if frame.payload.is_empty() {
            return Err(malformed("access unit", "it is empty"));
        }
        let size = frame.payload.len();
        Ok(match self {
            Self::H264(sets) => plan_nal_units(NalCodec::H264, frame, sets)?,
            Self::H265(sets) => plan_nal_units(NalCodec::H265, frame, sets)?,
            Self::Aac(config) => {
                let header =
                    AdtsHeader::for_payload(config, size).and_then(|header| header.to_bytes());
                let header = header.map_err(|error| malformed("AAC frame", error))?;
                Plan {
                    size: header.len() + size,
                    form: Form::Adts(header),
                }
            }
            Self::Opus { pre_skip, .. } => {
                let mut header = ControlHeader::new(size);
                header.start_trim = (first && *pre_skip > 0).then_some(*pre_skip);
                let mut bytes = BytesMut::with_capacity(8 + size / 255);
                header
                    .write(&mut bytes)
                    .map_err(|error| malformed("Opus packet", error))?;
                Plan {
                    size: bytes.len() + size,
                    form: Form::After(bytes.freeze()),
                }
            }
            Self::Mp3 { .. } => {
                MpegAudioHeader::parse(&frame.payload)
                    .map_err(|error| malformed("MP3 frame", error))?;
                Plan::as_is(size)
            }
            Self::Ac3 | Self::Eac3 => {
                SyncFrame::parse(&frame.payload).map_err(|error| malformed("AC-3 frame", error))?;
                Plan::as_is(size)
            }
            Self::Id3 => Plan::as_is(size),
            Self::Klv => Plan {
                size: CELL_HEADER + size,
                form: Form::Cell,
            },
            Self::Scte35 => {
                check_splice(&frame.payload)?;
                Plan {
                    size,
                    form: Form::Section,
                }
            }
        })
    }
}

/// Parameter sets, each behind a start code.
fn byte_stream<'a>(sets: impl Iterator<Item = &'a Bytes>) -> Bytes {
    let mut out = BytesMut::new();
    for set in sets {
        out.put_slice(&START_CODE);
        out.put_slice(set);
    }
    out.freeze()
}

/// The header of a metadata access unit cell (2.12.4.2).
const CELL_HEADER: usize = 5;

/// Whether `section` is a splice information section, whole and undamaged (SCTE 35 9.6).
fn check_splice(section: &[u8]) -> Result<(), MuxError> {
    let refuse = |reason| Err(malformed("splice information section", reason));
    let Some(&[table_id, high, low]) = section.first_chunk() else {
        return refuse("it is cut off");
    };
    let length = usize::from(u16::from_be_bytes([high & 0x0f, low]));
    if table_id != TABLE_ID_SPLICE || section.len() != 3 + length {
        return refuse("its header does not fit it");
    }
    if crc32(section) != 0 {
        return refuse("its CRC is wrong");
    }
    Ok(())
}

/// What a frame becomes.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The size of the access unit as it is written, in bytes.
    pub(crate) size: usize,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// A delimiter, these parameter sets, and the NAL units with start codes.
    ByteStream(NalCodec, Bytes),
    /// This header, and the payload.
    Adts(AdtsHeaderBytes),
    /// These bytes, and the payload.
    After(Bytes),
    /// The payload in one metadata access unit cell.
    Cell,
    /// The payload is a section, which needs no PES packet.
    Section,
}

/// The codecs of NAL units.
#[derive(Debug, Clone, Copy)]
enum NalCodec {
    H264,
    H265,
}

impl NalCodec {
    /// An access unit delimiter for any slice types, behind a start code. ISO/IEC 13818-1 2.14.1 and
    /// 2.17.1 want one at the start of each access unit.
    const fn delimiter(self) -> &'static [u8] {
        match self {
            Self::H264 => &[0, 0, 0, 1, 0x09, 0xf0],
            Self::H265 => &[0, 0, 0, 1, 0x46, 0x01, 0x50],
        }
    }

    /// Whether a unit is written. The bus has no delimiters; where one slipped through it would come
    /// second.
    fn is_written(self, nal: &[u8]) -> bool {
        match self {
            Self::H264 => h264::NalHeader::of(nal)
                .is_none_or(|header| header.unit_type != h264::NalUnitType::AccessUnitDelimiter),
            Self::H265 => h265::NalHeader::of(nal)
                .is_none_or(|header| header.unit_type != h265::NalUnitType::ACCESS_UNIT_DELIMITER),
        }
    }

    fn is_sps(self, nal: &[u8]) -> bool {
        match self {
            Self::H264 => h264::NalHeader::of(nal)
                .is_some_and(|header| header.unit_type == h264::NalUnitType::Sps),
            Self::H265 => h265::NalHeader::of(nal)
                .is_some_and(|header| header.unit_type == h265::NalUnitType::SPS),
        }
    }
}

fn plan_nal_units(codec: NalCodec, frame: &MediaFrame, sets: &Bytes) -> Result<Plan, MuxError> {
    let mut size = codec.delimiter().len();
    let (mut count, mut has_own_sets) = (0, false);
    for nal in length_prefixed::nal_units(&frame.payload, LengthSize::Four) {
        let nal = nal.map_err(|error| malformed("video access unit", error))?;
        count += 1;
        has_own_sets |= codec.is_sps(nal);
        if codec.is_written(nal) {
            size += START_CODE.len() + nal.len();
        }
    }
    if count > MAX_NAL_UNITS {
        return Err(MuxError::LimitExceeded {
            what: "NAL units of an access unit",
            max: MAX_NAL_UNITS as u64,
        });
    }
    let before = if frame.is_keyframe() && !has_own_sets {
        sets.clone()
    } else {
        Bytes::new()
    };
    Ok(Plan {
        size: size + before.len(),
        form: Form::ByteStream(codec, before),
    })
}

impl Plan {
    const fn as_is(size: usize) -> Self {
        Self {
            size,
            form: Form::After(Bytes::new()),
        }
    }

    /// Whether the payload goes out as a section.
    pub(crate) const fn is_section(&self) -> bool {
        matches!(self.form, Form::Section)
    }

    /// Writes the access unit of `frame`, for which this plan was made: exactly
    /// [`size`](Self::size) bytes.
    pub(crate) fn write(&self, frame: &MediaFrame, unit: &mut UnitWriter<'_>) {
        match &self.form {
            Form::ByteStream(codec, sets) => {
                unit.put(codec.delimiter());
                unit.put(sets);
                // The plan went through without an error, so there is none to see here.
                for nal in length_prefixed::nal_units(&frame.payload, LengthSize::Four).flatten() {
                    if codec.is_written(nal) {
                        unit.put(&START_CODE);
                        unit.put(nal);
                    }
                }
                return;
            }
            Form::Adts(header) => unit.put(header),
            Form::After(header) => unit.put(header),
            Form::Cell => {
                // Service 0, sequence 0, the whole unit in one cell, decodable by itself.
                let [high, low] = (frame.payload.len() as u16).to_be_bytes();
                unit.put(&[0, 0, 0b1101_1111, high, low]);
            }
            Form::Section => {}
        }
        unit.put(&frame.payload);
    }
}

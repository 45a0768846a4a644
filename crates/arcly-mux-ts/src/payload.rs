//! Access units in the form that MPEG-TS carries: H.264 as a byte stream, AAC in ADTS.

use crate::config::Limits;
use crate::packet::UnitWriter;
use crate::psi::StreamType;
use crate::track::malformed;
use arcly_core::codec::aac::{AdtsHeader, AdtsHeaderBytes, AudioSpecificConfig};
use arcly_core::codec::h264::{
    AvcDecoderConfig, LengthSize, MAX_NAL_UNITS, NalFilter, NalHeader, NalUnitType, length_prefixed,
};
use arcly_core::mux::MuxError;
use arcly_core::{CodecId, MediaFrame, MediaKind};
use bytes::{BufMut, Bytes, BytesMut};

/// Before each NAL unit, with the zero byte that ITU-T H.264 B.1.2 wants before parameter sets and
/// the first unit.
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// An access unit delimiter for any slice types. ISO/IEC 13818-1 2.14.1 wants one at the start of
/// each access unit.
const DELIMITER: [u8; 6] = [0, 0, 0, 1, 0x09, 0xf0];

/// The bus has no delimiters; where one slipped through it would come second.
const LEFT_OUT: NalFilter = NalFilter {
    delimiters: true,
    ..NalFilter::NONE
};

/// How the access units of a track are written.
#[derive(Debug, Clone)]
pub(crate) enum Format {
    /// The parameter sets of the avcC record as a byte stream, to stand before each keyframe.
    H264(Bytes),
    /// What ADTS headers are made from.
    Aac(AudioSpecificConfig),
}

impl Format {
    /// Whether there is a form for `codec`.
    pub(crate) const fn carries(codec: CodecId) -> bool {
        matches!(codec, CodecId::H264 | CodecId::Aac)
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
                let mut sets = BytesMut::new();
                for set in config.sps.iter().chain(&config.pps) {
                    sets.put_slice(&START_CODE);
                    sets.put_slice(set);
                }
                Ok(Self::H264(sets.freeze()))
            }
            (CodecId::Aac, MediaKind::Audio) => {
                let refuse = |error| malformed("AudioSpecificConfig", error);
                let config = AudioSpecificConfig::parse(&frame.payload).map_err(refuse)?;
                // Refuses here, once, what ADTS cannot express.
                AdtsHeader::for_payload(&config, 0).map_err(refuse)?;
                Ok(Self::Aac(config))
            }
            (codec, _) => Err(MuxError::UnsupportedCodec {
                container: crate::FORMAT.name,
                codec,
            }),
        }
    }

    pub(crate) const fn stream_type(&self) -> StreamType {
        match self {
            Self::H264(_) => StreamType::H264,
            Self::Aac(_) => StreamType::AAC_ADTS,
        }
    }

    const fn codec(&self) -> CodecId {
        match self {
            Self::H264(_) => CodecId::H264,
            Self::Aac(_) => CodecId::Aac,
        }
    }

    /// Checks `frame` and works out what it becomes. All that can fail fails here.
    pub(crate) fn plan(&self, frame: &MediaFrame, limits: &Limits) -> Result<Plan, MuxError> {
        if frame.codec != self.codec() {
            return Err(Self::missing(frame.codec));
        }
        if frame.payload.len() > limits.access_unit_bytes {
            return Err(MuxError::LimitExceeded {
                what: "bytes of an access unit",
                max: limits.access_unit_bytes as u64,
            });
        }
        let plan = match self {
            Self::H264(sets) => plan_h264(frame, sets)?,
            Self::Aac(config) => {
                let header = AdtsHeader::for_payload(config, frame.payload.len())
                    .and_then(|header| header.to_bytes());
                let header = header.map_err(|error| malformed("AAC frame", error))?;
                Plan {
                    size: header.len() + frame.payload.len(),
                    form: Form::Adts(header),
                }
            }
        };
        if frame.payload.is_empty() {
            return Err(malformed("access unit", "it is empty"));
        }
        Ok(plan)
    }
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
    ByteStream(Bytes),
    /// This header, and the payload.
    Adts(AdtsHeaderBytes),
}

fn plan_h264(frame: &MediaFrame, sets: &Bytes) -> Result<Plan, MuxError> {
    let mut size = DELIMITER.len();
    let (mut count, mut has_own_sets) = (0, false);
    for nal in length_prefixed::nal_units(&frame.payload, LengthSize::Four) {
        let nal = nal.map_err(|error| malformed("H.264 access unit", error))?;
        count += 1;
        let unit_type = NalHeader::of(nal).map(|header| header.unit_type);
        has_own_sets |= unit_type == Some(NalUnitType::Sps);
        if is_written(nal) {
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
        form: Form::ByteStream(before),
    })
}

fn is_written(nal: &[u8]) -> bool {
    NalHeader::of(nal).is_none_or(|header| !LEFT_OUT.drops(header.unit_type))
}

impl Plan {
    /// Writes the access unit of `frame`, for which this plan was made: exactly
    /// [`size`](Self::size) bytes.
    pub(crate) fn write(&self, frame: &MediaFrame, unit: &mut UnitWriter<'_>) {
        match &self.form {
            Form::ByteStream(sets) => {
                unit.put(&DELIMITER);
                unit.put(sets);
                // The plan went through without an error, so there is none to see here.
                for nal in length_prefixed::nal_units(&frame.payload, LengthSize::Four).flatten() {
                    if is_written(nal) {
                        unit.put(&START_CODE);
                        unit.put(nal);
                    }
                }
            }
            Form::Adts(header) => {
                unit.put(header);
                unit.put(&frame.payload);
            }
        }
    }
}

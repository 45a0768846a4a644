//! H.264 and H.265 as the video reader needs them: one interface over the two.

use arcly_core::codec::h264::{self, NalUnitType};
use arcly_core::codec::h265;
use arcly_core::codec::video::FrameRate;
use arcly_core::{CodecId, FrameFlags};
use bytes::Bytes;

/// What a NAL unit is to the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Stands in the codec config.
    ParameterSet,
    /// Says nothing to a decoder: delimiters and filler.
    LeftOut,
    /// A slice.
    Picture,
    /// Goes with the picture.
    Other,
}

/// How far the pictures of a stream are out of output order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reordering {
    /// The most pictures that come before one and are shown after it.
    pub(crate) depth: u32,
    pub(crate) frame_rate: Option<FrameRate>,
}

/// Follows the NAL units of a stream.
#[derive(Debug)]
pub(crate) enum NalStream {
    H264(h264::BoundaryDetector),
    H265 {
        boundary: h265::BoundaryDetector,
        sets: h265::ParameterSets,
    },
}

impl NalStream {
    /// For H.265, or else H.264.
    pub(crate) fn new(codec: CodecId) -> Self {
        match codec {
            CodecId::H265 => Self::H265 {
                boundary: h265::BoundaryDetector::new(),
                sets: h265::ParameterSets::new(),
            },
            _ => Self::H264(h264::BoundaryDetector::new()),
        }
    }

    /// Takes the next NAL unit, and tells whether an access unit begins with it.
    pub(crate) fn push(&mut self, nal: &[u8]) -> bool {
        match self {
            Self::H264(boundary) => boundary.push(nal),
            Self::H265 { boundary, sets } => {
                // Sets that cannot be read are left to whoever decodes, as are those of H.264.
                _ = sets.insert(nal);
                boundary.push(nal)
            }
        }
    }

    /// Whether an access unit begins with the NAL unit of which this is the start, where the one
    /// before it has a picture. It may err towards no.
    pub(crate) fn begins_after_picture(&self, start: &[u8]) -> bool {
        match self {
            Self::H264(_) => match h264::NalHeader::of(start).map(|header| header.unit_type) {
                Some(
                    NalUnitType::AccessUnitDelimiter
                    | NalUnitType::Sps
                    | NalUnitType::Pps
                    | NalUnitType::Sei,
                ) => true,
                // first_mb_in_slice 0.
                Some(NalUnitType::Slice | NalUnitType::SlicePartitionA | NalUnitType::IdrSlice) => {
                    start.get(1).is_some_and(|byte| byte & 0x80 != 0)
                }
                _ => false,
            },
            Self::H265 { boundary, .. } => {
                let mut boundary = *boundary;
                boundary.push(start)
            }
        }
    }

    pub(crate) fn role(&self, nal: &[u8]) -> Role {
        match self {
            Self::H264(_) => match h264::NalHeader::of(nal).map(|header| header.unit_type) {
                Some(NalUnitType::AccessUnitDelimiter | NalUnitType::FillerData) => Role::LeftOut,
                Some(unit_type) if unit_type.is_parameter_set() => Role::ParameterSet,
                Some(unit_type) if unit_type.is_vcl() => Role::Picture,
                _ => Role::Other,
            },
            Self::H265 { .. } => {
                use h265::NalUnitType;
                match h265::NalHeader::of(nal).map(|header| header.unit_type) {
                    Some(NalUnitType::ACCESS_UNIT_DELIMITER | NalUnitType::FILLER_DATA) => {
                        Role::LeftOut
                    }
                    Some(NalUnitType::VPS | NalUnitType::SPS | NalUnitType::PPS) => {
                        Role::ParameterSet
                    }
                    Some(unit_type) if unit_type.is_vcl() => Role::Picture,
                    _ => Role::Other,
                }
            }
        }
    }

    /// The codec config of the parameter sets in force, if they are complete.
    pub(crate) fn config(&self) -> Option<Bytes> {
        match self {
            Self::H264(boundary) => boundary.parameter_sets().config()?.to_bytes().ok(),
            Self::H265 { sets, .. } => sets.config()?.to_bytes().ok(),
        }
    }

    /// What the SPS in force promises; `None` where there is none that can be read.
    pub(crate) fn reordering(&self) -> Option<Reordering> {
        match self {
            Self::H264(boundary) => {
                let sps = boundary.parameter_sets().first_sps()?;
                // An SPS that does not tell allows as much as the decoded picture buffer holds. Cameras that leave it out reorder nothing.
                let told = sps
                    .vui
                    .as_ref()
                    .is_some_and(|vui| vui.restriction.is_some());
                let frames = if told {
                    sps.max_num_reorder_frames()
                } else {
                    0
                };
                // Each field may be an access unit of its own.
                let fields = if sps.is_interlaced() { 2 } else { 1 };
                Some(Reordering {
                    depth: frames.saturating_mul(fields),
                    frame_rate: sps.frame_rate(),
                })
            }
            Self::H265 { sets, .. } => {
                let sps = sets.first_sps()?;
                Some(Reordering {
                    depth: sps.max_num_reorder_pics.into(),
                    frame_rate: sps.frame_rate(),
                })
            }
        }
    }

    /// What an access unit of these NAL units is; `None` where it has no picture.
    pub(crate) fn flags<'a>(&self, nals: impl Iterator<Item = &'a [u8]>) -> Option<FrameFlags> {
        let (slices, key, disposable) = match self {
            Self::H264(_) => {
                let info = h264::AccessUnitInfo::of_nal_units(nals);
                (info.slices, info.is_keyframe(), info.is_disposable())
            }
            Self::H265 { sets, .. } => {
                let info = h265::AccessUnitInfo::of_nal_units(nals);
                let sub_layers = sets.first_sps().map_or(6, |sps| sps.max_temporal_id);
                let disposable = info.is_disposable(sub_layers);
                (info.slices, info.is_random_access(), disposable)
            }
        };
        let mut flags = FrameFlags::empty();
        flags.set(FrameFlags::KEYFRAME, key);
        flags.set(FrameFlags::DISPOSABLE, disposable && !key);
        (slices > 0).then_some(flags)
    }
}

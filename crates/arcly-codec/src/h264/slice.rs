//! The start of a slice header (H.264 7.3.3), as far as it tells one picture from the next.
//!
//! `h264-reader` parses whole slice headers, and refuses those whose later parts (reference list modifications,
//! weights) it cannot make sense of. Boundaries must be found in damaged streams too, so only the first elements are
//! read here.

use super::pps::Pps;
use super::sps::{PicOrderCnt, Sps};
use super::syntax::bits_error;
use super::{NalHeader, NalUnitType, ParameterSets, emulation};
use crate::Result;
use h264_reader::rbsp::{BitRead, BitReader};

/// The bytes of a slice that are looked at. With the largest values that are valid, the elements take 32, and half as
/// many again with emulation prevention.
const PREFIX_BYTES: usize = 96;

/// The elements of a slice header that clause 7.4.1.2.4 compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SliceStart {
    pub(super) first_mb: u32,
    pps_id: u32,
    ref_idc: u8,
    idr: bool,
    /// What needs the parameter sets to be read; `None` where these are missing.
    picture: Option<Picture>,
}

/// The elements behind `pic_parameter_set_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Picture {
    frame_num: u32,
    /// `field_pic_flag` and, where it is set, `bottom_field_flag`.
    field: Option<bool>,
    idr_pic_id: Option<u32>,
    /// `pic_order_cnt_lsb` and `delta_pic_order_cnt_bottom`, or `delta_pic_order_cnt` 0 and 1.
    order: (u32, i32, i32),
}

impl SliceStart {
    /// Reads the start of a slice of type 1, 2 or 5. `Ok(None)` for other units.
    pub(super) fn parse(nal: &[u8], sets: &ParameterSets) -> Result<Option<Self>> {
        let Some(header) = NalHeader::of(nal) else {
            return Ok(None);
        };
        let idr = match header.unit_type {
            NalUnitType::IdrSlice => true,
            NalUnitType::Slice | NalUnitType::SlicePartitionA => false,
            _ => return Ok(None),
        };
        let rbsp = emulation::remove(nal.get(1..nal.len().min(PREFIX_BYTES)).unwrap_or_default());
        let mut bits = BitReader::new(&rbsp[..]);
        let mut ue = |name| {
            bits.read_ue(name)
                .map_err(|error| bits_error("slice header", &error))
        };
        let first_mb = ue("first_mb_in_slice")?;
        let _slice_type = ue("slice_type")?;
        let pps_id = ue("pic_parameter_set_id")?;
        let pps = u8::try_from(pps_id).ok().and_then(|id| sets.pps(id));
        let picture = match pps.and_then(|pps| Some((pps, sets.sps(pps.sps_id)?))) {
            Some((pps, sps)) => Some(
                Picture::read(&mut bits, pps, sps, idr)
                    .map_err(|error| bits_error("slice header", &error))?,
            ),
            None => None,
        };
        Ok(Some(Self {
            first_mb,
            pps_id,
            ref_idc: header.ref_idc,
            idr,
            picture,
        }))
    }

    /// Whether this slice belongs to another picture than `previous` (7.4.1.2.4).
    ///
    /// Where the parameter sets are missing, `first_mb_in_slice` 0 decides: right but for arbitrary slice order,
    /// which nobody sends.
    pub(super) fn starts_picture_after(&self, previous: &Self) -> bool {
        let (Some(picture), Some(before)) = (&self.picture, &previous.picture) else {
            return self.first_mb == 0 || self.idr != previous.idr;
        };
        picture != before
            || self.pps_id != previous.pps_id
            || self.idr != previous.idr
            || (self.ref_idc != previous.ref_idc && (self.ref_idc == 0 || previous.ref_idc == 0))
    }
}

impl Picture {
    fn read(
        bits: &mut impl BitRead,
        pps: &Pps,
        sps: &Sps,
        idr: bool,
    ) -> Result<Self, h264_reader::rbsp::BitReaderError> {
        if sps.separate_colour_planes {
            bits.skip(2, "colour_plane_id")?;
        }
        let frame_num = bits.read_var(sps.log2_max_frame_num.into(), "frame_num")?;
        let mut field = None;
        if !sps.frame_mbs_only && bits.read_bit("field_pic_flag")? {
            field = Some(bits.read_bit("bottom_field_flag")?);
        }
        let idr_pic_id = if idr {
            Some(bits.read_ue("idr_pic_id")?)
        } else {
            None
        };
        let has_bottom = pps.bottom_field_pic_order_in_frame_present && field.is_none();
        let order = match sps.pic_order_cnt {
            PicOrderCnt::Lsb { log2_max_lsb } => {
                let lsb = bits.read_var(log2_max_lsb.into(), "pic_order_cnt_lsb")?;
                let bottom = if has_bottom {
                    bits.read_se("delta_pic_order_cnt_bottom")?
                } else {
                    0
                };
                (lsb, bottom, 0)
            }
            PicOrderCnt::Cycle {
                delta_always_zero: false,
            } => {
                let first = bits.read_se("delta_pic_order_cnt")?;
                let second = if has_bottom {
                    bits.read_se("delta_pic_order_cnt")?
                } else {
                    0
                };
                (0, first, second)
            }
            PicOrderCnt::Cycle {
                delta_always_zero: true,
            }
            | PicOrderCnt::DecodingOrder => (0, 0, 0),
        };
        Ok(Self {
            frame_num,
            field,
            idr_pic_id,
            order,
        })
    }
}

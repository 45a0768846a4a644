//! Access units to payloads.

use super::{AP, FU, FU_END, FU_START, TYPE_MASK};
use crate::Result;
use crate::payload::nal::{self, Framing, Head};
use crate::payload::{MIN_PAYLOAD_BYTES, Packetizer, Payload};
use arcly_codec::h265::{HevcDecoderConfig, NalHeader, NalUnitType};
use arcly_codec::nal::{LengthSize, length_prefixed};
use bytes::Bytes;

/// Splits H.265 access units (RFC 7798 4.4), without decoding order numbers.
///
/// Before keyframes go the parameter sets of the config, in one aggregation packet. Neighbouring NAL units that fit into one packet are
/// aggregated, copied; what exceeds a packet goes in fragmentation units, in slices of the access unit. All packets of a picture of one slice
/// have the same length but the last one; parameter sets and the ends of further slices make shorter packets in between.
#[derive(Debug)]
pub struct H265Packetizer {
    max_payload: usize,
    parameter_sets: Vec<Bytes>,
    /// The NAL units of an access unit, kept for its room.
    nals: Vec<Bytes>,
}

impl H265Packetizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(max_payload: usize) -> Self {
        Self {
            max_payload: max_payload.clamp(MIN_PAYLOAD_BYTES, usize::from(u16::MAX)),
            parameter_sets: Vec::new(),
            nals: Vec::new(),
        }
    }
}

impl Packetizer for H265Packetizer {
    /// # Errors
    /// [`RtpError::Codec`](crate::RtpError::Codec) where the lengths of the NAL units do not add up.
    fn packetize(
        &mut self,
        data: &Bytes,
        keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        self.nals.clear();
        if keyframe {
            self.nals.extend_from_slice(&self.parameter_sets);
        }
        for nal in length_prefixed::nal_units(data, LengthSize::Four) {
            self.nals.push(data.slice_ref(nal?));
        }
        nal::split::<H265Framing>(&self.nals, self.max_payload, payloads);
        // Nothing is to pin the access unit.
        self.nals.clear();
        Ok(())
    }

    /// Takes an hvcC.
    ///
    /// # Errors
    /// As for [`HevcDecoderConfig::parse`].
    fn set_config(&mut self, config: &Bytes) -> Result<()> {
        let config = HevcDecoderConfig::parse(config)?;
        let of_type = |unit_type| {
            let is = move |nal: &&Bytes| {
                NalHeader::of(nal).is_some_and(|header| header.unit_type == unit_type)
            };
            config.nal_units().filter(is).cloned()
        };
        let types = [NalUnitType::VPS, NalUnitType::SPS, NalUnitType::PPS];
        self.parameter_sets = types.into_iter().flat_map(of_type).collect();
        Ok(())
    }
}

struct H265Framing;

impl Framing for H265Framing {
    const HEADER_BYTES: usize = NalHeader::BYTES;
    const FRAGMENT_BYTES: usize = NalHeader::BYTES + 1;

    /// Layer and sub-layer are those of the NAL unit (4.4.3).
    fn fragment_head(nal: &[u8], start: bool, end: bool) -> Head {
        let [first, second] = nal.first_chunk().copied().unwrap_or_default();
        let flags = if start { FU_START } else { 0 } | if end { FU_END } else { 0 };
        let unit_type = (first & TYPE_MASK) >> 1;
        ([first & !TYPE_MASK | FU << 1, second, flags | unit_type], 3)
    }

    /// With the lowest layer and the lowest sub-layer of those within (4.4.2).
    fn aggregate_head(nals: &[Bytes]) -> Head {
        let headers = || nals.iter().filter_map(|nal| NalHeader::of(nal));
        let layer = headers().map(|header| header.layer_id).min();
        let temporal = headers().map(|header| header.temporal_id).min();
        let (layer, temporal) = (layer.unwrap_or_default(), temporal.unwrap_or_default());
        ([AP << 1 | layer >> 5, layer << 3 | (temporal + 1), 0], 2)
    }
}

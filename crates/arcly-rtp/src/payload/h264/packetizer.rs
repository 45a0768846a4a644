//! Access units to payloads.

use super::{FU_A, FU_END, FU_START, STAP_A, TYPE_MASK};
use crate::payload::nal::{self, Framing, Head};
use crate::payload::{MIN_PAYLOAD_BYTES, Packetizer, Payload};
use crate::{Result, RtpError};
use arcly_codec::h264::AvcDecoderConfig;
use arcly_codec::nal::{LengthSize, length_prefixed};
use bytes::Bytes;

/// `packetization-mode` (RFC 6184 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "mode 2 is refused for good")]
pub enum PacketizationMode {
    /// 0: a NAL unit a packet. Those that exceed a packet cannot be sent.
    SingleNalUnit,
    /// 1: with aggregation (STAP-A) and fragmentation (FU-A).
    #[default]
    NonInterleaved,
}

/// Splits H.264 access units (RFC 6184 5.6 to 5.8).
///
/// Before keyframes go the parameter sets of the config, in one STAP-A. Neighbouring NAL units that fit into one packet go as STAP-A, copied; what
/// exceeds a packet goes as FU-A, in slices of the access unit. All packets of a picture of one slice have the same length but the last
/// one; parameter sets and the ends of further slices make shorter packets in between.
#[derive(Debug)]
pub struct H264Packetizer {
    mode: PacketizationMode,
    max_payload: usize,
    parameter_sets: Vec<Bytes>,
    /// The NAL units of an access unit, kept for its room.
    nals: Vec<Bytes>,
}

impl H264Packetizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(mode: PacketizationMode, max_payload: usize) -> Self {
        Self {
            mode,
            max_payload: max_payload.clamp(MIN_PAYLOAD_BYTES, usize::from(u16::MAX)),
            parameter_sets: Vec::new(),
            nals: Vec::new(),
        }
    }

    fn packetize_nals(&self, payloads: &mut Vec<Payload>) -> Result<()> {
        match self.mode {
            PacketizationMode::NonInterleaved => {
                nal::split::<H264Framing>(&self.nals, self.max_payload, payloads);
            }
            PacketizationMode::SingleNalUnit => {
                if self.nals.iter().any(|nal| nal.len() > self.max_payload) {
                    return Err(RtpError::LimitExceeded {
                        what: "bytes of a NAL unit in packetization-mode 0",
                        max: self.max_payload,
                    });
                }
                let last = self.nals.len().saturating_sub(1);
                payloads.extend(
                    self.nals.iter().enumerate().map(|(index, nal)| {
                        Payload::new(&[], nal.clone()).with_marker(index == last)
                    }),
                );
            }
        }
        Ok(())
    }
}

impl Packetizer for H264Packetizer {
    /// # Errors
    /// [`RtpError::Codec`] where the lengths of the NAL units do not add up; [`RtpError::LimitExceeded`] in mode 0 for a NAL unit that exceeds
    /// a packet.
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
        let result = self.packetize_nals(payloads);
        // Nothing is to pin the access unit.
        self.nals.clear();
        result
    }

    /// Takes an avcC.
    ///
    /// # Errors
    /// As for [`AvcDecoderConfig::parse`].
    fn set_config(&mut self, config: &Bytes) -> Result<()> {
        let config = AvcDecoderConfig::parse(config)?;
        self.parameter_sets = config.sps.into_iter().chain(config.pps).collect();
        Ok(())
    }
}

struct H264Framing;

impl Framing for H264Framing {
    const HEADER_BYTES: usize = 1;
    const FRAGMENT_BYTES: usize = 2;

    fn fragment_head(nal: &[u8], start: bool, end: bool) -> Head {
        let header = nal.first().copied().unwrap_or_default();
        let flags = if start { FU_START } else { 0 } | if end { FU_END } else { 0 };
        let fu_header = flags | header & TYPE_MASK;
        ([header & !TYPE_MASK | FU_A, fu_header, 0], 2)
    }

    /// With the highest `nal_ref_idc` of those within (5.7.1).
    fn aggregate_head(nals: &[Bytes]) -> Head {
        let ref_idc = |nal: &Bytes| nal.first().map_or(0, |byte| byte & 0x60);
        let highest = nals.iter().map(ref_idc).max().unwrap_or_default();
        ([highest | STAP_A, 0, 0], 1)
    }
}

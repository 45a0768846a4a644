//! Packets to access units.

use super::{FU_A, FU_B, FU_END, FU_START, STAP_A, STAP_B, TYPE_MASK};
use crate::payload::nal::{Assembler, Flags, NalStream, Role};
use crate::payload::{AccessUnit, Depacketizer};
use crate::{Result, RtpError, RtpPacket};
use arcly_codec::h264::{
    AccessUnitInfo, AvcDecoderConfig, NalHeader, NalUnitType, ParameterSets, annex_b,
};
use arcly_codec::nal::LengthSize;
use bytes::{Buf, Bytes};

const WHAT: &str = "H.264 payload";

/// Puts H.264 access units together (RFC 6184 5.4 to 5.8, modes 0 and 1).
///
/// The config is an avcC. It comes with the first keyframe, and again with the keyframe behind a change of parameter sets; where they change
/// with a picture that is no keyframe, it comes with that one too. Access units before the first config are dropped.
/// A keyframe is what [`AccessUnitInfo::is_keyframe`] says.
///
/// Access units end at the marker or where the timestamp changes, also of cameras that set the marker nowhere or on each slice: the first
/// access unit waits for the packet behind it until that shows what the markers are worth.
///
/// Limits: [`MAX_ACCESS_UNIT_BYTES`](crate::payload::MAX_ACCESS_UNIT_BYTES), and [`MAX_NAL_UNITS`](arcly_codec::nal::MAX_NAL_UNITS) an access unit.
#[derive(Debug)]
pub struct H264Depacketizer {
    assembler: Assembler<H264Stream>,
}

impl H264Depacketizer {
    /// For a stream with the parameter sets of this avcC, as the session description has them in `sprop-parameter-sets`; `None` where they
    /// only come in band. Sets that cannot be read are passed over.
    ///
    /// # Errors
    /// [`RtpError::Codec`] as for [`AvcDecoderConfig::parse`].
    pub fn new(config: Option<&Bytes>) -> Result<Self> {
        let mut assembler = Assembler::new(H264Stream::default());
        if let Some(config) = config {
            let config = AvcDecoderConfig::parse(config)?;
            for nal in config.sps.iter().chain(&config.pps) {
                assembler.insert(nal);
            }
        }
        Ok(Self { assembler })
    }

    fn push_payload(&mut self, payload: &[u8], units: &mut Vec<AccessUnit>) -> Result<()> {
        let Some(&first) = payload.first() else {
            // Keep-alive packets are empty.
            return Ok(());
        };
        if first & 0x80 != 0 {
            return Err(malformed("forbidden_zero_bit is set"));
        }
        match first & TYPE_MASK {
            0 if annex_b::starts_with_start_code(payload) => {
                self.assembler.push_byte_stream(payload, units)
            }
            1..STAP_A => self.push_nal(payload, units),
            STAP_A => self.push_aggregate(payload, units),
            FU_A => self.push_fragment(payload, units),
            unit_type @ STAP_B..=FU_B => Err(RtpError::Unsupported {
                what: "H.264 payload of interleaved mode, type",
                value: unit_type.into(),
            }),
            // 0, 30 and 31 are to be ignored (5.2).
            _ => Ok(()),
        }
    }

    fn push_nal(&mut self, nal: &[u8], units: &mut Vec<AccessUnit>) -> Result<()> {
        self.assembler.begin_nal(nal, units)?;
        self.assembler.append(nal)?;
        self.assembler.end_nal(units)
    }

    /// STAP-A (5.7.1).
    fn push_aggregate(&mut self, payload: &[u8], units: &mut Vec<AccessUnit>) -> Result<()> {
        let mut rest = payload.get(1..).unwrap_or_default();
        while rest.remaining() >= 2 {
            let length = usize::from(rest.get_u16());
            let Some((nal, behind)) = rest.split_at_checked(length) else {
                return Err(malformed("STAP-A is truncated"));
            };
            rest = behind;
            match nal.first() {
                // Some senders fill up with zeros.
                None => continue,
                Some(&byte) if byte & 0x80 != 0 => {
                    return Err(malformed("forbidden_zero_bit is set"));
                }
                Some(&byte) if byte & TYPE_MASK >= STAP_A => {
                    return Err(malformed("packet type within STAP-A"));
                }
                Some(_) => self.push_nal(nal, units)?,
            }
        }
        Ok(())
    }

    /// FU-A (5.8).
    fn push_fragment(&mut self, payload: &[u8], units: &mut Vec<AccessUnit>) -> Result<()> {
        let Some((&[indicator, header], body)) = payload.split_first_chunk() else {
            return Err(malformed("FU-A without header"));
        };
        if header & FU_START != 0 {
            if header & TYPE_MASK >= STAP_A {
                return Err(malformed("packet type within FU-A"));
            }
            let nal_header = indicator & !TYPE_MASK | header & TYPE_MASK;
            match body.first() {
                Some(&byte) => self.assembler.begin_nal(&[nal_header, byte], units)?,
                None => self.assembler.begin_nal(&[nal_header], units)?,
            }
            self.assembler.append(&[nal_header])?;
        } else {
            self.assembler.continue_nal()?;
        }
        self.assembler.append(body)?;
        if header & FU_END != 0 {
            self.assembler.end_nal(units)?;
        }
        Ok(())
    }
}

impl Depacketizer for H264Depacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        self.assembler.begin_packet(packet.header.timestamp, units);
        let result = self.push_payload(&packet.payload, units);
        if result.is_err() {
            self.assembler.skip();
        }
        if packet.header.marker {
            self.assembler.mark(units);
        }
        result
    }

    fn lost(&mut self) {
        self.assembler.lose();
    }

    fn flush(&mut self, units: &mut Vec<AccessUnit>) {
        self.assembler.flush(units);
    }
}

const fn malformed(reason: &'static str) -> RtpError {
    RtpError::malformed(WHAT, reason)
}

#[derive(Debug, Default)]
struct H264Stream {
    sets: ParameterSets,
}

fn unit_type(nal: &[u8]) -> Option<NalUnitType> {
    NalHeader::of(nal).map(|header| header.unit_type)
}

impl NalStream for H264Stream {
    fn role(nal: &[u8]) -> Role {
        match unit_type(nal) {
            Some(NalUnitType::AccessUnitDelimiter | NalUnitType::FillerData) => Role::LeftOut,
            Some(unit_type) if unit_type.is_parameter_set() => Role::ParameterSet,
            Some(unit_type) if unit_type.is_vcl() => Role::Picture,
            _ => Role::Other,
        }
    }

    fn kind(start: &[u8]) -> Option<u8> {
        // Behind first_mb_in_slice 0 (one bit) slice_type 7 or 2: an I slice (7.3.3, 7.4.3).
        let intra = start
            .get(1)
            .is_some_and(|byte| byte & 0xfe == 0x88 || byte & 0xf0 == 0xb0);
        match unit_type(start)? {
            NalUnitType::Slice | NalUnitType::SlicePartitionA if !intra => None,
            unit_type => Some(unit_type.id()),
        }
    }

    fn can_begin(start: &[u8]) -> bool {
        match unit_type(start) {
            Some(
                NalUnitType::AccessUnitDelimiter
                | NalUnitType::Sps
                | NalUnitType::Pps
                | NalUnitType::Sei
                | NalUnitType::Prefix
                | NalUnitType::SubsetSps
                | NalUnitType::SpsExtension,
            ) => true,
            // first_mb_in_slice 0.
            Some(NalUnitType::Slice | NalUnitType::SlicePartitionA | NalUnitType::IdrSlice) => {
                start.get(1).is_some_and(|byte| byte & 0x80 != 0)
            }
            _ => false,
        }
    }

    fn is_delimiter(start: &[u8]) -> bool {
        unit_type(start) == Some(NalUnitType::AccessUnitDelimiter)
    }

    fn insert(&mut self, nal: &[u8]) -> bool {
        self.sets.insert(nal).unwrap_or(false)
    }

    fn config(&self) -> Option<Bytes> {
        self.sets.config()?.to_bytes().ok()
    }

    fn flags(&self, unit: &[u8]) -> Flags {
        let info = AccessUnitInfo::of_length_prefixed(unit, LengthSize::Four).unwrap_or_default();
        Flags {
            keyframe: info.is_keyframe(),
            disposable: info.is_disposable(),
        }
    }
}

//! Packets to access units.

use super::{AP, FU, FU_END, FU_START, FU_TYPE_MASK, PACI, TYPE_MASK};
use crate::payload::nal::{Assembler, Flags, NalStream, Role};
use crate::payload::{AccessUnit, Depacketizer};
use crate::{Result, RtpError, RtpPacket};
use arcly_codec::h265::{
    AccessUnitInfo, HevcDecoderConfig, NalHeader, NalUnitType, ParameterSets, annex_b,
};
use arcly_codec::nal::LengthSize;
use bytes::{Buf, Bytes};

const WHAT: &str = "H.265 payload";

/// Puts H.265 access units together (RFC 7798 4.4).
///
/// The config is an hvcC. It comes with the first keyframe, and again with the keyframe behind a change of parameter sets; where they change
/// with a picture that is no keyframe, it comes with that one too. Access units before the first config are dropped.
/// A keyframe is what [`AccessUnitInfo::is_random_access`] says.
///
/// Access units end at the marker or where the timestamp changes, also of cameras that set the marker nowhere or on each slice: the first
/// access unit waits for the packet behind it until that shows what the markers are worth.
///
/// Limits: [`MAX_ACCESS_UNIT_BYTES`](crate::payload::MAX_ACCESS_UNIT_BYTES), and [`MAX_NAL_UNITS`](arcly_codec::nal::MAX_NAL_UNITS) an access unit.
#[derive(Debug)]
pub struct H265Depacketizer {
    assembler: Assembler<H265Stream>,
    /// Packets have decoding order numbers.
    donl: bool,
    /// The last of them.
    last_number: Option<u16>,
}

/// The two bytes that stand before a payload as before a NAL unit.
type Header = [u8; NalHeader::BYTES];

impl H265Depacketizer {
    /// For a stream with the parameter sets of this hvcC, as the session description has them in `sprop-vps`, `sprop-sps` and `sprop-pps`;
    /// `None` where they only come in band. Sets that cannot be read are passed over. `donl` is whether `sprop-max-don-diff` is above 0, so
    /// that packets have decoding order numbers.
    ///
    /// # Errors
    /// [`RtpError::Codec`] as for [`HevcDecoderConfig::parse`].
    pub fn new(donl: bool, config: Option<&Bytes>) -> Result<Self> {
        let mut assembler = Assembler::new(H265Stream::default());
        if let Some(config) = config {
            for nal in HevcDecoderConfig::parse(config)?.nal_units() {
                assembler.insert(nal);
            }
        }
        Ok(Self {
            assembler,
            donl,
            last_number: None,
        })
    }

    fn push_payload(&mut self, payload: &[u8], units: &mut Vec<AccessUnit>) -> Result<()> {
        if payload.is_empty() {
            // Keep-alive packets are empty.
            return Ok(());
        }
        if annex_b::starts_with_start_code(payload) {
            return self.assembler.push_byte_stream(payload, units);
        }
        let (header, body) = split_header(payload)?;
        match unit_type_id(header) {
            PACI => self.push_paci(header, body, units),
            _ => self.push_plain(header, body, units),
        }
    }

    fn push_plain(
        &mut self,
        header: Header,
        mut body: &[u8],
        units: &mut Vec<AccessUnit>,
    ) -> Result<()> {
        match unit_type_id(header) {
            AP => self.push_aggregate(body, units),
            FU => self.push_fragment(header, body, units),
            0..AP => {
                if self.donl {
                    let number = read_number(&mut body)?;
                    self.check_order(number)?;
                }
                self.push_nal(header, body, units)
            }
            // To be ignored (4.4).
            _ => Ok(()),
        }
    }

    fn push_nal(&mut self, header: Header, body: &[u8], units: &mut Vec<AccessUnit>) -> Result<()> {
        self.begin_nal(header, body, units)?;
        self.assembler.append(body)?;
        self.assembler.end_nal(units)
    }

    fn begin_nal(
        &mut self,
        header: Header,
        body: &[u8],
        units: &mut Vec<AccessUnit>,
    ) -> Result<()> {
        let [first, second] = header;
        match body.first() {
            Some(&byte) => self.assembler.begin_nal(&[first, second, byte], units)?,
            None => self.assembler.begin_nal(&header, units)?,
        }
        self.assembler.append(&header)
    }

    /// Aggregation packets (4.4.2).
    fn push_aggregate(&mut self, mut body: &[u8], units: &mut Vec<AccessUnit>) -> Result<()> {
        let mut number = None;
        while body.remaining() > 2 {
            if self.donl {
                let next = match number {
                    None => read_number(&mut body)?,
                    // DOND counts from one.
                    Some(last) => u16::wrapping_add(last, u16::from(body.get_u8()) + 1),
                };
                self.check_order(next)?;
                number = Some(next);
            }
            let length = usize::from(read_number(&mut body)?);
            let Some((nal, behind)) = body.split_at_checked(length) else {
                return Err(malformed("aggregation packet is truncated"));
            };
            body = behind;
            if nal.is_empty() {
                // Some senders fill up with zeros.
                continue;
            }
            let (header, rest) = split_header(nal)?;
            if unit_type_id(header) >= AP {
                return Err(malformed("packet type within an aggregation packet"));
            }
            self.push_nal(header, rest, units)?;
        }
        Ok(())
    }

    /// Fragmentation units (4.4.3).
    fn push_fragment(
        &mut self,
        [first, second]: Header,
        mut body: &[u8],
        units: &mut Vec<AccessUnit>,
    ) -> Result<()> {
        if body.is_empty() {
            return Err(malformed("fragmentation unit without header"));
        }
        let fu_header = body.get_u8();
        if fu_header & FU_START != 0 {
            let unit_type = fu_header & FU_TYPE_MASK;
            if unit_type >= AP {
                return Err(malformed("packet type within a fragmentation unit"));
            }
            if self.donl {
                let number = read_number(&mut body)?;
                self.check_order(number)?;
            }
            let header = [first & !TYPE_MASK | unit_type << 1, second];
            self.begin_nal(header, body, units)?;
        } else {
            self.assembler.continue_nal()?;
        }
        self.assembler.append(body)?;
        if fu_header & FU_END != 0 {
            self.assembler.end_nal(units)?;
        }
        Ok(())
    }

    /// PACI packets (4.4.4): another payload behind an extension of the header.
    fn push_paci(
        &mut self,
        [first, second]: Header,
        mut body: &[u8],
        units: &mut Vec<AccessUnit>,
    ) -> Result<()> {
        // A, cType (6), PHSsize (5), F0, F1, F2, Y.
        let fields = read_number(&mut body)?;
        let unit_type = (fields >> 9 & 0x3f) as u8;
        let extension = usize::from(fields >> 4 & 0x1f);
        if fields & 0x8000 != 0 {
            return Err(malformed("forbidden_zero_bit is set"));
        }
        if unit_type == PACI {
            return Err(malformed("PACI within PACI"));
        }
        let Some(body) = body.get(extension..) else {
            return Err(malformed("PACI is truncated"));
        };
        let header = [first & !TYPE_MASK | unit_type << 1, second];
        self.push_plain(header, body, units)
    }

    /// Takes the decoding order number of a NAL unit.
    fn check_order(&mut self, number: u16) -> Result<()> {
        let behind = self
            .last_number
            .replace(number)
            .is_some_and(|last| number.wrapping_sub(last) > u16::MAX / 2);
        if behind {
            return Err(RtpError::Unsupported {
                what: "H.265 in another than decoding order, DON",
                value: number.into(),
            });
        }
        Ok(())
    }
}

fn split_header(nal: &[u8]) -> Result<(Header, &[u8])> {
    let Some((&header, body)) = nal.split_first_chunk() else {
        return Err(malformed("NAL unit without header"));
    };
    if NalHeader::of(&header).is_none() {
        return Err(malformed("damaged header"));
    }
    Ok((header, body))
}

const fn unit_type_id([first, _]: Header) -> u8 {
    (first & TYPE_MASK) >> 1
}

fn read_number(body: &mut &[u8]) -> Result<u16> {
    if body.len() < 2 {
        return Err(malformed("truncated"));
    }
    Ok(body.get_u16())
}

impl Depacketizer for H265Depacketizer {
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
        self.last_number = None;
    }

    fn flush(&mut self, units: &mut Vec<AccessUnit>) {
        self.assembler.flush(units);
        self.last_number = None;
    }
}

const fn malformed(reason: &'static str) -> RtpError {
    RtpError::malformed(WHAT, reason)
}

#[derive(Debug, Default)]
struct H265Stream {
    sets: ParameterSets,
}

impl NalStream for H265Stream {
    fn role(nal: &[u8]) -> Role {
        match NalHeader::of(nal) {
            Some(header) => match header.unit_type {
                NalUnitType::ACCESS_UNIT_DELIMITER | NalUnitType::FILLER_DATA => Role::LeftOut,
                NalUnitType::VPS | NalUnitType::SPS | NalUnitType::PPS => Role::ParameterSet,
                unit_type if unit_type.is_vcl() && header.layer_id == 0 => Role::Picture,
                _ => Role::Other,
            },
            None => Role::Other,
        }
    }

    fn kind(start: &[u8]) -> Option<u8> {
        let unit_type = NalHeader::of(start)?.unit_type;
        (!unit_type.is_vcl() || unit_type.is_irap()).then_some(unit_type.id())
    }

    /// As in 7.4.2.4.4 of the codec.
    fn can_begin(start: &[u8]) -> bool {
        let Some(header) = NalHeader::of(start).filter(|header| header.layer_id == 0) else {
            return false;
        };
        match header.unit_type {
            // first_slice_segment_in_pic_flag.
            unit_type if unit_type.is_vcl() => start
                .get(NalHeader::BYTES)
                .is_some_and(|byte| byte & 0x80 != 0),
            NalUnitType::VPS
            | NalUnitType::SPS
            | NalUnitType::PPS
            | NalUnitType::ACCESS_UNIT_DELIMITER
            | NalUnitType::PREFIX_SEI => true,
            _ => false,
        }
    }

    fn is_delimiter(start: &[u8]) -> bool {
        NalHeader::of(start)
            .is_some_and(|header| header.unit_type == NalUnitType::ACCESS_UNIT_DELIMITER)
    }

    fn insert(&mut self, nal: &[u8]) -> bool {
        self.sets.insert(nal).unwrap_or(false)
    }

    fn config(&self) -> Option<Bytes> {
        self.sets.config()?.to_bytes().ok()
    }

    fn flags(&self, unit: &[u8]) -> Flags {
        let info = AccessUnitInfo::of_length_prefixed(unit, LengthSize::Four).unwrap_or_default();
        // Where the sub-layers are unknown, only the highest one there can be is disposable.
        let sub_layers = self.sets.first_sps().map_or(6, |sps| sps.max_temporal_id);
        let class = info.class(sub_layers);
        Flags {
            keyframe: class.random_access,
            disposable: class.disposable && !class.random_access,
        }
    }
}

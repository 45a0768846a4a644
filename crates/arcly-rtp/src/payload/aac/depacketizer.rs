//! Packets to access units.

use super::{AuHeaderLayout, MAX_ACCESS_UNITS, frame_ticks};
use crate::payload::bits::Bits;
use crate::payload::{AccessUnit, Depacketizer, MAX_ACCESS_UNIT_BYTES};
use crate::{Result, RtpError, RtpPacket};
use arcly_codec::aac::{AdtsHeader, AudioSpecificConfig};
use bytes::{Buf, Bytes, BytesMut};

const WHAT: &str = "mpeg4-generic payload";

/// Takes AAC access units out of packets (RFC 3640 3.2).
///
/// The first one comes with the config. Whole ones are slices of their packet. Where there are several, each is an access unit's
/// duration behind the one before: `constantduration`, or what the config says. Some cameras put an ADTS header before each access unit: it is
/// taken off.
///
/// Limits: [`MAX_ACCESS_UNITS`] a packet, [`MAX_ACCESS_UNIT_BYTES`] a fragmented access unit.
#[derive(Debug)]
pub struct AacDepacketizer {
    layout: AuHeaderLayout,
    ticks: u32,
    config: Option<Bytes>,
    fragments: Fragments,
}

/// The access unit that comes in fragments.
#[derive(Debug, Default)]
struct Fragments {
    timestamp: u32,
    /// Its length as its headers tell.
    size: usize,
    data: BytesMut,
    /// Packets before it are missing, perhaps of the same access unit.
    behind_gap: bool,
}

/// An access unit, or a fragment of one.
struct Header {
    size: usize,
}

impl AacDepacketizer {
    /// For a stream with this AudioSpecificConfig (`config` of the session description, decoded), whose timestamps count `clock_rate` Hz.
    ///
    /// # Errors
    /// [`RtpError::Codec`] where the config cannot be read; [`RtpError::Malformed`] where a field of `layout` has more than 32 bits, or neither
    /// `sizelength` nor `constantsize` says how long access units are.
    pub fn new(layout: AuHeaderLayout, config: Bytes, clock_rate: u32) -> Result<Self> {
        let fields = [
            layout.size_length,
            layout.index_length,
            layout.index_delta_length,
            layout.cts_delta_length,
            layout.dts_delta_length,
            layout.stream_state_indication,
            layout.auxiliary_data_size_length,
        ];
        if fields.iter().any(|&bits| bits > 32) {
            return Err(malformed("a header field of more than 32 bits"));
        }
        let parsed = AudioSpecificConfig::parse(&config)?;
        let ticks = match layout.constant_duration {
            0 => u32::try_from(frame_ticks(&parsed, clock_rate)).unwrap_or(u32::MAX),
            ticks => ticks,
        };
        Ok(Self {
            layout,
            ticks,
            config: Some(config),
            fragments: Fragments {
                behind_gap: true,
                ..Fragments::default()
            },
        })
    }

    /// The headers of a packet's access units (3.2.1), which are taken off `payload`.
    fn headers(&self, payload: &mut Bytes) -> Result<Vec<Header>> {
        let layout = &self.layout;
        let mut headers = Vec::new();
        if !layout.has_headers() {
            // One access unit, or as many as fit of a constant size.
            let size = match usize::from(layout.constant_size) {
                0 => payload.len(),
                size => size,
            };
            let count = if size == 0 {
                0
            } else {
                payload.len().div_ceil(size)
            };
            headers.resize_with(count.min(MAX_ACCESS_UNITS + 1), || Header { size });
            return check_count(headers);
        }
        if payload.len() < 2 {
            return Err(malformed("truncated"));
        }
        let bits = usize::from(payload.get_u16());
        let bytes = bits.div_ceil(8);
        if bytes > payload.len() {
            return Err(malformed("truncated"));
        }
        let section = payload.split_to(bytes);
        let mut reader = Bits::new(&section, bits);
        while let Some(header) = self.read_header(&mut reader, headers.is_empty())? {
            headers.push(header);
            if headers.len() > MAX_ACCESS_UNITS {
                break;
            }
        }
        check_count(headers)
    }

    /// The next header (3.2.1.1); `None` at the end of the section, of which some senders count bits that are not there.
    fn read_header(&self, bits: &mut Bits<'_>, first: bool) -> Result<Option<Header>> {
        let layout = &self.layout;
        let smallest = layout.size_length
            + if first {
                layout.index_length
            } else {
                layout.index_delta_length
            };
        if bits.left() == 0 || bits.left() < usize::from(smallest) {
            return Ok(None);
        }
        let cut = || malformed("a header is truncated");
        let before = bits.left();
        let size = bits.read(layout.size_length).ok_or_else(cut)?;
        let index = if first {
            layout.index_length
        } else {
            layout.index_delta_length
        };
        if bits.read(index).ok_or_else(cut)? != 0 && !first {
            return Err(RtpError::Unsupported {
                what: "interleaving of mpeg4-generic, AU-Index-delta",
                value: 1,
            });
        }
        for length in [layout.cts_delta_length, layout.dts_delta_length] {
            if length > 0 && bits.read(1).ok_or_else(cut)? != 0 {
                bits.read(length).ok_or_else(cut)?;
            }
        }
        let rest = u8::from(layout.random_access_indication) + layout.stream_state_indication;
        bits.read(rest).ok_or_else(cut)?;
        if bits.left() == before {
            // Headers whose fields all come only with the others.
            return Ok(None);
        }
        let size = match (layout.size_length, layout.constant_size) {
            (0, size) => usize::from(size),
            _ => usize::try_from(size).unwrap_or(usize::MAX),
        };
        Ok(Some(Header { size }))
    }

    /// The auxiliary section (3.2.2) is passed over.
    fn skip_auxiliary(&self, payload: &mut Bytes) -> Result<()> {
        let length = self.layout.auxiliary_data_size_length;
        if length == 0 {
            return Ok(());
        }
        let cut = || malformed("the auxiliary section is truncated");
        let bits = Bits::new(payload, usize::MAX)
            .read(length)
            .ok_or_else(cut)?;
        let bits = usize::from(length).saturating_add(bits as usize);
        let bytes = bits.div_ceil(8);
        if bytes > payload.len() {
            return Err(cut());
        }
        payload.advance(bytes);
        Ok(())
    }

    fn push_payload(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        let mut payload = packet.payload.clone();
        if payload.is_empty() {
            return Ok(());
        }
        let headers = self.headers(&mut payload)?;
        self.skip_auxiliary(&mut payload)?;
        let timestamp = packet.header.timestamp;
        if let [header] = &headers[..]
            && header.size > payload.len()
        {
            return self.push_fragment(header.size, packet, &payload, units);
        }
        self.fragments.clear();
        let mut time = timestamp;
        for header in headers {
            if header.size > payload.len() {
                return Err(malformed("an access unit is truncated"));
            }
            let data = payload.split_to(header.size);
            self.emit(time, data, units);
            time = time.wrapping_add(self.ticks);
        }
        Ok(())
    }

    /// A fragment of an access unit (3.2.3): its packet holds nothing else, and its header tells the length of the whole.
    fn push_fragment(
        &mut self,
        size: usize,
        packet: &RtpPacket,
        payload: &[u8],
        units: &mut Vec<AccessUnit>,
    ) -> Result<()> {
        let timestamp = packet.header.timestamp;
        if size > MAX_ACCESS_UNIT_BYTES {
            return Err(RtpError::LimitExceeded {
                what: "bytes of an access unit",
                max: MAX_ACCESS_UNIT_BYTES,
            });
        }
        let fragments = &mut self.fragments;
        if (fragments.timestamp, fragments.size) != (timestamp, size) {
            let behind_gap = fragments.behind_gap && fragments.size == 0;
            fragments.clear();
            (fragments.timestamp, fragments.size) = (timestamp, size);
            fragments.behind_gap = behind_gap;
        }
        fragments.data.extend_from_slice(payload);
        // Those behind a missing one add up to less than the length that each of them tells, whatever is lost.
        if fragments.data.len() == size {
            let data = fragments.data.split().freeze();
            fragments.clear();
            self.emit(timestamp, data, units);
            return Ok(());
        }
        let behind_gap = fragments.behind_gap;
        if fragments.data.len() > size || packet.header.marker {
            fragments.clear();
            if !behind_gap {
                return Err(malformed("fragments do not add up to the access unit"));
            }
        }
        Ok(())
    }

    fn emit(&mut self, timestamp: u32, mut data: Bytes, units: &mut Vec<AccessUnit>) {
        // Raw AAC never begins like ADTS: its first three bits would end it.
        if let Ok(header) = AdtsHeader::parse(&data)
            && header.frame_bytes == data.len()
        {
            data.advance(header.header_bytes().min(data.len()));
        }
        if data.is_empty() {
            return;
        }
        let mut unit = AccessUnit::new(timestamp, data);
        unit.config = self.config.take();
        units.push(unit);
    }
}

impl Fragments {
    fn clear(&mut self) {
        self.data.clear();
        self.size = 0;
        self.behind_gap = false;
    }
}

impl Depacketizer for AacDepacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        let result = self.push_payload(packet, units);
        if result.is_err() {
            self.fragments.clear();
        }
        result
    }

    fn lost(&mut self) {
        self.fragments.clear();
        self.fragments.behind_gap = true;
    }
}

fn check_count(headers: Vec<Header>) -> Result<Vec<Header>> {
    if headers.len() > MAX_ACCESS_UNITS {
        return Err(RtpError::LimitExceeded {
            what: "access units of a packet",
            max: MAX_ACCESS_UNITS,
        });
    }
    Ok(headers)
}

const fn malformed(reason: &'static str) -> RtpError {
    RtpError::malformed(WHAT, reason)
}

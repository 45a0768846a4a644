//! Opus in MPEG-TS: the access units in a PES payload and the descriptor in the PMT (ETSI draft TS "Opus Interactive Audio Codec: Transport Multiplexing Standard",
//! V0.1.3 of 2015, which never got a number; opus-codec.org has it).
//!
//! The stream type is 0x06 (private data), announced by a registration descriptor with [`FORMAT_IDENTIFIER`] and an extension
//! descriptor whose payload is [`opus_audio_descriptor`](OpusHead::from_ts_descriptor).

use super::head::check_table;
use super::{ChannelMapping, OpusHead};
use crate::bits::{Bits, BitsMut};
use crate::{CodecError, Location, Result};
use bytes::{BufMut, Bytes, BytesMut};

const WHAT: &str = "opus_control_header";
const DESCRIPTOR: &str = "opus_audio_descriptor";

/// `format_identifier` of the registration descriptor (tag 0x05).
pub const FORMAT_IDENTIFIER: [u8; 4] = *b"Opus";

/// `descriptor_tag` of the DVB extension descriptor that the Opus audio descriptor is a payload of (ETSI EN 300 468).
pub const EXTENSION_DESCRIPTOR_TAG: u8 = 0x7f;

/// `descriptor_tag_extension` of the Opus audio descriptor.
pub const DESCRIPTOR_TAG_EXTENSION: u8 = 0x80;

/// The longest access unit that is taken, in bytes. Its length is a sum without end; eight streams of 120 ms at the highest rate (1275 bytes for 20 ms)
/// take 60 KiB.
pub const MAX_ACCESS_UNIT_BYTES: usize = 128 * 1024;

/// The highest trim, in samples: the field has 13 bits.
const MAX_TRIM: u16 = 0x1fff;

/// `channel_config_code` of dual mono and of a layout that is spelt out.
const DUAL_MONO: u8 = 0;
const EXPLICIT: u8 = 0x81;

/// The header before each packet in a PES payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct ControlHeader {
    /// `au_size`: the length of the packet behind the header, in bytes.
    pub packet_bytes: usize,
    /// Samples at 48 kHz to drop from the start of the decoded packet, at most 8191.
    pub start_trim: Option<u16>,
    /// Samples at 48 kHz to drop from its end, at most 8191.
    pub end_trim: Option<u16>,
}

impl ControlHeader {
    /// The header of a packet without trims.
    #[must_use]
    pub const fn new(packet_bytes: usize) -> Self {
        Self {
            packet_bytes,
            start_trim: None,
            end_trim: None,
        }
    }

    /// Reads the header at the start of `data`, and tells how many bytes it takes. A control extension is skipped.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the prefix is missing or the header cut off; [`CodecError::LimitExceeded`] where the packet is
    /// longer than [`MAX_ACCESS_UNIT_BYTES`].
    pub fn parse(data: &[u8]) -> Result<(Self, usize)> {
        let cut_off = |element| CodecError::truncated(WHAT, Location::Element(element));
        let (&[first, second], mut rest) = data
            .split_first_chunk()
            .ok_or(cut_off("control_header_prefix"))?;
        if first != 0x7f || second & 0xe0 != 0xe0 {
            return Err(CodecError::malformed(
                WHAT,
                Location::Element("control_header_prefix"),
                "not 0x3ff",
            ));
        }
        let mut packet_bytes = 0;
        loop {
            let (&byte, behind) = rest.split_first().ok_or(cut_off("au_size"))?;
            rest = behind;
            packet_bytes += usize::from(byte);
            if packet_bytes > MAX_ACCESS_UNIT_BYTES {
                return Err(CodecError::LimitExceeded {
                    what: "bytes of an Opus access unit",
                    max: MAX_ACCESS_UNIT_BYTES,
                });
            }
            if byte != 0xff {
                break;
            }
        }
        let mut trim = |flag, element| {
            if second & flag == 0 {
                return Ok(None);
            }
            let (&value, behind) = rest.split_first_chunk().ok_or(cut_off(element))?;
            rest = behind;
            Ok(Some(u16::from_be_bytes(value) & MAX_TRIM))
        };
        let start_trim = trim(0x10, "start_trim")?;
        let end_trim = trim(0x08, "end_trim")?;
        if second & 0x04 != 0 {
            let cut_off = cut_off("control_extension");
            let (&length, behind) = rest.split_first().ok_or(cut_off)?;
            rest = behind.get(usize::from(length)..).ok_or(cut_off)?;
        }
        let header = Self {
            packet_bytes,
            start_trim,
            end_trim,
        };
        Ok((header, data.len() - rest.len()))
    }

    /// Appends the header to `out`.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where a trim exceeds 8191; [`CodecError::LimitExceeded`] where the packet exceeds
    /// [`MAX_ACCESS_UNIT_BYTES`]. Nothing is appended then.
    pub fn write(&self, out: &mut BytesMut) -> Result<()> {
        if self.packet_bytes > MAX_ACCESS_UNIT_BYTES {
            return Err(CodecError::LimitExceeded {
                what: "bytes of an Opus access unit",
                max: MAX_ACCESS_UNIT_BYTES,
            });
        }
        let trims = [self.start_trim, self.end_trim];
        if trims.into_iter().flatten().any(|trim| trim > MAX_TRIM) {
            return Err(CodecError::Unwritable {
                what: WHAT,
                reason: "a trim exceeds 13 bits",
            });
        }
        out.put_u8(0x7f);
        out.put_u8(
            0xe0 | u8::from(self.start_trim.is_some()) << 4
                | u8::from(self.end_trim.is_some()) << 3,
        );
        out.put_bytes(0xff, self.packet_bytes / 255);
        out.put_u8((self.packet_bytes % 255) as u8);
        for trim in trims.into_iter().flatten() {
            out.put_u16(trim);
        }
        Ok(())
    }
}

/// The packets of a PES payload, each with its header. Ends after the first error: what follows cannot be found.
///
/// ```
/// use arcly_codec::opus::ts::{ControlHeader, access_units};
/// use bytes::{BufMut, Bytes, BytesMut};
///
/// let mut pes = BytesMut::new();
/// for packet in [&b"\xfc\x01"[..], b"\xfc\x02\x03"] {
///     ControlHeader::new(packet.len()).write(&mut pes)?;
///     pes.put_slice(packet);
/// }
/// let packets: Result<Vec<_>, _> = access_units(&pes.freeze()).map(|unit| unit.map(|(_, packet)| packet)).collect();
/// assert_eq!(packets?, [&b"\xfc\x01"[..], b"\xfc\x02\x03"]);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
pub fn access_units(payload: &Bytes) -> impl Iterator<Item = Result<(ControlHeader, Bytes)>> {
    let mut rest = payload.clone();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let unit = ControlHeader::parse(&rest).and_then(|(header, header_bytes)| {
            let end = header_bytes + header.packet_bytes;
            if end > rest.len() {
                let at = Location::Byte(rest.len());
                return Err(CodecError::truncated("Opus access unit", at));
            }
            let packet = rest.split_to(end).slice(header_bytes..);
            Ok((header, packet))
        });
        if unit.is_err() {
            rest.clear();
        }
        Some(unit)
    })
}

impl OpusHead {
    /// The config that an `opus_audio_descriptor` stands for: what follows `descriptor_tag_extension`, a
    /// `channel_config_code` as a rule. `pre_skip` is 0: MPEG-TS trims packet by packet.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where it is cut off or its mapping invalid; [`CodecError::Unsupported`] for codes other than 0 to 8
    /// and 0x81.
    pub fn from_ts_descriptor(data: &[u8]) -> Result<Self> {
        let Some(&code) = data.first() else {
            return Err(CodecError::truncated(DESCRIPTOR, Location::Byte(0)));
        };
        match code {
            DUAL_MONO => Ok(Self {
                mapping: ChannelMapping::Table {
                    family: 255,
                    streams: 1,
                    coupled: 1,
                    map: vec![0, 1],
                },
                ..Self::new(2, 0)?
            }),
            1..=8 => Self::new(code, 0),
            EXPLICIT => read_explicit(data.get(1..).unwrap_or_default()),
            _ => Err(CodecError::Unsupported {
                what: "Opus channel_config_code",
                value: code.into(),
            }),
        }
    }

    /// The `opus_audio_descriptor` for this config, from `channel_config_code` on: one byte for the usual layouts.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where the mapping is invalid.
    pub fn to_ts_descriptor(&self) -> Result<Bytes> {
        self.to_bytes()?;
        for code in DUAL_MONO..=8 {
            if Self::from_ts_descriptor(&[code])?.mapping == self.mapping
                && (self.mapping != ChannelMapping::Simple || code == self.channels)
            {
                return Ok(Bytes::copy_from_slice(&[code]));
            }
        }
        let ChannelMapping::Table {
            family,
            streams,
            coupled,
            map,
        } = &self.mapping
        else {
            return Ok(Bytes::copy_from_slice(&[self.channels]));
        };
        let mut bits = BitsMut::new(DESCRIPTOR);
        for byte in [EXPLICIT, self.channels, *family] {
            bits.write::<8>(byte.into())?;
        }
        // `stream_count_minus_one` has no more bits than the channels need.
        if streams > &self.channels {
            return Err(CodecError::Unwritable {
                what: DESCRIPTOR,
                reason: "more streams than channels",
            });
        }
        write_bits(&mut bits, streams - 1, width(self.channels.into()))?;
        write_bits(&mut bits, *coupled, width(u16::from(*streams) + 1))?;
        let decoded = u16::from(*streams) + u16::from(*coupled);
        let entry = width(decoded + 1);
        for &channel in map {
            // Silence is the highest value.
            let channel = if channel == 255 {
                decoded as u8
            } else {
                channel
            };
            write_bits(&mut bits, channel, entry)?;
        }
        Ok(bits.finish()?.into())
    }
}

/// The layout behind `channel_config_code` 0x81.
fn read_explicit(data: &[u8]) -> Result<OpusHead> {
    let mut bits = Bits::new(DESCRIPTOR, data);
    let channels = bits.read::<8>("channel_count")? as u8;
    let family = bits.read::<8>("mapping_family")? as u8;
    if family == 0 {
        return match channels {
            1 | 2 => OpusHead::new(channels, 0),
            _ => bits.malformed("channel_count", "mapping family 0 has 1 or 2 channels"),
        };
    }
    let streams = read_bits(&mut bits, width(channels.into()))?;
    let Some(streams) = streams.checked_add(1).filter(|_| channels > 0) else {
        return bits.malformed(
            "stream_count_minus_one",
            "more than 255 streams, or no channels",
        );
    };
    let coupled = read_bits(&mut bits, width(u16::from(streams) + 1))?;
    let decoded = u16::from(streams) + u16::from(coupled);
    let entry = width(decoded + 1);
    let mut map = Vec::with_capacity(channels.into());
    for _ in 0..channels {
        let channel = read_bits(&mut bits, entry)?;
        map.push(if u16::from(channel) == decoded {
            255
        } else {
            channel
        });
    }
    check_table(family, channels, streams, coupled, &map)?;
    Ok(OpusHead {
        channels,
        pre_skip: 0,
        input_sample_rate: super::SAMPLE_RATE,
        output_gain: 0,
        mapping: ChannelMapping::Table {
            family,
            streams,
            coupled,
            map,
        },
    })
}

/// ⌈log₂ n⌉: how many bits hold the values below `values`; at most 8 are used.
const fn width(values: u16) -> u32 {
    match values {
        0 | 1 => 0,
        _ => u16::BITS - (values - 1).leading_zeros(),
    }
}

fn read_bits(bits: &mut Bits<'_>, width: u32) -> Result<u8> {
    let mut value = 0_u16;
    for _ in 0..width {
        value = value << 1 | u16::from(bits.flag("channel_mapping")?);
    }
    u8::try_from(value).or_else(|_| bits.malformed("channel_mapping", "exceeds 255"))
}

fn write_bits(bits: &mut BitsMut, value: u8, width: u32) -> Result<()> {
    (0..width).rev().try_for_each(|place| {
        let bit = u32::from(value).checked_shr(place).unwrap_or(0) & 1;
        bits.write::<1>(bit)
    })
}

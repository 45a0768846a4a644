//! The codec config: OpusHead (RFC 7845 5.1) and the payload of an MP4 `dOps` box, the same fields in network order.

use crate::{CodecError, Location, Result};
use bytes::{BufMut, Bytes, BytesMut};

const WHAT: &str = "OpusHead";
const MAGIC: &[u8; 8] = b"OpusHead";

/// Bytes of the fields before the channel mapping table, without the magic.
const FIXED_BYTES: usize = 11;

/// The major version of OpusHead that is known: the upper four bits of its version must be 0 (RFC 7845 5.1).
const VERSION: u8 = 1;

/// Channels that mapping family 1 has an order for (RFC 7845 5.1.1.2).
const FAMILY_1_CHANNELS: u8 = 8;

/// The channel maps of mapping family 1 by channel count as encoders write them: streams, coupled streams, map.
const VORBIS_LAYOUTS: [(u8, u8, &[u8]); 8] = [
    (1, 0, &[0]),
    (1, 1, &[0, 1]),
    (2, 1, &[0, 2, 1]),
    (2, 2, &[0, 1, 2, 3]),
    (3, 2, &[0, 4, 1, 2, 3]),
    (4, 2, &[0, 4, 1, 2, 3, 5]),
    (4, 3, &[0, 4, 1, 2, 3, 5, 6]),
    (5, 3, &[0, 6, 1, 2, 3, 4, 5, 7]),
];

/// How decoded streams become output channels (RFC 7845 5.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelMapping {
    /// Family 0: one stream, mono or stereo; no table.
    Simple,
    /// Any other family: a table.
    Table {
        /// `channel mapping family`: 1 for surround in Vorbis order, 2 for ambisonics (RFC 8486), 255 for channels without meaning;
        /// the others are reserved, and played as 255. Family 3 has a matrix, and is refused.
        family: u8,
        /// `stream count`: how many Opus streams a packet holds, 1 to 255.
        streams: u8,
        /// `coupled count`: how many of them, the first ones, are stereo.
        coupled: u8,
        /// For each output channel the decoded channel that it plays, below `streams` + `coupled`; 255 for silence.
        map: Vec<u8>,
    },
}

/// The codec config of Opus.
///
/// ```
/// use arcly_codec::opus::OpusHead;
///
/// // What ffmpeg's libopus writes for stereo.
/// let head = OpusHead::parse(b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00")?;
/// assert_eq!((head.channels, head.pre_skip, head.input_sample_rate), (2, 312, 48_000));
/// assert_eq!(head.to_dops()?.as_ref(), b"\x00\x02\x01\x38\x00\x00\xbb\x80\x00\x00\x00");
/// assert_eq!(head.codec_string(), "opus");
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct OpusHead {
    /// Output channels, 1 to 255.
    pub channels: u8,
    /// Samples at 48 kHz to throw away at the start of the stream.
    pub pre_skip: u16,
    /// The rate in Hz that the encoder was fed; information only, decoding is timed at [`SAMPLE_RATE`](super::SAMPLE_RATE).
    /// 0 where unknown.
    pub input_sample_rate: u32,
    /// Gain to apply when decoding, in 1/256 dB.
    pub output_gain: i16,
    /// How streams become channels.
    pub mapping: ChannelMapping,
}

impl OpusHead {
    /// The config for `channels` in the usual layout: family 0 up to stereo, family 1 up to 8 channels, 255 beyond, where each
    /// channel is a stream of its own. `pre_skip` is in samples at 48 kHz, 0 where the encoder's delay is unknown.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where `channels` is 0.
    pub fn new(channels: u8, pre_skip: u16) -> Result<Self> {
        let mapping = match channels {
            0 => return refuse("no channels"),
            1 | 2 => ChannelMapping::Simple,
            _ => match VORBIS_LAYOUTS.get(usize::from(channels) - 1) {
                Some(&(streams, coupled, map)) => ChannelMapping::Table {
                    family: 1,
                    streams,
                    coupled,
                    map: map.to_vec(),
                },
                None => ChannelMapping::Table {
                    family: 255,
                    streams: channels,
                    coupled: 0,
                    map: (0..channels).collect(),
                },
            },
        };
        Ok(Self {
            channels,
            pre_skip,
            input_sample_rate: super::SAMPLE_RATE,
            output_gain: 0,
            mapping,
        })
    }

    /// Reads an OpusHead, magic included. What follows it is ignored.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where it is cut off, has no magic, no channels or streams, more coupled streams than
    /// streams, a map that points past them, or more channels than its family has; [`CodecError::Unsupported`] for
    /// versions above 15 and for mapping family 3.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let Some(fields) = data.strip_prefix(MAGIC) else {
            return malformed(0, "no OpusHead magic");
        };
        let Some(&[version, channels, a, b, c, d, e, f, g, h, family]) =
            fields.first_chunk::<FIXED_BYTES>()
        else {
            return Err(CodecError::truncated(WHAT, Location::Byte(data.len())));
        };
        if version > 15 {
            return Err(CodecError::Unsupported {
                what: "OpusHead version",
                value: version.into(),
            });
        }
        let table = fields.get(FIXED_BYTES..).unwrap_or_default();
        Ok(Self {
            channels,
            pre_skip: u16::from_le_bytes([a, b]),
            input_sample_rate: u32::from_le_bytes([c, d, e, f]),
            output_gain: i16::from_le_bytes([g, h]),
            mapping: read_mapping(family, channels, table)?,
        })
    }

    /// Writes an OpusHead: 19 bytes, or 21 and one for each channel where there is a mapping table.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where [`mapping`](Self::mapping) is one that [`parse`](Self::parse) refuses.
    pub fn to_bytes(&self) -> Result<Bytes> {
        let family = self.check()?;
        let mut out = BytesMut::with_capacity(32);
        out.put_slice(MAGIC);
        out.put_u8(VERSION);
        out.put_u8(self.channels);
        out.put_u16_le(self.pre_skip);
        out.put_u32_le(self.input_sample_rate);
        out.put_i16_le(self.output_gain);
        out.put_u8(family);
        self.put_table(&mut out);
        Ok(out.freeze())
    }

    /// Reads the payload of a `dOps` box (what follows size and type). What follows the record is ignored.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse); [`CodecError::Unsupported`] for versions other than 0.
    pub fn from_dops(payload: &[u8]) -> Result<Self> {
        let Some(&[version, channels, a, b, c, d, e, f, g, h, family]) =
            payload.first_chunk::<FIXED_BYTES>()
        else {
            return Err(CodecError::truncated("dOps", Location::Byte(payload.len())));
        };
        if version != 0 {
            return Err(CodecError::Unsupported {
                what: "dOps version",
                value: version.into(),
            });
        }
        let table = payload.get(FIXED_BYTES..).unwrap_or_default();
        Ok(Self {
            channels,
            pre_skip: u16::from_be_bytes([a, b]),
            input_sample_rate: u32::from_be_bytes([c, d, e, f]),
            output_gain: i16::from_be_bytes([g, h]),
            mapping: read_mapping(family, channels, table)?,
        })
    }

    /// Writes the payload of a `dOps` box.
    ///
    /// # Errors
    /// As for [`to_bytes`](Self::to_bytes).
    pub fn to_dops(&self) -> Result<Bytes> {
        let family = self.check()?;
        let mut out = BytesMut::with_capacity(24);
        out.put_u8(0);
        out.put_u8(self.channels);
        out.put_u16(self.pre_skip);
        out.put_u32(self.input_sample_rate);
        out.put_i16(self.output_gain);
        out.put_u8(family);
        self.put_table(&mut out);
        Ok(out.freeze())
    }

    /// How many Opus streams a packet holds (RFC 7845 5.1.1).
    #[must_use]
    pub const fn streams(&self) -> u8 {
        match self.mapping {
            ChannelMapping::Simple => 1,
            ChannelMapping::Table { streams, .. } => streams,
        }
    }

    /// The rate in Hz that packets are timed at: always [`SAMPLE_RATE`](super::SAMPLE_RATE).
    #[must_use]
    pub const fn sample_rate(&self) -> u32 {
        super::SAMPLE_RATE
    }

    /// The `codecs` parameter of the stream (Opus in ISOBMFF 4.3.1 gives the sample entry `Opus`; browsers and RFC 8216 peers
    /// want it in lower case).
    #[must_use]
    pub const fn codec_string(&self) -> &'static str {
        "opus"
    }

    /// Whether the head can be written; its mapping family if so.
    fn check(&self) -> Result<u8> {
        let valid = match &self.mapping {
            ChannelMapping::Simple => matches!(self.channels, 1 | 2),
            ChannelMapping::Table {
                family,
                streams,
                coupled,
                map,
            } => check_table(*family, self.channels, *streams, *coupled, map).is_ok(),
        };
        if !valid {
            return refuse("the channel mapping does not fit the channels");
        }
        Ok(match self.mapping {
            ChannelMapping::Simple => 0,
            ChannelMapping::Table { family, .. } => family,
        })
    }

    fn put_table(&self, out: &mut BytesMut) {
        if let ChannelMapping::Table {
            streams,
            coupled,
            map,
            ..
        } = &self.mapping
        {
            out.put_u8(*streams);
            out.put_u8(*coupled);
            out.put_slice(map);
        }
    }
}

/// The mapping of `family` from the bytes behind the fixed fields.
fn read_mapping(family: u8, channels: u8, table: &[u8]) -> Result<ChannelMapping> {
    if family == 0 {
        return match channels {
            1 | 2 => Ok(ChannelMapping::Simple),
            _ => element("channel count", "mapping family 0 has 1 or 2 channels"),
        };
    }
    let cut_off = CodecError::truncated(WHAT, Location::Element("channel mapping table"));
    let (&[streams, coupled], rest) = table.split_first_chunk().ok_or(cut_off)?;
    let map = rest.get(..usize::from(channels)).ok_or(cut_off)?;
    check_table(family, channels, streams, coupled, map)?;
    Ok(ChannelMapping::Table {
        family,
        streams,
        coupled,
        map: map.to_vec(),
    })
}

/// What RFC 7845 5.1.1 asks of a mapping table.
pub(super) fn check_table(
    family: u8,
    channels: u8,
    streams: u8,
    coupled: u8,
    map: &[u8],
) -> Result<()> {
    if matches!(family, 0 | 3) {
        return Err(CodecError::Unsupported {
            what: "Opus channel mapping family with a table",
            value: family.into(),
        });
    }
    if channels == 0 || (family == 1 && channels > FAMILY_1_CHANNELS) {
        return element("channel count", "not one that the mapping family has");
    }
    if streams == 0 || coupled > streams {
        return element("stream count", "no streams, or fewer than coupled ones");
    }
    let decoded = u16::from(streams) + u16::from(coupled);
    if decoded > 255 {
        return element("coupled count", "more than 255 decoded channels");
    }
    if map.len() != usize::from(channels) {
        return element("channel mapping", "not one entry a channel");
    }
    if map.iter().any(|&m| m != 255 && u16::from(m) >= decoded) {
        return element("channel mapping", "points past the decoded channels");
    }
    Ok(())
}

fn malformed<T>(byte: usize, reason: &'static str) -> Result<T> {
    Err(CodecError::malformed(WHAT, Location::Byte(byte), reason))
}

fn element<T>(element: &'static str, reason: &'static str) -> Result<T> {
    Err(CodecError::malformed(
        WHAT,
        Location::Element(element),
        reason,
    ))
}

fn refuse<T>(reason: &'static str) -> Result<T> {
    Err(CodecError::Unwritable { what: WHAT, reason })
}

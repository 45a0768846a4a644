//! VPCodecConfigurationRecord, "vpcC", of VP8 and VP9 (VP Codec ISO Media File Format Binding, version 1.0).
//!
//! The record holds what the key frames say too, so that protocols which have no place for it do without:
//! [`VpConfig::new`] makes it from a key frame's header.

use crate::video::{ChromaFormat, ColourDescription, FrameRate};
use crate::{CodecError, Location, Result};
use bytes::{BufMut, Bytes, BytesMut};

const WHAT: &str = "vpcC";

/// The length of the record without init data, which VP8 and VP9 have none of.
const RECORD_BYTES: usize = 8;

/// Version 1 and no flags: what stands before the record in MP4, and in FLV as ffmpeg writes it.
const FULL_BOX: [u8; 4] = [1, 0, 0, 0];

/// Which of the two codecs a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the binding is of these two")]
pub enum VpCodec {
    /// VP8, `vp08`.
    Vp8,
    /// VP9, `vp09`.
    Vp9,
}

/// A VPCodecConfigurationRecord.
///
/// ```
/// use arcly_codec::vpc::{VpCodec, VpConfig};
/// use bytes::Bytes;
///
/// let record = Bytes::from_static(&[0x00, 0x0a, 0x82, 0x02, 0x02, 0x02, 0x00, 0x00]);
/// let config = VpConfig::parse(VpCodec::Vp9, &record)?;
/// assert_eq!(config.codec_string(), "vp09.00.10.08");
/// assert_eq!(config.to_bytes(), record);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VpConfig {
    /// The codec. The record does not say.
    pub codec: VpCodec,
    /// The profile, 0 to 3.
    pub profile: u8,
    /// Ten times the level, as in 31 for level 3.1. See [`level_for`].
    pub level: u8,
    /// Bits a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// `chromaSubsampling`: 0 4:2:0 with vertical siting, 1 4:2:0 colocated, 2 4:2:2, 3 4:4:4.
    pub chroma_subsampling: u8,
    /// Whether luma uses 0 to 255 (at 8 bits) rather than 16 to 235.
    pub full_range: bool,
    /// Colour primaries, transfer function and matrix; 2 where unspecified.
    pub colour: ColourDescription,
}

impl VpConfig {
    /// The record of a stream of this profile and picture size in pixels, at this frame rate if known; 4:2:0 with 8 bits,
    /// limited range and unspecified colours, which can be set thereafter.
    #[must_use]
    pub fn new(
        codec: VpCodec,
        profile: u8,
        (width, height): (u32, u32),
        frame_rate: Option<FrameRate>,
    ) -> Self {
        Self {
            codec,
            profile,
            level: level_for(width, height, frame_rate),
            bit_depth: 8,
            chroma_subsampling: 1,
            full_range: false,
            colour: ColourDescription::UNSPECIFIED,
        }
    }

    /// Reads a record, with or without the version and flags that stand before it in MP4.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the record is cut off, its profile exceeds 3, or its bit depth or init data size is
    /// not one that the codec has.
    pub fn parse(codec: VpCodec, record: &[u8]) -> Result<Self> {
        // A record of profile 1 and level 0 could begin like this too, but would be shorter.
        let has_box =
            record.len() >= FULL_BOX.len() + RECORD_BYTES && record.starts_with(&FULL_BOX);
        let fields = record.get(if has_box { FULL_BOX.len() } else { 0 }..);
        let fields = fields.and_then(|fields| fields.first_chunk::<RECORD_BYTES>());
        let Some(
            &[
                profile,
                level,
                format,
                primaries,
                transfer,
                matrix,
                init_high,
                init_low,
            ],
        ) = fields
        else {
            return Err(CodecError::truncated(WHAT, Location::Byte(record.len())));
        };
        let malformed =
            |element| CodecError::malformed(WHAT, Location::Element(element), "out of range");
        if profile > 3 {
            return Err(malformed("profile"));
        }
        let bit_depth = format >> 4;
        if !matches!(bit_depth, 8 | 10 | 12) {
            return Err(malformed("bitDepth"));
        }
        if (init_high, init_low) != (0, 0) {
            return Err(malformed("codecInitializationDataSize"));
        }
        Ok(Self {
            codec,
            profile,
            level,
            bit_depth,
            chroma_subsampling: format >> 1 & 7,
            full_range: format & 1 != 0,
            colour: ColourDescription {
                primaries,
                transfer,
                matrix,
            },
        })
    }

    /// Writes the record, without the version and flags that stand before it in MP4.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(RECORD_BYTES);
        out.put_u8(self.profile & 3);
        out.put_u8(self.level);
        out.put_u8(
            (self.bit_depth & 15) << 4
                | (self.chroma_subsampling & 7) << 1
                | u8::from(self.full_range),
        );
        out.put_u8(self.colour.primaries);
        out.put_u8(self.colour.transfer);
        out.put_u8(self.colour.matrix);
        out.put_u16(0);
        out.freeze()
    }

    /// The `codecs` parameter, as in `vp09.00.10.08`: profile, level and bit depth. The optional fields follow where one
    /// of them is not what leaving them out stands for (4:2:0, BT.709, limited range); unspecified colours count as
    /// BT.709.
    #[must_use]
    pub fn codec_string(&self) -> String {
        let name = match self.codec {
            VpCodec::Vp8 => "vp08",
            VpCodec::Vp9 => "vp09",
        };
        let (profile, level, depth) = (self.profile, self.level, self.bit_depth);
        let mut out = format!("{name}.{profile:02}.{level:02}.{depth:02}");
        let unspecified_or_709 = |value: u8| if value == 2 { 1 } else { value };
        let colour = [
            unspecified_or_709(self.colour.primaries),
            unspecified_or_709(self.colour.transfer),
            unspecified_or_709(self.colour.matrix),
        ];
        if self.chroma_subsampling > 1 || self.full_range || colour != [1, 1, 1] {
            let [primaries, transfer, matrix] = colour;
            out += &format!(
                ".{:02}.{primaries:02}.{transfer:02}.{matrix:02}.{:02}",
                self.chroma_subsampling,
                u8::from(self.full_range)
            );
        }
        out
    }
}

/// The value of `chromaSubsampling` for a format; 4:2:0 is taken to be colocated, which is VP9's default.
pub(crate) const fn chroma_subsampling(format: ChromaFormat) -> u8 {
    match format {
        ChromaFormat::Monochrome | ChromaFormat::Yuv420 => 1,
        ChromaFormat::Yuv422 => 2,
        ChromaFormat::Yuv444 => 3,
    }
}

/// VP9's levels: ten times the level, and its most luma samples a second, most luma samples a picture, and longest side
/// (VP9 levels, version 0.6, Annex A).
const LEVELS: [(u8, u64, u64, u32); 14] = [
    (10, 829_440, 36_864, 512),
    (11, 2_764_800, 73_728, 768),
    (20, 4_608_000, 122_880, 960),
    (21, 9_216_000, 245_760, 1_344),
    (30, 20_736_000, 552_960, 2_048),
    (31, 36_864_000, 983_040, 2_752),
    (40, 83_558_400, 2_228_224, 4_160),
    (41, 160_432_128, 2_228_224, 4_160),
    (50, 311_951_360, 8_912_896, 8_384),
    (51, 588_251_136, 8_912_896, 8_384),
    (52, 1_176_502_272, 8_912_896, 8_384),
    (60, 1_176_502_272, 35_651_584, 16_832),
    (61, 2_353_004_544, 35_651_584, 16_832),
    (62, 4_706_009_088, 35_651_584, 16_832),
];

/// The lowest level, times ten, that has room for this picture size and frame rate. Streams do not say theirs. Without a
/// frame rate 30 is assumed; what exceeds all levels gets the highest.
#[must_use]
pub fn level_for(width: u32, height: u32, frame_rate: Option<FrameRate>) -> u8 {
    let samples = u64::from(width) * u64::from(height);
    let (numerator, denominator) =
        frame_rate.map_or((30, 1), |rate| (rate.numerator, rate.denominator));
    let fits = |&&(_, max_rate, max_samples, max_side): &&(u8, u64, u64, u32)| {
        samples <= max_samples
            && width.max(height) <= max_side
            && u128::from(samples) * u128::from(numerator)
                <= u128::from(max_rate) * u128::from(denominator)
    };
    LEVELS.iter().find(fits).map_or(62, |&(level, ..)| level)
}

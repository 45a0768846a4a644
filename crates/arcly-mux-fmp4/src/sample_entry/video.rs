//! Sample entries of video tracks (ISO/IEC 14496-12 12.1.3, ISO/IEC 14496-15).

use super::{Description, refused};
use crate::boxes::{BoxWriter, FourCc};
use crate::malformed;
use arcly_core::CodecId;
use arcly_core::codec::av1::Av1Config;
use arcly_core::codec::h264::{AvcDecoderConfig, ColourDescription};
use arcly_core::codec::h265::{HevcDecoderConfig, LengthSize};
use arcly_core::codec::vpc::{VpCodec, VpConfig};
use arcly_core::codec::vvc::VvcDecoderConfig;
use arcly_core::codec::{vp8, vp9};
use arcly_core::mux::MuxError;
use bytes::Bytes;

/// What MPEG uses for video, and what most frame rates divide.
const BASE_TIMESCALE: u32 = 90_000;

/// The most by which the timescale is multiplied. 4 is what 24000/1001 and 120000/1001 frames a second need.
const MOST: u32 = 8;

/// Pixels a meter at 72 dpi, as 16.16 fixed point: what every writer puts there.
const RESOLUTION: u32 = 0x0048_0000;

/// What headers say about pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Picture {
    /// In pixels.
    pub(crate) width: u16,
    pub(crate) height: u16,
    /// Width to height of a pixel; none where it is not told or 1:1.
    pub(crate) pixel_aspect: Option<(u32, u32)>,
    pub(crate) colour: Option<Colour>,
    /// Frames a second as a fraction, where the stream tells.
    pub(crate) frame_rate: Option<(u64, u64)>,
}

/// A `colr` box of type `nclx` (12.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour {
    pub(crate) description: ColourDescription,
    pub(crate) full_range: bool,
}

impl Picture {
    /// The smallest multiple of 90 kHz in which a frame lasts a whole number of ticks.
    pub(super) fn timescale(&self) -> u32 {
        let Some((frames, seconds)) = self.frame_rate.filter(|(frames, _)| *frames > 0) else {
            return BASE_TIMESCALE;
        };
        (1..=MOST)
            .map(|factor| BASE_TIMESCALE * factor)
            .find(|scale| {
                u64::from(*scale)
                    .saturating_mul(seconds)
                    .is_multiple_of(frames)
            })
            .unwrap_or(BASE_TIMESCALE)
    }

    /// Width and height as shown on square pixels, in 16.16 fixed point, for `tkhd`.
    pub(crate) fn shown(&self) -> (u32, u32) {
        let (width, height) = (u64::from(self.width) << 16, u32::from(self.height) << 16);
        let (x, y) = self.pixel_aspect.unwrap_or((1, 1));
        let wide = width * u64::from(x) / u64::from(y.max(1));
        (u32::try_from(wide).unwrap_or(u32::MAX), height)
    }

    /// A VisualSampleEntry; `config` writes the codec's own box.
    pub(super) fn write_entry(
        &self,
        kind: &FourCc,
        out: &mut BoxWriter,
        config: impl FnOnce(&mut BoxWriter),
    ) {
        out.plain(kind, |out| {
            out.zeros(6);
            out.u16(1); // data_reference_index
            out.zeros(16);
            out.u16(self.width);
            out.u16(self.height);
            out.u32(RESOLUTION);
            out.u32(RESOLUTION);
            out.zeros(4);
            out.u16(1); // frame_count
            out.zeros(32); // compressorname
            out.u16(0x18); // depth: colour without alpha
            out.u16(0xffff); // pre_defined
            config(out);
            if let Some(colour) = self.colour {
                out.plain(b"colr", |out| {
                    out.bytes(b"nclx");
                    out.u16(colour.description.primaries.into());
                    out.u16(colour.description.transfer.into());
                    out.u16(colour.description.matrix.into());
                    out.u8(u8::from(colour.full_range) << 7);
                });
            }
            if let Some((x, y)) = self.pixel_aspect {
                out.plain(b"pasp", |out| {
                    out.u32(x);
                    out.u32(y);
                });
            }
        });
    }
}

/// A picture's side as the 16 bits that sample entries have for it.
fn side(pixels: u32) -> u16 {
    u16::try_from(pixels).unwrap_or(u16::MAX)
}

/// A pixel aspect ratio that is worth telling.
fn aspect(ratio: (u16, u16)) -> Option<(u32, u32)> {
    let (x, y) = (u32::from(ratio.0), u32::from(ratio.1));
    (x != y && x > 0 && y > 0).then_some((x, y))
}

/// `record` with the two bits at `place` set: lengths on the bus have four bytes (`lengthSizeMinusOne` 3), whatever the source
/// had when it made the record.
fn with_long_lengths(record: &Bytes, place: usize, bits: u8) -> Vec<u8> {
    let mut record = record.to_vec();
    if let Some(byte) = record.get_mut(place) {
        *byte |= bits;
    }
    record
}

/// `avc1` with `avcC` (ISO/IEC 14496-15 5.4.2): the parameter sets stand in the sample entry alone, as on the bus.
pub(super) fn h264(record: &Bytes) -> Result<Description, MuxError> {
    let config = AvcDecoderConfig::parse(record).map_err(refused("avcC"))?;
    let sps = config.first_sps().map_err(refused("SPS in avcC"))?;
    let signal = sps.vui.as_ref().and_then(|vui| vui.video_signal);
    let picture = Picture {
        width: side(sps.width),
        height: side(sps.height),
        pixel_aspect: aspect(sps.sample_aspect_ratio()),
        colour: signal.and_then(|signal| {
            Some(Colour {
                description: signal.colour?,
                full_range: signal.full_range,
            })
        }),
        frame_rate: sps
            .frame_rate()
            .map(|rate| (rate.numerator, rate.denominator)),
    };
    let record = with_long_lengths(record, 4, 0b11);
    Ok(Description::video(
        CodecId::H264,
        picture,
        *b"avc1",
        |out| {
            out.plain(b"avcC", |out| out.bytes(&record));
        },
    ))
}

/// `hvc1` with `hvcC` (ISO/IEC 14496-15 8.4.1): as for H.264, the parameter sets stand in the sample entry alone, and so its arrays must say
/// that they are complete.
pub(super) fn h265(record: &Bytes) -> Result<Description, MuxError> {
    let mut config = HevcDecoderConfig::parse(record).map_err(refused("hvcC"))?;
    let sps = config.first_sps().map_err(refused("SPS in hvcC"))?;
    config.length_size = LengthSize::Four;
    for array in &mut config.arrays {
        array.complete = true;
    }
    let record = config.to_bytes().map_err(refused("hvcC"))?;
    let vui = sps.vui.as_ref();
    let picture = Picture {
        width: side(sps.width),
        height: side(sps.height),
        pixel_aspect: vui.and_then(|vui| aspect(vui.sample_aspect_ratio?)),
        colour: vui.and_then(|vui| {
            Some(Colour {
                description: vui.colour?,
                full_range: vui.full_range.unwrap_or(false),
            })
        }),
        frame_rate: sps
            .frame_rate()
            .map(|rate| (rate.numerator, rate.denominator)),
    };
    Ok(Description::video(
        CodecId::H265,
        picture,
        *b"hvc1",
        |out| {
            out.plain(b"hvcC", |out| out.bytes(&record));
        },
    ))
}

/// `av01` with `av1C` ("AV1 Codec ISO Media File Format Binding" 2.2, 2.3).
pub(super) fn av1(record: &Bytes) -> Result<Description, MuxError> {
    let config = Av1Config::parse(record).map_err(refused("av1C"))?;
    let Some(sequence) = config.sequence_header() else {
        return Err(malformed("av1C", "it has no sequence header"));
    };
    let picture = Picture {
        width: side(sequence.width),
        height: side(sequence.height),
        pixel_aspect: None,
        colour: sequence.colour.map(|description| Colour {
            description,
            full_range: sequence.full_range,
        }),
        frame_rate: sequence
            .frame_rate()
            .map(|rate| (rate.numerator, rate.denominator)),
    };
    Ok(Description::video(CodecId::Av1, picture, *b"av01", |out| {
        out.plain(b"av1C", |out| out.bytes(record));
    }))
}

/// `vvc1` with `vvcC` (ISO/IEC 14496-15 11.2.4), as for H.265.
pub(super) fn vvc(record: &Bytes) -> Result<Description, MuxError> {
    let mut config = VvcDecoderConfig::parse(record).map_err(refused("vvcC"))?;
    let (Some(width), Some(height)) = (config.width(), config.height()) else {
        return Err(malformed("vvcC", "it tells no picture size"));
    };
    config.length_size = LengthSize::Four;
    for array in &mut config.arrays {
        array.complete = true;
    }
    let record = config.to_bytes().map_err(refused("vvcC"))?;
    let vui = config.first_sps().and_then(|sps| sps.vui.as_ref());
    let picture = Picture {
        width: side(width),
        height: side(height),
        pixel_aspect: vui.and_then(|vui| aspect(vui.sample_aspect_ratio?)),
        colour: vui.and_then(|vui| {
            Some(Colour {
                description: vui.colour?,
                full_range: vui.full_range.unwrap_or(false),
            })
        }),
        frame_rate: config
            .frame_rate()
            .map(|rate| (rate.numerator, rate.denominator)),
    };
    Ok(Description::video(CodecId::Vvc, picture, *b"vvc1", |out| {
        out.full(b"vvcC", 0, 0, |out| out.bytes(&record));
    }))
}

/// `vp08` or `vp09` with `vpcC` ("VP Codec ISO Media File Format Binding" 2.2), of a key frame: it alone tells the size. The record says
/// more of colours and level, so where the source has sent one, it is taken.
pub(super) fn vp(
    codec: VpCodec,
    frame: &[u8],
    record: Option<VpConfig>,
) -> Result<Option<Description>, MuxError> {
    let (size, config) = match codec {
        VpCodec::Vp8 => {
            let header = vp8::FrameHeader::parse(frame).map_err(refused("VP8 frame"))?;
            (
                header.size,
                vp8::config(frame, None).map_err(refused("VP8 frame"))?,
            )
        }
        VpCodec::Vp9 => {
            let first = vp9::frames(frame).next().unwrap_or_default();
            let header = vp9::FrameHeader::parse(first).map_err(refused("VP9 frame"))?;
            let size = header.format.map(|format| (format.width, format.height));
            (
                size,
                vp9::config(frame, None).map_err(refused("VP9 frame"))?,
            )
        }
    };
    let (Some((width, height)), Some(config)) = (size, config) else {
        return Ok(None);
    };
    let record = record.unwrap_or(config);
    let colour = record.colour;
    let picture = Picture {
        width: side(width),
        height: side(height),
        colour: (colour != ColourDescription::UNSPECIFIED).then_some(Colour {
            description: colour,
            full_range: record.full_range,
        }),
        ..Picture::default()
    };
    let (id, kind) = match codec {
        VpCodec::Vp8 => (CodecId::Vp8, *b"vp08"),
        VpCodec::Vp9 => (CodecId::Vp9, *b"vp09"),
    };
    Ok(Some(Description::video(id, picture, kind, |out| {
        out.full(b"vpcC", 1, 0, |out| out.bytes(&record.to_bytes()));
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_last_whole_ticks_at_common_rates() {
        for rate in [
            (24_000, 1_001),
            (24, 1),
            (25, 1),
            (30_000, 1_001),
            (30, 1),
            (48, 1),
            (50, 1),
            (60_000, 1_001),
            (60, 1),
            (100, 1),
            (120_000, 1_001),
            (120, 1),
            (144, 1),
            (240, 1),
        ] {
            let picture = Picture {
                frame_rate: Some(rate),
                ..Picture::default()
            };
            let scale = u64::from(picture.timescale());
            assert_eq!(scale * rate.1 % rate.0, 0, "{rate:?} at {scale}");
            assert_eq!(
                705_600_000 % scale,
                0,
                "{scale} is exact in the kernel's time"
            );
        }
    }

    #[test]
    fn odd_rates_fall_back_to_90_khz() {
        for frame_rate in [None, Some((0, 1)), Some((u64::MAX, 7))] {
            assert_eq!(
                Picture {
                    frame_rate,
                    ..Picture::default()
                }
                .timescale(),
                90_000
            );
        }
    }
}

//! Sequence headers (5.5, 6.4).

use super::{Obu, ObuType, obus};
use crate::Result;
use crate::video::bits::BitReader;
use crate::video::{ChromaFormat, ColourDescription, FrameRate};

/// The highest `seq_profile`: 0 Main, 1 High, 2 Professional.
const MAX_PROFILE: u8 = 2;

/// `SELECT_SCREEN_CONTENT_TOOLS` and `SELECT_INTEGER_MV`: each frame header says itself.
pub(super) const SELECT: u8 = 2;

/// A sequence header.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SequenceHeader {
    /// `seq_profile`: 0 Main, 1 High, 2 Professional.
    pub profile: u8,
    /// `still_picture`: the stream is one picture.
    pub still_picture: bool,
    /// `timing_info`, where present.
    pub timing: Option<Timing>,
    /// The operating points, 1 to 32; the first one is that of the whole stream.
    pub operating_points: Vec<OperatingPoint>,
    /// The largest width of a frame in pixels, 1 to 65 536.
    pub width: u32,
    /// The largest height of a frame in pixels, 1 to 65 536.
    pub height: u32,
    /// Bits a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// The chroma sampling.
    pub chroma_format: ChromaFormat,
    /// `chroma_sample_position`: 0 unknown, 1 vertical, 2 colocated.
    pub chroma_sample_position: u8,
    /// Colour primaries, transfer function and matrix, where present.
    pub colour: Option<ColourDescription>,
    /// `color_range`: luma uses 0 to 255 (at 8 bits) rather than 16 to 235.
    pub full_range: bool,
    /// `film_grain_params_present`.
    pub film_grain: bool,
    /// What reading a frame header takes.
    pub(super) syntax: FrameHeaderSyntax,
}

/// `timing_info()` (5.5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// `num_units_in_display_tick`.
    pub num_units_in_display_tick: u32,
    /// `time_scale`, in units a second.
    pub time_scale: u32,
    /// How many ticks each picture lasts, where all last the same (`num_ticks_per_picture_minus_1` + 1).
    pub ticks_per_picture: Option<u64>,
}

/// One operating point: a set of layers, and what decoding these takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperatingPoint {
    /// `operating_point_idc`, 12 bits: temporal layers in the lower 8, spatial ones in the upper 4. 0: all.
    pub idc: u16,
    /// `seq_level_idx`, 0 to 31: 4 is level 3.0, 8 level 4.0, 31 "no limits".
    pub level: u8,
    /// `seq_tier`: High tier rather than Main.
    pub high_tier: bool,
    /// `initial_display_delay_minus_1`, 0 to 15, where present.
    pub initial_display_delay_minus_1: Option<u8>,
    /// `decoder_model_present_for_this_op`.
    pub(super) decoder_model: bool,
}

/// Lengths and choices that frame headers are read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FrameHeaderSyntax {
    pub(super) reduced_still_picture: bool,
    pub(super) equal_picture_interval: bool,
    /// The lengths of `buffer_removal_time` and `frame_presentation_time` in bits, where there is a decoder model.
    pub(super) decoder_model: Option<(u8, u8)>,
    /// The length of `current_frame_id` in bits, where frames are numbered.
    pub(super) frame_id_bits: Option<u8>,
    pub(super) force_screen_content_tools: u8,
    pub(super) force_integer_mv: u8,
    pub(super) order_hint_bits: u8,
}

impl SequenceHeader {
    /// Parses the payload of a sequence header OBU.
    ///
    /// # Errors
    /// [`Malformed`](crate::CodecError::Malformed) with the syntax element at fault.
    pub fn parse(payload: &[u8]) -> Result<Self> {
        let mut bits = BitReader::new("AV1 sequence header", payload);
        let bits = &mut bits;
        let profile = bits.u8(3, "seq_profile")?;
        if profile > MAX_PROFILE {
            return Err(bits.malformed("seq_profile", "reserved"));
        }
        let still_picture = bits.flag("still_picture")?;
        let mut syntax = FrameHeaderSyntax {
            reduced_still_picture: bits.flag("reduced_still_picture_header")?,
            force_screen_content_tools: SELECT,
            force_integer_mv: SELECT,
            ..FrameHeaderSyntax::default()
        };
        let (timing, operating_points) = if syntax.reduced_still_picture {
            let point = OperatingPoint {
                idc: 0,
                level: bits.u8(5, "seq_level_idx")?,
                high_tier: false,
                initial_display_delay_minus_1: None,
                decoder_model: false,
            };
            (None, vec![point])
        } else {
            read_operating_points(bits, &mut syntax)?
        };
        let width_bits = bits.u(4, "frame_width_bits_minus_1")? + 1;
        let height_bits = bits.u(4, "frame_height_bits_minus_1")? + 1;
        let width = bits.u(width_bits, "max_frame_width_minus_1")? + 1;
        let height = bits.u(height_bits, "max_frame_height_minus_1")? + 1;
        if !syntax.reduced_still_picture && bits.flag("frame_id_numbers_present_flag")? {
            let delta_bits = bits.u8(4, "delta_frame_id_length_minus_2")? + 2;
            let id_bits = bits.u8(3, "additional_frame_id_length_minus_1")? + delta_bits + 1;
            if id_bits > 16 {
                return Err(bits.malformed("additional_frame_id_length_minus_1", "out of range"));
            }
            syntax.frame_id_bits = Some(id_bits);
        }
        bits.skip(1 + 1 + 1, "use_128x128_superblock")?;
        if !syntax.reduced_still_picture {
            read_tools(bits, &mut syntax)?;
        }
        bits.skip(1 + 1 + 1, "enable_superres")?;
        let mut header = Self {
            profile,
            still_picture,
            timing,
            operating_points,
            width,
            height,
            bit_depth: 8,
            chroma_format: ChromaFormat::Yuv420,
            chroma_sample_position: 0,
            colour: None,
            full_range: false,
            film_grain: false,
            syntax,
        };
        header.read_colour_config(bits)?;
        header.film_grain = bits.flag("film_grain_params_present")?;
        Ok(header)
    }

    /// The first sequence header among the OBUs of `data`, which is in the low-overhead format: a temporal unit, or the
    /// `configOBUs` of a record. `None` where there is none that can be read.
    #[must_use]
    pub fn find(data: &[u8]) -> Option<Self> {
        let is_header = |obu: &Obu<'_>| obu.header.obu_type == ObuType::SequenceHeader;
        let obu = obus(data).filter_map(Result::ok).find(is_header)?;
        Self::parse(obu.payload).ok()
    }

    /// `color_config()` (5.5.2).
    fn read_colour_config(&mut self, bits: &mut BitReader<'_>) -> Result<()> {
        let high = bits.flag("high_bitdepth")?;
        self.bit_depth = match (self.profile, high) {
            (2, true) if bits.flag("twelve_bit")? => 12,
            (_, true) => 10,
            (_, false) => 8,
        };
        let monochrome = self.profile != 1 && bits.flag("mono_chrome")?;
        if bits.flag("color_description_present_flag")? {
            self.colour = Some(ColourDescription {
                primaries: bits.u8(8, "color_primaries")?,
                transfer: bits.u8(8, "transfer_characteristics")?,
                matrix: bits.u8(8, "matrix_coefficients")?,
            });
        }
        // BT.709 primaries, sRGB transfer, identity matrix.
        let srgb = ColourDescription {
            primaries: 1,
            transfer: 13,
            matrix: 0,
        };
        if monochrome {
            self.chroma_format = ChromaFormat::Monochrome;
            self.full_range = bits.flag("color_range")?;
            return Ok(());
        }
        if self.colour == Some(srgb) {
            self.full_range = true;
            self.chroma_format = ChromaFormat::Yuv444;
        } else {
            self.full_range = bits.flag("color_range")?;
            self.chroma_format = match (self.profile, self.bit_depth) {
                (0, _) => ChromaFormat::Yuv420,
                (1, _) => ChromaFormat::Yuv444,
                (_, 12) if !bits.flag("subsampling_x")? => ChromaFormat::Yuv444,
                (_, 12) if bits.flag("subsampling_y")? => ChromaFormat::Yuv420,
                _ => ChromaFormat::Yuv422,
            };
            if self.chroma_format == ChromaFormat::Yuv420 {
                self.chroma_sample_position = bits.u8(2, "chroma_sample_position")?;
            }
        }
        bits.skip(1, "separate_uv_delta_q")
    }

    /// The operating point of the whole stream.
    fn main_point(&self) -> (u8, bool) {
        self.operating_points
            .first()
            .map_or((0, false), |point| (point.level, point.high_tier))
    }

    /// `seq_level_idx` of the first operating point, 0 to 31: 4 is level 3.0, 8 level 4.0.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.main_point().0
    }

    /// `seq_tier` of the first operating point: High rather than Main.
    #[must_use]
    pub fn high_tier(&self) -> bool {
        self.main_point().1
    }

    /// The frame rate, where the header says that all frames last the same and it is plausible.
    #[must_use]
    pub fn frame_rate(&self) -> Option<FrameRate> {
        let timing = self.timing?;
        let units = u64::from(timing.num_units_in_display_tick);
        FrameRate::new(
            timing.time_scale.into(),
            units.checked_mul(timing.ticks_per_picture?)?,
            true,
        )
    }

    /// The `codecs` parameter, as in `av01.0.04M.08`: profile, level and tier, bit depth. The optional fields follow
    /// where one of them is not what leaving them out stands for (BT.709, limited range, 4:2:0); unspecified colours
    /// count as BT.709.
    #[must_use]
    pub fn codec_string(&self) -> String {
        let tier = if self.high_tier() { 'H' } else { 'M' };
        let (profile, level, depth) = (self.profile, self.level(), self.bit_depth);
        let mut out = format!("av01.{profile}.{level:02}{tier}.{depth:02}");
        let unspecified_or_709 = |value: u8| if value == 2 { 1 } else { value };
        let colour = self.colour.unwrap_or(ColourDescription::UNSPECIFIED);
        let colour = (
            unspecified_or_709(colour.primaries),
            unspecified_or_709(colour.transfer),
            unspecified_or_709(colour.matrix),
        );
        let plain = self.chroma_format == ChromaFormat::Yuv420
            && self.chroma_sample_position == 0
            && !self.full_range
            && colour == (1, 1, 1);
        if !plain {
            let (x, y, position) = self.subsampling();
            out += &format!(
                ".{}.{}{}{position}.{:02}.{:02}.{:02}.{}",
                u8::from(self.chroma_format == ChromaFormat::Monochrome),
                u8::from(x),
                u8::from(y),
                colour.0,
                colour.1,
                colour.2,
                u8::from(self.full_range),
            );
        }
        out
    }

    /// `subsampling_x`, `subsampling_y` and `chroma_sample_position`; monochrome counts as 4:2:0.
    pub(super) const fn subsampling(&self) -> (bool, bool, u8) {
        match self.chroma_format {
            ChromaFormat::Monochrome | ChromaFormat::Yuv420 => {
                (true, true, self.chroma_sample_position)
            }
            ChromaFormat::Yuv422 => (true, false, 0),
            ChromaFormat::Yuv444 => (false, false, 0),
        }
    }
}

/// From `timing_info_present_flag` to the last operating point.
fn read_operating_points(
    bits: &mut BitReader<'_>,
    syntax: &mut FrameHeaderSyntax,
) -> Result<(Option<Timing>, Vec<OperatingPoint>)> {
    let mut timing = None;
    let mut delay_bits = 0;
    if bits.flag("timing_info_present_flag")? {
        let num_units_in_display_tick = bits.u(32, "num_units_in_display_tick")?;
        let time_scale = bits.u(32, "time_scale")?;
        syntax.equal_picture_interval = bits.flag("equal_picture_interval")?;
        let ticks_per_picture = if syntax.equal_picture_interval {
            Some(u64::from(bits.uvlc("num_ticks_per_picture_minus_1")?) + 1)
        } else {
            None
        };
        timing = Some(Timing {
            num_units_in_display_tick,
            time_scale,
            ticks_per_picture,
        });
        if bits.flag("decoder_model_info_present_flag")? {
            delay_bits = bits.u(5, "buffer_delay_length_minus_1")? + 1;
            bits.skip(32, "num_units_in_decoding_tick")?;
            syntax.decoder_model = Some((
                bits.u8(5, "buffer_removal_time_length_minus_1")? + 1,
                bits.u8(5, "frame_presentation_time_length_minus_1")? + 1,
            ));
        }
    }
    let display_delays = bits.flag("initial_display_delay_present_flag")?;
    let count = bits.u(5, "operating_points_cnt_minus_1")? + 1;
    let mut points = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let mut point = OperatingPoint {
            idc: bits.u(12, "operating_point_idc")? as u16,
            level: bits.u8(5, "seq_level_idx")?,
            high_tier: false,
            initial_display_delay_minus_1: None,
            decoder_model: false,
        };
        // Below level 4.0 there is one tier.
        point.high_tier = point.level > 7 && bits.flag("seq_tier")?;
        if syntax.decoder_model.is_some() && bits.flag("decoder_model_present_for_this_op")? {
            point.decoder_model = true;
            bits.skip(2 * delay_bits as usize + 1, "operating_parameters_info")?;
        }
        if display_delays && bits.flag("initial_display_delay_present_for_this_op")? {
            point.initial_display_delay_minus_1 =
                Some(bits.u8(4, "initial_display_delay_minus_1")?);
        }
        points.push(point);
    }
    Ok((timing, points))
}

/// From `enable_interintra_compound` to `order_hint_bits_minus_1`.
fn read_tools(bits: &mut BitReader<'_>, syntax: &mut FrameHeaderSyntax) -> Result<()> {
    bits.skip(1 + 1 + 1 + 1, "enable_interintra_compound")?;
    let order_hint = bits.flag("enable_order_hint")?;
    bits.skip(if order_hint { 2 } else { 0 }, "enable_jnt_comp")?;
    if !bits.flag("seq_choose_screen_content_tools")? {
        syntax.force_screen_content_tools = bits.u8(1, "seq_force_screen_content_tools")?;
    }
    if syntax.force_screen_content_tools > 0 && !bits.flag("seq_choose_integer_mv")? {
        syntax.force_integer_mv = bits.u8(1, "seq_force_integer_mv")?;
    }
    if order_hint {
        syntax.order_hint_bits = bits.u8(3, "order_hint_bits_minus_1")? + 1;
    }
    Ok(())
}

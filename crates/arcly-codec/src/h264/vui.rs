//! Video usability information (H.264 Annex E): what an SPS says about timing, colour and buffering.

use crate::video::{ColourDescription, FrameRate};
use h264_reader::nal::sps;

/// The VUI of an SPS. `None` and the defaults stand for what the stream leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Vui {
    /// Width and height of a sample as a ratio, where it is specified.
    pub sample_aspect_ratio: Option<(u16, u16)>,
    /// `overscan_appropriate_flag`, where present.
    pub overscan_appropriate: Option<bool>,
    /// How the sample values are to be understood, where present.
    pub video_signal: Option<VideoSignal>,
    /// `chroma_sample_loc_type_top_field` and `…_bottom_field`, each 0 to 5 in a valid stream.
    pub chroma_sample_location: Option<(u32, u32)>,
    /// The clock of the pictures, where present.
    pub timing: Option<Timing>,
    /// The hypothetical decoder's buffer for the whole NAL unit stream (type II).
    pub nal_hrd: Option<Hrd>,
    /// The hypothetical decoder's buffer for the VCL units (type I).
    pub vcl_hrd: Option<Hrd>,
    /// Whether picture timing SEI messages carry `pic_struct`.
    pub pic_struct_present: bool,
    /// Bounds on reordering and buffering, where present.
    pub restriction: Option<BitstreamRestriction>,
}

/// `video_signal_type` (E.2.1, Tables E-2 to E-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VideoSignal {
    /// `video_format`, 0 to 7; 5 is "unspecified".
    pub video_format: u8,
    /// Whether luma uses 0 to 255 (at 8 bits) rather than 16 to 235.
    pub full_range: bool,
    /// Colour primaries, transfer function and matrix, where present.
    pub colour: Option<ColourDescription>,
}

/// `timing_info` as it is coded. A frame is two ticks of `num_units_in_tick / time_scale` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// Units of the clock in a tick.
    pub num_units_in_tick: u32,
    /// Units of the clock in a second.
    pub time_scale: u32,
    /// Whether all frames are equally far apart.
    pub fixed_frame_rate: bool,
}

/// What an `hrd_parameters` structure says of its last (least demanding) delivery schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hrd {
    /// `BitRate` in bits a second (E-37).
    pub bit_rate: u64,
    /// `CpbSize` in bits (E-38).
    pub cpb_size: u64,
    /// Whether the bit rate is constant.
    pub cbr: bool,
}

/// The part of `bitstream_restriction` that matters to a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BitstreamRestriction {
    /// The most frames that precede a frame in decoding order and follow it in output order.
    pub max_num_reorder_frames: u32,
    /// The frames that the decoded picture buffer must hold.
    pub max_dec_frame_buffering: u32,
}

impl Timing {
    /// The frame rate; `None` where a field is 0 or the rate exceeds 1000, which no camera reaches and means
    /// that the clock's rate was put here.
    #[must_use]
    pub fn frame_rate(self) -> Option<FrameRate> {
        FrameRate::new(
            self.time_scale.into(),
            2 * u64::from(self.num_units_in_tick),
            self.fixed_frame_rate,
        )
    }
}

impl From<&sps::VuiParameters> for Vui {
    fn from(vui: &sps::VuiParameters) -> Self {
        Self {
            sample_aspect_ratio: vui
                .aspect_ratio_info
                .as_ref()
                .and_then(sps::AspectRatioInfo::get),
            overscan_appropriate: match vui.overscan_appropriate {
                sps::OverscanAppropriate::Unspecified => None,
                sps::OverscanAppropriate::Appropriate => Some(true),
                sps::OverscanAppropriate::Inappropriate => Some(false),
            },
            video_signal: vui.video_signal_type.as_ref().map(|signal| VideoSignal {
                video_format: signal.video_format.to_u8(),
                full_range: signal.video_full_range_flag,
                colour: signal
                    .colour_description
                    .as_ref()
                    .map(|colour| ColourDescription {
                        primaries: colour.colour_primaries,
                        transfer: colour.transfer_characteristics,
                        matrix: colour.matrix_coefficients,
                    }),
            }),
            chroma_sample_location: vui.chroma_loc_info.as_ref().map(|at| {
                (
                    at.chroma_sample_loc_type_top_field,
                    at.chroma_sample_loc_type_bottom_field,
                )
            }),
            timing: vui.timing_info.as_ref().map(|timing| Timing {
                num_units_in_tick: timing.num_units_in_tick,
                time_scale: timing.time_scale,
                fixed_frame_rate: timing.fixed_frame_rate_flag,
            }),
            nal_hrd: vui.nal_hrd_parameters.as_ref().and_then(hrd),
            vcl_hrd: vui.vcl_hrd_parameters.as_ref().and_then(hrd),
            pic_struct_present: vui.pic_struct_present_flag,
            restriction: vui.bitstream_restrictions.as_ref().map(|restriction| {
                BitstreamRestriction {
                    max_num_reorder_frames: restriction.max_num_reorder_frames,
                    max_dec_frame_buffering: restriction.max_dec_frame_buffering,
                }
            }),
        }
    }
}

fn hrd(hrd: &sps::HrdParameters) -> Option<Hrd> {
    let schedule = hrd.cpb_specs.last()?;
    // 32 bits shifted by at most 6 + 15.
    Some(Hrd {
        bit_rate: (u64::from(schedule.bit_rate_value_minus1) + 1) << (6 + hrd.bit_rate_scale),
        cpb_size: (u64::from(schedule.cpb_size_value_minus1) + 1) << (4 + hrd.cpb_size_scale),
        cbr: schedule.cbr_flag,
    })
}

//! The start of the uncompressed header (6.2), up to the size of a picture or the slots that it refreshes.

use crate::video::bits::BitReader;
use crate::video::{ChromaFormat, ColourDescription};
use crate::{CodecError, Result};

/// `frame_sync_code` (6.2.1).
const SYNC_CODE: u32 = 0x0049_8342;

/// `color_space` of RGB (7.2.2).
const CS_RGB: u8 = 7;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the specification has these four")]
pub enum FrameKind {
    /// A key frame.
    Key,
    /// An intra-only frame: refers to no other, but does not reset the references either.
    IntraOnly,
    /// An inter frame.
    Inter,
    /// No frame of its own: one that was decoded before is shown.
    ShowExisting,
}

/// What an uncompressed header says, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameHeader {
    /// The profile, 0 to 3: 0 and 1 have 8 bits a sample, 0 and 2 4:2:0.
    pub profile: u8,
    /// What the frame is.
    pub kind: FrameKind,
    /// Whether it is shown.
    pub shown: bool,
    /// `error_resilient_mode`: nothing that the frame needs comes from the frame before, but for references.
    pub error_resilient: bool,
    /// `refresh_frame_flags`: the reference slots that the frame is stored in.
    pub refresh_flags: u8,
    /// Size and format of the picture, in key frames and intra-only frames.
    pub format: Option<PictureFormat>,
}

/// `color_config()` and `frame_size()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PictureFormat {
    /// The width in pixels, 1 to 65 536.
    pub width: u32,
    /// The height in pixels, 1 to 65 536.
    pub height: u32,
    /// Bits a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// The chroma sampling.
    pub chroma_format: ChromaFormat,
    /// `color_space`, 0 to 7: 1 BT.601, 2 BT.709, 3 SMPTE 170, 4 SMPTE 240, 5 BT.2020, 7 RGB; 0 is unknown.
    pub colour_space: u8,
    /// `color_range`: luma uses 0 to 255 (at 8 bits) rather than 16 to 235.
    pub full_range: bool,
}

impl PictureFormat {
    /// The colour space as code points of ISO/IEC 23091-2. But for BT.709 and sRGB it settles only the matrix; primaries
    /// and transfer function stay unspecified.
    #[must_use]
    pub const fn colour(&self) -> ColourDescription {
        let (primaries, transfer, matrix) = match self.colour_space {
            1 => (2, 2, 5),
            2 => (1, 1, 1),
            3 => (2, 2, 6),
            4 => (2, 2, 7),
            5 => (2, 2, 9),
            CS_RGB => (1, 13, 0),
            _ => (2, 2, 2),
        };
        ColourDescription {
            primaries,
            transfer,
            matrix,
        }
    }
}

impl FrameHeader {
    /// Reads the header of a frame; of a superframe, that of each of its [`frames`](super::frames).
    ///
    /// # Errors
    /// [`CodecError::Malformed`] with the syntax element at fault; [`CodecError::Unsupported`] for 4:4:0, which no other
    /// part of the chain can carry.
    pub fn parse(frame: &[u8]) -> Result<Self> {
        let mut bits = BitReader::new("VP9 frame header", frame);
        let bits = &mut bits;
        if bits.u(2, "frame_marker")? != 2 {
            return Err(bits.malformed("frame_marker", "not 2"));
        }
        let profile = bits.u8(1, "profile_low_bit")? | bits.u8(1, "profile_high_bit")? << 1;
        if profile == 3 && bits.flag("reserved_zero")? {
            return Err(bits.malformed("reserved_zero", "set"));
        }
        let mut header = Self {
            profile,
            kind: FrameKind::ShowExisting,
            shown: true,
            error_resilient: false,
            refresh_flags: 0,
            format: None,
        };
        if bits.flag("show_existing_frame")? {
            return Ok(header);
        }
        let inter = bits.flag("frame_type")?;
        header.shown = bits.flag("show_frame")?;
        header.error_resilient = bits.flag("error_resilient_mode")?;
        if !inter {
            header.kind = FrameKind::Key;
            header.refresh_flags = 0xff;
            check_sync_code(bits)?;
            header.format = Some(read_format(bits, profile)?);
            return Ok(header);
        }
        let intra_only = !header.shown && bits.flag("intra_only")?;
        if !header.error_resilient {
            bits.skip(2, "reset_frame_context")?;
        }
        if !intra_only {
            header.kind = FrameKind::Inter;
            header.refresh_flags = bits.u8(8, "refresh_frame_flags")?;
            return Ok(header);
        }
        header.kind = FrameKind::IntraOnly;
        check_sync_code(bits)?;
        let mut format = PictureFormat {
            width: 0,
            height: 0,
            bit_depth: 8,
            chroma_format: ChromaFormat::Yuv420,
            colour_space: 1,
            full_range: false,
        };
        // Profile 0 leaves it out: it is 4:2:0 with 8 bits in BT.601.
        if profile > 0 {
            format = read_colour_config(bits, profile)?;
        }
        header.refresh_flags = bits.u8(8, "refresh_frame_flags")?;
        header.format = Some(read_size(bits, format)?);
        Ok(header)
    }

    /// Whether no other frame depends on this one; see [`classify`](super::classify).
    pub(super) const fn is_disposable(&self) -> bool {
        matches!(self.kind, FrameKind::Inter | FrameKind::IntraOnly)
            && self.refresh_flags == 0
            && self.error_resilient
    }
}

fn check_sync_code(bits: &mut BitReader<'_>) -> Result<()> {
    if bits.u(24, "frame_sync_code")? != SYNC_CODE {
        return Err(bits.malformed("frame_sync_code", "another value"));
    }
    Ok(())
}

fn read_format(bits: &mut BitReader<'_>, profile: u8) -> Result<PictureFormat> {
    let format = read_colour_config(bits, profile)?;
    read_size(bits, format)
}

/// `color_config()`; the size stays open.
fn read_colour_config(bits: &mut BitReader<'_>, profile: u8) -> Result<PictureFormat> {
    let bit_depth = match profile {
        0 | 1 => 8,
        _ if bits.flag("ten_or_twelve_bit")? => 12,
        _ => 10,
    };
    let colour_space = bits.u8(3, "color_space")?;
    let any_sampling = matches!(profile, 1 | 3);
    let (full_range, chroma_format) = if colour_space == CS_RGB {
        if !any_sampling {
            return Err(bits.malformed("color_space", "RGB in a profile of 4:2:0"));
        }
        (true, ChromaFormat::Yuv444)
    } else {
        let full_range = bits.flag("color_range")?;
        let sampling = if any_sampling {
            (bits.flag("subsampling_x")?, bits.flag("subsampling_y")?)
        } else {
            (true, true)
        };
        let chroma_format = match sampling {
            (true, true) => ChromaFormat::Yuv420,
            (true, false) => ChromaFormat::Yuv422,
            (false, false) => ChromaFormat::Yuv444,
            (false, true) => {
                return Err(CodecError::Unsupported {
                    what: "VP9 chroma subsampling",
                    value: 440,
                });
            }
        };
        (full_range, chroma_format)
    };
    if any_sampling {
        bits.flag("reserved_zero")?;
    }
    Ok(PictureFormat {
        width: 0,
        height: 0,
        bit_depth,
        chroma_format,
        colour_space,
        full_range,
    })
}

fn read_size(bits: &mut BitReader<'_>, format: PictureFormat) -> Result<PictureFormat> {
    Ok(PictureFormat {
        width: bits.u(16, "frame_width_minus_1")? + 1,
        height: bits.u(16, "frame_height_minus_1")? + 1,
        ..format
    })
}

//! What pictures of any codec are described by.

pub(crate) mod bits;

/// Frames a second as a reduced fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameRate {
    /// Numerator, as in 30000.
    pub numerator: u64,
    /// Denominator, as in 1001; never 0.
    pub denominator: u64,
    /// Whether the stream promises this rate; otherwise it is the highest one, and the timestamps are the truth.
    pub fixed: bool,
}

/// The highest plausible frame rate. Encoders of variable frame rate put the clock's rate there (90 000 / 2, say).
const MAX_FRAME_RATE: u64 = 1_000;

impl FrameRate {
    /// `numerator / denominator` frames a second, reduced. `None` where either is 0, or the rate exceeds 1000, which no
    /// camera reaches and means that the clock's rate was put in its place.
    #[must_use]
    pub const fn new(numerator: u64, denominator: u64, fixed: bool) -> Option<Self> {
        if numerator == 0
            || denominator == 0
            || numerator > MAX_FRAME_RATE.saturating_mul(denominator)
        {
            return None;
        }
        let divisor = gcd(numerator, denominator);
        Some(Self {
            numerator: numerator / divisor,
            denominator: denominator / divisor,
            fixed,
        })
    }

    /// Frames a second.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

/// The clock of H.265's and VVC's pictures. A picture lasts one tick of `num_units_in_tick / time_scale` seconds, or
/// [`ticks_per_picture`](Self::ticks_per_picture).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PictureTiming {
    /// Units of the clock in a tick.
    pub num_units_in_tick: u32,
    /// Units of the clock in a second.
    pub time_scale: u32,
    /// How many ticks a picture lasts, where the stream promises that all last the same
    /// (`elemental_duration_in_tc_minus1` + 1 of the highest sub-layer).
    pub ticks_per_picture: Option<u32>,
}

impl PictureTiming {
    /// Pictures a second; frames, unless the stream says that its pictures are fields. `None` where it is not plausible, see
    /// [`FrameRate::new`].
    #[must_use]
    pub fn picture_rate(self) -> Option<FrameRate> {
        FrameRate::new(
            self.time_scale.into(),
            u64::from(self.num_units_in_tick) * u64::from(self.ticks_per_picture.unwrap_or(1)),
            self.ticks_per_picture.is_some(),
        )
    }
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Code points of ISO/IEC 23091-2, which H.264, H.265, VVC, AV1, VP9's record and MP4's `colr` share; 2 is
/// "unspecified".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the triple is the same in every codec"
)]
pub struct ColourDescription {
    /// `colour_primaries`; 1 is BT.709.
    pub primaries: u8,
    /// `transfer_characteristics`; 1 is BT.709, 16 PQ, 18 HLG.
    pub transfer: u8,
    /// `matrix_coefficients`; 1 is BT.709.
    pub matrix: u8,
}

impl ColourDescription {
    /// All "unspecified" (2).
    pub const UNSPECIFIED: Self = Self {
        primaries: 2,
        transfer: 2,
        matrix: 2,
    };
}

/// `chroma_format_idc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are four, in every codec")]
pub enum ChromaFormat {
    /// Luma only (0).
    Monochrome,
    /// Chroma halved both ways (1).
    Yuv420,
    /// Chroma halved across (2).
    Yuv422,
    /// Chroma in full (3).
    Yuv444,
}

impl ChromaFormat {
    /// `chroma_format_idc`, 0 to 3.
    #[must_use]
    pub const fn idc(self) -> u8 {
        match self {
            Self::Monochrome => 0,
            Self::Yuv420 => 1,
            Self::Yuv422 => 2,
            Self::Yuv444 => 3,
        }
    }

    /// The format with this `chroma_format_idc`; `None` past 3.
    #[must_use]
    pub const fn from_idc(idc: u32) -> Option<Self> {
        match idc {
            0 => Some(Self::Monochrome),
            1 => Some(Self::Yuv420),
            2 => Some(Self::Yuv422),
            3 => Some(Self::Yuv444),
            _ => None,
        }
    }

    /// How many luma samples a chroma sample spans across and down (`SubWidthC`, `SubHeightC`); 1 without chroma.
    #[must_use]
    pub const fn subsampling(self) -> (u32, u32) {
        match self {
            Self::Yuv420 => (2, 2),
            Self::Yuv422 => (2, 1),
            Self::Monochrome | Self::Yuv444 => (1, 1),
        }
    }
}

/// Pixels cut off each side of the coded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "a rectangle has four sides")]
pub struct Cropping {
    /// From the left.
    pub left: u32,
    /// From the right.
    pub right: u32,
    /// From the top, in lines of the frame.
    pub top: u32,
    /// From the bottom, in lines of the frame.
    pub bottom: u32,
}

impl Cropping {
    /// Width and height of what is left of a coded picture; `None` where that is nothing.
    #[must_use]
    pub fn applied_to(self, width: u32, height: u32) -> Option<(u32, u32)> {
        let width = width.checked_sub(self.left.checked_add(self.right)?)?;
        let height = height.checked_sub(self.top.checked_add(self.bottom)?)?;
        (width > 0 && height > 0).then_some((width, height))
    }
}

/// What one access unit is to a server: a point to join at, droppable, or neither. Each codec's config, or its module
/// where it has none, tells it with `classify`, from the payload of the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the two questions that a server asks"
)]
pub struct AccessUnitClass {
    /// Whether a viewer can join here.
    pub random_access: bool,
    /// Whether no other picture refers to this one, so that it can be left out and the rest decodes as before.
    pub disposable: bool,
}

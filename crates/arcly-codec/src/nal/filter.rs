//! Which NAL units a conversion leaves out.

use std::fmt::Debug;
use std::marker::PhantomData;

/// What a NAL unit is to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NalClass {
    /// A parameter set of any kind: it stands in the codec config.
    ParameterSet,
    /// An access unit delimiter.
    Delimiter,
    /// Filler data.
    Filler,
    /// Anything else: picture data and what goes with it, or a unit whose header is damaged.
    Other,
}

/// A codec whose bitstream is made of NAL units. Implemented by the markers [`Avc`](crate::h264::Avc),
/// [`Hevc`](crate::h265::Hevc) and [`Vvc`](crate::vvc::Vvc).
pub trait NalCodec: Debug + Clone + Copy + PartialEq + Eq + Default + 'static {
    /// What `nal`, which starts with its header, is.
    fn class(nal: &[u8]) -> NalClass;
}

/// Which NAL units a conversion leaves out. What is not named here always stays.
///
/// Used under the names `h264::NalFilter`, `h265::NalFilter` and `vvc::NalFilter`, which settle the codec. Made as a
/// literal, as in `NalFilter { delimiters: true, ..NalFilter::NONE }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers build it as a literal with `..NalFilter::NONE`"
)]
pub struct NalFilter<C: NalCodec> {
    /// Drop all parameter sets.
    pub parameter_sets: bool,
    /// Drop access unit delimiters.
    pub delimiters: bool,
    /// Drop filler data, which exists only to pad a constant bit rate.
    pub filler: bool,
    /// The codec whose headers are read.
    pub codec: PhantomData<C>,
}

impl<C: NalCodec> NalFilter<C> {
    /// Drops nothing.
    pub const NONE: Self = Self {
        parameter_sets: false,
        delimiters: false,
        filler: false,
        codec: PhantomData,
    };
    /// Drops all that a sample described by a codec config does without: parameter sets (they stand in the record,
    /// ISO/IEC 14496-15 5.3.2, 8.3.2, 11.2.2), delimiters and filler. This is the payload of the bus.
    pub const SAMPLE: Self = Self {
        parameter_sets: true,
        delimiters: true,
        filler: true,
        codec: PhantomData,
    };

    /// Whether units of this class are left out.
    #[must_use]
    pub const fn drops_class(self, class: NalClass) -> bool {
        match class {
            NalClass::ParameterSet => self.parameter_sets,
            NalClass::Delimiter => self.delimiters,
            NalClass::Filler => self.filler,
            NalClass::Other => false,
        }
    }

    /// Whether `nal`, which starts with its header, is left out; a unit with a damaged header is not.
    #[must_use]
    pub fn drops_nal(self, nal: &[u8]) -> bool {
        self.drops_class(C::class(nal))
    }
}

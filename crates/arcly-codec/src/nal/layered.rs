//! What H.265 and VVC share beyond the framing: headers with layers, and slices that tell whether they begin a picture.

use super::{AccessUnitBoundary, NalCodec, check_parameter_set_size, emulation};
use crate::{CodecError, Location, Result};
use std::borrow::Cow;
use std::marker::PhantomData;

/// A codec whose NAL unit headers have two bytes, with a layer and a sub-layer. Implemented by the markers
/// [`Hevc`](crate::h265::Hevc) and [`Vvc`](crate::vvc::Vvc).
pub trait LayeredCodec: NalCodec {
    /// What errors say of parameter sets of a layer that is not supported.
    const LAYER_ID: &'static str;

    /// `nal_unit_type` and `nuh_layer_id`; `None` where the header is damaged.
    fn type_and_layer(nal: &[u8]) -> Option<(u8, u8)>;

    /// Whether units of this type carry picture data.
    fn is_vcl(unit_type: u8) -> bool;

    /// Whether this unit of the base layer, which has this type, begins an access unit where it follows a slice.
    fn begins_access_unit(nal: &[u8], unit_type: u8) -> bool;
}

/// Tells for each NAL unit of a stream whether an access unit begins with it.
///
/// The first slice of a picture says so by a bit, so that no parameter sets are needed. Pictures of other layers (`nuh_layer_id`
/// above 0) belong to the unit of the base layer's picture before them.
///
/// Used under the names `h265::BoundaryDetector` and `vvc::BoundaryDetector`, which settle the codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LayeredBoundary<C> {
    started: bool,
    /// Whether the open access unit has a slice already.
    has_slice: bool,
    codec: PhantomData<C>,
}

impl<C: LayeredCodec> LayeredBoundary<C> {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the stream's next NAL unit, whole with its header, and returns whether an access unit begins with it. It
    /// does with the first one. Damaged units never begin one.
    pub fn push(&mut self, nal: &[u8]) -> bool {
        let header = C::type_and_layer(nal);
        let can_begin = |(unit_type, layer)| layer == 0 && C::begins_access_unit(nal, unit_type);
        let begins = !self.started || self.has_slice && header.is_some_and(can_begin);
        self.started = true;
        if begins {
            self.has_slice = false;
        }
        self.has_slice |= header.is_some_and(|(unit_type, _)| C::is_vcl(unit_type));
        begins
    }
}

impl<C: LayeredCodec> AccessUnitBoundary for LayeredBoundary<C> {
    fn push(&mut self, nal: &[u8]) -> bool {
        Self::push(self, nal)
    }
}

/// The RBSP of a parameter set of this type and of the base layer, without header and emulation prevention.
pub(crate) fn parameter_set_rbsp<'a, C: LayeredCodec>(
    nal: &'a [u8],
    unit_type: u8,
    what: &'static str,
) -> Result<Cow<'a, [u8]>> {
    check_parameter_set_size(nal.len())?;
    match C::type_and_layer(nal) {
        Some((found, 0)) if found == unit_type => {}
        Some((found, layer)) if found == unit_type => {
            return Err(CodecError::Unsupported {
                what: C::LAYER_ID,
                value: layer.into(),
            });
        }
        _ => {
            let at = Location::Byte(0);
            return Err(CodecError::malformed(what, at, "another NAL unit type"));
        }
    }
    // Both headers have two bytes.
    Ok(emulation::remove(nal.get(2..).unwrap_or_default()))
}

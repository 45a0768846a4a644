//! What an access unit is to a server: a point to join at, droppable, or neither.

use super::sei::RecoveryPoint;
use super::{LengthSize, NalHeader, NalUnitType, annex_b, length_prefixed};
use crate::Result;
use crate::video::AccessUnitClass;

/// What the NAL units of one access unit add up to.
///
/// ```
/// use arcly_codec::h264::{AccessUnitInfo, LengthSize};
///
/// let info = AccessUnitInfo::of_length_prefixed(&[0, 0, 0, 3, 0x65, 0x88, 0x84], LengthSize::Four)?;
/// assert!(info.is_keyframe() && !info.is_disposable());
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AccessUnitInfo {
    /// How many slices (VCL NAL units) of the picture there are. 0 means that there is no picture.
    pub slices: usize,
    /// Whether the picture is an IDR picture.
    pub idr: bool,
    /// The recovery point that comes with the picture.
    pub recovery_point: Option<RecoveryPoint>,
    /// Whether parameter sets come with the picture.
    pub parameter_sets: bool,
    /// Whether any slice is referred to by other pictures (`nal_ref_idc` is not 0).
    pub referenced: bool,
}

impl AccessUnitInfo {
    /// Of these NAL units, each with its header byte. Units with a damaged header are passed over.
    #[must_use]
    pub fn of_nal_units<'a>(nals: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut info = Self::default();
        nals.into_iter().for_each(|nal| info.add(nal));
        info
    }

    /// Of an access unit with length prefixes.
    ///
    /// # Errors
    /// [`Malformed`](crate::CodecError::Malformed) where the lengths do not add up.
    pub fn of_length_prefixed(access_unit: &[u8], size: LengthSize) -> Result<Self> {
        let mut info = Self::default();
        for nal in length_prefixed::nal_units(access_unit, size) {
            info.add(nal?);
        }
        Ok(info)
    }

    /// Of an access unit with start codes.
    #[must_use]
    pub fn of_annex_b(access_unit: &[u8]) -> Self {
        Self::of_nal_units(annex_b::nal_units(access_unit))
    }

    fn add(&mut self, nal: &[u8]) {
        let Some(header) = NalHeader::of(nal) else {
            return;
        };
        match header.unit_type {
            NalUnitType::Sei if self.recovery_point.is_none() => {
                self.recovery_point = RecoveryPoint::find(nal)
            }
            unit_type if unit_type.is_parameter_set() => self.parameter_sets = true,
            unit_type if unit_type.is_vcl() => {
                self.slices += 1;
                self.idr |= unit_type == NalUnitType::IdrSlice;
                self.referenced |= header.ref_idc != 0;
            }
            _ => {}
        }
    }

    /// Whether a viewer can join here and see a whole picture at once.
    ///
    /// That is an IDR picture, or a picture with a recovery point of 0 frames: the I picture of an open GOP, which
    /// broadcast encoders send in place of IDR pictures. Pictures that are shown before such a one may still refer to
    /// the GOP before it; decoders leave them out. A recovery point of more frames (gradual refresh) does not count,
    /// for the viewer would first see a damaged picture; nor does a lone I slice without either, because nothing then
    /// keeps later pictures from referring to earlier ones.
    #[must_use]
    pub const fn is_keyframe(&self) -> bool {
        self.slices > 0
            && (self.idr || matches!(self.recovery_point, Some(RecoveryPoint { frames: 0, .. })))
    }

    /// Whether no other picture refers to this one, so that it can be dropped without harm: `nal_ref_idc` is 0 in all
    /// its slices. A picture that a viewer can join at is none, whatever it says: nothing after it could be joined.
    #[must_use]
    pub const fn is_disposable(&self) -> bool {
        self.slices > 0 && !self.referenced && !self.is_keyframe()
    }

    /// Both at once.
    #[must_use]
    pub const fn class(&self) -> AccessUnitClass {
        AccessUnitClass {
            random_access: self.is_keyframe(),
            disposable: self.is_disposable(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_can_be_joined_at_is_not_disposable() {
        // A recovery point of 0 frames (SEI 6, one byte), and a slice with nal_ref_idc 0.
        let recovery_point: &[u8] = &[0x06, 0x06, 0x01, 0xc4, 0x80];
        let slice: &[u8] = &[0x01, 0x9a];
        let joined = AccessUnitInfo::of_nal_units([recovery_point, slice]);
        assert!(joined.is_keyframe() && !joined.is_disposable());
        assert!(AccessUnitInfo::of_nal_units([slice]).is_disposable());
    }
}

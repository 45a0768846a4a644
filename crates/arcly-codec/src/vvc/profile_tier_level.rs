//! Profile, tier, level and constraints (H.266 7.3.3), as SPS and vvcC record hold them, and the codec string.

use crate::Result;
use crate::video::bits::BitReader;

/// The most sub-layers of a stream: `sps_max_sublayers_minus1` is at most 6.
pub(super) const MAX_SUB_LAYERS: u8 = 7;

/// The longest constraint info, in bytes, with the two flags before it: what the 6 bits of `num_bytes_constraint_info`
/// can say. `general_constraints_info()` takes up to 42: 1 + 71 + 8 bits and 255 reserved ones.
pub(super) const MAX_CONSTRAINT_BYTES: usize = 63;

/// `profile_tier_level()`: what a decoder must be capable of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileTierLevel {
    /// `general_profile_idc`, 0 to 127: 1 Main 10, 33 Main 10 4:4:4, 65 Main 10 Still Picture (Annex A).
    pub profile_idc: u8,
    /// `general_tier_flag`: High tier rather than Main.
    pub high_tier: bool,
    /// `general_level_idc`: sixteen times the level, and 3 for each tenth, as in 51 for level 3.1.
    pub level_idc: u8,
    /// `ptl_frame_only_constraint_flag`, `ptl_multilayer_enabled_flag` and `general_constraints_info()` with its
    /// alignment, as coded: 1 to 63 bytes.
    pub constraints: Vec<u8>,
    /// `sublayer_level_idc` of the sub-layers below the highest one, from the upper ones down, where present.
    pub sub_layer_levels: Vec<Option<u8>>,
    /// `general_sub_profile_idc`: profiles of other bodies, at most 255.
    pub sub_profiles: Vec<u32>,
}

impl ProfileTierLevel {
    /// Reads `profile_tier_level(1, max_sublayers_minus1)`, which starts at a byte boundary of `rbsp`.
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        rbsp: &[u8],
        max_sub_layers_minus1: u8,
    ) -> Result<Self> {
        let profile_idc = bits.u8(7, "general_profile_idc")?;
        let high_tier = bits.flag("general_tier_flag")?;
        let level_idc = bits.u8(8, "general_level_idc")?;
        let start = bits.position() / 8;
        bits.skip(1 + 1, "ptl_frame_only_constraint_flag")?;
        if bits.flag("gci_present_flag")? {
            bits.skip(71, "general_constraints_info")?;
            let additional = bits.u(8, "gci_num_additional_bits")?;
            bits.skip(additional as usize, "gci_reserved_bit")?;
        }
        bits.align();
        let constraints = rbsp.get(start..bits.position() / 8).unwrap_or_default();
        let mut present = Vec::with_capacity(max_sub_layers_minus1.into());
        for _ in 0..max_sub_layers_minus1 {
            present.push(bits.flag("ptl_sublayer_level_present_flag")?);
        }
        bits.align();
        let mut sub_layer_levels = Vec::with_capacity(present.len());
        for present in present {
            sub_layer_levels.push(if present {
                Some(bits.u8(8, "sublayer_level_idc")?)
            } else {
                None
            });
        }
        let mut sub_profiles = Vec::new();
        for _ in 0..bits.u(8, "ptl_num_sub_profiles")? {
            sub_profiles.push(bits.u(32, "general_sub_profile_idc")?);
        }
        Ok(Self {
            profile_idc,
            high_tier,
            level_idc,
            constraints: constraints.to_vec(),
            sub_layer_levels,
            sub_profiles,
        })
    }

    /// The `codecs` parameter of a stream whose parameter sets stand in its codec config (ISO/IEC 14496-15 Annex E), as
    /// in `vvc1.1.L51.CQA`: profile; tier and level; and the constraint bytes in base 32, without trailing zero bytes and
    /// left out where all are zero.
    #[must_use]
    pub fn codec_string(&self) -> String {
        let tier = if self.high_tier { 'H' } else { 'L' };
        let mut out = format!("vvc1.{}.{tier}{}", self.profile_idc, self.level_idc);
        if let Some(last) = self.constraints.iter().rposition(|&byte| byte != 0) {
            out.push_str(".C");
            push_base32(self.constraints.iter().take(last + 1), &mut out);
        }
        out
    }
}

/// Appends base 32 (RFC 4648 section 6) without padding.
fn push_base32<'a>(bytes: impl Iterator<Item = &'a u8>, out: &mut String) {
    let digit = |value: u32| match (value & 31) as u8 {
        letter @ 0..26 => char::from(b'A' + letter),
        number => char::from(b'2' + number - 26),
    };
    let (mut pending, mut count) = (0_u32, 0);
    for &byte in bytes {
        pending = pending << 8 & 0xffff | u32::from(byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            out.push(digit(pending >> count));
        }
    }
    if count > 0 {
        out.push(digit(pending << (5 - count)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (bytes, expected) in [
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            let mut out = String::new();
            push_base32(bytes.as_bytes().iter(), &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn codec_strings_follow_annex_e() {
        let mut profile = ProfileTierLevel {
            profile_idc: 1,
            high_tier: false,
            level_idc: 51,
            constraints: vec![0x80, 0],
            sub_layer_levels: vec![],
            sub_profiles: vec![],
        };
        assert_eq!(profile.codec_string(), "vvc1.1.L51.CQA");
        profile.constraints = vec![0];
        profile.high_tier = true;
        assert_eq!(profile.codec_string(), "vvc1.1.H51");
    }
}

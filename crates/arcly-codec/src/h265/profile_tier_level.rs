//! Profile, tier and level (H.265 7.3.3, 7.4.4), and the codec string that they make.

use crate::Result;
use crate::video::bits::BitReader;
use std::fmt::Write;

/// The most sub-layers of a stream: `sps_max_sub_layers_minus1` is at most 6.
pub(super) const MAX_SUB_LAYERS: u8 = 7;

/// The general part of `profile_tier_level()`: what a decoder must be capable of. It is the same in VPS, SPS and hvcC
/// record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileTierLevel {
    /// `general_profile_space`, 0 to 3; 0 in all streams so far.
    pub profile_space: u8,
    /// `general_tier_flag`: High tier rather than Main.
    pub high_tier: bool,
    /// `general_profile_idc`: 1 Main, 2 Main 10, 3 Main Still Picture, 4 range extensions (Annex A).
    pub profile_idc: u8,
    /// `general_profile_compatibility_flag`, that of profile 0 in the highest bit.
    pub compatibility_flags: u32,
    /// The six bytes of constraint flags, `general_progressive_source_flag` in the highest bit of the first one.
    pub constraint_flags: [u8; 6],
    /// `general_level_idc`: thirty times the level, as in 93 for level 3.1.
    pub level_idc: u8,
}

impl ProfileTierLevel {
    /// Reads `profile_tier_level(1, max_sub_layers_minus1)`.
    pub(super) fn read(bits: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<Self> {
        let profile_space = bits.u8(2, "general_profile_space")?;
        let high_tier = bits.flag("general_tier_flag")?;
        let profile_idc = bits.u8(5, "general_profile_idc")?;
        let compatibility_flags = bits.u(32, "general_profile_compatibility_flag")?;
        let mut constraint_flags = [0; 6];
        for byte in &mut constraint_flags {
            *byte = bits.u8(8, "general_constraint_flags")?;
        }
        let level_idc = bits.u8(8, "general_level_idc")?;
        let mut sub_layers = [(false, false); MAX_SUB_LAYERS as usize];
        for present in sub_layers.iter_mut().take(max_sub_layers_minus1.into()) {
            *present = (
                bits.flag("sub_layer_profile_present_flag")?,
                bits.flag("sub_layer_level_present_flag")?,
            );
        }
        if max_sub_layers_minus1 > 0 {
            let reserved = 8_usize.saturating_sub(max_sub_layers_minus1.into());
            bits.skip(2 * reserved, "reserved_zero_2bits")?;
        }
        for (profile, level) in sub_layers {
            bits.skip(if profile { 88 } else { 0 }, "sub_layer_profile")?;
            bits.skip(if level { 8 } else { 0 }, "sub_layer_level_idc")?;
        }
        Ok(Self {
            profile_space,
            high_tier,
            profile_idc,
            compatibility_flags,
            constraint_flags,
            level_idc,
        })
    }

    /// The `codecs` parameter of a stream whose parameter sets stand in its codec config (ISO/IEC 14496-15 Annex E), as
    /// in `hvc1.1.6.L93.B0`: profile space as a letter and profile in decimal; the compatibility flags in reverse bit
    /// order, in hexadecimal; tier and level; each constraint byte in hexadecimal, the trailing zero bytes left out.
    #[must_use]
    pub fn codec_string(&self) -> String {
        let space = match self.profile_space {
            1 => "A",
            2 => "B",
            3 => "C",
            _ => "",
        };
        let mut out = format!(
            "hvc1.{space}{}.{:X}.{}{}",
            self.profile_idc,
            self.compatibility_flags.reverse_bits(),
            if self.high_tier { 'H' } else { 'L' },
            self.level_idc,
        );
        let used = self
            .constraint_flags
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        for byte in self.constraint_flags.iter().take(used) {
            // Writing to a String cannot fail.
            _ = write!(out, ".{byte:X}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codec_strings_follow_annex_e() {
        let main = ProfileTierLevel {
            profile_space: 0,
            high_tier: false,
            profile_idc: 1,
            compatibility_flags: 0x6000_0000,
            constraint_flags: [0xb0, 0, 0, 0, 0, 0],
            level_idc: 93,
        };
        assert_eq!(main.codec_string(), "hvc1.1.6.L93.B0");
        let other = ProfileTierLevel {
            profile_space: 1,
            high_tier: true,
            profile_idc: 4,
            compatibility_flags: 0x0800_0000,
            constraint_flags: [0x90, 0, 0x08, 0, 0, 0],
            level_idc: 153,
        };
        assert_eq!(other.codec_string(), "hvc1.A4.10.H153.90.0.8");
        let bare = ProfileTierLevel {
            constraint_flags: [0; 6],
            ..main
        };
        assert_eq!(bare.codec_string(), "hvc1.1.6.L93");
    }
}

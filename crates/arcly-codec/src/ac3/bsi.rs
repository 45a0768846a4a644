//! The bit stream information of E-AC-3 (ETSI TS 102 366 E.1.2.2): the many optional fields between those that matter here.

use super::eac3::{ChannelMap, Eac3Header, StreamType};
use crate::Result;
use crate::bits::Bits;

/// What both AC-3 and E-AC-3 frames start with.
pub(super) const SYNCWORD: u32 = 0x0b77;

/// Skips what stands behind a flag, if the flag is set.
fn skip_if<const N: u32>(bits: &mut Bits<'_>, element: &'static str) -> Result<()> {
    if bits.flag(element)? {
        bits.read::<N>(element)?;
    }
    Ok(())
}

/// Reads from behind `bsid` on what `header` does not have yet: `bsmod`, the channel map, the joint object coding flag.
pub(super) fn read(bits: &mut Bits<'_>, header: &mut Eac3Header) -> Result<()> {
    let dual_mono = header.acmod == 0;
    for _ in 0..=u8::from(dual_mono) {
        bits.read::<5>("dialnorm")?;
        skip_if::<8>(bits, "compr")?;
    }
    if header.stream_type == StreamType::Dependent && bits.flag("chanmape")? {
        header.channel_map = Some(ChannelMap(bits.read::<16>("chanmap")? as u16));
    }
    if bits.flag("mixmdate")? {
        skip_mixing(bits, header)?;
    }
    if bits.flag("infomdate")? {
        read_information(bits, header)?;
    }
    let six_blocks = header.blocks == 6;
    if header.stream_type == StreamType::Independent && !six_blocks {
        bits.flag("convsync")?;
    }
    if header.stream_type == StreamType::Converted && (six_blocks || bits.flag("blkid")?) {
        bits.read::<6>("frmsizecod")?;
    }
    if bits.flag("addbsie")? {
        let bytes = bits.read::<6>("addbsil")? + 1;
        let first = bits.read::<8>("addbsi")?;
        if bytes >= 2 {
            // ETSI TS 103 420 8.3: the flag of extension type A, then its complexity index.
            let second = bits.read::<8>("addbsi")? as u8;
            header.joc_complexity = (first & 1 != 0).then_some(second);
        }
    }
    Ok(())
}

/// The mixing metadata.
fn skip_mixing(bits: &mut Bits<'_>, header: &Eac3Header) -> Result<()> {
    let acmod = header.acmod;
    if acmod > 2 {
        bits.read::<2>("dmixmod")?;
    }
    if acmod & 1 != 0 && acmod > 2 {
        bits.read::<6>("ltrtcmixlev, lorocmixlev")?;
    }
    if acmod & 4 != 0 {
        bits.read::<6>("ltrtsurmixlev, lorosurmixlev")?;
    }
    if header.lfe {
        skip_if::<5>(bits, "lfemixlevcod")?;
    }
    if header.stream_type != StreamType::Independent {
        return Ok(());
    }
    skip_if::<6>(bits, "pgmscl")?;
    if acmod == 0 {
        skip_if::<6>(bits, "pgmscl2")?;
    }
    skip_if::<6>(bits, "extpgmscl")?;
    match bits.read::<2>("mixdef")? {
        1 => drop(bits.read::<5>("premixcmpsel, drcsrc, premixcmpscl")?),
        2 => drop(bits.read::<12>("mixdata")?),
        3 => {
            let bytes = bits.read::<5>("mixdeflen")? + 2;
            for _ in 0..bytes {
                bits.read::<8>("mixdata")?;
            }
        }
        _ => {}
    }
    if acmod < 2 {
        skip_if::<14>(bits, "panmean, paninfo")?;
        if acmod == 0 {
            skip_if::<14>(bits, "panmean2, paninfo2")?;
        }
    }
    if bits.flag("frmmixcfginfoe")? {
        if header.blocks == 1 {
            bits.read::<5>("blkmixcfginfo")?;
        } else {
            for _ in 0..header.blocks {
                skip_if::<5>(bits, "blkmixcfginfo")?;
            }
        }
    }
    Ok(())
}

/// The informational metadata; of it, `bsmod` is kept.
fn read_information(bits: &mut Bits<'_>, header: &mut Eac3Header) -> Result<()> {
    let acmod = header.acmod;
    header.bsmod = bits.read::<3>("bsmod")? as u8;
    bits.read::<2>("copyrightb, origbs")?;
    if acmod == 2 {
        bits.read::<4>("dsurmod, dheadphonmod")?;
    }
    if acmod >= 6 {
        bits.read::<2>("dsurexmod")?;
    }
    skip_if::<8>(bits, "mixlevel, roomtyp, adconvtyp")?;
    if acmod == 0 {
        skip_if::<8>(bits, "mixlevel2, roomtyp2, adconvtyp2")?;
    }
    if header.fscod < 3 {
        bits.flag("sourcefscod")?;
    }
    Ok(())
}

//! AC3SpecificBox, `dac3` (ETSI TS 102 366 F.4).

use super::{Ac3Header, BLOCK_SAMPLES, SAMPLE_RATES};
use crate::bits::{Bits, BitsMut};
use crate::{CodecError, Result};
use bytes::Bytes;

const WHAT: &str = "dac3";

/// The payload of a `dac3` box: the config of AC-3 in MP4.
///
/// ```
/// use arcly_codec::ac3::Dac3;
///
/// // What ffmpeg writes for 5.1 at 44.1 kHz.
/// let config = Dac3::parse(&[0x50, 0x3d, 0x20])?;
/// assert_eq!((config.sample_rate(), config.channels(), config.codec_string()), (44_100, 6, "ac-3"));
/// assert_eq!(config.to_bytes()?.as_ref(), [0x50, 0x3d, 0x20]);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Dac3 {
    /// `fscod`: 0 for 48, 1 for 44.1, 2 for 32 kHz.
    pub fscod: u8,
    /// `bsid`, 5 bits.
    pub bsid: u8,
    /// `bsmod`: the kind of service, 3 bits.
    pub bsmod: u8,
    /// `acmod`: the full-bandwidth channels, 3 bits.
    pub acmod: u8,
    /// `lfeon`: whether there is a low frequency channel.
    pub lfe: bool,
    /// `bit_rate_code`: half of `frmsizecod`, 5 bits.
    pub bit_rate_code: u8,
}

impl Dac3 {
    /// The box for a stream of such frames.
    #[must_use]
    pub const fn from_header(header: &Ac3Header) -> Self {
        Self {
            fscod: header.fscod,
            bsid: header.bsid,
            bsmod: header.bsmod,
            acmod: header.acmod,
            lfe: header.lfe,
            bit_rate_code: header.frmsizecod / 2,
        }
    }

    /// Reads the payload (what follows size and type). What follows its three bytes is ignored.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where it is cut off or the rate reserved.
    pub fn parse(payload: &[u8]) -> Result<Self> {
        let mut bits = Bits::new(WHAT, payload);
        let fscod = bits.read::<2>("fscod")? as u8;
        if usize::from(fscod) >= SAMPLE_RATES.len() {
            return bits.malformed("fscod", "reserved");
        }
        let config = Self {
            fscod,
            bsid: bits.read::<5>("bsid")? as u8,
            bsmod: bits.read::<3>("bsmod")? as u8,
            acmod: bits.read::<3>("acmod")? as u8,
            lfe: bits.flag("lfeon")?,
            bit_rate_code: bits.read::<5>("bit_rate_code")? as u8,
        };
        bits.read::<5>("reserved")?;
        Ok(config)
    }

    /// Writes the payload: 3 bytes.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where a value exceeds its field or the rate is reserved.
    pub fn to_bytes(&self) -> Result<Bytes> {
        if usize::from(self.fscod) >= SAMPLE_RATES.len() {
            return Err(CodecError::Unwritable {
                what: WHAT,
                reason: "reserved fscod",
            });
        }
        let mut bits = BitsMut::new(WHAT);
        bits.write::<2>(self.fscod.into())?;
        bits.write::<5>(self.bsid.into())?;
        bits.write::<3>(self.bsmod.into())?;
        bits.write::<3>(self.acmod.into())?;
        bits.write::<1>(self.lfe.into())?;
        bits.write::<5>(self.bit_rate_code.into())?;
        Ok(bits.finish()?.into())
    }

    /// The sampling rate in Hz, halved once for `bsid` 9 and twice for 10.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        let rate = SAMPLE_RATES.get(usize::from(self.fscod)).copied();
        rate.unwrap_or_default() >> u32::from(self.bsid.saturating_sub(8)).min(2)
    }

    /// The channels, low frequency one included.
    #[must_use]
    pub fn channels(&self) -> u8 {
        super::channels(self.acmod, self.lfe)
    }

    /// The duration of each frame: 1536 samples a channel.
    #[must_use]
    pub const fn samples_per_frame(&self) -> u32 {
        6 * BLOCK_SAMPLES
    }

    /// The `codecs` parameter of the stream.
    #[must_use]
    pub const fn codec_string(&self) -> &'static str {
        "ac-3"
    }
}

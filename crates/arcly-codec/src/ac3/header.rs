//! The sync frame header of AC-3 (ETSI TS 102 366 4.3.1, 4.3.2).

use super::bsi::SYNCWORD;
use super::{BLOCK_SAMPLES, SAMPLE_RATES};
use crate::bits::Bits;
use crate::{CodecError, Result};

const WHAT: &str = "AC-3 header";

/// kbit/s by `frmsizecod` / 2 (Table 4.13).
const BIT_RATES: [u16; 19] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
];

/// `bsid` of the base specification; lower ones are compatible, 9 and 10 are half- and quarter-rate variants that decoders know (each step
/// halves sampling and bit rate), higher ones are E-AC-3.
const BSID: u8 = 8;
const MAX_BSID: u8 = 10;

/// The header of an AC-3 sync frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Ac3Header {
    /// `fscod`: 0 for 48, 1 for 44.1, 2 for 32 kHz; see [`sample_rate`](Self::sample_rate).
    pub fscod: u8,
    /// `frmsizecod`, 0 to 37: the bit rate, and in the lowest bit whether a frame at 44.1 kHz has one word more.
    pub frmsizecod: u8,
    /// `bsid`: the version of the bitstream; 8, or 6 for the alternative syntax, 9 and 10 for half and quarter rate.
    pub bsid: u8,
    /// `bsmod`: the kind of service; 0 for a main one.
    pub bsmod: u8,
    /// `acmod`: the full-bandwidth channels; 0 for two programmes, 2 for stereo, 7 for 3/2.
    pub acmod: u8,
    /// `lfeon`: whether there is a low frequency channel.
    pub lfe: bool,
}

impl Ac3Header {
    /// Reads the header at the start of a sync frame. The CRCs are not checked.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where there is no syncword, the header is cut off, or rate or size are reserved;
    /// [`CodecError::Unsupported`] where `bsid` is above 10: E-AC-3, see [`SyncFrame`](super::SyncFrame).
    pub fn parse(data: &[u8]) -> Result<Self> {
        let mut bits = Bits::new(WHAT, data);
        if bits.read::<16>("syncword")? != SYNCWORD {
            return bits.malformed("syncword", "not 0x0b77");
        }
        bits.read::<16>("crc1")?;
        let fscod = bits.read::<2>("fscod")? as u8;
        let frmsizecod = bits.read::<6>("frmsizecod")? as u8;
        let bsid = bits.read::<5>("bsid")? as u8;
        if bsid > MAX_BSID {
            return Err(CodecError::Unsupported {
                what: "AC-3 bsid",
                value: bsid.into(),
            });
        }
        if usize::from(fscod) >= SAMPLE_RATES.len() {
            return bits.malformed("fscod", "reserved");
        }
        if usize::from(frmsizecod / 2) >= BIT_RATES.len() {
            return bits.malformed("frmsizecod", "reserved");
        }
        let bsmod = bits.read::<3>("bsmod")? as u8;
        let acmod = bits.read::<3>("acmod")? as u8;
        if acmod & 1 != 0 && acmod != 1 {
            bits.read::<2>("cmixlev")?;
        }
        if acmod & 4 != 0 {
            bits.read::<2>("surmixlev")?;
        }
        if acmod == 2 {
            bits.read::<2>("dsurmod")?;
        }
        let lfe = bits.flag("lfeon")?;
        Ok(Self {
            fscod,
            frmsizecod,
            bsid,
            bsmod,
            acmod,
            lfe,
        })
    }

    /// The sampling rate in Hz.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        self.full_rate() >> self.halvings()
    }

    /// The bit rate in bit/s.
    #[must_use]
    pub fn bit_rate(&self) -> u32 {
        self.full_bit_rate() >> self.halvings()
    }

    /// The length of the sync frame in bytes: 128 to 3840.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        // Table 4.13, in words of 16 bits: what the bit rate gives in 1536 samples, rounded down; at 44.1 kHz every other frame or so has one
        // more.
        let words = self.full_bit_rate() * 96 / self.full_rate().max(1);
        let odd = self.fscod == 1 && self.frmsizecod & 1 != 0;
        (words as usize + usize::from(odd)) * 2
    }

    /// The duration of the frame: 1536 samples a channel.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        6 * BLOCK_SAMPLES
    }

    /// The channels, low frequency one included: 1 to 6.
    #[must_use]
    pub fn channels(&self) -> u8 {
        super::channels(self.acmod, self.lfe)
    }

    /// The `codecs` parameter of the stream (RFC 6381 3.3): its sample entry.
    #[must_use]
    pub const fn codec_string(&self) -> &'static str {
        "ac-3"
    }

    /// How often rates are halved: once for `bsid` 9, twice for 10.
    const fn halvings(&self) -> u32 {
        self.bsid.saturating_sub(BSID) as u32 & 3
    }

    fn full_rate(&self) -> u32 {
        let rate = SAMPLE_RATES.get(usize::from(self.fscod));
        rate.copied().unwrap_or_default()
    }

    fn full_bit_rate(&self) -> u32 {
        let kbits = BIT_RATES.get(usize::from(self.frmsizecod / 2));
        kbits.map_or(0, |&kbits| u32::from(kbits) * 1000)
    }
}

//! The sync frame header of E-AC-3 (ETSI TS 102 366 E.1.2.1, E.1.2.2).

use super::bsi::{self, SYNCWORD};
use super::{BLOCK_SAMPLES, SAMPLE_RATES};
use crate::bits::Bits;
use crate::{CodecError, Result};

const WHAT: &str = "E-AC-3 header";

/// The versions that are E-AC-3 (E.1.3.1.6).
const BSIDS: std::ops::RangeInclusive<u8> = 11..=16;

/// `strmtyp`: what a sync frame is part of (Table E.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the field's fourth value is reserved and refused"
)]
pub enum StreamType {
    /// A programme of its own (0).
    Independent,
    /// Further channels of the independent substream before it (1).
    Dependent,
    /// A programme that was AC-3 once (2).
    Converted,
}

/// `chanmap`: which places the channels of a dependent substream have (E.1.3.1.8, Table E.1.4). Location 0 is the highest bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it is a bit field")]
pub struct ChannelMap(pub u16);

impl ChannelMap {
    /// The locations that stand for a pair of channels: Lc/Rc, Lrs/Rrs, Lsd/Rsd, Lw/Rw, Vhl/Vhr, Lts/Rts.
    const PAIRS: u16 = bit(5) | bit(6) | bit(9) | bit(10) | bit(11) | bit(13);

    /// How many channels it names.
    #[must_use]
    pub const fn channels(self) -> u8 {
        // 16 locations, six of them pairs.
        (self.0.count_ones() + (self.0 & Self::PAIRS).count_ones()) as u8
    }

    /// How many of its channels the core's 5.1 does not have: left, centre, right, surrounds and the low frequency channel replace the core's.
    #[must_use]
    pub const fn additional_channels(self) -> u8 {
        const CORE: u16 = bit(0) | bit(1) | bit(2) | bit(3) | bit(4) | bit(15);
        Self(self.0 & !CORE).channels()
    }

    /// The same as `chan_loc` of a `dec3` box has it (Table F.6.1): locations 5 to 12 from the lowest bit on, and the second low frequency channel.
    #[must_use]
    pub const fn chan_loc(self) -> u16 {
        let mut out = 0;
        let mut place = 0;
        while place < 8 {
            if self.0 & bit(5 + place) != 0 {
                out |= 1 << place;
            }
            place += 1;
        }
        if self.0 & bit(14) != 0 {
            out |= 1 << 8;
        }
        out
    }

    /// The locations of a `chan_loc`.
    #[must_use]
    pub const fn from_chan_loc(chan_loc: u16) -> Self {
        let mut out = 0;
        let mut place = 0;
        while place < 8 {
            if chan_loc & 1 << place != 0 {
                out |= bit(5 + place);
            }
            place += 1;
        }
        if chan_loc & 1 << 8 != 0 {
            out |= bit(14);
        }
        Self(out)
    }
}

/// The bit of `location`, 0 to 15.
const fn bit(location: u32) -> u16 {
    0x8000 >> location
}

/// The header of an E-AC-3 sync frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Eac3Header {
    /// `strmtyp`.
    pub stream_type: StreamType,
    /// `substreamid`, 0 to 7; independent and dependent substreams are numbered apart.
    pub substream_id: u8,
    /// The length of the sync frame in bytes: 2 to 4096.
    pub frame_bytes: usize,
    /// `fscod`: 0 for 48, 1 for 44.1, 2 for 32 kHz, 3 for half of one of them.
    pub fscod: u8,
    /// The sampling rate in Hz.
    pub sample_rate: u32,
    /// Audio blocks of 256 samples: 1, 2, 3 or 6.
    pub blocks: u8,
    /// `acmod`: the full-bandwidth channels; 0 for two programmes, 2 for stereo, 7 for 3/2.
    pub acmod: u8,
    /// `lfeon`: whether there is a low frequency channel.
    pub lfe: bool,
    /// `bsid`: the version of the bitstream, 11 to 16; 16 as a rule.
    pub bsid: u8,
    /// `bsmod`: the kind of service; 0 for a main one, and where nothing is said.
    pub bsmod: u8,
    /// Where the channels of a dependent substream are, if it says so.
    pub channel_map: Option<ChannelMap>,
    /// The complexity index of joint object coding (Dolby Atmos), 1 to 16, where the stream says that it has that (ETSI TS 103 420 8.3).
    pub joc_complexity: Option<u8>,
}

impl Eac3Header {
    /// Reads the header at the start of a sync frame. The CRC is not checked.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where there is no syncword, the header is cut off, is longer than its frame, or has reserved values;
    /// [`CodecError::Unsupported`] where `bsid` is not E-AC-3's.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let (mut header, mut bits) = Self::parse_fixed(data)?;
        // The frame's length is known now: what stands behind it is not part of the header.
        if let Some(frame) = data.get(..header.frame_bytes) {
            (_, bits) = Self::parse_fixed(frame)?;
        }
        bsi::read(&mut bits, &mut header)?;
        Ok(header)
    }

    /// The fields that are always there, in the first six bytes, and what follows them.
    fn parse_fixed(data: &[u8]) -> Result<(Self, Bits<'_>)> {
        let mut bits = Bits::new(WHAT, data);
        if bits.read::<16>("syncword")? != SYNCWORD {
            return bits.malformed("syncword", "not 0x0b77");
        }
        let stream_type = match bits.read::<2>("strmtyp")? {
            0 => StreamType::Independent,
            1 => StreamType::Dependent,
            2 => StreamType::Converted,
            _ => return bits.malformed("strmtyp", "reserved"),
        };
        let substream_id = bits.read::<3>("substreamid")? as u8;
        let frame_bytes = (bits.read::<11>("frmsiz")? as usize + 1) * 2;
        let fscod = bits.read::<2>("fscod")? as u8;
        let second = bits.read::<2>("numblkscod")? as u8;
        let (rates, shift, blocks) = match (fscod, second) {
            // The second field is `fscod2` then.
            (3, fscod2) => (fscod2, 1, 6),
            (_, 0) => (fscod, 0, 1),
            (_, 1) => (fscod, 0, 2),
            (_, 2) => (fscod, 0, 3),
            _ => (fscod, 0, 6),
        };
        let Some(rate) = SAMPLE_RATES.get(usize::from(rates)) else {
            return bits.malformed("fscod2", "reserved");
        };
        let acmod = bits.read::<3>("acmod")? as u8;
        let lfe = bits.flag("lfeon")?;
        let bsid = bits.read::<5>("bsid")? as u8;
        if !BSIDS.contains(&bsid) {
            return Err(CodecError::Unsupported {
                what: "E-AC-3 bsid",
                value: bsid.into(),
            });
        }
        let header = Self {
            stream_type,
            substream_id,
            frame_bytes,
            fscod,
            sample_rate: rate >> shift,
            blocks,
            acmod,
            lfe,
            bsid,
            bsmod: 0,
            channel_map: None,
            joc_complexity: None,
        };
        Ok((header, bits))
    }

    /// The duration of the frame: 256 to 1536 samples a channel.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.blocks as u32 * BLOCK_SAMPLES
    }

    /// The channels in this substream, low frequency one included: 1 to 6.
    #[must_use]
    pub fn channels(&self) -> u8 {
        super::channels(self.acmod, self.lfe)
    }

    /// The bit rate of the substream in bit/s, if all its frames are as long as this one.
    #[must_use]
    pub const fn bit_rate(&self) -> u64 {
        match self.samples() {
            0 => 0,
            samples => self.frame_bytes as u64 * 8 * self.sample_rate as u64 / samples as u64,
        }
    }

    /// The `codecs` parameter of the stream (RFC 6381 3.3): its sample entry.
    #[must_use]
    pub const fn codec_string(&self) -> &'static str {
        "ec-3"
    }
}

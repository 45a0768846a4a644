//! EC3SpecificBox, `dec3` (ETSI TS 102 366 F.6, ETSI TS 103 420 Annex C).

use super::access_unit::is_dependent;
use super::{AccessUnit, ChannelMap, SAMPLE_RATES, SyncFrame};
use crate::bits::{Bits, BitsMut};
use crate::{CodecError, Result};
use bytes::Bytes;

const WHAT: &str = "dec3";

/// The most independent substreams: `num_ind_sub` has 3 bits.
const MAX_SUBSTREAMS: usize = 8;

/// `data_rate` has 13 bits.
const MAX_DATA_RATE: u64 = 0x1fff;

/// One programme of an E-AC-3 stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct IndependentSubstream {
    /// `fscod`: 0 for 48, 1 for 44.1, 2 for 32 kHz; 3 for half of one of them, which the box does not tell.
    pub fscod: u8,
    /// `bsid`, 5 bits.
    pub bsid: u8,
    /// `asvc`: whether this is an associated service, and not a main one.
    pub associated: bool,
    /// `bsmod`: the kind of service, 3 bits.
    pub bsmod: u8,
    /// `acmod`: the full-bandwidth channels, 3 bits.
    pub acmod: u8,
    /// `lfeon`: whether there is a low frequency channel.
    pub lfe: bool,
    /// `num_dep_sub`: how many dependent substreams extend this one, 4 bits.
    pub dependents: u8,
    /// `chan_loc`: where their channels are, 9 bits; see [`ChannelMap::from_chan_loc`]. Not written without dependents.
    pub chan_loc: u16,
}

impl IndependentSubstream {
    /// The channels, low frequency ones and those of dependent substreams included.
    #[must_use]
    pub fn channels(&self) -> u8 {
        let more = ChannelMap::from_chan_loc(self.chan_loc).additional_channels();
        super::channels(self.acmod, self.lfe) + more
    }
}

/// The payload of a `dec3` box: the config of E-AC-3 in MP4.
///
/// ```
/// use arcly_codec::ac3::Dec3;
///
/// // What ffmpeg writes for 5.1 at 48 kHz.
/// let config = Dec3::parse(&[0x03, 0x00, 0x20, 0x0f, 0x00])?;
/// assert_eq!((config.data_rate, config.sample_rate(), config.channels()), (96, Some(48_000), 6));
/// assert_eq!(config.to_bytes()?.as_ref(), [0x03, 0x00, 0x20, 0x0f, 0x00]);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Dec3 {
    /// `data_rate` of all substreams together, in kbit/s; 13 bits.
    pub data_rate: u16,
    /// The programmes: 1 to 8; the first one is the main one.
    pub substreams: Vec<IndependentSubstream>,
    /// `complexity_index_type_a`, where the stream has joint object coding (Dolby Atmos).
    pub joc_complexity: Option<u8>,
}

impl Dec3 {
    /// The box for a stream of such access units. The data rate is that of this one.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where there is no E-AC-3 in the access unit; [`CodecError::LimitExceeded`] where there are more than 8
    /// programmes or 15 dependent substreams of one.
    pub fn from_access_unit(unit: &AccessUnit) -> Result<Self> {
        let mut substreams: Vec<IndependentSubstream> = Vec::new();
        let mut joc_complexity = None;
        // An access unit in pieces of less than six blocks repeats its substreams: only the first piece is looked at.
        let pieces = unit.frames.iter().enumerate();
        let piece = pieces.take_while(|(at, f)| *at == 0 || !f.starts_access_unit());
        for (_, frame) in piece {
            if let SyncFrame::Eac3(header) = frame {
                joc_complexity = joc_complexity.or(header.joc_complexity);
                if is_dependent(frame) {
                    if let Some(parent) = substreams.last_mut() {
                        parent.dependents = parent.dependents.saturating_add(1);
                        parent.chan_loc |= header.channel_map.map_or(0, ChannelMap::chan_loc);
                    }
                    continue;
                }
            }
            substreams.push(IndependentSubstream::of(frame));
        }
        let bytes: usize = unit.frames.iter().map(SyncFrame::frame_bytes).sum();
        let bits = bytes as u64 * 8 * u64::from(unit.sample_rate());
        let rate = bits / u64::from(unit.samples().max(1)) / 1000;
        let config = Self {
            data_rate: rate.min(MAX_DATA_RATE) as u16,
            substreams,
            joc_complexity,
        };
        if unit.codec_string() != "ec-3" {
            return Err(CodecError::Unwritable {
                what: WHAT,
                reason: "the stream is AC-3",
            });
        }
        config.check().map(|()| config)
    }

    /// Reads the payload (what follows size and type). What follows it is ignored.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where it is cut off.
    pub fn parse(payload: &[u8]) -> Result<Self> {
        let mut bits = Bits::new(WHAT, payload);
        let data_rate = bits.read::<13>("data_rate")? as u16;
        let count = bits.read::<3>("num_ind_sub")? + 1;
        let mut substreams = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let fscod = bits.read::<2>("fscod")? as u8;
            let bsid = bits.read::<5>("bsid")? as u8;
            bits.flag("reserved")?;
            let associated = bits.flag("asvc")?;
            let bsmod = bits.read::<3>("bsmod")? as u8;
            let acmod = bits.read::<3>("acmod")? as u8;
            let lfe = bits.flag("lfeon")?;
            bits.read::<3>("reserved")?;
            let dependents = bits.read::<4>("num_dep_sub")? as u8;
            let chan_loc = if dependents > 0 {
                bits.read::<9>("chan_loc")? as u16
            } else {
                bits.flag("reserved")?;
                0
            };
            substreams.push(IndependentSubstream {
                fscod,
                bsid,
                associated,
                bsmod,
                acmod,
                lfe,
                dependents,
                chan_loc,
            });
        }
        let mut joc_complexity = None;
        if bits.left() >= 16 {
            bits.read::<7>("reserved")?;
            if bits.flag("flag_ec3_extension_type_a")? {
                joc_complexity = Some(bits.read::<8>("complexity_index_type_a")? as u8);
            }
        }
        Ok(Self {
            data_rate,
            substreams,
            joc_complexity,
        })
    }

    /// Writes the payload: 5 bytes for one programme without dependent substreams.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where a value exceeds its field; [`CodecError::LimitExceeded`] where there are not 1 to 8 substreams.
    pub fn to_bytes(&self) -> Result<Bytes> {
        self.check()?;
        let mut bits = BitsMut::new(WHAT);
        bits.write::<13>(self.data_rate.into())?;
        // One to eight, as `check` made sure of.
        bits.write::<3>(self.substreams.len() as u32 - 1)?;
        for substream in &self.substreams {
            bits.write::<2>(substream.fscod.into())?;
            bits.write::<5>(substream.bsid.into())?;
            bits.write::<1>(0)?;
            bits.write::<1>(substream.associated.into())?;
            bits.write::<3>(substream.bsmod.into())?;
            bits.write::<3>(substream.acmod.into())?;
            bits.write::<1>(substream.lfe.into())?;
            bits.write::<3>(0)?;
            bits.write::<4>(substream.dependents.into())?;
            if substream.dependents > 0 {
                bits.write::<9>(substream.chan_loc.into())?;
            } else {
                bits.write::<1>(0)?;
            }
        }
        if let Some(complexity) = self.joc_complexity {
            bits.write::<8>(1)?;
            bits.write::<8>(complexity.into())?;
        }
        Ok(bits.finish()?.into())
    }

    /// The sampling rate in Hz of the main programme; `None` where it is a halved one, which only the frames tell.
    #[must_use]
    pub fn sample_rate(&self) -> Option<u32> {
        let main = self.substreams.first()?;
        SAMPLE_RATES.get(usize::from(main.fscod)).copied()
    }

    /// The channels of the main programme, low frequency ones and those of dependent substreams included.
    #[must_use]
    pub fn channels(&self) -> u8 {
        let main = self.substreams.first();
        main.map_or(0, IndependentSubstream::channels)
    }

    /// The `codecs` parameter of the stream.
    #[must_use]
    pub const fn codec_string(&self) -> &'static str {
        "ec-3"
    }

    fn check(&self) -> Result<()> {
        if self.substreams.is_empty() {
            return Err(CodecError::Unwritable {
                what: WHAT,
                reason: "no independent substream",
            });
        }
        let limit = |what, max| Err(CodecError::LimitExceeded { what, max });
        if self.substreams.len() > MAX_SUBSTREAMS {
            return limit("independent substreams of E-AC-3", MAX_SUBSTREAMS);
        }
        if self.substreams.iter().any(|s| s.dependents > 15) {
            return limit("dependent substreams of E-AC-3", 15);
        }
        Ok(())
    }
}

impl IndependentSubstream {
    /// That of `frame`, without dependents: E-AC-3, or an AC-3 core that E-AC-3 extends.
    fn of(frame: &SyncFrame) -> Self {
        let (fscod, bsid, bsmod, acmod, lfe) = match frame {
            SyncFrame::Ac3(h) => (h.fscod, h.bsid, h.bsmod, h.acmod, h.lfe),
            SyncFrame::Eac3(h) => (h.fscod, h.bsid, h.bsmod, h.acmod, h.lfe),
        };
        Self {
            fscod,
            bsid,
            associated: false,
            bsmod,
            acmod,
            lfe,
            dependents: 0,
            chan_loc: 0,
        }
    }
}

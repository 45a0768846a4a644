//! Sample entries of audio tracks (ISO/IEC 14496-12 12.2.3).

use super::{Description, refused};
use crate::boxes::{BoxWriter, FourCc};
use arcly_core::CodecId;
use arcly_core::codec::aac::AudioSpecificConfig;
use arcly_core::mux::MuxError;
use bytes::Bytes;

/// What headers say about sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sound {
    /// In Hz; also the track's timescale.
    pub(super) sample_rate: u32,
    pub(super) channels: u16,
    /// Bits a sample, where the codec has such a thing; 16 elsewhere.
    pub(super) sample_size: u16,
    pub(super) frame_length: FrameLength,
}

/// How long frames are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameLength {
    /// All this many ticks.
    Fixed(u32),
}

impl FrameLength {
    /// The length of the frame with this payload, in ticks; `None` where it cannot be told.
    pub(super) fn of(self, _payload: &[u8]) -> Option<u32> {
        match self {
            Self::Fixed(ticks) => Some(ticks),
        }
    }
}

impl Sound {
    /// An AudioSampleEntry; `config` writes the codec's own box.
    pub(super) fn write_entry(
        &self,
        kind: &FourCc,
        out: &mut BoxWriter,
        config: impl FnOnce(&mut BoxWriter),
    ) {
        out.plain(kind, |out| {
            out.zeros(6);
            out.u16(1); // data_reference_index
            out.zeros(8);
            out.u16(self.channels);
            out.u16(self.sample_size);
            out.zeros(4);
            out.u32(told_rate(self.sample_rate) << 16);
            config(out);
        });
    }
}

/// The rate as 16 bits. Of higher ones the greatest half, quarter, … that fits, as the mapping of FLAC demands; decoders take the
/// rate from the codec's own box.
fn told_rate(mut rate: u32) -> u32 {
    while rate > u32::from(u16::MAX) {
        rate /= 2;
    }
    rate
}

/// `mp4a` with `esds` (ISO/IEC 14496-14 6.7).
pub(super) fn aac(config: &Bytes) -> Result<Description, MuxError> {
    let parsed = AudioSpecificConfig::parse(config).map_err(refused("AudioSpecificConfig"))?;
    let sample_rate = parsed.output_sample_rate();
    let length = if parsed.short_frames { 960 } else { 1_024 };
    // SBR doubles both, so that frames last whole ticks.
    let ticks = u64::from(length) * u64::from(sample_rate) / u64::from(parsed.sample_rate.max(1));
    let sound = Sound {
        sample_rate,
        channels: parsed.output_channels().into(),
        sample_size: 16,
        frame_length: FrameLength::Fixed(u32::try_from(ticks).unwrap_or(length)),
    };
    Ok(Description::audio(CodecId::Aac, sound, *b"mp4a", |out| {
        write_esds(out, 0x40, Some(config))
    }))
}

/// An `esds` box: the descriptors of ISO/IEC 14496-1 7.2.6. `object_type` is of its Table 5.
fn write_esds(out: &mut BoxWriter, object_type: u8, specific: Option<&[u8]>) {
    const ES: u8 = 3;
    const DECODER_CONFIG: u8 = 4;
    const DECODER_SPECIFIC: u8 = 5;
    const SL_CONFIG: u8 = 6;
    let mut decoder = vec![object_type, 0x15]; // streamType 5: audio
    decoder.extend([0; 11]); // buffer size and bit rates: not known beforehand
    if let Some(specific) = specific {
        put_descriptor(&mut decoder, DECODER_SPECIFIC, specific);
    }
    let mut stream = vec![0; 3]; // ES_ID 0, as files have it; no flags
    put_descriptor(&mut stream, DECODER_CONFIG, &decoder);
    put_descriptor(&mut stream, SL_CONFIG, &[2]); // predefined: MP4
    let mut descriptor = Vec::new();
    put_descriptor(&mut descriptor, ES, &stream);
    out.full(b"esds", 0, 0, |out| out.bytes(&descriptor));
}

/// Appends a descriptor with its tag and its length, of which each byte has seven bits (ISO/IEC 14496-1 8.3.3).
fn put_descriptor(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(tag);
    let length = body.len();
    for shift in [21, 14, 7] {
        if length >> shift != 0 {
            out.push((length >> shift & 0x7f) as u8 | 0x80);
        }
    }
    out.push((length & 0x7f) as u8);
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_lengths_grow_by_seven_bits() {
        for (length, expected) in [
            (0, &[5, 0][..]),
            (127, &[5, 127]),
            (128, &[5, 0x81, 0]),
            (16_384, &[5, 0x81, 0x80, 0]),
        ] {
            let mut out = Vec::new();
            put_descriptor(&mut out, 5, &vec![0; length]);
            assert_eq!(out[..expected.len()], *expected);
            assert_eq!(out.len(), expected.len() + length);
        }
    }

    #[test]
    fn rates_past_16_bits_are_halved() {
        assert_eq!(
            [48_000, 96_000, 192_000, 176_400].map(told_rate),
            [48_000, 48_000, 48_000, 44_100]
        );
    }
}

//! Sample entries of audio tracks (ISO/IEC 14496-12 12.2.3).

use super::{Description, refused};
use crate::boxes::{BoxWriter, FourCc};
use crate::malformed;
use arcly_core::CodecId;
use arcly_core::codec::aac::AudioSpecificConfig;
use arcly_core::codec::ac3::{AccessUnit, Dac3, Dec3, SyncFrame};
use arcly_core::codec::flac::{FrameHeader, StreamInfo};
use arcly_core::codec::mpeg_audio::{Layer, MpegAudioHeader, MpegVersion};
use arcly_core::codec::opus::{OpusHead, PacketInfo, SAMPLE_RATE as OPUS_RATE};
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
    /// As each packet of Opus tells.
    Opus,
    /// As each frame of FLAC tells.
    Flac,
}

impl FrameLength {
    /// The length of the frame with this payload, in ticks; `None` where it cannot be told.
    pub(super) fn of(self, payload: &[u8]) -> Option<u32> {
        match self {
            Self::Fixed(ticks) => Some(ticks),
            Self::Opus => Some(PacketInfo::parse(payload).ok()?.samples()),
            Self::Flac => Some(FrameHeader::parse(payload).ok()?.samples()),
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

/// `Opus` with `dOps` ("Encapsulation of Opus in ISO Base Media File Format" 4.3).
pub(super) fn opus(config: &Bytes) -> Result<Description, MuxError> {
    let head = OpusHead::parse(config).map_err(refused("OpusHead"))?;
    let dops = head.to_dops().map_err(refused("OpusHead"))?;
    let sound = Sound {
        sample_rate: OPUS_RATE,
        channels: head.channels.into(),
        sample_size: 16,
        frame_length: FrameLength::Opus,
    };
    Ok(Description::audio(CodecId::Opus, sound, *b"Opus", |out| {
        out.plain(b"dOps", |out| out.bytes(&dops));
    }))
}

/// `fLaC` with `dfLa` ("Encapsulation of FLAC in ISO Base Media File Format" 3.3).
pub(super) fn flac(config: &Bytes) -> Result<Description, MuxError> {
    let info = StreamInfo::parse(config).map_err(refused("STREAMINFO"))?;
    let dfla = info.to_dfla().map_err(refused("STREAMINFO"))?;
    let is_fixed = info.min_block_size == info.max_block_size;
    let sound = Sound {
        sample_rate: info.sample_rate,
        channels: info.channels.into(),
        sample_size: info.bits_per_sample.into(),
        frame_length: if is_fixed {
            FrameLength::Fixed(info.max_block_size.into())
        } else {
            FrameLength::Flac
        },
    };
    Ok(Description::audio(CodecId::Flac, sound, *b"fLaC", |out| {
        out.plain(b"dfLa", |out| out.bytes(&dfla));
    }))
}

/// `mp4a` with `esds`; the object type is that of ISO/IEC 11172-3 (0x6B), or of ISO/IEC 13818-3 (0x69) at its lower rates.
pub(super) fn mp3(frame: &[u8]) -> Result<Description, MuxError> {
    let header = MpegAudioHeader::parse(frame).map_err(refused("MP3 frame"))?;
    if header.layer != Layer::III {
        return Err(malformed("MP3 frame", "it is of another layer"));
    }
    let object_type = match header.version {
        MpegVersion::Mpeg1 => 0x6b,
        MpegVersion::Mpeg2 | MpegVersion::Mpeg25 => 0x69,
    };
    let sound = Sound {
        sample_rate: header.sample_rate,
        channels: header.channels().into(),
        sample_size: 16,
        frame_length: FrameLength::Fixed(header.samples()),
    };
    Ok(Description::audio(CodecId::Mp3, sound, *b"mp4a", |out| {
        write_esds(out, object_type, None)
    }))
}

/// `ac-3` with `dac3` (ETSI TS 102 366 F.3, F.4).
pub(super) fn ac3(frame: &[u8]) -> Result<Description, MuxError> {
    let SyncFrame::Ac3(header) = SyncFrame::parse(frame).map_err(refused("AC-3 frame"))? else {
        return Err(malformed("AC-3 frame", "it is E-AC-3"));
    };
    let dac3 = Dac3::from_header(&header)
        .to_bytes()
        .map_err(refused("AC-3 frame"))?;
    let sound = Sound {
        sample_rate: header.sample_rate(),
        channels: header.channels().into(),
        sample_size: 16,
        frame_length: FrameLength::Fixed(header.samples()),
    };
    Ok(Description::audio(CodecId::Ac3, sound, *b"ac-3", |out| {
        out.plain(b"dac3", |out| out.bytes(&dac3));
    }))
}

/// `ec-3` with `dec3` (ETSI TS 102 366 F.5, F.6).
pub(super) fn eac3(frame: &[u8]) -> Result<Description, MuxError> {
    let unit = AccessUnit::parse(frame).map_err(refused("E-AC-3 frame"))?;
    let dec3 = Dec3::from_access_unit(&unit).and_then(|config| config.to_bytes());
    let dec3 = dec3.map_err(refused("E-AC-3 frame"))?;
    let sound = Sound {
        sample_rate: unit.sample_rate(),
        channels: unit.channels().into(),
        sample_size: 16,
        frame_length: FrameLength::Fixed(unit.samples()),
    };
    Ok(Description::audio(CodecId::Eac3, sound, *b"ec-3", |out| {
        out.plain(b"dec3", |out| out.bytes(&dec3));
    }))
}

/// What of a frame's header its track's sample entry depends on, as a number that differs where that differs. Cheaper than to make the
/// entry for each frame.
pub(super) fn signature(codec: CodecId, frame: &[u8]) -> Option<u64> {
    let fields = match codec {
        CodecId::Mp3 => {
            let header = MpegAudioHeader::parse(frame).ok()?;
            let rate = u16::try_from(header.sample_rate).ok()?;
            [
                header.version as u16,
                header.layer as u16,
                rate,
                header.channels().into(),
            ]
        }
        CodecId::Ac3 | CodecId::Eac3 => match SyncFrame::parse(frame).ok()? {
            SyncFrame::Ac3(header) => {
                let service = u16::from(header.bsid) << 8 | u16::from(header.bsmod);
                [
                    header.fscod.into(),
                    service,
                    header.acmod.into(),
                    header.lfe.into(),
                ]
            }
            SyncFrame::Eac3(header) => {
                let rate = u16::try_from(header.sample_rate).ok()?;
                let length = u16::from(header.bsid) << 8 | u16::from(header.blocks);
                [rate, length, header.acmod.into(), header.lfe.into()]
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(
        fields
            .iter()
            .fold(0, |all, field| all << 16 | u64::from(*field)),
    )
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

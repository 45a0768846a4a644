//! Audio in tags: configs into the bus's records, frames checked by their sync words.

use super::codec_state::{AccessUnit, CodecState, ConfigSlot, Outcome};
use super::packet::Coded;
use crate::Fault;
use arcly_core::codec::aac::AudioSpecificConfig;
use arcly_core::codec::flac::StreamInfo;
use arcly_core::codec::opus::{OpusHead, PacketInfo};
use bytes::Bytes;

/// AAC: the AudioSpecificConfig, and raw data blocks.
#[derive(Debug, Default)]
pub(super) struct AacState {
    config: ConfigSlot,
}

impl CodecState for AacState {
    fn sequence_start(&mut self, record: &Bytes) -> Result<(), Fault> {
        AudioSpecificConfig::parse(record)?;
        // The record outlives the message, which may be larger: it gets bytes of its own.
        self.config.set(Bytes::copy_from_slice(record));
        Ok(())
    }

    fn coded(&mut self, coded: &Coded) -> Result<Outcome, Fault> {
        Ok(if self.config.is_set() {
            Outcome::Media(AccessUnit::plain(coded.payload.clone()))
        } else {
            Outcome::BeforeConfig
        })
    }

    fn take_config(&mut self) -> Option<Bytes> {
        self.config.take()
    }
}

/// FLAC: the bus has STREAMINFO with the header of its block; tags have `fLaC` before it and perhaps other blocks behind.
#[derive(Debug, Default)]
pub(super) struct FlacState {
    config: ConfigSlot,
}

impl CodecState for FlacState {
    fn sequence_start(&mut self, record: &Bytes) -> Result<(), Fault> {
        self.config.set(StreamInfo::parse(record)?.to_block()?);
        Ok(())
    }

    fn coded(&mut self, coded: &Coded) -> Result<Outcome, Fault> {
        if !self.config.is_set() {
            return Ok(Outcome::BeforeConfig);
        }
        // RFC 9639, 9.1: fifteen bits of sync code.
        check_sync(
            &coded.payload,
            [0xFF, 0xF8],
            [0xFF, 0xFE],
            "FLAC frame without a sync code",
        )?;
        Ok(Outcome::Media(AccessUnit::plain(coded.payload.clone())))
    }

    fn take_config(&mut self) -> Option<Bytes> {
        self.config.take()
    }
}

/// Opus: the OpusHead, and packets. Where there is no head, or an empty one, one is made for the number of channels that a
/// multichannel config or the first packet tells (Enhanced RTMP v2, "ExAudioTagBody": "default to mono/stereo mode").
#[derive(Debug, Default)]
pub(super) struct OpusState {
    config: ConfigSlot,
    channels: Option<u8>,
}

impl CodecState for OpusState {
    fn sequence_start(&mut self, record: &Bytes) -> Result<(), Fault> {
        self.config.set(OpusHead::parse(record)?.to_bytes()?);
        Ok(())
    }

    fn channels(&mut self, count: u8) {
        self.channels = Some(count);
    }

    fn coded(&mut self, coded: &Coded) -> Result<Outcome, Fault> {
        let Ok(packet) = PacketInfo::parse(&coded.payload) else {
            return Err(Fault::Malformed("Opus packet that is none"));
        };
        if !self.config.is_set() {
            let coded_channels = if packet.stereo { 2 } else { 1 };
            let channels = self.channels.unwrap_or(coded_channels).max(1);
            self.config.set(OpusHead::new(channels, 0)?.to_bytes()?);
        }
        Ok(Outcome::Media(AccessUnit::plain(coded.payload.clone())))
    }

    fn take_config(&mut self) -> Option<Bytes> {
        self.config.take()
    }
}

/// A codec that needs no config: each frame has a header, or is nothing but samples.
#[derive(Debug)]
pub(super) struct Framed {
    sync: [u8; 2],
    mask: [u8; 2],
    fault: &'static str,
}

impl Framed {
    /// Eleven set bits (ISO/IEC 11172-3, 2.4.2.3).
    pub(super) const MP3: Self = Self {
        sync: [0xFF, 0xE0],
        mask: [0xFF, 0xE0],
        fault: "MP3 frame without a sync word",
    };
    /// ETSI TS 102 366, 4.4.1.1.
    pub(super) const AC3: Self = Self {
        sync: [0x0B, 0x77],
        mask: [0xFF, 0xFF],
        fault: "AC-3 frame without a sync word",
    };
    /// Anything.
    pub(super) const SAMPLES: Self = Self {
        sync: [0; 2],
        mask: [0; 2],
        fault: "",
    };
}

impl CodecState for Framed {
    /// Says nothing that the frames do not.
    fn sequence_start(&mut self, _: &Bytes) -> Result<(), Fault> {
        Ok(())
    }

    fn coded(&mut self, coded: &Coded) -> Result<Outcome, Fault> {
        if self.mask != [0; 2] {
            check_sync(&coded.payload, self.sync, self.mask, self.fault)?;
        }
        Ok(Outcome::Media(AccessUnit::plain(coded.payload.clone())))
    }

    fn take_config(&mut self) -> Option<Bytes> {
        None
    }
}

fn check_sync(
    payload: &[u8],
    sync: [u8; 2],
    mask: [u8; 2],
    fault: &'static str,
) -> Result<(), Fault> {
    match payload.first_chunk::<2>() {
        Some(&[a, b]) if [a & mask[0], b & mask[1]] == sync => Ok(()),
        _ => Err(Fault::Malformed(fault)),
    }
}

/// The channel count of AudioPacketType MultichannelConfig (Enhanced RTMP v2, "ExAudioTagBody").
pub(super) fn channel_count(body: &[u8]) -> Result<u8, Fault> {
    const NATIVE: u8 = 1;
    const CUSTOM: u8 = 2;
    let malformed = Err(Fault::Malformed("multichannel config is cut short"));
    let Some((&[order, count], rest)) = body.split_first_chunk::<2>() else {
        return malformed;
    };
    let needed = match order {
        NATIVE => 4,
        CUSTOM => usize::from(count),
        _ => 0,
    };
    if rest.len() < needed {
        return malformed;
    }
    if let (NATIVE, Some(&flags)) = (order, rest.first_chunk::<4>())
        && u32::from_be_bytes(flags).count_ones() != u32::from(count)
    {
        return Err(Fault::Malformed(
            "multichannel config names another number of speakers than of channels",
        ));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(state: &mut dyn CodecState, payload: &'static [u8]) -> Result<Outcome, Fault> {
        state.coded(&Coded::audio(Bytes::from_static(payload)))
    }

    fn media(payload: &'static [u8]) -> Result<Outcome, Fault> {
        Ok(Outcome::Media(AccessUnit::plain(Bytes::from_static(
            payload,
        ))))
    }

    #[test]
    fn an_aac_config_is_announced_once_and_again_when_it_changes() {
        let mut state = AacState::default();
        assert_eq!(coded(&mut state, &[0x21]), Ok(Outcome::BeforeConfig));
        for (config, announced) in [
            ([0x12, 0x10], true),
            ([0x12, 0x10], false),
            ([0x11, 0x90], true),
        ] {
            let config = Bytes::copy_from_slice(&config);
            state.sequence_start(&config).expect("valid");
            assert_eq!(state.take_config(), Some(config).filter(|_| announced));
            assert_eq!(coded(&mut state, &[0x21]), media(&[0x21]));
        }
        let broken = state.sequence_start(&Bytes::from_static(&[0xFF]));
        assert!(matches!(broken, Err(Fault::Codec(_))));
    }

    #[test]
    fn flac_configs_lose_their_marker() {
        let info = StreamInfo::new(44_100, 2, 16).expect("valid");
        let mut state = FlacState::default();
        assert_eq!(coded(&mut state, &[0xFF, 0xF8]), Ok(Outcome::BeforeConfig));
        state
            .sequence_start(&info.to_marked_block().expect("valid"))
            .expect("valid");
        assert_eq!(state.take_config(), info.to_block().ok());
        assert_eq!(coded(&mut state, &[0xFF, 0xF9, 1]), media(&[0xFF, 0xF9, 1]));
        let broken = coded(&mut state, &[0xFF, 0xF0, 1]);
        assert!(matches!(broken, Err(Fault::Malformed(_))));
    }

    #[test]
    fn opus_without_a_head_gets_one() {
        let channels = |state: &mut OpusState| {
            let config = state.take_config().expect("a config");
            OpusHead::parse(&config).expect("valid").channels
        };
        let mut state = OpusState::default();
        // CELT, 20 ms, mono and stereo.
        assert_eq!(coded(&mut state, &[0xF8, 1]), media(&[0xF8, 1]));
        assert_eq!(channels(&mut state), 1);
        let mut state = OpusState::default();
        coded(&mut state, &[0xFC, 1]).expect("valid");
        assert_eq!(channels(&mut state), 2);
        let mut state = OpusState::default();
        state.channels(6);
        coded(&mut state, &[0xFC, 1]).expect("valid");
        assert_eq!(channels(&mut state), 6);
        assert!(matches!(coded(&mut state, &[]), Err(Fault::Malformed(_))));
    }

    #[test]
    fn frames_without_their_sync_word_are_malformed() {
        let mp3 = [0xFF, 0xFB, 0x90, 0x64];
        let ac3 = [0x0B, 0x77, 0, 0];
        let coded = |mut state: Framed, bytes: &[u8]| {
            state
                .coded(&Coded::audio(Bytes::copy_from_slice(bytes)))
                .is_ok()
        };
        assert!(coded(Framed::MP3, &mp3) && !coded(Framed::MP3, &ac3));
        assert!(coded(Framed::AC3, &ac3) && !coded(Framed::AC3, &mp3));
        assert!(!coded(Framed::AC3, &[0x0B]) && coded(Framed::SAMPLES, &[0xD5]));
    }

    /// Enhanced RTMP v2, "ExAudioTagBody": channel order, count, then a map or flags.
    #[test]
    fn multichannel_configs() {
        assert_eq!(channel_count(&[0, 6]), Ok(6));
        assert_eq!(channel_count(&[1, 6, 0, 0, 0, 0x3F]), Ok(6));
        assert_eq!(channel_count(&[2, 3, 0, 1, 0xFE]), Ok(3));
        for broken in [
            &[0][..],
            &[1, 6, 0, 0, 0x3F],
            &[1, 5, 0, 0, 0, 0x3F],
            &[2, 3, 0, 1],
        ] {
            assert!(
                matches!(channel_count(broken), Err(Fault::Malformed(_))),
                "{broken:x?}"
            );
        }
    }
}

//! AUDIODATA (FLV, E.4.2): AAC and MP3.

use super::clock::TrackClock;
use super::tag_reader::Outcome;
use crate::Fault;
use arcly_core::CodecId;
use arcly_core::codec::aac::AudioSpecificConfig;
use bytes::Bytes;

/// The audio track of a publication.
#[derive(Debug, Default)]
pub(super) struct AudioTrack {
    pub(super) clock: TrackClock,
    config: Option<Bytes>,
    /// Whether the config was not handed out yet.
    config_is_new: bool,
}

impl AudioTrack {
    /// The config that the next frame is the first to need.
    pub(super) fn take_config(&mut self) -> Option<(CodecId, Bytes)> {
        if !std::mem::take(&mut self.config_is_new) {
            return None;
        }
        self.config.clone().map(|config| (CodecId::Aac, config))
    }

    /// Reads a tag body.
    pub(super) fn read(&mut self, body: &Bytes) -> Result<Outcome<(CodecId, Bytes)>, Fault> {
        let Some(&first) = body.first() else {
            return Ok(Outcome::Empty);
        };
        match first >> 4 {
            2 | 14 => Ok(mp3(&body.slice(1..))),
            10 => self.aac(body),
            format => Err(Fault::Unsupported(unsupported(format))),
        }
    }

    /// AACAUDIODATA (FLV, E.4.2.2).
    fn aac(&mut self, body: &Bytes) -> Result<Outcome<(CodecId, Bytes)>, Fault> {
        let Some(&packet_type) = body.get(1) else {
            return Ok(Outcome::Malformed("AAC tag without a packet type"));
        };
        let payload = body.slice(2..);
        if payload.is_empty() {
            return Ok(Outcome::Empty);
        }
        match packet_type {
            0 => {
                AudioSpecificConfig::parse(&payload)?;
                if self.config.as_ref() != Some(&payload) {
                    // The record outlives the message, which may be larger: it gets bytes of its own.
                    self.config = Some(Bytes::copy_from_slice(&payload));
                    self.config_is_new = true;
                }
                Ok(Outcome::Nothing)
            }
            1 if self.config.is_none() => Ok(Outcome::BeforeConfig),
            1 => Ok(Outcome::Media((CodecId::Aac, payload))),
            _ => Ok(Outcome::Malformed("AAC packet type is neither 0 nor 1")),
        }
    }
}

/// MP3 needs no config: each frame has a header, which starts with eleven set bits (ISO/IEC 11172-3, 2.4.2.3).
fn mp3(payload: &Bytes) -> Outcome<(CodecId, Bytes)> {
    match payload.first_chunk::<2>() {
        None => Outcome::Empty,
        Some(&[0xFF, second]) if second & 0xE0 == 0xE0 => {
            Outcome::Media((CodecId::Mp3, payload.clone()))
        }
        Some(_) => Outcome::Malformed("MP3 frame without a sync word"),
    }
}

/// Why a SoundFormat (FLV, E.4.2.1) is refused.
fn unsupported(format: u8) -> &'static str {
    match format {
        0 => "audio codec linear PCM of the platform's byte order (FLV sound format 0); send AAC",
        1 => "audio codec ADPCM (FLV sound format 1); send AAC",
        3 => "audio codec linear PCM (FLV sound format 3); send AAC",
        4..=6 => "audio codec Nellymoser (FLV sound formats 4 to 6); send AAC",
        7 => "audio codec G.711 A-law (FLV sound format 7); send AAC",
        8 => "audio codec G.711 mu-law (FLV sound format 8); send AAC",
        9 => "Enhanced RTMP audio (FLV sound format 9); send AAC in the legacy form",
        11 => "audio codec Speex (FLV sound format 11); send AAC",
        15 => "device-specific sound (FLV sound format 15); send AAC",
        _ => "audio codec with a reserved FLV sound format; send AAC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = &[0xAF, 0, 0x12, 0x10];

    fn media(payload: &'static [u8]) -> Outcome<(CodecId, Bytes)> {
        Outcome::Media((CodecId::Aac, Bytes::from_static(payload)))
    }

    #[test]
    fn a_sequence_header_is_announced_once_and_again_when_it_changes() {
        let mut track = AudioTrack::default();
        let mut read = |bytes: &'static [u8]| {
            let outcome = track.read(&Bytes::from_static(bytes));
            (outcome, track.take_config().map(|(_, config)| config))
        };
        assert_eq!(read(&[0xAF, 1, 0x21]), (Ok(Outcome::BeforeConfig), None));
        let config = Bytes::from_static(&[0x12, 0x10]);
        assert_eq!(read(HEADER), (Ok(Outcome::Nothing), Some(config)));
        assert_eq!(read(&[0xAF, 1, 0x21]), (Ok(media(&[0x21])), None));
        assert_eq!(read(HEADER), (Ok(Outcome::Nothing), None), "a repetition");
        let changed = Bytes::from_static(&[0x11, 0x90]);
        assert_eq!(
            read(&[0xAF, 0, 0x11, 0x90]),
            (Ok(Outcome::Nothing), Some(changed))
        );
    }

    #[test]
    fn what_cannot_be_read_is_dropped_or_refused() {
        let mut track = AudioTrack::default();
        let mut read = |bytes: &'static [u8]| track.read(&Bytes::from_static(bytes));
        assert_eq!(read(&[]), Ok(Outcome::Empty));
        assert!(matches!(read(&[0xAF]), Ok(Outcome::Malformed(_))));
        assert_eq!(
            read(&[0xAF, 0]),
            Ok(Outcome::Empty),
            "some encoders send an empty header first"
        );
        assert!(matches!(read(&[0xAF, 0, 0xFF]), Err(Fault::Codec(_))));
        assert!(matches!(read(&[0xAF, 7, 1]), Ok(Outcome::Malformed(_))));
        assert!(matches!(read(&[0x2F, 0, 0, 0]), Ok(Outcome::Malformed(_))));
        for format in (0..16).filter(|format| ![2, 10, 14].contains(format)) {
            let body = Bytes::copy_from_slice(&[format << 4, 0, 0]);
            assert!(
                matches!(track.read(&body), Err(Fault::Unsupported(_))),
                "{format}"
            );
        }
    }

    #[test]
    fn mp3_passes_without_a_config() {
        let mut track = AudioTrack::default();
        let frame = Bytes::from_static(&[0xFF, 0xFB, 0x90, 0x64]);
        assert_eq!(
            track.read(&Bytes::from_static(&[0x2F, 0xFF, 0xFB, 0x90, 0x64])),
            Ok(Outcome::Media((CodecId::Mp3, frame)))
        );
        assert_eq!(track.take_config(), None);
    }
}

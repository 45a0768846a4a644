//! VIDEODATA (FLV, E.4.3): H.264.

use super::avc::{AccessUnit, AvcTrack};
use super::clock::TrackClock;
use super::tag_reader::Outcome;
use crate::Fault;
use bytes::Bytes;

/// The video track of a publication.
#[derive(Debug, Default)]
pub(super) struct VideoTrack {
    pub(super) clock: TrackClock,
    avc: AvcTrack,
}

/// Frame types (FLV, E.4.3.1).
mod frame_type {
    pub(super) const KEY: u8 = 1;
    pub(super) const DISPOSABLE_INTER: u8 = 3;
    pub(super) const INFO: u8 = 5;
}

/// The bit that says Enhanced RTMP, where the first byte's rest means something else.
const IS_EX_HEADER: u8 = 0x80;

impl VideoTrack {
    /// The config that the next frame is the first to need.
    pub(super) fn take_config(&mut self) -> Option<Bytes> {
        self.avc.take_config()
    }

    /// Reads a tag body.
    pub(super) fn read(&mut self, body: &Bytes) -> Result<Outcome<AccessUnit>, Fault> {
        let Some(&first) = body.first() else {
            return Ok(Outcome::Empty);
        };
        if first & IS_EX_HEADER != 0 {
            return Err(Fault::Unsupported(
                "Enhanced RTMP video (FourCC codecs); send H.264 in the legacy form",
            ));
        }
        let frame_type = first >> 4;
        if frame_type == frame_type::INFO {
            // A command to the player, such as the end of a seek.
            return Ok(Outcome::Nothing);
        }
        match first & 0x0F {
            7 => self.avc(frame_type, body),
            codec => Err(Fault::Unsupported(unsupported(codec))),
        }
    }

    /// AVCVIDEOPACKET (FLV, E.4.3.2).
    fn avc(&mut self, frame_type: u8, body: &Bytes) -> Result<Outcome<AccessUnit>, Fault> {
        let Some(&[_, packet_type, a, b, c]) = body.first_chunk::<5>() else {
            return Ok(Outcome::Malformed("AVC tag shorter than its header"));
        };
        let payload = body.slice(5..);
        match packet_type {
            // An end of sequence has no payload and says nothing that the next header does not say.
            2 => Ok(Outcome::Nothing),
            _ if payload.is_empty() => Ok(Outcome::Empty),
            0 => {
                self.avc.sequence_header(&payload)?;
                Ok(Outcome::Nothing)
            }
            1 => {
                // CompositionTime: 24 bits, signed.
                let composition_millis = i32::from_be_bytes([a, b, c, 0]) >> 8;
                let outcome = self.avc.access_unit(&payload)?;
                Ok(match outcome {
                    Outcome::Media(unit) => Outcome::Media(AccessUnit {
                        composition_millis,
                        keyframe: unit.keyframe || frame_type == frame_type::KEY,
                        disposable: unit.disposable || frame_type == frame_type::DISPOSABLE_INTER,
                        ..unit
                    }),
                    other => other,
                })
            }
            _ => Ok(Outcome::Malformed("AVC packet type is none of 0, 1 and 2")),
        }
    }
}

/// Why a CodecID (FLV, E.4.3.1) is refused.
fn unsupported(codec: u8) -> &'static str {
    match codec {
        1 => "video codec JPEG (FLV codec id 1); send H.264",
        2 => "video codec Sorenson H.263 (FLV codec id 2); send H.264",
        3 => "video codec Screen video (FLV codec id 3); send H.264",
        4 => "video codec On2 VP6 (FLV codec id 4); send H.264",
        5 => "video codec On2 VP6 with alpha channel (FLV codec id 5); send H.264",
        6 => "video codec Screen video 2 (FLV codec id 6); send H.264",
        12 => "video codec H.265 by the unofficial FLV codec id 12; send H.264",
        _ => "video codec with an FLV codec id that nobody defines; send H.264",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_codecs_are_refused_by_name() {
        for codec in (0..16).filter(|codec| *codec != 7) {
            let body = Bytes::copy_from_slice(&[0x10 | codec, 0, 0, 0, 0, 1]);
            assert!(
                matches!(
                    VideoTrack::default().read(&body),
                    Err(Fault::Unsupported(_))
                ),
                "{codec}"
            );
        }
        let enhanced = Bytes::from_static(b"\x90hvc1\x01");
        assert!(matches!(
            VideoTrack::default().read(&enhanced),
            Err(Fault::Unsupported(_))
        ));
    }

    #[test]
    fn commands_to_the_player_and_ends_of_sequence_are_passed_over() {
        let mut track = VideoTrack::default();
        assert_eq!(
            track.read(&Bytes::from_static(&[0x57, 0])),
            Ok(Outcome::Nothing)
        );
        assert_eq!(
            track.read(&Bytes::from_static(&[0x17, 2, 0, 0, 0])),
            Ok(Outcome::Nothing)
        );
        assert_eq!(
            track.read(&Bytes::from_static(&[0x17, 1, 0, 0, 0])),
            Ok(Outcome::Empty)
        );
        assert_eq!(track.read(&Bytes::new()), Ok(Outcome::Empty));
        assert!(matches!(
            track.read(&Bytes::from_static(&[0x17, 0, 0])),
            Ok(Outcome::Malformed(_))
        ));
        assert_eq!(
            track.read(&Bytes::from_static(&[0x17, 1, 0, 0, 0, 1])),
            Ok(Outcome::BeforeConfig)
        );
    }
}

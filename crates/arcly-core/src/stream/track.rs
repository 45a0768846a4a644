//! The tracks of a stream and what is known of each.

use super::publication::TrackStart;
use super::qos::TrackCounters;
use crate::{CodecId, MediaFrame, MediaKind, TrackId};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// What is known of a stream: its tracks, in the order in which they appeared.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct StreamMetadata {
    /// The tracks.
    pub tracks: Vec<TrackInfo>,
}

impl StreamMetadata {
    /// The first track of a kind.
    #[must_use]
    pub fn first(&self, kind: MediaKind) -> Option<&TrackInfo> {
        self.tracks.iter().find(|track| track.kind == kind)
    }
}

/// What is known of a track. The optional fields are read from its codec config, once that has come, where feature `codec` is
/// on and the codec is known to `arcly-codec`; those of MP3, AC-3, E-AC-3, G.711 and G.722, which have none, from the first frame.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrackInfo {
    /// The track.
    pub id: TrackId,
    /// Its kind.
    pub kind: MediaKind,
    /// Its codec.
    pub codec: CodecId,
    /// The RFC 6381 codec string, as in `avc1.640028`.
    pub codec_string: Option<String>,
    /// Width of the picture as it is to be shown before any aspect correction, in pixels.
    pub width: Option<u32>,
    /// Height of the picture, in pixels.
    pub height: Option<u32>,
    /// Frames a second as the codec config declares them; [`TrackQos::frame_rate`](crate::TrackQos::frame_rate) is the measured rate.
    pub frame_rate: Option<f64>,
    /// Audio channels.
    pub channels: Option<u16>,
    /// Audio samples a second.
    pub sample_rate: Option<u32>,
}

impl TrackInfo {
    fn new(frame: &MediaFrame) -> Self {
        Self {
            id: frame.track,
            kind: frame.kind,
            codec: frame.codec,
            codec_string: None,
            width: None,
            height: None,
            frame_rate: None,
            channels: None,
            sample_rate: None,
        }
    }

    /// What the codec config in `frame` tells. A config that cannot be parsed tells nothing; the output that needs it
    /// will say why it cannot go on.
    fn from_config(frame: &MediaFrame) -> Self {
        let mut info = Self::new(frame);
        #[cfg(feature = "codec")]
        info.read_config(frame);
        #[cfg(not(feature = "codec"))]
        let _ = &mut info;
        info
    }

    #[cfg(feature = "codec")]
    fn read_config(&mut self, frame: &MediaFrame) {
        use super::track_audio::AudioFormat;
        use crate::codec::h264::{AvcDecoderConfig, Sps};
        match frame.codec {
            CodecId::H264 => {
                let Ok(config) = AvcDecoderConfig::parse(&frame.payload) else {
                    return;
                };
                self.codec_string = Some(config.codec_string());
                let Some(Ok(sps)) = config.sps.first().map(|sps| Sps::parse(sps)) else {
                    return;
                };
                self.width = Some(sps.width);
                self.height = Some(sps.height);
                self.frame_rate = sps.frame_rate().map(|rate| rate.as_f64());
            }
            _ => self.set_audio(AudioFormat::from_config(frame.codec, &frame.payload)),
        }
    }

    /// What the track's first frame tells: of most codecs nothing, as their config does.
    fn from_first_frame(frame: &MediaFrame) -> Self {
        let mut info = Self::new(frame);
        #[cfg(feature = "codec")]
        if !frame.is_config() {
            use super::track_audio::AudioFormat;
            info.set_audio(AudioFormat::from_frame(frame.codec, &frame.payload));
        }
        #[cfg(not(feature = "codec"))]
        let _ = &mut info;
        info
    }

    #[cfg(feature = "codec")]
    fn set_audio(&mut self, format: Option<super::track_audio::AudioFormat>) {
        if let Some(format) = format {
            self.codec_string = format.codec_string;
            self.channels = Some(format.channels);
            self.sample_rate = Some(format.sample_rate);
        }
    }
}

/// One track of a live stream.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) id: TrackId,
    pub(super) kind: MediaKind,
    pub(super) counters: TrackCounters,
    pub(super) start: TrackStart,
    info: ArcSwap<TrackInfo>,
}

impl Track {
    pub(super) fn new(frame: &MediaFrame) -> Self {
        Self {
            id: frame.track,
            kind: frame.kind,
            counters: TrackCounters::new(),
            start: TrackStart::new(),
            info: ArcSwap::from_pointee(TrackInfo::from_first_frame(frame)),
        }
    }

    pub(super) fn info(&self) -> Arc<TrackInfo> {
        self.info.load_full()
    }

    pub(super) fn set_config(&self, frame: &MediaFrame) {
        self.info.store(Arc::new(TrackInfo::from_config(frame)));
    }
}

#[cfg(all(test, feature = "codec"))]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// avcC of x264 at 160×120, 25 fps, High; see the golden streams of `arcly-codec`.
    const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\
        \x00\x03\x00\x32\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

    #[test]
    fn a_config_tells_what_a_track_is() {
        let avcc = MediaFrame::new_video(0, 0, Bytes::from_static(AVCC), CodecId::H264, false);
        let video = TrackInfo::from_config(&avcc.into_config());
        assert_eq!(video.codec_string.as_deref(), Some("avc1.64000A"));
        assert!(video.width.is_some_and(|width| width > 0) && video.height.is_some());
        assert_eq!(video.frame_rate, Some(25.0));

        let asc = MediaFrame::new_audio(0, Bytes::from_static(&[0x12, 0x10]), CodecId::Aac);
        let audio = TrackInfo::from_config(&asc.into_config());
        assert_eq!(audio.codec_string.as_deref(), Some("mp4a.40.2"));
        assert_eq!((audio.channels, audio.sample_rate), (Some(2), Some(44_100)));
    }

    #[test]
    fn a_frame_tells_where_the_codec_has_no_config() {
        let mp3 = Bytes::from_static(&[0xff, 0xfb, 0x50, 0x64]);
        let track = Track::new(&MediaFrame::new_audio(0, mp3, CodecId::Mp3));
        let info = track.info();
        assert_eq!(info.codec_string.as_deref(), Some("mp3"));
        assert_eq!((info.channels, info.sample_rate), (Some(2), Some(44_100)));
    }

    #[test]
    fn a_broken_config_tells_nothing_and_harms_nothing() {
        let avcc = MediaFrame::new_video(0, 0, Bytes::from_static(b"?"), CodecId::H264, false);
        assert_eq!(
            TrackInfo::from_config(&avcc.into_config()).codec_string,
            None
        );
    }
}

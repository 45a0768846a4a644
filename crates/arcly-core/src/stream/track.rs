//! The tracks of a stream and what is known of each.

use super::publication::TrackStart;
use super::qos::TrackCounters;
#[cfg(feature = "codec")]
use super::track_audio::AudioFormat;
#[cfg(feature = "codec")]
use super::track_video::VideoFormat;
use crate::{CodecId, MediaFrame, MediaKind, SessionId, TrackId, TrackQos};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// What is known of a track. The optional fields are read from its codec config, or where the codec has none from its
/// frames, once these have come, where feature `codec` is
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

    /// What the codec config in `frame` tells. A config that cannot be parsed tells nothing but the codec; the output that
    /// needs it will say why it cannot go on. Without feature `codec`, none tells more.
    #[must_use]
    pub fn from_config(frame: &MediaFrame) -> Self {
        let mut info = Self::new(frame);
        #[cfg(feature = "codec")]
        {
            info.set_video(VideoFormat::from_config(frame.codec, &frame.payload));
            info.set_audio(AudioFormat::from_config(frame.codec, &frame.payload));
        }
        #[cfg(not(feature = "codec"))]
        let _ = &mut info;
        info
    }

    /// What the media frame `frame` tells of its track: of most codecs nothing but the codec, as their config does. VP8 and
    /// VP9 have their size only in keyframes, AV1 also there; MP3, AC-3 and PCM have no config.
    #[must_use]
    pub fn from_frame(frame: &MediaFrame) -> Self {
        let mut info = Self::new(frame);
        #[cfg(feature = "codec")]
        if !frame.is_config() {
            info.set_video(VideoFormat::from_keyframe(frame.codec, &frame.payload));
            info.set_audio(AudioFormat::from_frame(frame.codec, &frame.payload));
        }
        #[cfg(not(feature = "codec"))]
        let _ = &mut info;
        info
    }

    /// What is known with `keyframe`, a keyframe of the track; `None` where that is nothing new. Its size replaces that of
    /// earlier ones, and what a codec config said besides stays.
    fn with_keyframe(&self, keyframe: &MediaFrame) -> Option<Self> {
        // All others tell it in their config.
        let tells = matches!(keyframe.codec, CodecId::Vp8 | CodecId::Vp9)
            || keyframe.codec == CodecId::Av1 && self.width.is_none();
        if !tells {
            return None;
        }
        let told = Self::from_frame(keyframe);
        let size = (told.width, told.height);
        if told.width.is_none() || size == (self.width, self.height) {
            return None;
        }
        Some(Self {
            codec_string: self.codec_string.clone().or(told.codec_string),
            width: told.width,
            height: told.height,
            frame_rate: self.frame_rate.or(told.frame_rate),
            ..self.clone()
        })
    }

    #[cfg(feature = "codec")]
    fn set_video(&mut self, format: Option<VideoFormat>) {
        if let Some(format) = format {
            self.codec_string = format.codec_string;
            (self.width, self.height) = format.size.unzip();
            self.frame_rate = format.frame_rate;
        }
    }

    #[cfg(feature = "codec")]
    fn set_audio(&mut self, format: Option<AudioFormat>) {
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
    /// The newest session that brought a frame of it, as a number; these grow.
    shown_by: AtomicU64,
    info: ArcSwap<TrackInfo>,
}

impl Track {
    /// The track that `frame` of `session` is the first of.
    pub(super) fn new(frame: &MediaFrame, session: SessionId) -> Self {
        Self {
            id: frame.track,
            kind: frame.kind,
            counters: TrackCounters::new(),
            start: TrackStart::new(),
            shown_by: AtomicU64::new(session.get()),
            info: ArcSwap::from_pointee(TrackInfo::from_frame(frame)),
        }
    }

    /// Whether `session`, or a later one, has brought a frame of it.
    pub(super) fn is_shown_by(&self, session: SessionId) -> bool {
        self.shown_by.load(Ordering::Relaxed) >= session.get()
    }

    pub(super) fn show(&self, session: SessionId) {
        self.shown_by.fetch_max(session.get(), Ordering::Relaxed);
    }

    pub(super) fn info(&self) -> Arc<TrackInfo> {
        self.info.load_full()
    }

    pub(super) fn codec(&self) -> CodecId {
        self.info.load().codec
    }

    pub(super) fn qos(&self) -> TrackQos {
        self.counters.snapshot(self.id, self.kind, self.codec())
    }

    pub(super) fn set_config(&self, frame: &MediaFrame) {
        self.info.store(Arc::new(TrackInfo::from_config(frame)));
    }

    /// Takes the first frame of a publication that goes on with a track without codec config; true where it tells something new. That of
    /// video is in keyframes, see [`learn`](Self::learn).
    pub(super) fn renew(&self, frame: &MediaFrame) -> bool {
        if !frame.is_audio() || frame.is_config() {
            return false;
        }
        let told = TrackInfo::from_frame(frame);
        let is_new = told != **self.info.load();
        if is_new {
            self.info.store(Arc::new(told));
        }
        is_new
    }

    /// Takes a frame; true where it is a keyframe that tells something new of the track.
    pub(super) fn learn(&self, frame: &MediaFrame) -> bool {
        if !frame.is_video() || !frame.is_keyframe() {
            return false;
        }
        let new = self.info.load().with_keyframe(frame);
        new.map(|info| self.info.store(Arc::new(info))).is_some()
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
        let track = Track::new(
            &MediaFrame::new_audio(0, mp3, CodecId::Mp3),
            SessionId::fresh(),
        );
        let info = track.info();
        assert_eq!(info.codec_string.as_deref(), Some("mp3"));
        assert_eq!((info.channels, info.sample_rate), (Some(2), Some(44_100)));
    }

    #[test]
    fn keyframes_tell_their_size_and_when_it_changes() {
        let frame = |width: u8, is_key| {
            let key = [0x10, 0, 0, 0x9d, 0x01, 0x2a, width, 0, 48, 0];
            let payload = Bytes::copy_from_slice(if is_key { &key } else { &[0x11, 0, 0, 0] });
            MediaFrame::new_video(0, 0, payload, CodecId::Vp8, is_key)
        };
        // A publisher whose first frame is not a keyframe.
        let track = Track::new(&frame(64, false), SessionId::fresh());
        assert_eq!(track.info().width, None);
        assert!(!track.learn(&frame(64, false)));
        assert!(track.learn(&frame(64, true)));
        assert_eq!(
            (track.info().width, track.info().height),
            (Some(64), Some(48))
        );
        assert_eq!(track.info().codec_string.as_deref(), Some("vp08.00.10.08"));
        assert!(!track.learn(&frame(64, true)), "nothing new");
        assert!(track.learn(&frame(32, true)));
        assert_eq!(track.info().width, Some(32));
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

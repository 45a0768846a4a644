//! Tags in, frames out.

use super::audio::AudioTrack;
use super::clock::{Clock, Stamp, TrackClock};
use super::script::{self, Script};
use super::tag::TagKind;
use super::video::VideoTrack;
use crate::amf0;
use crate::error::Fault;
use arcly_core::{CodecId, FrameFlags, MediaFrame, MediaKind, Timestamp};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;

/// What came of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// A frame for the bus.
    Frame(MediaFrame),
    /// Something is wrong with the stream, short of ending it. Each kind is said once; [`TagReader::drops`] counts on.
    Notice(Notice),
}

/// What can be wrong with a publisher's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Notice {
    /// Media came before its sequence header and was dropped.
    MediaBeforeConfig(MediaKind),
    /// A tag could not be read and was dropped.
    MalformedTag(MediaKind, &'static str),
    /// A tag held nothing and was dropped.
    EmptyTag(MediaKind),
    /// A timestamp went back by up to a second; the DTS was held.
    TimestampBackwards,
    /// Timestamps jumped back: the source restarted its clock; the timeline goes on with a discontinuity.
    ClockRestarted,
    /// Timestamps jumped forward by more than ten seconds.
    TimestampGap,
    /// Parameter sets in the video changed without a sequence header; a codec config was made from them.
    InBandConfig,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MediaBeforeConfig(kind) => {
                write!(f, "{kind} before its sequence header is dropped")
            }
            Self::MalformedTag(kind, what) => write!(f, "malformed {kind} is dropped: {what}"),
            Self::EmptyTag(kind) => write!(f, "empty {kind} message is dropped"),
            Self::TimestampBackwards => {
                f.write_str("timestamps go back by up to a second; the DTS is held")
            }
            Self::ClockRestarted => {
                f.write_str("timestamps jumped back; the timeline goes on with a discontinuity")
            }
            Self::TimestampGap => f.write_str("timestamps jumped forward by more than 10 s"),
            Self::InBandConfig => {
                f.write_str("parameter sets changed in band, without a sequence header")
            }
        }
    }
}

/// How many tags were dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// Media before its sequence header.
    pub before_config: u64,
    /// Tags that could not be read.
    pub malformed: u64,
    /// Tags without payload.
    pub empty: u64,
}

/// Data tags held until the first media tag says what time it is.
const MAX_HELD_DATA: usize = 4;
/// How the message that describes the stream begins: its name as an AMF0 string.
const ON_META_DATA: &[u8] = b"\x02\x00\x0aonMetaData";

/// Reads the tags of one publication.
///
/// Order of calls: [`read`](Self::read) with each tag in the order of arrival, then [`poll`](Self::poll) until `None`.
///
/// * H.264: the sequence header becomes a config frame (avcC with 4-byte lengths), each access unit a frame with 4-byte
///   NAL unit lengths, without parameter sets, delimiters and filler. Parameter sets that change in band become a config
///   frame of their own.
/// * AAC: the sequence header becomes a config frame (AudioSpecificConfig), each raw block a frame. MP3: each frame a frame.
/// * Script data: a frame of AMF0 on the data track, message name first, `@setDataFrame` taken off.
/// * A config frame comes right before the first media frame that it is for, with its DTS; the first config of a track
///   that starts later than the other comes as soon as the other has a frame, so that outputs know of both tracks. One
///   that repeats the config in force comes not at all. Metadata before the first media comes with the DTS of that.
///
/// Other codecs are refused by an error, since a stream without its picture or its sound would be a silent fault.
#[derive(Debug)]
pub struct TagReader {
    amf: amf0::Limits,
    clock: Clock,
    video: VideoTrack,
    audio: AudioTrack,
    data_clock: TrackClock,
    held_data: Vec<Bytes>,
    items: VecDeque<Item>,
    said: Vec<Notice>,
    drops: Drops,
}

impl TagReader {
    /// A reader whose script data is bounded by `amf`.
    #[must_use]
    pub fn new(amf: amf0::Limits) -> Self {
        Self {
            amf,
            clock: Clock::default(),
            video: VideoTrack::default(),
            audio: AudioTrack::default(),
            data_clock: TrackClock::default(),
            held_data: Vec::new(),
            items: VecDeque::new(),
            said: Vec::new(),
            drops: Drops::default(),
        }
    }

    /// Reads the body of a tag with its timestamp in milliseconds modulo 2^32.
    ///
    /// # Errors
    /// [`Fault::Unsupported`] for a codec that is not carried, [`Fault::Codec`] for a sequence header that no decoder
    /// could use, [`Fault::LimitExceeded`] where script data exceeds a limit. The publication cannot go on.
    pub fn read(&mut self, kind: TagKind, timestamp: u32, body: &Bytes) -> Result<(), Fault> {
        match kind {
            TagKind::Video => self.read_video(timestamp, body),
            TagKind::Audio => self.read_audio(timestamp, body),
            TagKind::Script => self.read_script(timestamp, body),
        }
    }

    /// The next frame or notice, in order.
    #[must_use]
    pub fn poll(&mut self) -> Option<Item> {
        self.items.pop_front()
    }

    /// What was dropped so far.
    #[must_use]
    pub fn drops(&self) -> Drops {
        self.drops
    }

    fn read_video(&mut self, timestamp: u32, body: &Bytes) -> Result<(), Fault> {
        let unit = match self.video.read(body)? {
            Outcome::Media(unit) => unit,
            other => return self.not_media(MediaKind::Video, other, timestamp),
        };
        let stamp = self.place(MediaKind::Video, timestamp);
        if unit.in_band_config {
            self.notice(Notice::InBandConfig);
        }
        if let Some(config) = self.video.take_config() {
            self.push_video_config(stamp.dts(), config);
        }
        if self.audio.clock.is_new()
            && let Some((codec, config)) = self.audio.take_config()
        {
            let dts = self.clock.announce(&mut self.audio.clock, stamp.dts);
            self.push_audio_config(dts, codec, config);
        }
        let (dts, pts) = (stamp.dts(), stamp.pts(unit.composition_millis));
        let mut frame = MediaFrame::new_video(pts, dts, unit.payload, CodecId::H264, unit.keyframe);
        frame.flags.set(FrameFlags::DISPOSABLE, unit.disposable);
        frame
            .flags
            .set(FrameFlags::DISCONTINUITY, stamp.discontinuity);
        self.items.push_back(Item::Frame(frame));
        Ok(())
    }

    fn read_audio(&mut self, timestamp: u32, body: &Bytes) -> Result<(), Fault> {
        let (codec, payload) = match self.audio.read(body)? {
            Outcome::Media(media) => media,
            other => return self.not_media(MediaKind::Audio, other, timestamp),
        };
        let stamp = self.place(MediaKind::Audio, timestamp);
        if let Some((codec, config)) = self.audio.take_config() {
            self.push_audio_config(stamp.dts(), codec, config);
        }
        if self.video.clock.is_new()
            && let Some(config) = self.video.take_config()
        {
            let dts = self.clock.announce(&mut self.video.clock, stamp.dts);
            self.push_video_config(dts, config);
        }
        let mut frame = MediaFrame::new_audio(stamp.dts(), payload, codec);
        frame
            .flags
            .set(FrameFlags::DISCONTINUITY, stamp.discontinuity);
        self.items.push_back(Item::Frame(frame));
        Ok(())
    }

    /// Places a media tag, and lets the metadata go that waited for the first.
    fn place(&mut self, kind: MediaKind, timestamp: u32) -> Stamp {
        let tracks = &mut [&mut self.video.clock, &mut self.audio.clock];
        let track = usize::from(kind == MediaKind::Audio);
        let stamp = self.clock.media(tracks, track, timestamp);
        if let Some(notice) = stamp.notice {
            self.notice(notice);
        }
        for payload in std::mem::take(&mut self.held_data) {
            self.data_clock.hold(stamp.dts);
            self.push_data(stamp.dts(), payload);
        }
        stamp
    }

    fn push_video_config(&mut self, dts: Timestamp, config: Bytes) {
        let frame = MediaFrame::new_video(dts, dts, config, CodecId::H264, false);
        self.items.push_back(Item::Frame(frame.into_config()));
    }

    fn push_audio_config(&mut self, dts: Timestamp, codec: CodecId, config: Bytes) {
        let frame = MediaFrame::new_audio(dts, config, codec);
        self.items.push_back(Item::Frame(frame.into_config()));
    }

    fn push_data(&mut self, pts: Timestamp, payload: Bytes) {
        let is_metadata = payload.starts_with(ON_META_DATA);
        let frame = MediaFrame::new_data(pts, payload, CodecId::Amf0);
        // What describes the stream is for each viewer that joins, not only for those who are there now.
        let frame = if is_metadata {
            frame.into_config()
        } else {
            frame
        };
        self.items.push_back(Item::Frame(frame));
    }

    fn read_script(&mut self, timestamp: u32, body: &Bytes) -> Result<(), Fault> {
        match script::read(body, &self.amf) {
            Ok(Script::Data(payload))
                if !self.clock.has_started() && self.held_data.len() < MAX_HELD_DATA =>
            {
                self.held_data.push(payload);
            }
            Ok(Script::Data(payload)) => {
                let pts = self.clock.data(&mut self.data_clock, timestamp);
                self.push_data(pts, payload);
            }
            Ok(Script::Nothing) => {}
            Err(limit @ Fault::LimitExceeded { .. }) => return Err(limit),
            Err(Fault::Malformed(what) | Fault::Unsupported(what)) => {
                self.drops.malformed += 1;
                self.notice(Notice::MalformedTag(MediaKind::Data, what));
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn not_media<T>(
        &mut self,
        kind: MediaKind,
        outcome: Outcome<T>,
        timestamp: u32,
    ) -> Result<(), Fault> {
        match outcome {
            Outcome::Media(_) => {}
            Outcome::Nothing => match kind {
                MediaKind::Audio => self.clock.header(&mut self.audio.clock, timestamp),
                _ => self.clock.header(&mut self.video.clock, timestamp),
            },
            Outcome::BeforeConfig => {
                self.drops.before_config += 1;
                self.notice(Notice::MediaBeforeConfig(kind));
            }
            Outcome::Empty => {
                self.drops.empty += 1;
                self.notice(Notice::EmptyTag(kind));
            }
            Outcome::Malformed(what) => {
                self.drops.malformed += 1;
                self.notice(Notice::MalformedTag(kind, what));
                // A frame is missing, and others may refer to it.
                match kind {
                    MediaKind::Audio => self.audio.clock.mark_discontinuity(),
                    _ => self.video.clock.mark_discontinuity(),
                }
            }
        }
        Ok(())
    }

    fn notice(&mut self, notice: Notice) {
        if !self.said.contains(&notice) {
            self.said.push(notice);
            self.items.push_back(Item::Notice(notice));
        }
    }
}

/// What a track made of a tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome<T> {
    /// Media.
    Media(T),
    /// A sequence header, or a tag that carries none on purpose.
    Nothing,
    /// Media without a sequence header.
    BeforeConfig,
    /// No payload.
    Empty,
    /// What cannot be read.
    Malformed(&'static str),
}

//! Tags in, frames out.

use super::clock::{Clock, Stamp, TrackClock};
use super::codec_state::{AccessUnit, CodecState, MAX_CONFIG_BYTES, Outcome};
use super::packet::{Coded, Content, Packet, Packets};
use super::script::{self, ON_META_DATA, Script, is_named};
use super::tag::TagKind;
use super::track::Track;
use super::{audio, audio_codecs, video};
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
    /// The tags of some pictures say that they are keyframes, or that they are none, and their bits say otherwise; the bits
    /// were believed.
    WrongKeyframeFlag,
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
            Self::WrongKeyframeFlag => {
                f.write_str("keyframe flags disagree with the pictures, which are believed")
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
/// The room for items that is kept when there are none: a tag has one or two, but for those of many tracks.
const KEPT_ITEMS: usize = 8;
/// The most tracks of a publication, unless [`TagReader::with_max_tracks`] says otherwise.
const MAX_TRACKS: usize = 16;

/// Reads the tags of one publication, in the legacy form and in that of Enhanced RTMP.
///
/// Order of calls: [`read`](Self::read) with each tag in the order of arrival, then [`poll`](Self::poll) until `None`.
///
/// * H.264, H.265, VVC: the sequence header becomes a config frame (the codec's record, with 4-byte lengths), each access unit a
///   frame with 4-byte NAL unit lengths, without parameter sets, delimiters and filler. Parameter sets that change in band
///   become a config frame of their own.
/// * AV1: the sequence header becomes a config frame (av1C), each temporal unit a frame, without temporal delimiter.
///   VP8, VP9: likewise (vpcC), each frame a frame.
/// * AAC: the sequence header becomes a config frame (AudioSpecificConfig), each raw block a frame. Opus: an OpusHead, which is
///   made where the publisher sends none. FLAC: STREAMINFO with the header of its block. MP3, AC-3, E-AC-3, G.711: each
///   frame a frame.
/// * Script data: a frame of AMF0 on the data track, message name first, `@setDataFrame` taken off. So are the metadata
///   packets of the first video track in Enhanced RTMP (`colorInfo`); those of others are passed over.
/// * A config frame comes right before the first media frame that it is for, with its DTS; the first config of a track
///   that starts later than another comes as soon as that has a frame, so that outputs know of both. One
///   that repeats the config in force comes not at all. Metadata before the first media comes with the DTS of that.
/// * Track 0 of Enhanced RTMP's multitrack, and what comes without a number, is [`TrackId::VIDEO`](arcly_core::TrackId::VIDEO) or
///   [`TrackId::AUDIO`](arcly_core::TrackId::AUDIO); video track *n* is track 256 + *n* of the bus, audio track *n* is
///   512 + *n*.
/// * The nanosecond offset of a ModEx packet is added to both times of the tag's frames, exactly. Other ModEx packets are passed
///   over.
/// * Whether a frame is a keyframe, and whether it is disposable, is read from its bits; of H.264, the tag's word counts where
///   the bits leave it open.
///
/// Other codecs are refused by an error, since a stream without its picture or its sound would be a silent fault.
#[derive(Debug)]
pub struct TagReader {
    amf: amf0::Limits,
    max_tracks: usize,
    clock: Clock,
    /// The tracks, by the same index as in the clock.
    tracks: Vec<Track>,
    data_clock: TrackClock,
    held_data: Vec<Bytes>,
    items: VecDeque<Item>,
    said: Vec<Notice>,
    drops: Drops,
}

impl TagReader {
    /// A reader whose script data is bounded by `amf`, for 16 tracks at most.
    #[must_use]
    pub fn new(amf: amf0::Limits) -> Self {
        Self {
            amf,
            max_tracks: MAX_TRACKS,
            clock: Clock::default(),
            tracks: Vec::new(),
            data_clock: TrackClock::default(),
            held_data: Vec::new(),
            items: VecDeque::new(),
            said: Vec::new(),
            drops: Drops::default(),
        }
    }

    /// Sets the most video and audio tracks together, up to 512. Each costs some hundred bytes, its codec config
    /// (64 KiB at most), and what the bus keeps of a track.
    #[must_use]
    pub fn with_max_tracks(mut self, max_tracks: usize) -> Self {
        self.max_tracks = max_tracks;
        self
    }

    /// Reads the body of a tag with its timestamp in milliseconds modulo 2^32.
    ///
    /// # Errors
    /// [`Fault::Unsupported`] for a codec that is not carried, [`Fault::Codec`] for a sequence header that no decoder
    /// could use, [`Fault::LimitExceeded`] where script data, a codec config or the number of tracks exceeds a limit. The
    /// publication cannot go on.
    pub fn read(&mut self, kind: TagKind, timestamp: u32, body: &Bytes) -> Result<(), Fault> {
        match kind {
            TagKind::Video => self.read_media(MediaKind::Video, timestamp, body),
            TagKind::Audio => self.read_media(MediaKind::Audio, timestamp, body),
            TagKind::Script => self.read_script(timestamp, body),
        }
    }

    /// The next frame or notice, in order.
    #[must_use]
    pub fn poll(&mut self) -> Option<Item> {
        let item = self.items.pop_front();
        if item.is_none() && self.items.capacity() > KEPT_ITEMS {
            self.items = VecDeque::new();
        }
        item
    }

    /// What was dropped so far.
    #[must_use]
    pub fn drops(&self) -> Drops {
        self.drops
    }

    fn read_media(&mut self, kind: MediaKind, timestamp: u32, body: &Bytes) -> Result<(), Fault> {
        if body.is_empty() {
            self.empty(kind);
            return Ok(());
        }
        let packets = match kind {
            MediaKind::Audio => audio::packets(body),
            _ => video::packets(body),
        };
        let packets = match packets {
            Ok(packets) => packets,
            Err(fault) => return self.malformed(kind, 0, fault),
        };
        let time = TagTime {
            millis: timestamp,
            nanos: packets.nanos(),
        };
        self.read_packets(kind, time, packets)
    }

    fn read_packets(
        &mut self,
        kind: MediaKind,
        time: TagTime,
        packets: Packets,
    ) -> Result<(), Fault> {
        for packet in packets {
            match packet {
                Ok(packet) => {
                    let track = packet.track;
                    if let Err(fault) = self.read_packet(kind, time, packet) {
                        self.malformed(kind, track, fault)?;
                    }
                }
                // Where the next packet starts is unknown.
                Err(fault) => return self.malformed(kind, 0, fault),
            }
        }
        Ok(())
    }

    fn read_packet(&mut self, kind: MediaKind, time: TagTime, packet: Packet) -> Result<(), Fault> {
        let Packet {
            track,
            codec,
            content,
        } = packet;
        match content {
            // Opus says by this that its channels are told elsewhere (Enhanced RTMP v2, "ExAudioTagBody"); other codecs have
            // nothing to tell.
            Content::SequenceStart(record) if record.is_empty() => {
                if !matches!(
                    codec,
                    CodecId::Opus | CodecId::Mp3 | CodecId::Ac3 | CodecId::Eac3
                ) {
                    self.empty(kind);
                }
            }
            Content::SequenceStart(record) => {
                if record.len() > MAX_CONFIG_BYTES {
                    return Err(Fault::LimitExceeded {
                        what: "bytes of a codec config",
                        max: MAX_CONFIG_BYTES as u64,
                    });
                }
                let index = self.track(kind, track, codec)?;
                self.codec_state(index, codec, |state| state.sequence_start(&record))?;
                self.clock.header(index, time.millis);
            }
            Content::Coded(coded) if coded.payload.is_empty() => self.empty(kind),
            Content::Coded(coded) => {
                let index = self.track(kind, track, codec)?;
                let outcome = self.codec_state(index, codec, |state| state.coded(&coded))?;
                match outcome {
                    Some(Outcome::Media(unit)) => self.media(index, time, &coded, unit),
                    Some(Outcome::BeforeConfig) => {
                        self.drops.before_config += 1;
                        self.notice(Notice::MediaBeforeConfig(kind));
                    }
                    Some(Outcome::Empty) | None => self.empty(kind),
                }
            }
            Content::Channels(body) => {
                let count = audio_codecs::channel_count(&body)?;
                let index = self.track(kind, track, codec)?;
                self.codec_state(index, codec, |state| {
                    state.channels(count);
                    Ok(())
                })?;
            }
            // The data track does not say which track it describes: the first one.
            Content::Metadata(body) if track == 0 => return self.read_script(time.millis, &body),
            Content::Metadata(_) => {}
            // What follows it says so itself.
            Content::SequenceEnd => {}
        }
        Ok(())
    }

    /// The index of a track, which may be new.
    fn track(&mut self, kind: MediaKind, number: u8, codec: CodecId) -> Result<usize, Fault> {
        let known = self
            .tracks
            .iter()
            .position(|track| track.kind == kind && track.number == number);
        if let Some(index) = known {
            return Ok(index);
        }
        if self.tracks.len() >= self.max_tracks {
            return Err(Fault::LimitExceeded {
                what: "tracks",
                max: self.max_tracks as u64,
            });
        }
        self.tracks.push(Track::new(kind, number, codec)?);
        self.clock.add_track();
        Ok(self.tracks.len() - 1)
    }

    fn codec_state<T>(
        &mut self,
        index: usize,
        codec: CodecId,
        use_it: impl FnOnce(&mut dyn CodecState) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        let Some(track) = self.tracks.get_mut(index) else {
            return Ok(None);
        };
        use_it(track.codec(codec)?).map(Some)
    }

    fn media(&mut self, index: usize, time: TagTime, coded: &Coded, unit: AccessUnit) {
        let stamp = self.place(index, time);
        if unit.in_band_config {
            self.notice(Notice::InBandConfig);
        }
        self.push_configs(index, stamp.dts);
        let Some(track) = self.tracks.get(index) else {
            return;
        };
        let (pts, codec) = (stamp.pts(coded.composition), track.codec_id());
        let frame = if track.kind == MediaKind::Audio {
            MediaFrame::new_audio(stamp.dts, unit.payload, codec)
        } else {
            MediaFrame::new_video(pts, stamp.dts, unit.payload, codec, unit.keyframe)
        };
        let mut frame = frame.on_track(track.id);
        frame.flags.set(FrameFlags::DISPOSABLE, unit.disposable);
        frame
            .flags
            .set(FrameFlags::DISCONTINUITY, stamp.discontinuity);
        if frame.is_video() && unit.keyframe != coded.flagged_key {
            self.notice(Notice::WrongKeyframeFlag);
        }
        self.items.push_back(Item::Frame(frame));
    }

    /// Hands out the config of a track that has a frame at `now`, and those of the tracks that have had none.
    fn push_configs(&mut self, index: usize, now: Timestamp) {
        for (other, track) in self.tracks.iter_mut().enumerate() {
            if other != index && !self.clock.is_new(other) {
                continue;
            }
            let Some((codec, config)) = track.take_config() else {
                continue;
            };
            let dts = if other == index {
                now
            } else {
                self.clock.announce(other, now)
            };
            let frame = if track.kind == MediaKind::Audio {
                MediaFrame::new_audio(dts, config, codec)
            } else {
                MediaFrame::new_video(dts, dts, config, codec, false)
            };
            let frame = frame.on_track(track.id).into_config();
            self.items.push_back(Item::Frame(frame));
        }
    }

    /// Places a media tag, and lets the metadata go that waited for the first.
    fn place(&mut self, index: usize, time: TagTime) -> Stamp {
        let stamp = self.clock.media(index, time.millis, time.nanos);
        if let Some(notice) = stamp.notice {
            self.notice(notice);
        }
        for payload in std::mem::take(&mut self.held_data) {
            self.data_clock.hold(stamp.dts);
            self.push_data(stamp.dts, payload);
        }
        stamp
    }

    fn push_data(&mut self, pts: Timestamp, payload: Bytes) {
        let is_metadata = is_named(&payload, ON_META_DATA);
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
            Err(Fault::Malformed(what) | Fault::Unsupported(what)) => {
                self.drops.malformed += 1;
                self.notice(Notice::MalformedTag(MediaKind::Data, what));
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn empty(&mut self, kind: MediaKind) {
        self.drops.empty += 1;
        self.notice(Notice::EmptyTag(kind));
    }

    /// Drops what could not be read; any other fault ends the publication.
    fn malformed(&mut self, kind: MediaKind, number: u8, fault: Fault) -> Result<(), Fault> {
        let Fault::Malformed(what) = fault else {
            return Err(fault);
        };
        self.drops.malformed += 1;
        self.notice(Notice::MalformedTag(kind, what));
        // A frame is missing, and others may refer to it.
        let track = self
            .tracks
            .iter()
            .position(|track| track.kind == kind && track.number == number);
        if let Some(index) = track {
            self.clock.mark_discontinuity(index);
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

/// When a tag is, as it says itself.
#[derive(Clone, Copy, Debug)]
struct TagTime {
    millis: u32,
    nanos: u32,
}

//! Frames in, tags out.

use super::four_cc::{self, FourCc};
use super::script::{COLOR_INFO, is_named};
use super::tag::{Tag, TagHeader, TagKind};
use super::track::track_number;
use super::write_clock::TagTime;
use super::{tag_header, vpx};
use arcly_core::codec::av1::Av1Config;
use arcly_core::codec::opus::{OpusHead, PacketInfo};
use arcly_core::codec::vpc::VpCodec;
use arcly_core::{CodecId, MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId};
use bytes::Bytes;
use std::fmt;

/// In which form tags are written: what the receivers of one writer have in common. Few enough combinations exist for each
/// to have a rendition of its own.
///
/// The default is what every RTMP client since 2008 takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TagForm {
    /// Whether codecs with a FourCC may be sent (Enhanced RTMP). Without it, only H.264, AAC, MP3 and G.711 are.
    pub enhanced: bool,
    /// Whether more than one video and one audio track may be sent (Enhanced RTMP v2, multitrack).
    pub multitrack: bool,
    /// Whether times that are no whole milliseconds come with their nanoseconds (Enhanced RTMP v2, ModEx). All codecs
    /// that have a FourCC are then sent by it.
    pub nano_offset: bool,
    /// Whether metadata is to be kept by the receiver: `@setDataFrame` before `onMetaData`, as publishers send it.
    pub set_data_frame: bool,
}

impl TagForm {
    /// The form that every client takes.
    pub const LEGACY: Self = Self {
        enhanced: false,
        multitrack: false,
        nano_offset: false,
        set_data_frame: false,
    };

    /// Sets [`set_data_frame`](Self::set_data_frame), for writing to a server.
    #[must_use]
    pub const fn for_publishing(mut self) -> Self {
        self.set_data_frame = true;
        self
    }
}

/// Why a frame was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NotCarried {
    /// FLV has no place for the codec, or only with Enhanced RTMP, which the form does not allow.
    Codec(CodecId),
    /// The track is not the first of its kind, and the form does not allow several.
    Track(TrackId),
}

impl fmt::Display for NotCarried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec(codec) => write!(f, "{codec} is not carried in this form of FLV"),
            Self::Track(track) => write!(f, "track {track} is one too many for this form of FLV"),
        }
    }
}

/// Writes the frames of one stream as tags.
///
/// Order of calls: [`write`](Self::write) with each frame in the order of the bus; its tags come out at once. A writer that
/// starts in the middle of a stream is given the configs in force first, as every subscription hands them out.
///
/// * H.264, AAC, MP3 and G.711 go out in the legacy form, which everyone reads, and in that of Enhanced RTMP where the form asks
///   for nanoseconds or the track is not the first of its kind; all others go out in the form of Enhanced RTMP.
/// * [`TrackId::VIDEO`] and [`TrackId::AUDIO`] are track 0, and the tracks that [`TagReader`](super::TagReader) made of
///   numbered ones get their numbers back. Others get the lowest number that is free, in the order in which they come.
/// * Opus, AV1, VP8 and VP9 without a config get one, as receivers expect it.
///
/// ```
/// use arcly_core::{CodecId, MediaFrame};
/// use arcly_rtmp::flv::{TagForm, TagWriter};
/// use bytes::Bytes;
///
/// let mut writer = TagWriter::new(TagForm::LEGACY);
/// let frame = MediaFrame::new_video(80, 40, Bytes::from_static(b"\0\0\0\x02\x65\x88"), CodecId::H264, true);
/// let mut tags = Vec::new();
/// writer.write(&frame, &mut |tag| tags.push(tag))?;
/// assert_eq!(tags[0].timestamp, 40);
/// assert_eq!(*tags[0].header, [0x17, 1, 0, 0, 40]);
/// assert_eq!(tags[0].payload, frame.payload);
/// # Ok::<(), arcly_rtmp::flv::NotCarried>(())
/// ```
#[derive(Debug)]
pub struct TagWriter {
    form: TagForm,
    origin: TimeDelta,
    tracks: Vec<WrittenTrack>,
    clamped: u64,
}

/// What is known of a track that was written.
#[derive(Debug)]
struct WrittenTrack {
    id: TrackId,
    kind: MediaKind,
    number: u8,
    /// Its last DTS, as it was written with nanoseconds.
    last: Option<Timestamp>,
    /// The codec whose config it has.
    configured: Option<CodecId>,
}

impl TagWriter {
    /// A writer of that form.
    #[must_use]
    pub fn new(form: TagForm) -> Self {
        Self {
            form,
            origin: TimeDelta::ZERO,
            tracks: Vec::new(),
            clamped: 0,
        }
    }

    /// Lets the tags count from `origin`. The default is the bus's own zero; frames before the origin wrap below 2^32.
    #[must_use]
    pub fn counting_from(mut self, origin: Timestamp) -> Self {
        self.origin = origin.since(Timestamp::ZERO);
        self
    }

    /// The form.
    #[must_use]
    pub fn form(&self) -> TagForm {
        self.form
    }

    /// How many composition times did not fit 24 bits (139 minutes) and were clamped.
    #[must_use]
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    /// Hands the tags of `frame` to `out`: one in nearly all cases; two where a config had to be made, which comes first;
    /// none for a frame that says nothing in FLV.
    ///
    /// # Errors
    /// [`NotCarried`] where the frame has no place in this form; nothing was handed out, and the writer goes on.
    pub fn write(
        &mut self,
        frame: &MediaFrame,
        out: &mut impl FnMut(Tag),
    ) -> Result<(), NotCarried> {
        match frame.kind {
            MediaKind::Data => self.write_data(frame, out),
            MediaKind::Video | MediaKind::Audio => self.write_media(frame, out),
        }
    }

    fn write_media(
        &mut self,
        frame: &MediaFrame,
        out: &mut impl FnMut(Tag),
    ) -> Result<(), NotCarried> {
        let form = self.form;
        let legacy = four_cc::number(frame.codec).is_some();
        let four_cc = four_cc::of(frame.codec);
        if !legacy && (four_cc.is_none() || !form.enhanced) {
            return Err(NotCarried::Codec(frame.codec));
        }
        let origin = self.origin;
        let track = self.track(frame)?;
        if let Some(config) = track.missing_config(frame) {
            self.write_media(&config, out)?;
            return self.write_media(frame, out);
        }
        let number = (track.number != 0).then_some(track.number);
        // What has a number only in the legacy form stays in it, without nanoseconds.
        let four_cc = four_cc.filter(|_| !legacy || number.is_some() || form.nano_offset);
        if number.is_some() && four_cc.is_none() {
            return Err(NotCarried::Codec(frame.codec));
        }
        let time = track.time(frame, origin, form.nano_offset && four_cc.is_some());
        if frame.is_config() {
            track.configured = Some(frame.codec);
        }
        let (kind, header) = match (frame.kind, four_cc) {
            (MediaKind::Video, Some(four_cc)) => (
                TagKind::Video,
                Some(tag_header::enhanced_video(frame, &time, four_cc, number)),
            ),
            (MediaKind::Video, None) => (TagKind::Video, tag_header::legacy_video(frame, &time)),
            (_, Some(four_cc)) => (
                TagKind::Audio,
                Some(tag_header::enhanced_audio(frame, &time, four_cc, number)),
            ),
            (_, None) => (TagKind::Audio, tag_header::legacy_audio(frame)),
        };
        let header = header.ok_or(NotCarried::Codec(frame.codec))?;
        self.clamped += u64::from(time.clamped);
        out(tag(frame, kind, &time, header));
        Ok(())
    }

    /// The state of the frame's track, which may be new.
    fn track(&mut self, frame: &MediaFrame) -> Result<&mut WrittenTrack, NotCarried> {
        let known = self
            .tracks
            .iter()
            .position(|track| track.id == frame.track && track.kind == frame.kind);
        let index = match known {
            Some(index) => index,
            None => {
                let number = self.free_number(frame)?;
                self.tracks.push(WrittenTrack {
                    id: frame.track,
                    kind: frame.kind,
                    number,
                    last: None,
                    configured: None,
                });
                self.tracks.len() - 1
            }
        };
        self.tracks
            .get_mut(index)
            .ok_or(NotCarried::Track(frame.track))
    }

    fn free_number(&self, frame: &MediaFrame) -> Result<u8, NotCarried> {
        let is_free = |number: u8| {
            let mut tracks = self.tracks.iter();
            !tracks.any(|track| track.kind == frame.kind && track.number == number)
        };
        let number = track_number(frame.kind, frame.track)
            .filter(|&number| is_free(number))
            .or_else(|| (0..=u8::MAX).find(|&number| is_free(number)));
        let several = self.form.enhanced && self.form.multitrack;
        number
            .filter(|&number| number == 0 || several)
            .ok_or(NotCarried::Track(frame.track))
    }

    /// SCRIPTDATA (FLV, E.4.4). What describes the stream is wrapped in the order to keep it, where that is wanted; what
    /// describes the colours of the video goes back to where it came from.
    fn write_data(&self, frame: &MediaFrame, out: &mut impl FnMut(Tag)) -> Result<(), NotCarried> {
        if frame.codec != CodecId::Amf0 {
            return Err(NotCarried::Codec(frame.codec));
        }
        let time = self.shifted(frame);
        if is_named(&frame.payload, COLOR_INFO) {
            if let Some(four_cc) = self.video_four_cc() {
                let header = tag_header::video_metadata(four_cc);
                out(tag(frame, TagKind::Video, &time, header));
            }
            return Ok(());
        }
        let mut header = TagHeader::EMPTY;
        if self.form.set_data_frame && frame.is_config() {
            header.push(b"\x02\x00\x0d@setDataFrame");
        }
        out(tag(frame, TagKind::Script, &time, header));
        Ok(())
    }

    /// The FourCC by which the first video track goes, where it goes by it.
    fn video_four_cc(&self) -> Option<FourCc> {
        let mut tracks = self.tracks.iter();
        let video = tracks.find(|track| track.kind == MediaKind::Video && track.number == 0)?;
        let codec = video.configured?;
        four_cc::of(codec).filter(|_| four_cc::number(codec).is_none() || self.form.nano_offset)
    }

    fn shifted(&self, frame: &MediaFrame) -> TagTime {
        TagTime::millis(frame.dts - self.origin, frame.pts - self.origin)
    }
}

impl WrittenTrack {
    fn time(&mut self, frame: &MediaFrame, origin: TimeDelta, nanos: bool) -> TagTime {
        let (dts, pts) = (frame.dts - origin, frame.pts - origin);
        if !nanos {
            TagTime::millis(dts, pts)
        } else if frame.is_config() {
            // It takes effect with the frame behind it, whose time is settled by then.
            TagTime::nanos(dts, pts, &mut None)
        } else {
            TagTime::nanos(dts, pts, &mut self.last)
        }
    }

    /// The config that goes before `frame`, where its source has none to give.
    fn missing_config(&self, frame: &MediaFrame) -> Option<MediaFrame> {
        if frame.is_config() || self.configured == Some(frame.codec) {
            return None;
        }
        let record = made_config(frame)?;
        let mut config = frame.clone().into_config();
        config.payload = record;
        config.pts = config.dts;
        Some(config)
    }
}

/// The config of a codec whose sources need not have one, from its first frame.
fn made_config(frame: &MediaFrame) -> Option<Bytes> {
    match frame.codec {
        CodecId::Opus => {
            let packet = PacketInfo::parse(&frame.payload).ok()?;
            let channels = if packet.stereo { 2 } else { 1 };
            OpusHead::new(channels, 0).ok()?.to_bytes().ok()
        }
        CodecId::Vp8 => vpx::made_config(VpCodec::Vp8, &frame.payload),
        CodecId::Vp9 => vpx::made_config(VpCodec::Vp9, &frame.payload),
        CodecId::Av1 => {
            let config = Av1Config::from_temporal_unit(&frame.payload).ok()??;
            config.to_bytes().ok()
        }
        _ => None,
    }
}

fn tag(frame: &MediaFrame, kind: TagKind, time: &TagTime, header: TagHeader) -> Tag {
    Tag {
        kind,
        timestamp: time.timestamp,
        header,
        payload: frame.payload.clone(),
        keyframe: frame.is_keyframe(),
        disposable: frame.is_disposable(),
        config: frame.is_config(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Item, TagReader};
    use super::*;
    use crate::amf0;
    use bytes::Bytes;

    fn write(form: TagForm, frame: &MediaFrame) -> Result<Tag, NotCarried> {
        let mut tags = Vec::new();
        TagWriter::new(form).write(frame, &mut |tag| tags.push(tag))?;
        assert_eq!(tags.len(), 1);
        Ok(tags.remove(0))
    }

    fn legacy(frame: &MediaFrame) -> Tag {
        write(TagForm::LEGACY, frame).expect("it is carried")
    }

    /// FLV 10.1, E.4.3.
    #[test]
    fn h264() {
        let config = Bytes::from_static(&[1, 0x64, 0, 0x0d]);
        let config = MediaFrame::new_video(7, 7, config, CodecId::H264, false).into_config();
        let tag = legacy(&config);
        assert_eq!(
            (&*tag.header, tag.timestamp, tag.config),
            (&[0x17, 0, 0, 0, 0][..], 7, true)
        );
        let key = MediaFrame::new_video(107, 40, Bytes::from_static(b"x"), CodecId::H264, true);
        let tag = legacy(&key);
        assert_eq!(&*tag.header, [0x17, 1, 0, 0, 67]);
        assert!(tag.keyframe && !tag.config && tag.kind == TagKind::Video);
        assert_eq!(&*tag.to_body(), [0x17, 1, 0, 0, 67, b'x']);
        let early = MediaFrame::new_video(39, 40, Bytes::new(), CodecId::H264, false);
        assert_eq!(&*legacy(&early).header, [0x27, 1, 0xFF, 0xFF, 0xFF]);
    }

    /// FLV 10.1, E.4.2.
    #[test]
    fn audio() {
        let aac = MediaFrame::new_audio(5, Bytes::from_static(&[0x12, 0x10]), CodecId::Aac);
        assert_eq!(&*legacy(&aac).header, [0xAF, 1]);
        assert_eq!(&*legacy(&aac.into_config()).header, [0xAF, 0]);
        for (header, first) in [
            ([0xFF, 0xFB, 0x90, 0x64], 0x2F), // 44.1 kHz, joint stereo
            ([0xFF, 0xFB, 0x94, 0xC0], 0x2E), // 48 kHz, mono
            ([0xFF, 0xF3, 0x90, 0x00], 0x2B), // 22.05 kHz
            ([0xFF, 0xE3, 0x90, 0x00], 0x27), // 11.025 kHz
            ([0xFF, 0xE3, 0x98, 0xC0], 0xE2), // 8 kHz, mono
        ] {
            let mp3 = MediaFrame::new_audio(0, Bytes::copy_from_slice(&header), CodecId::Mp3);
            assert_eq!(&*legacy(&mp3).header, [first], "{header:x?}");
        }
        let g711 = |codec| legacy(&MediaFrame::new_audio(0, Bytes::new(), codec)).header[0];
        assert_eq!(
            (g711(CodecId::Pcma), g711(CodecId::Pcmu)),
            (7 << 4 | 2, 8 << 4 | 2)
        );
    }

    #[test]
    fn metadata_as_it_is_or_with_the_order_to_keep_it() {
        let payload = Bytes::from_static(b"\x02\x00\x0aonMetaData\x05");
        let metadata = MediaFrame::new_data(3, payload.clone(), CodecId::Amf0);
        let shown = legacy(&metadata.clone().into_config());
        assert_eq!(
            (shown.kind, shown.to_body(), shown.config),
            (TagKind::Script, payload.clone(), true)
        );
        let publishing = TagForm::LEGACY.for_publishing();
        let kept = write(publishing, &metadata.clone().into_config()).expect("carried");
        let mut reader = TagReader::new(amf0::Limits::default());
        reader
            .read(TagKind::Script, 0, &kept.to_body())
            .expect("valid");
        assert!(kept.to_body().starts_with(b"\x02\x00\x0d@setDataFrame"));
        let passing = write(publishing, &metadata).expect("carried");
        assert_eq!(passing.to_body(), payload, "it describes nothing");
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        let klv = MediaFrame::new_data(0, Bytes::new(), CodecId::Klv);
        assert_eq!(
            write(TagForm::LEGACY, &klv),
            Err(NotCarried::Codec(CodecId::Klv))
        );
        let hevc = MediaFrame::new_video(0, 0, Bytes::new(), CodecId::H265, true);
        assert_eq!(
            write(TagForm::LEGACY, &hevc),
            Err(NotCarried::Codec(CodecId::H265))
        );
        let mut writer = TagWriter::new(TagForm::LEGACY);
        let mut write = |track| {
            let frame = MediaFrame::new_audio(0, Bytes::new(), CodecId::Aac).on_track(track);
            writer.write(&frame, &mut |_| ())
        };
        assert_eq!(write(TrackId(9)), Ok(()), "the only one");
        assert_eq!(
            write(TrackId::AUDIO),
            Err(NotCarried::Track(TrackId::AUDIO))
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let frames = [
            MediaFrame::new_audio(0, Bytes::from_static(&[0x12, 0x10]), CodecId::Aac).into_config(),
            MediaFrame::new_audio(0, Bytes::from_static(&[0x21, 7]), CodecId::Aac),
            MediaFrame::new_audio(23, Bytes::from_static(&[0x21, 8]), CodecId::Aac),
        ];
        let mut writer = TagWriter::new(TagForm::LEGACY);
        let mut reader = TagReader::new(amf0::Limits::default());
        for frame in &frames {
            let mut result = Ok(());
            writer
                .write(frame, &mut |tag| {
                    result = reader.read(tag.kind, tag.timestamp, &tag.to_body());
                })
                .expect("carried");
            result.expect("valid");
        }
        let read = std::iter::from_fn(|| reader.poll());
        let read: Vec<_> = read
            .map(|item| match item {
                Item::Frame(frame) => frame,
                Item::Notice(notice) => panic!("{notice}"),
            })
            .collect();
        assert_eq!(read, frames);
    }
}

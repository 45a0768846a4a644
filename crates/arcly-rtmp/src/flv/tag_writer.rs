//! Frames in, tags out.

use super::tag::{Tag, TagHeader, TagKind};
use super::write_clock::TagTime;
use arcly_core::{CodecId, MediaFrame, MediaKind, Timestamp, TrackId};
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
    origin: Timestamp,
    clamped: u64,
}

impl TagWriter {
    /// A writer of that form.
    #[must_use]
    pub fn new(form: TagForm) -> Self {
        Self {
            form,
            origin: Timestamp::ZERO,
            clamped: 0,
        }
    }

    /// Lets the tags count from `origin`. The default is the bus's own zero; frames before the origin wrap below 2^32.
    #[must_use]
    pub fn counting_from(mut self, origin: Timestamp) -> Self {
        self.origin = origin;
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

    /// Hands the tags of `frame` to `out`: one, or none for a frame that says nothing in FLV.
    ///
    /// # Errors
    /// [`NotCarried`] where the frame has no place in this form; nothing was handed out, and the writer goes on.
    pub fn write(
        &mut self,
        frame: &MediaFrame,
        out: &mut impl FnMut(Tag),
    ) -> Result<(), NotCarried> {
        let first = match frame.kind {
            MediaKind::Video => TrackId::VIDEO,
            MediaKind::Audio => TrackId::AUDIO,
            MediaKind::Data => TrackId::DATA,
        };
        if frame.track != first {
            return Err(NotCarried::Track(frame.track));
        }
        let shift = |time: Timestamp| time - (self.origin - Timestamp::ZERO);
        let time = TagTime::millis(shift(frame.dts), shift(frame.pts));
        let (kind, header) = match frame.kind {
            MediaKind::Video => (TagKind::Video, video_header(frame, &time)?),
            MediaKind::Audio => (TagKind::Audio, audio_header(frame)?),
            MediaKind::Data => (TagKind::Script, self.script_header(frame)?),
        };
        self.clamped += u64::from(time.clamped);
        out(Tag {
            kind,
            timestamp: time.timestamp,
            header,
            payload: frame.payload.clone(),
            keyframe: frame.is_keyframe(),
            disposable: frame.is_disposable(),
            config: frame.is_config(),
        });
        Ok(())
    }

    /// SCRIPTDATA (FLV, E.4.4). What describes the stream is wrapped in the order to keep it, where that is wanted.
    fn script_header(&self, frame: &MediaFrame) -> Result<TagHeader, NotCarried> {
        if frame.codec != CodecId::Amf0 {
            return Err(NotCarried::Codec(frame.codec));
        }
        let mut header = TagHeader::EMPTY;
        if self.form.set_data_frame && frame.is_config() {
            header.push(b"\x02\x00\x0d@setDataFrame");
        }
        Ok(header)
    }
}

/// The header of VIDEODATA (FLV, E.4.3): AVCVIDEOPACKET.
fn video_header(frame: &MediaFrame, time: &TagTime) -> Result<TagHeader, NotCarried> {
    const AVC: u8 = 7;
    if frame.codec != CodecId::H264 {
        return Err(NotCarried::Codec(frame.codec));
    }
    let mut header = TagHeader::EMPTY;
    let frame_type = if frame.is_keyframe() || frame.is_config() {
        1
    } else {
        2
    };
    let packet_type = u8::from(!frame.is_config());
    let [_, a, b, c] = if frame.is_config() {
        [0; 4]
    } else {
        time.composition.to_be_bytes()
    };
    header.push(&[frame_type << 4 | AVC, packet_type, a, b, c]);
    Ok(header)
}

/// The header of AUDIODATA (FLV, E.4.2).
fn audio_header(frame: &MediaFrame) -> Result<TagHeader, NotCarried> {
    let mut header = TagHeader::EMPTY;
    match frame.codec {
        // AAC says 44.1 kHz, 16 bits, stereo whatever it is; the AudioSpecificConfig tells (E.4.2.1).
        CodecId::Aac => header.push(&[0xAF, u8::from(!frame.is_config())]),
        CodecId::Mp3 => header.push(&[mp3_sound(&frame.payload)]),
        // 8 kHz has no code; ffmpeg writes 5.5 kHz, 16 bits, mono and readers go by the format.
        CodecId::Pcma => header.push(&[0x72]),
        CodecId::Pcmu => header.push(&[0x82]),
        codec => return Err(NotCarried::Codec(codec)),
    }
    Ok(header)
}

/// SoundFormat, SoundRate, SoundSize and SoundType (FLV, E.4.2.1) for an MP3 frame, from its header
/// (ISO/IEC 11172-3, 2.4.2.3; ISO/IEC 13818-3, 2.4.2.3). Rates that have no code get the next below; players go by the frame.
fn mp3_sound(frame: &[u8]) -> u8 {
    const SIXTEEN_BITS: u8 = 0b10;
    let &[_, second, third, fourth, ..] = frame else {
        return 0x2F;
    };
    let stereo = u8::from(fourth >> 6 != 0b11);
    let rate_index = third >> 2 & 3;
    let (format, rate) = match (second >> 3 & 3, rate_index) {
        // MPEG-1: 44.1, 48, 32 kHz.
        (0b11, 2) => (2, 2),
        (0b11, _) => (2, 3),
        // MPEG-2: 22.05, 24, 16 kHz.
        (0b10, 2) => (2, 1),
        (0b10, _) => (2, 2),
        // MPEG-2.5: 11.025, 12, 8 kHz. 8 kHz has a format of its own.
        (_, 2) => (14, 0),
        (_, _) => (2, 1),
    };
    format << 4 | rate << 2 | SIXTEEN_BITS | stereo
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
        let second = MediaFrame::new_audio(0, Bytes::new(), CodecId::Aac).on_track(TrackId(9));
        assert_eq!(
            write(TagForm::LEGACY, &second),
            Err(NotCarried::Track(TrackId(9)))
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

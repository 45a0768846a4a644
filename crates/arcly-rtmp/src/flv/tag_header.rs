//! The bytes of a tag before the codec's payload: AUDIODATA and VIDEODATA (FLV, E.4.2 and E.4.3), ExAudioTagHeader and
//! ExVideoTagHeader (Enhanced RTMP v2).

use super::four_cc::FourCc;
use super::tag::TagHeader;
use super::write_clock::TagTime;
use arcly_core::{CodecId, MediaFrame};

/// AVCVIDEOPACKET (FLV, E.4.3.2), or `None` for codecs that have no number.
pub(super) fn legacy_video(frame: &MediaFrame, time: &TagTime) -> Option<TagHeader> {
    const AVC: u8 = 7;
    if frame.codec != CodecId::H264 {
        return None;
    }
    let mut header = TagHeader::EMPTY;
    let packet_type = u8::from(!frame.is_config());
    let [_, a, b, c] = if frame.is_config() {
        [0; 4]
    } else {
        time.composition.to_be_bytes()
    };
    header.push(&[frame_type(frame) << 4 | AVC, packet_type, a, b, c]);
    Some(header)
}

/// FrameType (FLV, E.4.3.1). A sequence header is flagged as a keyframe, as it goes with one.
fn frame_type(frame: &MediaFrame) -> u8 {
    if frame.is_keyframe() || frame.is_config() {
        1
    } else {
        2
    }
}

/// AUDIODATA (FLV, E.4.2), or `None` for codecs that have no number.
pub(super) fn legacy_audio(frame: &MediaFrame) -> Option<TagHeader> {
    let mut header = TagHeader::EMPTY;
    match frame.codec {
        // AAC says 44.1 kHz, 16 bits, stereo whatever it is; the AudioSpecificConfig tells (E.4.2.1).
        CodecId::Aac => header.push(&[0xAF, u8::from(!frame.is_config())]),
        CodecId::Mp3 => header.push(&[mp3_sound(&frame.payload)]),
        // 8 kHz has no code; ffmpeg writes 5.5 kHz, 16 bits, mono and readers go by the format.
        // Of rates and channels, which a config tells, FLV has no record.
        CodecId::Pcma | CodecId::Pcmu if frame.is_config() => return None,
        CodecId::Pcma => header.push(&[0x72]),
        CodecId::Pcmu => header.push(&[0x82]),
        _ => return None,
    }
    Some(header)
}

/// A track by its number, where its tags name it.
pub(super) type TrackNumber = Option<u8>;

/// ExVideoTagHeader, and what of ExVideoTagBody comes before the payload.
pub(super) fn enhanced_video(
    frame: &MediaFrame,
    time: &TagTime,
    four_cc: FourCc,
    track: TrackNumber,
) -> TagHeader {
    const MULTITRACK: u8 = 6;
    let has_composition = matches!(frame.codec, CodecId::H264 | CodecId::H265 | CodecId::Vvc);
    let packet_type = match frame.is_config() {
        true => SEQUENCE_START,
        false if has_composition && time.composition == 0 => CODED_FRAMES_X,
        false => CODED_FRAMES,
    };
    let mut header = TagHeader::EMPTY;
    let first = 0x80 | frame_type(frame) << 4;
    let nanos = if frame.is_config() { 0 } else { time.nanos };
    push_packet(
        &mut header,
        first,
        packet_type,
        nanos,
        track,
        MULTITRACK,
        four_cc,
    );
    if frame.is_config() && matches!(frame.codec, CodecId::Vp8 | CodecId::Vp9) {
        // The specification leaves open whether VPCodecConfigurationRecord comes with its version (1) and flags; ffmpeg
        // writes them.
        header.push(&[1, 0, 0, 0]);
    }
    if packet_type == CODED_FRAMES && has_composition {
        let [_, a, b, c] = time.composition.to_be_bytes();
        header.push(&[a, b, c]);
    }
    header
}

/// VideoPacketType Metadata for the first video track.
pub(super) fn video_metadata(four_cc: FourCc) -> TagHeader {
    // The frame type means nothing here; ffmpeg writes a keyframe's.
    let mut header = TagHeader::EMPTY;
    header.push(&[0x90 | METADATA]);
    header.push(&four_cc);
    header
}

/// ExAudioTagHeader, and what of ExAudioTagBody comes before the payload.
pub(super) fn enhanced_audio(
    frame: &MediaFrame,
    time: &TagTime,
    four_cc: FourCc,
    track: TrackNumber,
) -> TagHeader {
    const EX_HEADER: u8 = 9;
    const MULTITRACK: u8 = 5;
    let mut header = TagHeader::EMPTY;
    let first = EX_HEADER << 4;
    if frame.is_config() {
        push_packet(
            &mut header,
            first,
            SEQUENCE_START,
            0,
            track,
            MULTITRACK,
            four_cc,
        );
        if frame.codec == CodecId::Flac {
            // The bus has the block alone, FlacSequenceHeader the marker before it.
            header.push(b"fLaC");
        }
    } else {
        push_packet(
            &mut header,
            first,
            CODED_FRAMES,
            time.nanos,
            track,
            MULTITRACK,
            four_cc,
        );
    }
    header
}

/// VideoPacketType and AudioPacketType.
const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
const CODED_FRAMES_X: u8 = 3;
const METADATA: u8 = 4;
const MOD_EX: u8 = 7;

/// The part that both headers share. `first` is the upper half of the first byte.
fn push_packet(
    header: &mut TagHeader,
    first: u8,
    packet_type: u8,
    nanos: u32,
    track: TrackNumber,
    multitrack: u8,
    four_cc: FourCc,
) {
    let code = if track.is_some() {
        multitrack
    } else {
        packet_type
    };
    if nanos == 0 {
        header.push(&[first | code]);
    } else {
        // modExDataSize − 1, modExData, and TimestampOffsetNano (0) with the type that follows.
        let [_, a, b, c] = nanos.to_be_bytes();
        header.push(&[first | MOD_EX, 2, a, b, c, code]);
    }
    match track {
        Some(number) => {
            // AvMultitrackType OneTrack (0), and the type of its packet.
            header.push(&[packet_type]);
            header.push(&four_cc);
            header.push(&[number]);
        }
        None => header.push(&four_cc),
    }
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

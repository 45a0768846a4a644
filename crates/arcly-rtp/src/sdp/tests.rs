use super::*;
use crate::payload::AacFormat;
use crate::payload::aac::AuHeaderLayout;
use arcly_codec::pcm::{PcmCodec, PcmFormat};
use bytes::Bytes;
use proptest::prelude::*;

/// avcC of x264 at 160×120, High; see the golden streams of `arcly-codec`.
const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\
    \x00\x03\x00\x32\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

fn formats() -> Vec<PayloadFormat> {
    let mut constant = AacFormat::high_bit_rate(44_100, 1, Some(Bytes::from_static(&[0x12, 0x10])));
    constant.layout = AuHeaderLayout {
        constant_size: 200,
        auxiliary_data_size_length: 8,
        random_access_indication: true,
        ..AuHeaderLayout::default()
    };
    let pcm =
        |codec, rate, channels| PayloadFormat::Pcm(PcmFormat::new(codec, rate, channels).unwrap());
    let asc = Some(Bytes::from_static(&[0x12, 0x10]));
    vec![
        PayloadFormat::H264 {
            packetization_mode: 1,
            config: Some(Bytes::from_static(AVCC)),
        },
        PayloadFormat::H264 {
            packetization_mode: 0,
            config: None,
        },
        PayloadFormat::Av1 { config: None },
        PayloadFormat::Vp8,
        PayloadFormat::Vp9 { profile: 2 },
        PayloadFormat::Mjpeg,
        PayloadFormat::Aac(AacFormat::high_bit_rate(44_100, 2, asc.clone())),
        PayloadFormat::Aac(AacFormat::low_bit_rate(44_100, 2, asc)),
        PayloadFormat::Latm {
            clock_rate: 44_100,
            in_band: false,
            mux_config: Some(Bytes::from_static(&[0x40, 0, 0x24, 0x20])),
        },
        PayloadFormat::Aac(constant),
        PayloadFormat::Opus { channels: 1 },
        PayloadFormat::Opus { channels: 2 },
        pcm(PcmCodec::Pcmu, 8_000, 1),
        pcm(PcmCodec::Pcma, 16_000, 1),
        pcm(PcmCodec::G722, 16_000, 1),
        pcm(PcmCodec::L16, 48_000, 2),
        pcm(PcmCodec::L16, 44_100, 1),
        PayloadFormat::Mp3,
        PayloadFormat::Ac3 {
            clock_rate: 48_000,
            channels: 6,
        },
        PayloadFormat::Eac3 {
            clock_rate: 32_000,
            channels: 2,
        },
        PayloadFormat::Klv { clock_rate: 90_000 },
        PayloadFormat::MpegTs,
    ]
}

#[test]
fn formats_are_read_as_they_were_written() {
    let mut session = SessionDescription::default();
    for (index, format) in formats().into_iter().enumerate() {
        let number = format.static_payload_type().unwrap_or(96 + index as u8);
        let kind = MediaType::Other("any".to_owned());
        let mut media = MediaDescription::new(kind, number, format);
        media.control = Some(format!("trackID={index}"));
        session.media.push(media);
    }
    let read = SessionDescription::parse(session.to_string().as_bytes()).unwrap();
    for (read, written) in read.media.iter().zip(&session.media) {
        assert_eq!(read.preferred(), written.preferred());
        assert_eq!(read.control, written.control);
    }
    assert_eq!(read.media.len(), session.media.len());
}

/// What ffmpeg and GStreamer want to read, to the letter.
#[test]
fn a_description_is_written_in_the_order_of_the_grammar() {
    let mut session = SessionDescription {
        origin: Origin::new(7, 1, "192.0.2.1"),
        name: "live/cam\r\nm=evil 0 X 0".to_owned(),
        control: Some("*".to_owned()),
        range: Some("npt=now-".to_owned()),
        ..SessionDescription::default()
    };
    let all = formats();
    let mut video = MediaDescription::new(MediaType::Video, 96, all[0].clone());
    video.control = Some("trackID=0".to_owned());
    let mut audio = MediaDescription::new(MediaType::Audio, 101, all[6].clone());
    audio.direction = Some(Direction::SendOnly);
    audio.packet_time = Some(20);
    session.media = vec![video, audio];
    let expected = "v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=live/cam  m=evil 0 X 0\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
        a=control:*\r\na=range:npt=now-\r\n\
        m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
        a=fmtp:96 packetization-mode=1;profile-level-id=64000A;sprop-parameter-sets=Z2QACqzZQo2wEQAAAwABAAADADIPFCmW,aOvjyyLA\r\n\
        a=control:trackID=0\r\n\
        m=audio 0 RTP/AVP 101\r\na=rtpmap:101 MPEG4-GENERIC/44100/2\r\n\
        a=fmtp:101 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1210\r\n\
        a=ptime:20\r\na=sendonly\r\n";
    assert_eq!(session.to_string(), expected);
}

#[test]
fn what_is_not_read_has_no_format() {
    let none = |encoding, fmtp| PayloadFormat::parse(encoding, 90_000, None, fmtp).is_none();
    assert!(none("H264", "packetization-mode=2"));
    assert!(none("MPEG4-GENERIC", "mode=CELP-cbr"));
    assert!(none("MPEG4-GENERIC", "streamtype=4"));
    assert!(none("MPEG4-GENERIC", "sizelength=200"));
    assert!(none("vnd.onvif.metadata", ""));
    assert!(none("", ""));
}

/// RFC 7798 7.1 and RFC 7587 7: names in any case, blanks, quotes.
#[test]
fn parameters_are_found_however_they_are_written() {
    let h265 = PayloadFormat::parse("h265", 90_000, None, "Sprop-Max-Don-Diff = \"2\" ; x");
    let donl = PayloadFormat::H265 {
        donl: true,
        config: None,
    };
    assert_eq!(h265, Some(donl));
    let opus = PayloadFormat::parse("Opus", 48_000, Some(2), "stereo=1; sprop-stereo=0");
    assert_eq!(opus, Some(PayloadFormat::Opus { channels: 1 }));
}

/// Found by fuzzing: a name that ends in what is written as spaces would be another one when it is read again.
#[test]
fn control_characters_are_spaces() {
    let session = SessionDescription::parse(b"v=0\r\na=control\x01:track\x7f1\r\n").unwrap();
    assert_eq!(session.control.as_deref(), Some("track 1"));
}

#[test]
fn without_a_line_of_sdp_it_is_none() {
    for bytes in [&b""[..], b"<html>", b"RTSP/1.0 200 OK\r\n\r\n", b"0=\n"] {
        assert!(SessionDescription::parse(bytes).is_err(), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_lines_are_read_and_can_be_written(
        lines in prop::collection::vec(
            ("[a-z]{0,2}", prop_oneof![
                "[ -~]{0,40}",
                "(rtpmap|fmtp|control|ptime|range|recvonly):?[0-9]{0,3} ?[a-zA-Z0-9/=;-]{0,30}",
                "(video|audio|x) [0-9/]{0,6} RTP/AVP( [0-9]{1,3}){0,5}",
            ]), 0..30)
    ) {
        let text: String = lines.iter().map(|(kind, value)| format!("{kind}={value}\r\n")).collect();
        if let Ok(session) = SessionDescription::parse(text.as_bytes()) {
            let written = session.to_string();
            let again = SessionDescription::parse(written.as_bytes()).unwrap();
            prop_assert_eq!(again.media.len(), session.media.len());
            prop_assert_eq!(again.to_string(), written);
        }
    }
}

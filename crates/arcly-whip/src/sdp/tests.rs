//! Offers as clients write them, what is answered, and what is refused.

use super::*;
use crate::transport::{Carrier, IceCredentials};
use arcly_core::rtp::RtpTrack;
use arcly_core::rtp::payload::PayloadFormat;
use arcly_core::{CodecId, MediaKind, TrackId};
use proptest::prelude::*;

const FINGERPRINT: &str = "sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F";

fn transport(setup: &str) -> String {
    format!(
        "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:{FINGERPRINT}\r\na=setup:{setup}\r\n"
    )
}

/// In the order and with the lines of Chromium 156 (shortened to two codecs), Opus first.
fn chromium(direction: &str) -> String {
    let transport = transport("actpass");
    format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS stream\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 63 8\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n{transport}a=ice-options:trickle\r\na=mid:0\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
         a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:8 PCMA/8000\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n{transport}a=ice-options:trickle\r\na=mid:1\r\n\
         a=extmap:14 urn:ietf:params:rtp-hdrext:toffset\r\na=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\na=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
         a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 transport-cc\r\na=rtcp-fb:96 ccm fir\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n\
         a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
         a=rtpmap:102 H264/90000\r\na=rtcp-fb:102 nack\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r\n\
         a=rtpmap:103 H264/90000\r\na=rtcp-fb:103 nack\r\na=rtcp-fb:103 nack pli\r\na=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
         a=rtpmap:104 ulpfec/90000\r\n"
    )
}

/// In the way of aiortc: line feeds with carriage returns, candidates inside, static payload types, one transport a section.
fn aiortc() -> String {
    let candidate =
        "a=candidate:1 1 udp 2130706431 192.0.2.7 41234 typ host\r\na=end-of-candidates\r\n";
    let transport = transport("actpass");
    format!(
        "v=0\r\no=- 3955 3955 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=msid-semantic:WMS *\r\n\
         m=audio 41234 UDP/TLS/RTP/SAVPF 96 0 8\r\nc=IN IP4 192.0.2.7\r\na=sendonly\r\na=mid:0\r\na=rtcp-mux\r\na=ssrc:1 cname:x\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n{candidate}{transport}\
         m=video 41234 UDP/TLS/RTP/SAVPF 97 98\r\nc=IN IP4 192.0.2.7\r\na=sendonly\r\na=mid:1\r\na=rtcp-mux\r\na=rtpmap:97 VP8/90000\r\na=rtcp-fb:97 nack\r\na=rtcp-fb:97 nack pli\r\na=rtpmap:98 rtx/90000\r\na=fmtp:98 apt=97\r\n{candidate}{transport}"
    )
}

/// In the way of GStreamer's `webrtcbin`: names as `mid`, H.264 without parameters, further sections `bundle-only`.
fn gstreamer() -> String {
    let transport = transport("actpass");
    format!(
        "v=0\r\no=- 1188 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-options:trickle\r\na=group:BUNDLE video0 audio1\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n{transport}a=rtcp-mux\r\na=rtcp-rsize\r\na=recvonly\r\na=rtpmap:96 H264/90000\r\na=rtcp-fb:96 nack pli\r\na=mid:video0\r\n\
         m=audio 0 UDP/TLS/RTP/SAVPF 97\r\nc=IN IP4 0.0.0.0\r\n{transport}a=bundle-only\r\na=rtcp-mux\r\na=recvonly\r\na=rtpmap:97 OPUS/48000/2\r\na=mid:audio1\r\n"
    )
}

fn local() -> LocalTransport {
    LocalTransport {
        ice: IceCredentials {
            ufrag: "ours".to_owned(),
            pwd: "9876543210987654321098".to_owned(),
        },
        fingerprint: FINGERPRINT.parse().unwrap(),
        is_ice_lite: false,
        addresses: vec![
            (Carrier::Udp, "192.0.2.1:8189".parse().unwrap()),
            (Carrier::Tcp, "192.0.2.1:8189".parse().unwrap()),
        ],
    }
}

fn track(id: TrackId, codec: CodecId, format: PayloadFormat) -> WatchedTrack {
    let kind = match id {
        TrackId::VIDEO => MediaKind::Video,
        _ => MediaKind::Audio,
    };
    WatchedTrack {
        rtp: RtpTrack::with_format(id, kind, codec, 96, format),
        ssrc: 1_000 + u32::from(id.0),
        retransmission_ssrc: 2_000 + u32::from(id.0),
    }
}

fn h264() -> WatchedTrack {
    let format = PayloadFormat::H264 {
        packetization_mode: 1,
        config: None,
    };
    track(TrackId::VIDEO, CodecId::H264, format)
}

fn opus() -> WatchedTrack {
    let format = PayloadFormat::Opus { channels: 2 };
    track(TrackId::AUDIO, CodecId::Opus, format)
}

fn lines<'a>(answer: &'a Answer, start: &str) -> Vec<&'a str> {
    let lines = answer.as_str().split("\r\n");
    lines.filter(|line| line.starts_with(start)).collect()
}

#[test]
fn what_chromium_sends_is_taken_in_each_codec_that_is_known() {
    let offer = Offer::parse(&chromium("sendonly")).unwrap();
    let (media, answer) = accept_publisher(&offer, &local(), 7).unwrap();
    assert_eq!(media.len(), 2);
    let types = |media: &PublishedMedia| {
        let codecs = media.codecs.iter();
        codecs
            .map(|codec| (codec.payload_type, codec.retransmission))
            .collect::<Vec<_>>()
    };
    assert_eq!(types(&media[0]), [(111, None), (8, None)]);
    assert_eq!(types(&media[1]), [(96, Some(97)), (102, None), (103, None)]);
    assert!(media[1].codecs[0].nack && media[1].codecs[0].pli && media[1].codecs[0].fir);
    assert_eq!(media[1].transport_cc_extension, Some(3));
    assert_eq!(
        lines(&answer, "m="),
        [
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 8",
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103"
        ]
    );
    assert_eq!(lines(&answer, "a=group"), ["a=group:BUNDLE 0 1"]);
    assert_eq!(lines(&answer, "a=setup"), ["a=setup:passive"; 2]);
    assert_eq!(lines(&answer, "a=recvonly").len(), 2);
    assert_eq!(
        lines(&answer, "a=candidate"),
        [
            "a=candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host",
            "a=candidate:2 1 tcp 1526726399 192.0.2.1 8189 typ host tcptype passive"
        ],
        "once, as all is bundled"
    );
    assert!(lines(&answer, "a=rtcp-fb:96 goog-remb").is_empty());
    assert!(
        lines(&answer, "a=extmap-allow-mixed").is_empty(),
        "we read one-byte headers"
    );
    // Each answer reads as a description does.
    assert_eq!(Offer::parse(answer.as_str()).unwrap().candidates.len(), 2);
}

#[test]
fn a_viewer_gets_the_streams_codec_and_the_rest_is_rejected() {
    let offer = Offer::parse(&chromium("recvonly")).unwrap();
    let (media, notices, answer) = accept_viewer(&offer, &[h264(), opus()], &local(), 7).unwrap();
    let types: Vec<_> = media.iter().map(|media| media.payload_type).collect();
    assert_eq!(types, [111, 103], "fragments need packetization mode 1");
    assert_eq!(notices, [""; 0]);
    assert_eq!(lines(&answer, "a=sendonly").len(), 2);
    assert_eq!(
        lines(&answer, "a=msid:7 ").len(),
        2,
        "one stream, so that they are kept in step"
    );

    let aac = track(
        TrackId::AUDIO,
        CodecId::Aac,
        PayloadFormat::Opus { channels: 2 },
    );
    let (media, notices, answer) =
        accept_viewer(&offer, &[h264(), aac.clone()], &local(), 7).unwrap();
    assert_eq!(media.len(), 1);
    assert!(notices[0].contains("AAC"), "{notices:?}");
    assert_eq!(
        lines(&answer, "m=audio"),
        ["m=audio 0 UDP/TLS/RTP/SAVPF 111 63 8"]
    );
    assert_eq!(lines(&answer, "a=group"), ["a=group:BUNDLE 1"]);
    assert_eq!(
        lines(&answer, "a=candidate").len(),
        2,
        "in the section that is there"
    );

    let nothing = accept_viewer(&offer, &[aac], &local(), 7).unwrap_err();
    assert!(matches!(&nothing, SdpError::Unacceptable(reason) if reason.contains("AAC")));
}

#[test]
fn other_clients_are_understood() {
    let offer = Offer::parse(&aiortc()).unwrap();
    let (media, _) = accept_publisher(&offer, &local(), 7).unwrap();
    assert_eq!(media[0].codecs.len(), 3);
    assert_eq!(media[1].codecs[0].retransmission, Some(98));
    assert_eq!(offer.candidates.len(), 2);

    let offer = Offer::parse(&gstreamer()).unwrap();
    let (media, _, answer) = accept_viewer(&offer, &[h264(), opus()], &local(), 7).unwrap();
    assert_eq!(media.len(), 2, "H.264 without a mode is read all the same");
    assert_eq!(lines(&answer, "a=group"), ["a=group:BUNDLE video0 audio1"]);
}

#[test]
fn simulcast_layers_are_named_in_order() {
    let simulcast = chromium("sendonly")
        + "a=rid:h send\r\na=rid:m send\r\na=rid:l send\r\na=simulcast:send h;~m,x;l\r\n";
    let offer = Offer::parse(&simulcast).unwrap();
    let (media, answer) = accept_publisher(&offer, &local(), 7).unwrap();
    assert_eq!(media[1].layers, ["h", "m", "l"]);
    assert_eq!(lines(&answer, "a=simulcast"), ["a=simulcast:recv h;m;l"]);
    assert_eq!(lines(&answer, "a=rid").len(), 3);
}

#[test]
fn sections_have_names_of_their_own() {
    for mid in ["0", "a b", ""] {
        let offer = chromium("sendonly").replace("a=mid:1\r\n", &format!("a=mid:{mid}\r\n"));
        let refused = Offer::parse(&offer).unwrap_err();
        assert!(matches!(refused, SdpError::Malformed { .. }), "{refused}");
    }
}

#[test]
fn a_payload_type_that_is_said_twice_is_one_codec() {
    let offer = chromium("sendonly").replace(" 96 97 ", " 96 96 97 ");
    let (media, answer) = accept_publisher(&Offer::parse(&offer).unwrap(), &local(), 7).unwrap();
    assert_eq!(media[1].codecs[0].payload_type, 96);
    assert_ne!(media[1].codecs[1].payload_type, 96);
    Offer::parse(answer.as_str()).unwrap();
}

#[test]
fn without_a_bundle_only_the_first_section_has_the_transport() {
    let offer = Offer::parse(&chromium("sendonly").replace("a=group:BUNDLE 0 1\r\n", "")).unwrap();
    let (media, answer) = accept_publisher(&offer, &local(), 7).unwrap();
    assert_eq!(media.len(), 1);
    assert!(lines(&answer, "m=video")[0].starts_with("m=video 0 "));
    assert!(lines(&answer, "a=group").is_empty());
    // The transport is that of the section that the bundle names first.
    let swapped = chromium("sendonly")
        .replace("BUNDLE 0 1", "BUNDLE 1 0")
        .replacen("abcd", "none", 1);
    assert_eq!(Offer::parse(&swapped).unwrap().ice.ufrag, "abcd");
}

#[test]
fn who_starts_the_handshake_is_answered_by_who_waits() {
    for (offered, answered) in [
        ("actpass", "passive"),
        ("active", "passive"),
        ("passive", "active"),
    ] {
        let offer = chromium("sendonly").replace("a=setup:actpass", &format!("a=setup:{offered}"));
        let offer = Offer::parse(&offer).unwrap();
        let (_, answer) = accept_publisher(&offer, &local(), 7).unwrap();
        assert_eq!(lines(&answer, "a=setup")[0], format!("a=setup:{answered}"));
    }
}

#[test]
fn each_fault_has_its_error() {
    let error = |sdp: &str| Offer::parse(sdp).unwrap_err();
    let good = chromium("sendonly");
    let without = |line: &str| error(&good.replace(line, "a=x"));
    assert_eq!(without("a=ice-ufrag:abcd"), SdpError::Missing("ice-ufrag"));
    assert!(matches!(
        without("a=ice-pwd:0123456789012345678901"),
        SdpError::Missing("ice-pwd")
    ));
    assert!(matches!(
        without("a=fingerprint:sha-256"),
        SdpError::Missing(_)
    ));
    assert_eq!(error("v=0\r\n"), SdpError::Missing("media"));
    let malformed = |sdp: &str| matches!(error(sdp), SdpError::Malformed { .. });
    assert!(malformed("hello"));
    assert!(malformed("m=video 9\r\n"));
    assert!(malformed("m=video 9 UDP/TLS/RTP/SAVPF 128\r\n"));
    assert!(malformed(
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8\r\n"
    ));
    assert!(malformed(
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=setup:maybe\r\n"
    ));
    let limit = |sdp: &str| match error(sdp) {
        SdpError::LimitExceeded { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(limit(&"a".repeat(MAX_SDP_BYTES + 1)), "bytes");
    assert_eq!(
        limit(&"m=x 9 y z\r\n".repeat(MAX_MEDIA + 1)),
        "media sections"
    );
    let codecs = " 96".repeat(MAX_CODECS + 1);
    assert_eq!(
        limit(&format!("m=video 9 UDP{codecs}\r\n")),
        "codecs in a media section"
    );
    let candidates = "a=candidate:1\r\n".repeat(MAX_CANDIDATES + 1);
    assert!(matches!(
        TrickleFragment::parse(&candidates),
        Err(SdpError::LimitExceeded {
            what: "candidates",
            ..
        })
    ));
    let many = Offer::parse(&(good.clone() + &candidates)).unwrap();
    assert_eq!(
        many.candidates.len(),
        MAX_CANDIDATES,
        "those of an offer are left out"
    );
    let line = match error(&good.replace("a=mid:0", "mid")) {
        SdpError::Malformed { line, .. } => line,
        other => panic!("{other}"),
    };
    assert_eq!(
        line,
        1 + good.lines().position(|line| line == "a=mid:0").unwrap()
    );
    let receives = Offer::parse(&chromium("recvonly")).unwrap();
    let refused = accept_publisher(&receives, &local(), 7).unwrap_err();
    assert!(matches!(refused, SdpError::Unacceptable(_)));
}

proptest! {
    #[test]
    fn noise_is_read_without_panic(noise in "\\PC{0,300}") {
        let _ = Offer::parse(&noise);
        let _ = TrickleFragment::parse(&noise);
    }

    /// Lines that are there, changed, doubled and left out: what can be read can be answered, and the answer read.
    #[test]
    fn an_answer_can_be_read_whatever_the_offer(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u8, "[ -~]{0,20}"), 0..8),
    ) {
        let offer = chromium("sendrecv");
        let mut lines: Vec<String> = offer.lines().map(str::to_owned).collect();
        for (at, what, text) in changes {
            let at = at.index(lines.len());
            match what {
                0 => { lines.remove(at); }
                1 => { let line = lines[at].clone(); lines.insert(at, line); }
                2 => lines[at].push_str(&text),
                _ => lines[at] = format!("a={text}"),
            }
        }
        let Ok(offer) = Offer::parse(&lines.join("\r\n")) else { return Ok(()) };
        if let Ok((media, answer)) = accept_publisher(&offer, &local(), 7) {
            prop_assert!(!media.is_empty());
            let read = Offer::parse(answer.as_str()).unwrap();
            prop_assert_eq!(read.media.len(), offer.media.len());
        }
        if let Ok((_, _, answer)) = accept_viewer(&offer, &[h264(), opus()], &local(), 7) {
            let read = Offer::parse(answer.as_str()).unwrap();
            prop_assert_eq!(read.media.len(), offer.media.len());
        }
    }
}

//! Offers: what can be read can be answered, to publishers and to viewers, and the answer reads as a description with as many sections.

#![no_main]

use arcly_core::rtp::RtpTrack;
use arcly_core::rtp::payload::PayloadFormat;
use arcly_core::{CodecId, MediaKind, TrackId};
use arcly_whip::sdp::{
    Answer, LocalTransport, Offer, TrickleFragment, WatchedTrack, accept_publisher, accept_viewer,
};
use arcly_whip::transport::{Carrier, IceCredentials};
use libfuzzer_sys::fuzz_target;

const FINGERPRINT: &str = "sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F";

fn track(id: TrackId, kind: MediaKind, codec: CodecId, format: PayloadFormat) -> WatchedTrack {
    WatchedTrack {
        rtp: RtpTrack::with_format(id, kind, codec, 96, format),
        ssrc: 1,
        retransmission_ssrc: 2,
    }
}

fn check(offer: &Offer, answer: &Answer) {
    let read = Offer::parse(answer.as_str()).expect("an answer can be read");
    assert_eq!(read.media.len(), offer.media.len());
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = TrickleFragment::parse(text);
    let Ok(offer) = Offer::parse(text) else {
        return;
    };
    let local = LocalTransport {
        ice: IceCredentials {
            ufrag: "ours".to_owned(),
            pwd: "9876543210987654321098".to_owned(),
        },
        fingerprint: FINGERPRINT.parse().expect("a fingerprint"),
        is_ice_lite: data.len().is_multiple_of(2),
        addresses: vec![(Carrier::Udp, ([192, 0, 2, 1], 8_189).into())],
    };
    let h264 = PayloadFormat::H264 {
        packetization_mode: 1,
        config: None,
    };
    let opus = PayloadFormat::Opus { channels: 2 };
    let tracks = [
        track(TrackId::VIDEO, MediaKind::Video, CodecId::H264, h264),
        track(TrackId::AUDIO, MediaKind::Audio, CodecId::Opus, opus),
    ];
    if let Ok((_, answer)) = accept_publisher(&offer, &local, 7) {
        check(&offer, &answer);
    }
    if let Ok((_, _, answer)) = accept_viewer(&offer, &tracks, &local, 7) {
        check(&offer, &answer);
    }
});

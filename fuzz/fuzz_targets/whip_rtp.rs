//! What peers of WHIP and WHEP can send once they have authenticated themselves, as a sequence of operations: a publisher's RTP (media, simulcast layers and
//! retransmissions, with header extensions) and RTCP, a viewer's RTCP (requests, reports, transport-wide feedback) and time going by. Nothing panics,
//! nothing ends but by the stream, and what the publisher sends reaches the viewer's side.

#![no_main]

use arcly_core::{
    AppSpec, CodecId, Engine, IngestContext, MediaFrame, PlayRequest, PlaybackContext, StreamKey,
};
use arcly_whip::fuzzing::Decrypted;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use std::time::{Duration, Instant};

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\r\na=ice-ufrag:them\r\na=ice-pwd:9876543210987654321098\r\na=setup:actpass\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 101 102 103\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtcp-mux\r\na=DIRECTION\r\n\
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\na=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n\
a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 transport-cc\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
a=rtpmap:98 VP9/90000\r\na=rtcp-fb:98 nack\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\n\
a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=1;profile-level-id=42e01f\r\na=rtcp-fb:100 nack\r\na=rtpmap:101 H265/90000\r\na=rtpmap:102 AV1/90000\r\na=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\nSIMULCAST\
m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtcp-mux\r\na=DIRECTION\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n";

/// The most operations of one input.
const MAX_OPERATIONS: usize = 64;

fn offer(direction: &str, simulcast: bool) -> String {
    let layers = if simulcast {
        "a=rid:q send\r\na=rid:h send\r\na=simulcast:send q;h\r\n"
    } else {
        ""
    };
    OFFER
        .replace("DIRECTION", direction)
        .replace("SIMULCAST", layers)
}

async fn run(data: &[u8]) {
    let Some((&flags, mut rest)) = data.split_first() else {
        return;
    };
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let ctx = IngestContext::new(Arc::clone(&engine) as _);
    let key = StreamKey::new("live", "cam");
    let session = ctx.open_publish(key.clone()).await.expect("a free name");
    // So that there is a track to watch: a key frame of VP8 (RFC 6386 9.1).
    let picture = b"\x10\x02\0\x9d\x01\x2a\x40\x01\xf0\0picture";
    let picture = MediaFrame::new_video(0, 0, Bytes::from_static(picture), CodecId::Vp8, true);
    session.publish_frame(picture).expect("live");
    let playback = PlaybackContext::new(Arc::clone(&engine) as _);
    let play = playback.open_play(PlayRequest::new(key)).await;
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    let start = Instant::now();
    let offered = offer("recvonly", false);
    let viewer = Decrypted::viewer(play.expect("live"), &offered, start);
    let mut viewer = viewer.expect("VP8 is offered");
    let offered = offer("sendonly", flags & 1 != 0);
    let mut publisher = Decrypted::publisher(session, &offered, start).expect("acceptable");

    let mut now = start;
    let mut watches = true;
    for _ in 0..MAX_OPERATIONS {
        let Some((&[operation, length], after)) = rest.split_first_chunk() else {
            break;
        };
        let (bytes, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        match operation % 4 {
            0 => publisher.handle_rtp(Bytes::copy_from_slice(bytes), now),
            1 => publisher.handle_rtcp(bytes, now),
            2 => viewer.handle_rtcp(bytes, now),
            _ => now += Duration::from_millis(u64::from(length)),
        }
        assert!(publisher.drive(now), "its stream lives");
        // It ends where the publisher goes on in another codec.
        watches = watches && viewer.drive(now);
    }
}

fuzz_target!(|data: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(run(data));
});

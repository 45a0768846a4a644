//! HLS requests: path, query and headers of any shape are answered, with the status, length and range that they promise; and nothing of
//! a query gets into a playlist but onto its URLs.

#![no_main]

use arcly_core::{CodecId, MediaFrame, StartAt, StreamHandle, StreamKey, StreamLimits};
use arcly_mux_fmp4::CmafSegmentMuxer;
use arcly_mux_hls::{Container, HlsConfig, HlsOrigin, HlsRequest, Packaging};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

fn key() -> StreamKey {
    StreamKey::new("live", "cam")
}

/// An origin with a live stream of sound: the first number of its segments is that of the wall clock, so seeds name parts relative to a
/// playlist only by chance, and ask for playlists otherwise.
fn origin(runtime: &Runtime) -> (HlsOrigin, StreamHandle) {
    let cmaf = Container::new("cmaf", Packaging::LOW_LATENCY, CmafSegmentMuxer::default);
    let origin = HlsOrigin::builder(HlsConfig::default())
        .container(cmaf)
        .build();
    let handle = StreamHandle::standalone(key(), StreamLimits::default());
    let run = origin.run_stream(&key(), handle.subscribe_from(StartAt::LatestKeyframe));
    runtime.block_on(async {
        tokio::spawn(run);
        let config = Bytes::from_static(&[0x11, 0x90]);
        let config = MediaFrame::new_audio(0, config, CodecId::Aac).into_config();
        handle.publish_frame(config).expect("live");
        for n in 0..500 {
            let packet = Bytes::from_static(&[0x21; 20]);
            let frame = MediaFrame::new_audio(n * 64 / 3, packet, CodecId::Aac);
            handle.publish_frame(frame).expect("live");
            tokio::task::yield_now().await;
        }
    });
    (origin, handle)
}

struct Server {
    runtime: Runtime,
    origin: HlsOrigin,
    _stream: StreamHandle,
}

thread_local! {
    static SERVER: OnceLock<Server> = const { OnceLock::new() };
}

fn server() -> Server {
    // Its clock runs by itself: whoever waits waits for nothing.
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.expect("a runtime");
    let (origin, stream) = origin(&runtime);
    Server {
        runtime,
        origin,
        _stream: stream,
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let mut request = HlsRequest::get(lines.next().unwrap_or_default());
    request.query = lines.next();
    request.range = lines.next();
    request.if_none_match = lines.next();
    request.accept_encoding = lines.next();
    SERVER.with(|cell| {
        let Server {
            runtime, origin, ..
        } = cell.get_or_init(server);
        let _ = origin.session(&key(), request.path);
        let response = runtime.block_on(origin.handle(&key(), request));
        let length: u64 = response.body.iter().map(|piece| piece.len() as u64).sum();
        assert_eq!(length, response.content_length);
        assert!(matches!(
            response.status,
            200 | 206 | 304 | 400 | 404 | 416 | 503
        ));
        assert_eq!(
            response.content_range.is_some(),
            matches!(response.status, 206 | 416)
        );
        assert!(
            response
                .headers()
                .iter()
                .all(|(_, value)| !value.contains(['\r', '\n']))
        );
        if response.status == 200
            && response.content_encoding.is_none()
            && request.path.ends_with(".m3u8")
        {
            let body = response.body.concat();
            let playlist = std::str::from_utf8(&body).expect("playlists are text");
            let is_known = |line: &str| {
                line.starts_with("#EXT")
                    || line.starts_with("a1")
                    || line.starts_with("cmaf/")
                    || line.starts_with("../")
            };
            assert!(playlist.lines().all(is_known), "{playlist}");
        }
    });
});

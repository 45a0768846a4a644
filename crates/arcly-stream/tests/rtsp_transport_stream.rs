//! GStreamer publishes an MPEG transport stream by RTSP, over TCP and UDP: its tracks are those of the stream.
#![cfg(all(feature = "rtsp", feature = "ts"))]

use arcly_core::{PlaybackRegistry, StartAt};
use arcly_stream::prelude::*;
use arcly_stream::presets::rtsp_server;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_tracks_are_published() {
    for transport in ["tcp", "udp"] {
        let bound = RtspServer::bind("127.0.0.1:0".parse().expect("an address"));
        let server = rtsp_server(bound.await.expect("a free port"));
        let url = format!("rtsp://{}/live/ts", server.local_addr());
        let engine = Engine::builder()
            .application(AppSpec::new("live"))
            .protocol(server)
            .build();
        let stop = CancellationToken::new();
        let (served, token) = (engine.clone(), stop.clone());
        let serving = tokio::spawn(async move { served.serve_registered(token).await });
        let pipeline = format!(
            "videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=25/1 \
             ! x264enc key-int-max=25 bframes=2 speed-preset=ultrafast ! h264parse ! mpegtsmux name=m \
             ! rtspclientsink protocols={transport} location={url} \
             audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! m."
        );
        let publisher = Command::new("gst-launch-1.0")
            .args(pipeline.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("GStreamer: apt-get install gstreamer1.0-tools gstreamer1.0-rtsp gstreamer1.0-plugins-bad");
        let key = StreamKey::new("live", "ts");
        let comes = async {
            loop {
                if let Ok(handle) = engine.get_stream(&key) {
                    return handle;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let handle = timeout(PATIENCE, comes).await.expect("it comes");
        let mut frames = handle.subscribe_from(StartAt::LatestKeyframe);
        let (mut pictures, mut sounds) = (Vec::new(), 0);
        let reading = async {
            while pictures.len() < 100 {
                let frame = frames.recv().await.expect("it is live");
                if frame.is_config() {
                    continue;
                }
                if frame.is_video() {
                    assert_eq!(frame.codec, CodecId::H264);
                    pictures.push((frame.dts.as_millis(), frame.pts.as_millis()));
                } else {
                    assert_eq!(frame.codec, CodecId::Aac);
                    sounds += 1;
                }
            }
        };
        timeout(PATIENCE, reading).await.expect("in time");
        let steady = |two: &[(i64, i64)]| (38..=42).contains(&(two[1].0 - two[0].0));
        assert!(pictures.windows(2).all(steady), "{transport}: {pictures:?}");
        assert!(pictures.iter().any(|(dts, pts)| dts < pts), "B-frames");
        // 46.9 a second, against 25.
        assert!((150..=220).contains(&sounds), "{transport}: {sounds}");
        drop(publisher);
        stop.cancel();
        serving.await.expect("no panic").expect("no error");
    }
}

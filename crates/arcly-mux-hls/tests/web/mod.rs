//! An origin behind the least of an HTTP/1.1 server, and streams to publish to it.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use arcly_core::{MediaFrame, StartAt, StreamHandle, StreamKey, StreamLimits, SubscribeOptions};
use arcly_mux_fmp4::CmafSegmentMuxer;
use arcly_mux_hls::{
    Container, HlsConfig, HlsOrigin, HlsOriginBuilder, HlsRequest, HlsResponse, Packaging,
};
use arcly_mux_ts::TsSegmentMuxer;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub fn origin(config: HlsConfig) -> HlsOrigin {
    HlsOrigin::new(config, TsSegmentMuxer::default)
}

/// Low-latency CMAF at `index.m3u8`, and MPEG-TS beside it.
pub fn both(config: HlsConfig) -> HlsOriginBuilder {
    let cmaf = Container::new("cmaf", Packaging::LOW_LATENCY, CmafSegmentMuxer::default);
    let ts = Container::new("ts", Packaging::PLAIN, TsSegmentMuxer::default);
    HlsOrigin::builder(config).container(cmaf).container(ts)
}

pub fn key() -> StreamKey {
    StreamKey::new("live", "cam")
}

/// A publish of the stream, and the task that packages it.
pub fn publish(origin: &HlsOrigin) -> (StreamHandle, JoinHandle<()>) {
    let handle = StreamHandle::standalone(key(), StreamLimits::default());
    let frames = handle.subscribe(SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(None));
    let run = tokio::spawn(origin.run_stream(&key(), frames));
    (handle, run)
}

/// Publishes `frames` as fast as the packager reads them.
pub async fn feed(handle: &StreamHandle, frames: &[MediaFrame]) {
    for (index, frame) in frames.iter().enumerate() {
        handle
            .publish_frame(frame.clone())
            .expect("the stream is live");
        if index % 16 == 0 {
            settle().await;
        }
    }
    settle().await;
}

/// Lets all other tasks of the runtime get as far as they can.
pub async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

/// The body of a response, as text.
pub fn text(response: &HlsResponse) -> String {
    String::from_utf8(response.body.concat()).expect("playlists are text")
}

/// Serves the origin on a port of its own for as long as the runtime lives. Each request is noted.
pub async fn serve(origin: HlsOrigin) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, origin.clone()));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, origin: HlsOrigin) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    while let Some(request) = lines.next_line().await? {
        while lines
            .next_line()
            .await?
            .is_some_and(|header| !header.is_empty())
        {}
        let target = request.split(' ').nth(1).unwrap_or_default();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let path = path.strip_prefix("/live/cam/").unwrap_or_default();
        let mut wanted = HlsRequest::get(path).with_query(query);
        if request.starts_with("HEAD") {
            wanted = wanted.head();
        }
        let response = origin.handle(&key(), wanted).await;
        let mut head = format!("HTTP/1.1 {} -\r\n", response.status);
        for (name, value) in response.headers() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        write.write_all(format!("{head}\r\n").as_bytes()).await?;
        for piece in response.body {
            write.write_all(&piece).await?;
        }
    }
    Ok(())
}

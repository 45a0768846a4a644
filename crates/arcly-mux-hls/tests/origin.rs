//! The origin over a stream's life, on a clock that runs by itself.

mod media;
mod web;

use arcly_mux_hls::{HlsConfig, HlsMethod, HlsOrigin, HlsRequest, HlsResponse, PLAYLIST_MIME_TYPE};
use media::frames;
use std::time::Duration;
use tokio::time::sleep;
use web::{feed, key, origin, publish, settle, text};

async fn get(origin: &HlsOrigin, path: &str) -> HlsResponse {
    origin.handle(&key(), HlsRequest::get(path)).await
}

/// The segments that the playlist lists.
fn listed(playlist: &HlsResponse) -> Vec<String> {
    text(playlist)
        .lines()
        .filter(|line| line.starts_with("seg-"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_early_player_waits_for_the_first_segment() {
    let origin = origin(HlsConfig::default());
    assert_eq!(
        get(&origin, "index.m3u8").await.status,
        404,
        "nobody publishes: no reason to wait"
    );
    let (handle, _run) = publish(&origin);
    settle().await;
    let early = tokio::spawn({
        let origin = origin.clone();
        async move { get(&origin, "index.m3u8").await }
    });
    assert_eq!(
        get(&origin, "ts/seg-1.ts").await.status,
        404,
        "segments are not waited for"
    );
    let frames = frames(7);
    let (two_segments, third) = frames.split_at(2 + 5 * 50);
    feed(&handle, two_segments).await;
    assert!(
        !early.is_finished(),
        "two segments are not enough for every player"
    );
    feed(&handle, third).await;
    let playlist = early.await.expect("the request ends");
    assert_eq!(
        (playlist.status, playlist.content_type),
        (200, PLAYLIST_MIME_TYPE)
    );
    assert!(text(&playlist).ends_with("\nts/media.m3u8\n"));
    assert!(text(&get(&origin, "ts/index.m3u8").await).ends_with("\nmedia.m3u8\n"));
}

#[tokio::test(start_paused = true)]
async fn waiting_is_bounded() {
    let origin = origin(HlsConfig::default());
    let (_handle, _run) = publish(&origin);
    settle().await;
    // The clock stands still but for those who wait for it.
    let early = get(&origin, "index.m3u8");
    let (early, _) = tokio::join!(early, async {
        sleep(Duration::from_secs(29)).await;
        assert_eq!(get(&origin, "ts/seg-1.ts").await.status, 404);
    });
    assert_eq!(early.status, 404);
    let longer = tokio::time::timeout(Duration::from_secs(29), get(&origin, "index.m3u8")).await;
    assert!(longer.is_err(), "it waits 30 s");
}

#[tokio::test(start_paused = true)]
async fn segments_are_shared_and_immutable_and_gone_or_future_ones_are_not_found() {
    let origin = origin(HlsConfig::default());
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames(60)).await;
    let playlist = get(&origin, "ts/media.m3u8").await;
    assert_eq!(playlist.cache_control, "no-cache");
    let listed = listed(&playlist);
    assert_eq!(listed.len(), 6);
    let path = format!("ts/{}", listed[0]);
    let (one, two) = (get(&origin, &path).await, get(&origin, &path).await);
    assert_eq!((one.status, one.content_type), (200, "video/mp2t"));
    assert!(one.cache_control.contains("immutable"));
    assert_eq!(
        one.body[0].as_ptr(),
        two.body[0].as_ptr(),
        "the same bytes, not a copy"
    );
    assert_eq!(one.content_length, one.body.concat().len() as u64);
    let head = origin.handle(&key(), HlsRequest::get(&path).head()).await;
    assert_eq!(
        (head.status, head.content_length, head.body.len()),
        (200, one.content_length, 0)
    );
    assert_eq!(HlsRequest::get("").head().method, HlsMethod::Head);
    let number: u64 = listed[0][4..]
        .trim_end_matches(".ts")
        .parse()
        .expect("a number");
    for (gone, status) in [(number - 1, 200), (number - 20, 404), (number + 20, 404)] {
        let response = get(&origin, &format!("ts/seg-{gone}.ts")).await;
        assert_eq!(response.status, status, "{gone} of {number}");
        assert!(status == 200 || response.cache_control == "no-cache");
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_is_carried_to_each_uri() {
    let origin = origin(HlsConfig::default());
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames(7)).await;
    let get = async |path, query| {
        let request = HlsRequest::get(path).with_query(Some(query));
        text(&origin.handle(&key(), request).await)
    };
    assert!(
        get("index.m3u8", "a=b&token=e30.x")
            .await
            .ends_with("\nts/media.m3u8?token=e30.x\n")
    );
    let media = get("ts/media.m3u8", "token=e30.x").await;
    assert_eq!(media.matches(".ts?token=e30.x\n").count(), 3);
    assert!(
        !get("ts/media.m3u8", "token=%0A&token=\n#EXT-X-ENDLIST")
            .await
            .contains("ENDLIST")
    );
}

#[tokio::test(start_paused = true)]
async fn an_ended_stream_is_kept_for_a_while() {
    let origin = origin(HlsConfig::default());
    let (handle, run) = publish(&origin);
    feed(&handle, &frames(5)).await;
    handle.end();
    settle().await;
    let playlist = get(&origin, "ts/media.m3u8").await;
    assert_eq!(
        listed(&playlist).len(),
        3,
        "the last one is there as soon as the stream has ended"
    );
    assert!(
        !text(&playlist).contains("ENDLIST"),
        "the publisher may be back"
    );
    sleep(Duration::from_secs(6)).await;
    assert!(text(&get(&origin, "ts/media.m3u8").await).ends_with("#EXT-X-ENDLIST\n"));
    assert!(!run.is_finished());
    sleep(Duration::from_secs(60)).await;
    assert!(run.is_finished());
    assert_eq!(get(&origin, "ts/media.m3u8").await.status, 404);
    assert!(origin.presentation(&key()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_returning_publisher_goes_on_in_the_same_playlist() {
    let mut config = HlsConfig::default();
    config.playlist_segments = 20;
    let origin = origin(config);
    let (first, first_run) = publish(&origin);
    feed(&first, &frames(7)).await;
    let before = listed(&get(&origin, "ts/media.m3u8").await);
    // Taken over while the first publish has not even ended.
    let (second, _second_run) = publish(&origin);
    feed(&second, &frames(7)).await;
    feed(&first, &frames(9)[2..]).await;
    first.end();
    settle().await;
    assert!(first_run.is_finished(), "the run that was taken over ends");
    let playlist = get(&origin, "ts/media.m3u8").await;
    let after = listed(&playlist);
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(
        after.len(),
        before.len() + 1 + 3,
        "the rest of the first, and the second"
    );
    assert_eq!(text(&playlist).matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    second.end();
    sleep(Duration::from_secs(120)).await;
    assert_eq!(get(&origin, "index.m3u8").await.status, 404);
    let (third, _third_run) = publish(&origin);
    feed(&third, &frames(7)).await;
    let playlist = get(&origin, "ts/media.m3u8").await;
    assert!(
        listed(&playlist)[0] > after[after.len() - 1],
        "the numbering goes on"
    );
    assert!(text(&playlist).contains(
        "#EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-DISCONTINUITY\n"
    ));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_run_lets_go_of_the_stream() {
    let origin = origin(HlsConfig::default());
    let (handle, run) = publish(&origin);
    feed(&handle, &frames(5)).await;
    run.abort();
    settle().await;
    assert_eq!(get(&origin, "ts/media.m3u8").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn streams_that_ended_are_forgotten_at_the_limit() {
    let mut config = HlsConfig::default();
    config.limits.remembered_streams = 1;
    let origin = origin(config);
    let (handle, run) = publish(&origin);
    feed(&handle, &frames(7)).await;
    run.abort();
    settle().await;
    let other = arcly_core::StreamKey::new("live", "other");
    let stream = arcly_core::StreamHandle::standalone(other.clone(), Default::default());
    let frames_of_other = stream.subscribe_from(arcly_core::StartAt::LatestKeyframe);
    let running = tokio::spawn(origin.run_stream(&other, frames_of_other));
    feed(&stream, &frames(7)).await;
    assert_eq!(
        origin
            .handle(&other, HlsRequest::get("index.m3u8"))
            .await
            .status,
        200
    );
    // The live one is not forgotten for the sake of a third.
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames(7)).await;
    assert_eq!(
        origin
            .handle(&other, HlsRequest::get("index.m3u8"))
            .await
            .status,
        200
    );
    assert_eq!(get(&origin, "index.m3u8").await.status, 200);
    running.abort();
}

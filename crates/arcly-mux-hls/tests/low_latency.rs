//! Low-Latency HLS over a stream's life: what RFC 8216bis promises players, held by a checker, on a clock that runs by itself.

mod checker;
mod media;
mod web;

use arcly_core::{
    MediaFrame, StartAt, StreamHandle, StreamKey, StreamLimits, SubscribeOptions, TrackId,
};
use arcly_mux_hls::{HlsConfig, HlsOrigin, HlsRequest, HlsResponse};
use checker::{Parsed, Walker};
use media::frames;
use std::time::Duration;
use web::{both, feed, key, publish, settle, text};

async fn get(origin: &HlsOrigin, path: &str, query: &str) -> HlsResponse {
    let query = (!query.is_empty()).then_some(query);
    origin
        .handle(&key(), HlsRequest::get(path).with_query(query))
        .await
}

async fn playlist(origin: &HlsOrigin, name: &str) -> Parsed {
    let response = get(origin, &format!("cmaf/{name}.m3u8"), "").await;
    assert_eq!(response.status, 200);
    Parsed::read(&text(&response))
}

/// A player that reloads each playlist as soon as there is something new in it, by blocking requests, until it ends or is gone. Returns the last
/// version, and how many there were.
async fn follow(origin: HlsOrigin, name: &'static str) -> (Parsed, usize) {
    let path = format!("cmaf/{name}.m3u8");
    let mut walker = Walker::default();
    walker.may_return = true;
    let first = get(&origin, &path, "").await;
    assert_eq!(first.status, 200);
    let mut last = walker.see(&text(&first));
    let mut versions = 1;
    loop {
        let (sequence, part) = match last.last() {
            (sequence, Some(part)) => (sequence, part + 1),
            (sequence, None) => (sequence + 1, 0),
        };
        let skip = if versions % 2 == 0 {
            "&_HLS_skip=YES"
        } else {
            ""
        };
        let query = format!("_HLS_msn={sequence}&_HLS_part={part}{skip}");
        let response = get(&origin, &path, &query).await;
        if response.status == 404 || last.ended {
            return (last, versions);
        }
        if response.status == 503 {
            continue; // The publisher is away.
        }
        assert_eq!(response.status, 200, "{query}");
        agrees_with_another_parser(&text(&response));
        let now = walker.see(&text(&response));
        assert!(
            now.last() > last.last() || now.ended,
            "{query} gave {:?} after {:?}",
            now.last(),
            last.last()
        );
        for (uri, sequence, part) in &now.reports {
            // A report is as new as the playlist that it stands in: the other rendition is a segment behind at most.
            assert_ne!(uri, &format!("{name}.m3u8"));
            assert!(
                sequence.abs_diff(now.last().0) <= 1 && part.is_some(),
                "{:?}: {uri} {sequence}",
                now.last()
            );
        }
        assert!(now.ended || now.reports.len() == 1);
        let is_dated = |date: &String| !date.starts_with("1970");
        assert!(
            now.open.date.iter().all(is_dated),
            "{:?}: the first parts of a publish have a date too",
            now.open
        );
        last = now;
        versions += 1;
    }
}

/// A parser that is not ours finds the same, and nothing to object to.
fn agrees_with_another_parser(text: &str) {
    let (ours, theirs) = (
        Parsed::read(text),
        broadcast_hls::MediaPlaylist::parse(text),
    );
    let theirs = theirs.unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(ours.segments.len(), theirs.segments.len());
    let parts = |segment: &checker::Listed| segment.parts.len();
    let counts: Vec<_> = theirs
        .segments
        .iter()
        .map(|segment| segment.parts.len())
        .collect();
    assert_eq!(ours.segments.iter().map(parts).collect::<Vec<_>>(), counts);
    for (ours, theirs) in ours.segments.iter().zip(&theirs.segments) {
        assert_eq!(ours.uri, theirs.uri);
    }
}

/// Publishes in real time, so to speak.
async fn feed_live(handle: &StreamHandle, frames: &[MediaFrame]) {
    for frame in frames {
        handle
            .publish_frame(frame.clone())
            .expect("the stream is live");
        if frame.is_video() {
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_rules_are_kept_over_time_and_over_a_publisher_that_returns() {
    let mut config = HlsConfig::default();
    // So that delta updates have something to skip.
    config.rewind = Duration::from_secs(30);
    let origin = both(config).build();
    let (first, _run) = publish(&origin);
    feed(&first, &frames(7)).await;
    let players = ["v0", "a1"].map(|name| tokio::spawn(follow(origin.clone(), name)));
    settle().await;
    feed_live(&first, &frames(40)[2 + 7 * 50..]).await;
    first.end();
    settle().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (second, _run) = publish(&origin);
    feed_live(&second, &frames(20)).await;
    second.end();
    let mut ends = Vec::new();
    for player in players {
        let (last, versions) = player.await.expect("the rules are kept");
        assert!(last.ended);
        assert!(versions > 4 * 50 / 2, "{versions} versions");
        let marks: Vec<_> = last
            .segments
            .iter()
            .filter(|segment| segment.discontinuity)
            .collect();
        assert_eq!(marks.len(), 1);
        ends.push(last.last().0);
    }
    assert_eq!(ends[0], ends[1], "all renditions have the same segments");
}

#[tokio::test(start_paused = true)]
async fn a_delta_update_completes_to_the_whole() {
    let mut config = HlsConfig::default();
    config.rewind = Duration::from_secs(60);
    let origin = both(config).build();
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames(61)).await;
    let whole = text(&get(&origin, "cmaf/v0.m3u8", "").await);
    let delta = text(&get(&origin, "cmaf/v0.m3u8", "_HLS_skip=YES").await);
    assert!(
        delta.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=24\n"),
        "{delta}"
    );
    assert_eq!(
        text(&get(&origin, "cmaf/v0.m3u8", "_HLS_skip=v2").await),
        delta
    );
    let mut walker = Walker::default();
    let parsed = walker.see(&whole);
    assert_eq!(walker.see(&delta), parsed);
}

#[tokio::test(start_paused = true)]
async fn a_hinted_part_is_waited_for_and_is_a_piece_of_its_segment() {
    let origin = both(HlsConfig::default()).build();
    let (handle, _run) = publish(&origin);
    let all = frames(10);
    let (before, after) = all.split_at(2 + 50 * 7 + 20);
    feed(&handle, before).await;
    let hint = playlist(&origin, "v0")
        .await
        .hint
        .expect("frames of it are there");
    let waiting = tokio::spawn({
        let (origin, path) = (origin.clone(), format!("cmaf/{hint}"));
        async move { get(&origin, &path, "").await }
    });
    settle().await;
    assert!(!waiting.is_finished());
    feed(&handle, after).await;
    let part = waiting.await.expect("it is answered");
    assert_eq!((part.status, part.content_type), (200, "video/mp4"));
    let (segment, _) = hint.split_once('.').expect("a segment's name");
    let segment = get(&origin, &format!("cmaf/{segment}.m4s"), "").await;
    let (part, segment) = (part.body.concat(), segment.body.concat());
    assert!(segment.windows(part.len()).any(|window| window == part));
    // One after the hinted one is not promised.
    let beyond = playlist(&origin, "v0").await.hint.expect("and so on");
    let (stem, rest) = beyond.split_once('.').expect("a part");
    let number: u64 = rest.trim_end_matches(".m4s").parse().expect("a number");
    let path = format!("cmaf/{stem}.{}.m4s", number + 1);
    assert_eq!(get(&origin, &path, "").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn blocking_is_bounded_and_nonsense_is_refused() {
    let mut config = HlsConfig::default();
    config.limits.waiting_requests = 1;
    let origin = both(config).build();
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames(7)).await;
    let path = "cmaf/v0.m3u8";
    let (last, _) = playlist(&origin, "v0").await.last();
    for query in [
        "_HLS_msn=x",
        "_HLS_part=1",
        &format!("_HLS_msn={}", last + 3),
        &format!("_HLS_msn={last}&_HLS_part=99"),
        "_HLS_skip=1",
    ] {
        assert_eq!(get(&origin, path, query).await.status, 400, "{query}");
    }
    let old = get(&origin, path, "_HLS_msn=1&_HLS_part=9").await;
    assert_eq!(
        (old.status, &*old.cache_control),
        (200, "max-age=12"),
        "it is there"
    );
    let query = format!("_HLS_msn={}", last + 1);
    let (one, two) = tokio::join!(get(&origin, path, &query), async {
        settle().await;
        get(&origin, path, &query).await
    });
    assert_eq!(
        (one.status, two.status),
        (503, 503),
        "one waits three target durations, two are too many"
    );
    let late = tokio::time::timeout(Duration::from_millis(5_900), get(&origin, path, &query)).await;
    assert!(late.is_err());
    let other = get(&origin, "ts/media.m3u8", "_HLS_msn=x").await;
    assert_eq!(
        other.status, 200,
        "who does not announce blocking ignores it"
    );
}

#[tokio::test(start_paused = true)]
async fn lost_frames_are_a_gap_in_all_renditions() {
    let origin = both(HlsConfig::default()).build();
    let handle = StreamHandle::standalone(key(), StreamLimits::default());
    let options = SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(None);
    let all = frames(300);
    // The packager gets no time to read, and the log forgets.
    let run = origin.run_stream(&key(), handle.subscribe(options));
    let (before, rest) = all.split_at(2 + 50 * 10);
    let _run = tokio::spawn(run);
    feed(&handle, before).await;
    let (missed, after) = rest.split_at(50 * 50);
    for frame in missed {
        handle.publish_frame(frame.clone()).expect("live");
    }
    feed(&handle, &after[..50 * 20]).await;
    for name in ["v0", "a1"] {
        let response = get(&origin, &format!("cmaf/{name}.m3u8"), "").await;
        let parsed = Walker::default().see(&text(&response));
        let presentation = origin.presentation(&key()).expect("live");
        let rendition = presentation.rendition(name).expect("both");
        let gaps = rendition.segments().iter().filter(|segment| segment.is_gap);
        let missing: i64 = gaps.map(|segment| segment.duration.as_millis()).sum();
        assert!((5_000..60_000).contains(&missing), "{missing} ms of {name}");
        assert!(parsed.segments.iter().all(|segment| !segment.discontinuity));
    }
    let video: Vec<_> = segments(&origin, "v0").await;
    assert_eq!(video, segments(&origin, "a1").await);
}

/// Number, and whether it is a gap.
async fn segments(origin: &HlsOrigin, name: &str) -> Vec<(u64, bool)> {
    let presentation = origin.presentation(&key()).expect("live");
    let rendition = presentation.rendition(name).expect("it is offered");
    let segments = rendition.segments().iter();
    segments
        .map(|segment| (segment.sequence, segment.is_gap))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_audio_track_is_a_rendition_and_a_group_has_its_members_as_variants() {
    let members = ["cam_720", "cam 360"].map(|name| StreamKey::new("live", name));
    let group = StreamKey::new("live", "cam");
    let origin = both(HlsConfig::default())
        .group(group.clone(), members.clone())
        .build();
    let mut live = Vec::new();
    for member in &members {
        let handle = StreamHandle::standalone(member.clone(), StreamLimits::default());
        let options = SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(None);
        let run = tokio::spawn(origin.run_stream(member, handle.subscribe(options)));
        let second = |frame: &MediaFrame| frame.clone().on_track(TrackId(7));
        let with_two_languages: Vec<_> = frames(8)
            .into_iter()
            .flat_map(|frame| match frame.is_audio() {
                true => vec![second(&frame), frame],
                false => vec![frame],
            })
            .collect();
        feed(&handle, &with_two_languages).await;
        live.push((handle, run));
    }
    let index = origin
        .handle(&members[0], HlsRequest::get("index.m3u8"))
        .await;
    let index = text(&index);
    for name in ["a1", "a7"] {
        let media = format!("CHANNELS=\"2\",URI=\"cmaf/{name}.m3u8\"\n");
        assert!(index.contains(&media), "{index}");
        let path = format!("cmaf/{name}.m3u8");
        let playlist = origin.handle(&members[0], HlsRequest::get(&path)).await;
        let parsed = Walker::default().see(&text(&playlist));
        assert_eq!(parsed.reports.len(), 2);
    }
    assert!(
        index.contains("CODECS=\"avc1.64000A,mp4a.40.2\"")
            && index.contains(",AUDIO=\"aac\"\ncmaf/v0.m3u8\n"),
        "{index}"
    );
    assert_eq!(index.matches("#EXT-X-STREAM-INF").count(), 1);

    let mut request = HlsRequest::get("index.m3u8");
    request.session = Some("0123");
    let index = text(&origin.handle(&group, request).await);
    assert!(
        index.contains(",AUDIO=\"aac-live-cam_720\"\n../cam_720/s-0123/cmaf/v0.m3u8\n"),
        "{index}"
    );
    assert!(
        index.contains("\n../cam%20360/s-0123/cmaf/v0.m3u8\n"),
        "{index}"
    );
    assert_eq!(index.matches("#EXT-X-MEDIA:").count(), 4);
    let session = origin.open_session(&group, "token").expect("randomness");
    let path = format!("s-{session}/cmaf/v0.m3u8");
    assert_eq!(origin.session(&members[1], &path).as_deref(), Some("token"));
    assert_eq!(
        origin.session(&StreamKey::new("live", "other"), &path),
        None
    );
    assert_eq!(
        origin
            .handle(&members[1], HlsRequest::get(&path))
            .await
            .status,
        200
    );
    assert_eq!(
        origin
            .handle(&group, HlsRequest::get("cmaf/v0.m3u8"))
            .await
            .status,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn responses_can_be_conditional_partial_and_compressed() {
    let origin = both(HlsConfig::default()).build();
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames(8)).await;
    let mut request = HlsRequest::get("cmaf/v0.m3u8");
    request.accept_encoding = Some("gzip");
    let compressed = origin.handle(&key(), request).await;
    assert_eq!(compressed.content_encoding, Some("gzip"));
    let again = origin.handle(&key(), request).await;
    assert_eq!(
        compressed.body[0].as_ptr(),
        again.body[0].as_ptr(),
        "compressed once"
    );
    request.if_none_match = compressed.etag.as_deref();
    let unchanged = origin.handle(&key(), request).await;
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));

    let segment = playlist(&origin, "v0").await.segments[0].uri.clone();
    let path = format!("cmaf/{segment}");
    let whole = get(&origin, &path, "").await;
    let mut request = HlsRequest::get(&path);
    request.range = Some("bytes=10-19");
    let part = origin.handle(&key(), request).await;
    assert_eq!(
        (part.status, part.body.concat().as_slice()),
        (206, &whole.body.concat()[10..20])
    );
    assert!(
        part.headers()
            .iter()
            .any(|(name, value)| *name == "content-range" && value.starts_with("bytes 10-19/"))
    );
    request.if_range = Some("\"other\"");
    assert_eq!(origin.handle(&key(), request).await.status, 200);
    request.if_range = None;
    request.range = Some("bytes=0-1,5-6");
    assert_eq!(origin.handle(&key(), request).await.status, 416);
    request.range = None;
    request.if_none_match = whole.etag.as_deref();
    assert_eq!(origin.handle(&key(), request).await.status, 304);
}

use super::*;
use arcly_stream::prelude::*;
use bytes::Bytes;

fn relays(engine: &Arc<Engine>) -> Arc<Relays> {
    let flags = <crate::config::Flags as clap::Parser>::parse_from(["arcly"]);
    let config = crate::config::Config::load(flags).expect("the defaults");
    Relays::new(&config, engine.clone(), None)
}

#[tokio::test]
async fn received_bytes_never_step_back() {
    let metrics = Metrics::default();
    let observer = metrics.clone();
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .observer(move |event: &Event| observer.on_event(event))
        .build();
    let exposition = Exposition::new(
        &metrics,
        engine.clone(),
        relays(&engine),
        Connections::default(),
        None,
        1,
    );
    let received = || {
        let text = exposition.text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("arcly_received_bytes_total "))
            .expect("there");
        line.parse::<u64>().expect("a number")
    };
    let ctx = IngestContext::new(engine);
    for round in 1..=2 {
        let session = ctx
            .open_publish(StreamKey::new("live", "a-b"))
            .await
            .expect("free");
        session
            .publish_frame(MediaFrame::new_audio(
                0,
                Bytes::from(vec![0; 100]),
                CodecId::Aac,
            ))
            .expect("live");
        assert_eq!(received(), 100 * round);
        session.finish().await.expect("finished");
        assert_eq!(received(), 100 * round);
    }
    let text = exposition.text();
    assert!(
        text.contains("arcly_publishes_ended_total{reason=\"finished\"} 2"),
        "{text}"
    );
}

#[tokio::test]
async fn only_so_many_streams_get_metrics_of_their_own() {
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let ctx = IngestContext::new(engine.clone());
    let mut sessions = Vec::new();
    for name in ["a", "b", "c"] {
        sessions.push(
            ctx.open_publish(StreamKey::new("live", name))
                .await
                .expect("free"),
        );
    }
    let text = Exposition::new(
        &Metrics::default(),
        engine.clone(),
        relays(&engine),
        Connections::default(),
        None,
        2,
    )
    .text();
    assert_eq!(text.matches("arcly_stream_viewers{").count(), 2);
    assert!(text.contains("arcly_streams_without_metrics 1") && text.contains("arcly_streams 3"));
}

#[test]
fn labels_are_escaped() {
    let metrics = Metrics::default();
    let protocol = "x\"y\\z\n".into();
    count(&metrics.plays_started, ByProtocol { protocol });
    let engine = Engine::builder().build();
    let text = Exposition::new(
        &metrics,
        engine.clone(),
        relays(&engine),
        Connections::default(),
        None,
        0,
    )
    .text();
    let line = r#"arcly_plays_started_total{protocol="x\"y\\z\n"} 1"#;
    assert!(text.lines().any(|known| known == line), "{text}");
}

/// OpenMetrics 1.0, 5: families come once, with their samples right below, and an end mark closes the text.
#[test]
fn the_text_is_openmetrics() {
    let metrics = Metrics::default();
    metrics.response(200);
    metrics.response(404);
    let engine = Engine::builder().build();
    let text = Exposition::new(
        &metrics,
        engine.clone(),
        relays(&engine),
        Connections::default(),
        None,
        1,
    )
    .text();
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    let (mut families, mut samples) = (HashSet::new(), 0);
    let (mut family, mut suffix) = ("", "");
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(described) = line.strip_prefix("# HELP ") {
            let (name, help) = described.split_once(' ').expect("a name and a help text");
            assert!(families.insert(name), "{name} comes twice");
            assert!(!name.ends_with("_total"), "{name} gets it twice");
            assert!(help.ends_with('.') && !help.ends_with(".."), "{line}");
            family = name;
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').expect("a name and a type");
            assert_eq!(name, family);
            suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                "gauge" => "",
                other => panic!("{other} is none of ours"),
            };
        } else {
            let name = line.split(['{', ' ']).next().expect("a name");
            assert_eq!(name, format!("{family}{suffix}"), "{text}");
            samples += 1;
        }
    }
    assert!(families.len() >= 16 && samples >= 12, "{text}");
}

#[tokio::test]
async fn refusals_have_a_reason_of_the_code() {
    let metrics = Metrics::default();
    let observer = metrics.clone();
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .observer(move |event: &Event| observer.on_event(event))
        .build();
    for name in ["nobody", "nothing"] {
        let request = PlayRequest::new(StreamKey::new("live", name)).protocol("rtmp");
        assert!(engine.open_play(request).await.is_err());
    }
    let ctx = IngestContext::new(engine.clone());
    let no_app = ctx.open_publish(StreamKey::new("vod", "x")).await;
    assert!(no_app.is_err());
    let text = Exposition::new(
        &metrics,
        engine.clone(),
        relays(&engine),
        Connections::default(),
        None,
        0,
    )
    .text();
    for line in [
        r#"arcly_plays_refused_total{protocol="rtmp",reason="stream-not-found"} 2"#,
        r#"arcly_publishes_refused_total{protocol="host",reason="app-not-found"} 1"#,
    ] {
        assert!(text.lines().any(|known| known == line), "{text}");
    }
}

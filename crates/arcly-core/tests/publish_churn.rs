//! Publishers that come, take over, give up midway and go while the reaper and the host end streams: no name is leaked, no stream lost, nobody stuck.
#![allow(missing_docs, reason = "a test")]

use arcly_core::{
    AppSpec, CodecId, EndReason, Engine, Event, EventKind, IngestContext, MediaFrame,
    PlaybackRegistry, PublishRegistry, PublishRequest, SessionId, StartAt, StreamError, StreamKey,
    Takeover,
};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tokio::task::{JoinSet, yield_now};

const PUBLISHERS: u64 = 8;
const ROUNDS: u64 = 400;
const NAMES: u64 = 2;
/// So short that streams are given up while others come back to them.
const GRACE: Duration = Duration::from_micros(200);
/// Far longer than all of it takes.
const PATIENCE: Duration = Duration::from_secs(120);

fn key(n: u64) -> StreamKey {
    StreamKey::new("live", format!("cam{}", n % NAMES))
}

/// What each stream went through, checked as it is told.
#[derive(Default)]
struct Told {
    /// The stream under each name, and whether it is interrupted.
    live: HashMap<StreamKey, (SessionId, bool)>,
    seen: HashSet<SessionId>,
    faults: Vec<String>,
    resumed: u64,
    ended: usize,
}

impl Told {
    fn take(&mut self, kind: &EventKind) {
        let (key, ok) = match kind {
            EventKind::PublishStarted { key, session, .. } => {
                let before = self.live.insert(key.clone(), (*session, false));
                (key, before.is_none() && self.seen.insert(*session))
            }
            EventKind::PublishInterrupted { key, session, .. } => {
                (key, self.turn(key, *session, false, true))
            }
            EventKind::PublishResumed { key, session, .. } => {
                self.resumed += 1;
                (key, self.turn(key, *session, true, false))
            }
            EventKind::PublishEnded { key, session, .. } => {
                self.ended += 1;
                let before = self.live.remove(key);
                (key, before.is_some_and(|(live, _)| live == *session))
            }
            _ => return,
        };
        if !ok {
            self.faults.push(format!("{key}: {kind:?} out of turn"));
        }
    }

    fn turn(&mut self, key: &StreamKey, session: SessionId, from: bool, to: bool) -> bool {
        let live = self.live.get_mut(key);
        live.is_some_and(|live| {
            *live == (session, from) && {
                live.1 = to;
                true
            }
        })
    }
}

/// Numbers that differ from run to run no more than the scheduler has them differ: a counter, scrambled.
fn scrambled(n: u64) -> u64 {
    (n ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 29
}

fn picture(n: u64) -> MediaFrame {
    let millis = i64::try_from(n * 40).expect("small");
    let bytes = Bytes::from_static(b"picture");
    MediaFrame::new_video(millis, millis, bytes, CodecId::H264, n.is_multiple_of(3))
}

async fn publisher(engine: Arc<Engine>, number: u64, published: Arc<AtomicU64>) {
    let ctx = IngestContext::new(engine.clone());
    for round in 0..ROUNDS {
        let dice = scrambled(number * ROUNDS + round);
        let key = key(dice);
        let takeover = match dice % 3 {
            0 => Takeover::Refuse,
            _ => Takeover::Replace,
        };
        let request = PublishRequest::new(key.clone()).takeover(takeover);
        let opening = ctx.open_publish_with(request);
        let opened = match dice % 7 {
            // Gives up wherever the call waits.
            0 => tokio::select! {
                biased;
                opened = opening => Some(opened),
                () = yield_now() => None,
            },
            _ => Some(opening.await),
        };
        let session = match opened {
            Some(Ok(session)) => session,
            Some(Err(StreamError::StreamAlreadyPublishing { .. })) | None => continue,
            Some(Err(error)) => panic!("{error}"),
        };
        for n in 0..dice % 5 {
            if session.publish_frame(picture(n)).is_ok() {
                published.fetch_add(1, Ordering::Relaxed);
            }
            if engine.get_stream(&key).is_err() {
                // Taken off the table by the host; the session is ended next. One that is lost would wait for ever.
                session.ended().await;
            }
            yield_now().await;
        }
        let ended = session.handle().end_reason();
        assert!(
            matches!(
                ended,
                None | Some(EndReason::Replaced | EndReason::EndedByHost)
            ),
            "{ended:?}: that was another session's"
        );
        match dice % 11 {
            0 => drop(engine.end_publish(&key).await),
            1..6 => session.finish().await.expect("an engine's never fails"),
            _ => drop(session),
        }
    }
}

async fn churn() {
    let told = Arc::new(Mutex::new(Told::default()));
    let seen = Arc::clone(&told);
    let engine = Engine::builder()
        .application(AppSpec::new("live").publisher_grace(GRACE))
        .observer(move |event: &Event| seen.lock().expect("whole").take(&event.kind))
        .build();
    let done = Arc::new(AtomicBool::new(false));
    let reaper = tokio::spawn({
        let (engine, done) = (engine.clone(), Arc::clone(&done));
        async move {
            while !done.load(Ordering::Relaxed) {
                engine.reap_idle().await;
                yield_now().await;
            }
        }
    });
    let viewer = tokio::spawn({
        let (engine, done) = (engine.clone(), Arc::clone(&done));
        async move {
            while !done.load(Ordering::Relaxed) {
                for stream in engine.streams() {
                    let mut reader = stream.subscribe_from(StartAt::LatestKeyframe);
                    while reader.try_recv().is_some() {}
                }
                yield_now().await;
            }
        }
    });
    let published = Arc::new(AtomicU64::new(0));
    let mut publishers = JoinSet::new();
    for number in 0..PUBLISHERS {
        publishers.spawn(publisher(engine.clone(), number, Arc::clone(&published)));
    }
    publishers.join_all().await;
    done.store(true, Ordering::Relaxed);
    reaper.await.expect("no panic");
    viewer.await.expect("no panic");

    // All have gone: within the grace period so have their streams, which the engine's own reaper may be telling.
    while engine.total_stream_count() > 0 || !told.lock().expect("whole").live.is_empty() {
        engine.reap_idle().await;
        yield_now().await;
    }
    let (faults, resumed, ended, started) = {
        let told = told.lock().expect("whole");
        (
            told.faults.clone(),
            told.resumed,
            told.ended,
            told.seen.len(),
        )
    };
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(ended, started);
    assert!(resumed > 0 && ended > 0, "it was put to the test");
    assert!(published.load(Ordering::Relaxed) > 0);
    for n in 0..NAMES {
        let request = PublishRequest::new(key(n)).takeover(Takeover::Refuse);
        engine.start_publish_with(request).await.expect("free");
    }
}

#[test]
fn no_name_is_leaked_no_stream_lost_and_nobody_stuck() {
    let (done, wait) = mpsc::channel();
    // On a thread of its own, with a runtime of its own: where all of it is stuck, this one is not.
    let churning = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(churn());
        let _ = done.send(());
    });
    match wait.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("somebody is stuck"),
        _ => churning.join().expect("no panic"),
    }
}

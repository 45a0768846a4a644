//! Publishers that come back, take over and give up at the same time: names and streams are neither lost nor leaked.
#![allow(missing_docs, reason = "a test")]

use arcly_core::{
    AppSpec, CodecId, EndReason, Engine, Event, EventKind, IngestContext, MediaFrame,
    PlaybackRegistry, PublishRegistry, PublishRequest, StreamHandle, StreamKey, Takeover,
};
use bytes::Bytes;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(10);
/// Far longer than anything here takes; a deadlock fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

fn key() -> StreamKey {
    StreamKey::new("live", "cam")
}

fn video(millis: i64, key: bool) -> MediaFrame {
    let bytes = Bytes::from_static(b"picture");
    MediaFrame::new_video(millis, millis, bytes, CodecId::H264, key)
}

fn replacing() -> PublishRequest {
    PublishRequest::new(key()).takeover(Takeover::Replace)
}

/// Runs `check` on a thread of its own; a panic of the test where it does not return.
fn without_deadlock(check: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        check();
        let _ = done.send(());
    });
    match wait.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a deadlock"),
        _ => thread.join().expect("no panic"),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A newcomer waits for a call of its predecessor that is under way, here held up in an observer, and is dropped in that wait.
#[tokio::test]
async fn a_publish_that_is_cancelled_midway_leaves_the_name_free() {
    static CANCEL: AtomicBool = AtomicBool::new(false);
    let engine_cell: Arc<OnceLock<Weak<Engine>>> = Arc::default();
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&names);
    let cell = Arc::clone(&engine_cell);
    let engine = Engine::builder()
        .application(AppSpec::new("live").publisher_grace(GRACE))
        .observer(move |event: &Event| {
            if !matches!(event.kind, EventKind::TracksChanged { .. }) {
                seen.lock().expect("whole").push(event.kind.name());
            } else if CANCEL.swap(false, Ordering::Relaxed) {
                let engine = cell.get().and_then(Weak::upgrade).expect("built");
                let newcomer = pin!(engine.start_publish_with(replacing()));
                let mut cx = Context::from_waker(Waker::noop());
                assert!(newcomer.poll(&mut cx).is_pending(), "it waits for the call");
            }
        })
        .build();
    engine_cell.set(Arc::downgrade(&engine)).expect("once");
    let ctx = IngestContext::new(engine.clone());
    let first = ctx.open_publish(key()).await.expect("free");
    CANCEL.store(true, Ordering::Relaxed);
    let _ = first.publish_frame(video(0, true));
    assert!(!CANCEL.load(Ordering::Relaxed), "the newcomer has come");
    assert_eq!(first.ended().await, EndReason::Replaced);

    let handle = engine.get_stream(&key()).expect("it waits");
    assert!(
        handle.is_interrupted(),
        "nobody owns the newcomer's session"
    );
    let told = [
        "publish-started",
        "publish-interrupted",
        "publish-resumed",
        "publish-interrupted",
    ];
    assert_eq!(*names.lock().expect("whole"), told);
    let third = ctx.open_publish(key()).await.expect("the name is free");
    third.publish_frame(video(0, true)).expect("live");
    assert!(!handle.is_interrupted());
}

/// A waker that looks at the engine's table, as one that drops a session inline would.
struct LooksAtTable(Weak<Engine>, AtomicUsize);

impl Wake for LooksAtTable {
    fn wake(self: Arc<Self>) {
        if let Some(engine) = self.0.upgrade() {
            self.1.fetch_add(1, Ordering::Relaxed);
            assert_eq!(engine.streams().len(), 1);
        }
    }
}

/// Waits for the end of `handle`'s session with such a waker, ends it by `end`, and sees it woken.
fn woken_unlocked(end: impl AsyncFnOnce(Arc<Engine>, StreamHandle) + Send + 'static) {
    without_deadlock(|| {
        runtime().block_on(async {
            let app = AppSpec::new("live").publisher_grace(GRACE);
            let engine = Engine::builder().application(app).build();
            let handle = engine.start_publish(&key()).await.expect("free");
            let waker = Arc::new(LooksAtTable(Arc::downgrade(&engine), AtomicUsize::new(0)));
            let mut ended = pin!(handle.ended());
            let as_waker = Waker::from(Arc::clone(&waker));
            let mut cx = Context::from_waker(&as_waker);
            assert!(ended.as_mut().poll(&mut cx).is_pending());
            end(Arc::clone(&engine), handle.clone()).await;
            assert_eq!(waker.1.load(Ordering::Relaxed), 1);
        });
    });
}

#[test]
fn a_takeover_wakes_nobody_under_the_lock_of_the_table() {
    woken_unlocked(async |engine, _| {
        let newcomer = engine.start_publish_with(replacing()).await;
        newcomer.expect("it may replace");
    });
}

#[test]
fn a_release_wakes_nobody_under_the_lock_of_the_table() {
    woken_unlocked(async |engine, handle| {
        let released = engine.end_session(&key(), handle.session()).await;
        released.expect("an engine's never fails");
    });
}

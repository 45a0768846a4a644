//! Races that take a lock of the engine to be brought about.

use super::*;
use crate::{AccessDenied, AccessRequest, PublishRegistry, async_trait};
use std::sync::mpsc;

/// Says when it is asked.
struct Asked(mpsc::Sender<()>);

#[async_trait]
impl Authenticator for Asked {
    async fn authorize(&self, _request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        self.0.send(()).expect("the test listens");
        Ok(())
    }
}

#[test]
fn an_application_that_is_removed_just_before_its_stream_starts_gets_none() {
    let (asked, is_asked) = mpsc::channel();
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .authenticator(Asked(asked))
        .build();
    let table = engine.streams.write().expect("whole");
    let starting = std::thread::spawn({
        let engine = Arc::clone(&engine);
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(engine.start_publish(&StreamKey::new("live", "cam")))
        }
    });
    is_asked.recv().expect("asked");
    // Nobody tells that a thread waits for a lock. Were this too short, the test would pass without having tried.
    std::thread::sleep(Duration::from_millis(30));
    // The first half of `remove_app`, whose second half waits for the table as well.
    engine.apps.write().expect("whole").remove("live");
    drop(table);
    let started = starting.join().expect("no panic");
    assert!(matches!(started, Err(StreamError::AppNotFound(_))));
    assert_eq!(engine.total_stream_count(), 0);
}

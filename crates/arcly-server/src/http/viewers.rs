//! HLS viewers. HTTP knows requests only; those that come from one player count as one viewer, from its first to some time after its last.

use arcly_stream::prelude::*;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A player that has asked for nothing for this long is gone. Players ask for the playlist each target duration, so it is a few of these.
const GONE_AFTER: Duration = Duration::from_secs(15);

/// How long an authorisation holds before the engine is asked again: not for each segment, and a token that expired ends playing soon.
const AUTHORISED_FOR: Duration = Duration::from_secs(10);

/// Who is told apart from others: one address with one program and one token, watching one stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Who {
    key: StreamKey,
    address: IpAddr,
    program: String,
    token: Option<String>,
}

struct Viewer {
    /// Counted by the engine while it is held.
    session: PlaySession,
    authorised: Instant,
    seen: Instant,
}

/// All viewers of HLS.
pub(crate) struct Viewers {
    engine: Arc<Engine>,
    max: usize,
    viewers: Mutex<HashMap<Who, Viewer>>,
}

impl Viewers {
    /// Tells up to `max` viewers apart.
    pub(crate) fn new(engine: Arc<Engine>, max: usize) -> Self {
        Self {
            engine,
            max,
            viewers: Mutex::default(),
        }
    }

    /// Lets a request through, or refuses it.
    ///
    /// # Errors
    /// As of [`PlaybackRegistry::authorize_play`]. A stream that is not live is no error: its last segments may still be there.
    #[expect(
        clippy::disallowed_methods,
        reason = "viewers come and go in real time"
    )]
    pub(super) async fn admit(
        &self,
        key: &StreamKey,
        peer: SocketAddr,
        program: &str,
        credentials: Credentials,
    ) -> Result<()> {
        // Names of programs are a line at most; more would only cost memory.
        let program = program.chars().take(200).collect();
        let who = Who {
            key: key.clone(),
            address: peer.ip(),
            program,
            token: credentials.token.clone(),
        };
        let now = Instant::now();
        let mut live_before = false;
        if let Some(viewer) = self.lock().get_mut(&who) {
            viewer.seen = now;
            if viewer.session.is_ended() {
                return Err(StreamError::Unauthorized {
                    reason: "the host has ended this play".to_owned(),
                });
            }
            live_before = viewer.session.handle().is_live();
            if live_before && now.duration_since(viewer.authorised) < AUTHORISED_FOR {
                return Ok(());
            }
        }
        let request = PlayRequest::new(key.clone())
            .credentials(credentials)
            .peer(peer)
            .protocol("hls");
        if live_before {
            let authorised = self.engine.authorize_play(&request).await;
            let mut viewers = self.lock();
            match (&authorised, viewers.get_mut(&who)) {
                (Ok(()), Some(viewer)) => viewer.authorised = now,
                (Err(_), _) => drop(viewers.remove(&who)),
                (Ok(()), None) => {}
            }
            return authorised;
        }
        let has_room = {
            let viewers = self.lock();
            viewers.len() < self.max || viewers.contains_key(&who)
        };
        // One that is brought in on demand is waited for.
        let is_there = || self.engine.get_stream(key).is_ok() || self.engine.is_offered(key);
        if !has_room || !is_there() {
            return self.engine.authorize_play(&request).await;
        }
        let session = match self.engine.open_play(request).await {
            Ok(session) => session,
            // Allowed, but it has ended just now.
            Err(StreamError::StreamNotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.lock().insert(
            who,
            Viewer {
                session,
                authorised: now,
                seen: now,
            },
        );
        Ok(())
    }

    /// Lets go of those that have gone, for ever.
    pub(super) async fn sweep(&self) -> Infallible {
        loop {
            tokio::time::sleep(GONE_AFTER / 5).await;
            self.lock()
                .retain(|_, viewer| viewer.seen.elapsed() < GONE_AFTER);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Who, Viewer>> {
        self.viewers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_of_one_player_are_one_viewer() {
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        let key = StreamKey::new("live", "cam");
        let session = IngestContext::new(engine.clone())
            .open_publish(key.clone())
            .await
            .expect("free");
        let viewers = Viewers::new(engine.clone(), 2);
        let admit = async |address: &str, program| {
            let peer = SocketAddr::new(address.parse().expect("an address"), 1);
            viewers
                .admit(&key, peer, program, Credentials::anonymous())
                .await
        };
        let count = || session.handle().viewer_count();
        for _ in 0..3 {
            admit("10.0.0.1", "player").await.expect("allowed");
        }
        assert_eq!(count(), 1);
        admit("10.0.0.1", "another").await.expect("allowed");
        assert_eq!(count(), 2);
        admit("10.0.0.2", "player")
            .await
            .expect("allowed, beyond the limit");
        assert_eq!(count(), 2);
        let _ = tokio::time::timeout(GONE_AFTER * 2, viewers.sweep()).await;
        assert_eq!(count(), 0);
    }
}

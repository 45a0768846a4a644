//! Viewers that were authorised once.

use super::lock;
use arcly_core::StreamKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// A session that has not been used for this long is over. Players ask for something each target duration.
const IDLE: Duration = Duration::from_secs(60);

/// The sessions of an origin.
pub(super) struct Sessions {
    max: usize,
    sessions: Mutex<HashMap<u128, Session>>,
}

struct Session {
    key: StreamKey,
    ticket: Arc<str>,
    used: Instant,
}

impl Sessions {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            sessions: Mutex::default(),
        }
    }

    /// Opens a session for `key`. None where the system has no randomness.
    pub(super) fn open(&self, key: &StreamKey, ticket: Arc<str>) -> Option<String> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).ok()?;
        let id = u128::from_be_bytes(random);
        let now = now();
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= self.max {
            sessions.retain(|_, session| now.duration_since(session.used) < IDLE);
        }
        if sessions.len() >= self.max {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used);
            if let Some(id) = oldest.map(|(id, _)| *id) {
                sessions.remove(&id);
            }
        }
        let key = key.clone();
        let session = Session {
            key,
            ticket,
            used: now,
        };
        sessions.insert(id, session);
        Some(format!("{id:032x}"))
    }

    /// The ticket of this session, where `is_for` accepts its stream. It counts as used then.
    pub(super) fn ticket(
        &self,
        name: &str,
        is_for: impl Fn(&StreamKey) -> bool,
    ) -> Option<Arc<str>> {
        let (id, now) = (number(name)?, now());
        let mut sessions = lock(&self.sessions);
        let session = sessions
            .get_mut(&id)
            .filter(|session| is_for(&session.key))?;
        if now.duration_since(session.used) >= IDLE {
            sessions.remove(&id);
            return None;
        }
        session.used = now;
        Some(Arc::clone(&session.ticket))
    }

    pub(super) fn end(&self, name: &str) {
        if let Some(id) = number(name) {
            lock(&self.sessions).remove(&id);
        }
    }
}

/// The number that a session's name stands for: 32 lower-case hexadecimal digits.
fn number(name: &str) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (name.len() == 32 && name.bytes().all(is_digit))
        .then(|| u128::from_str_radix(name, 16).ok())
        .flatten()
}

#[expect(clippy::disallowed_methods, reason = "drivers read clocks")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_is_good_for_its_stream_while_it_is_used() {
        let sessions = Sessions::new(8);
        let (key, other) = (StreamKey::new("live", "a"), StreamKey::new("live", "b"));
        let name = sessions.open(&key, "ticket".into()).expect("randomness");
        let is_valid =
            |name: &str, wanted: &StreamKey| sessions.ticket(name, |key| key == wanted).is_some();
        assert!(is_valid(&name, &key) && !is_valid(&name, &other));
        assert!(!is_valid("0", &key) && !is_valid(&name.to_uppercase().replace('0', "1"), &key));
        for _ in 0..5 {
            tokio::time::advance(IDLE / 2).await;
            assert!(is_valid(&name, &key));
        }
        tokio::time::advance(IDLE).await;
        assert!(!is_valid(&name, &key));
        let name = sessions.open(&key, "ticket".into()).expect("randomness");
        sessions.end(&name);
        assert!(!is_valid(&name, &key));
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_was_idle_for_longest_makes_room() {
        let sessions = Sessions::new(2);
        let key = StreamKey::new("live", "a");
        let mut names = Vec::new();
        for _ in 0..3 {
            names.push(sessions.open(&key, "ticket".into()).expect("randomness"));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let valid = names
            .iter()
            .map(|name| sessions.ticket(name, |_| true).is_some());
        assert_eq!(valid.collect::<Vec<_>>(), [false, true, true]);
    }
}

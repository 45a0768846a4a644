//! Streams that are brought in when somebody wants to play them, and only then.

use crate::StreamKey;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What somebody offers to bring in. While it exists, whoever wants to play the stream waits for it, and is heard of by
/// [`wanted`](Self::wanted). Dropping it withdraws the offer. From [`IngestContext::offer`](crate::IngestContext::offer).
pub struct Demand {
    offer: Arc<Offer>,
    offers: Arc<Offers>,
}

impl Demand {
    /// Waits until somebody wants to play the stream while it is not live. A wish that comes while nobody waits here is heard of at the
    /// next call, and several count as one. Cancel-safe.
    pub async fn wanted(&self) {
        self.offer.wanted.notified().await;
    }

    /// Whether somebody waits for the stream at the moment.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.offer.waiting.load(Ordering::Relaxed) > 0
    }

    /// The stream.
    #[must_use]
    pub fn key(&self) -> &StreamKey {
        &self.offer.key
    }
}

impl Drop for Demand {
    fn drop(&mut self) {
        let mut offers = self.offers.lock();
        let held = offers.get(&self.offer.key);
        if held.is_some_and(|held| Arc::ptr_eq(held, &self.offer)) {
            offers.remove(&self.offer.key);
        }
    }
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demand")
            .field("key", &self.offer.key)
            .field("patience", &self.offer.patience)
            .finish()
    }
}

struct Offer {
    key: StreamKey,
    /// How long it is worth while to wait for the stream.
    patience: Duration,
    wanted: Notify,
    /// How many wait for it.
    waiting: AtomicUsize,
}

/// Somebody who waits for a stream that is offered.
pub(super) struct Wish(Arc<Offer>);

impl Drop for Wish {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All that is offered, at most once a stream.
#[derive(Default)]
pub(super) struct Offers(Mutex<HashMap<StreamKey, Arc<Offer>>>);

impl Offers {
    fn lock(&self) -> MutexGuard<'_, HashMap<StreamKey, Arc<Offer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an offer, in place of one that there was before.
    pub(super) fn make(self: &Arc<Self>, key: &StreamKey, patience: Duration) -> Demand {
        let offer = Arc::new(Offer {
            key: key.clone(),
            patience,
            wanted: Notify::new(),
            waiting: AtomicUsize::new(0),
        });
        self.lock().insert(key.clone(), Arc::clone(&offer));
        Demand {
            offer,
            offers: Arc::clone(self),
        }
    }

    /// How long to wait for the stream, where it is offered.
    pub(super) fn patience(&self, key: &StreamKey) -> Option<Duration> {
        self.lock().get(key).map(|offer| offer.patience)
    }

    /// Somebody wants the stream, until the wish is dropped.
    pub(super) fn want(&self, key: &StreamKey) -> Option<Wish> {
        let offer = self.lock().get(key).cloned()?;
        offer.waiting.fetch_add(1, Ordering::Relaxed);
        offer.wanted.notify_one();
        Some(Wish(offer))
    }
}

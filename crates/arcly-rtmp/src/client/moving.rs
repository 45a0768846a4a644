//! A server that asks us to connect anew, and the moment at which we do (Enhanced RTMP v2, "Reconnect Request").

use super::failure::Failure;
use crate::proto::client::RtmpUrl;
use arcly_core::net::now;
use std::future::pending;
use std::time::{Duration, Instant};
use tokio::time::sleep_until;

/// How long the next keyframe is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where to go on, once we were asked to.
#[derive(Debug)]
pub(super) struct Moving {
    from: RtmpUrl,
    to: Option<(RtmpUrl, Instant)>,
}

impl Moving {
    /// For a connection to `from`, whose server has not asked.
    pub(super) fn new(from: RtmpUrl) -> Self {
        Self { from, to: None }
    }

    /// The server asks. A second time changes where to, not when.
    pub(super) fn request(&mut self, url: &str) -> Result<(), Failure> {
        let to = self.from.redirected(url).map_err(Failure::Redirection)?;
        let at = self
            .to
            .take()
            .map_or_else(|| now() + PATIENCE, |(_, at)| at);
        self.to = Some((to, at));
        Ok(())
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.to.is_some()
    }

    /// Comes back when the next keyframe has been waited for long enough.
    pub(super) async fn overdue(&self) {
        match &self.to {
            Some((_, at)) => sleep_until((*at).into()).await,
            None => pending().await,
        }
    }

    /// How the connection ended, after it did so by `result`: one whose server has asked us to leave, however it ended, goes on elsewhere.
    pub(super) fn settle(self, result: Result<(), Failure>) -> Result<(), Failure> {
        match (result, self.to) {
            // Ours to end, whatever the server asks.
            (Ok(()), _) => Ok(()),
            (Err(ours @ (Failure::Local(_) | Failure::LocalEnded(_) | Failure::PlayEnded)), _) => {
                Err(ours)
            }
            (Err(_), Some((to, _))) => Err(Failure::Moved(Box::new(to))),
            (Err(failure), None) => Err(failure),
        }
    }
}

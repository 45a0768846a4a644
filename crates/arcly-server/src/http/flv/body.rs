//! The body of a response that goes on for as long as the stream does.

use super::batch::Batch;
use super::viewer::{End, Viewer};
use axum::response::Response;
use hyper::body::{Body, Frame};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// All that is ready is one frame of the body: one HTTP chunk, written with one system call.
pub(in crate::http) struct FlvBody(Viewer);

/// What cuts the body off, so that the player sees that it is not whole.
#[derive(Debug)]
pub(in crate::http) struct CutOff(End);

impl FlvBody {
    pub(super) const fn new(viewer: Viewer) -> Self {
        Self(viewer)
    }

    /// Sends it along with a response, whose own body cannot hold it: that one takes contiguous bytes only.
    pub(super) fn attach(self, response: &mut Response) {
        let attached = Attached(Arc::new(Mutex::new(Some(self))));
        response.extensions_mut().insert(attached);
    }

    /// The one that came along with a response.
    pub(in crate::http) fn detach(response: &mut Response) -> Option<Self> {
        let attached = response.extensions_mut().remove::<Attached>()?;
        let mut body = attached.0.lock().unwrap_or_else(PoisonError::into_inner);
        body.take()
    }
}

/// Extensions can be cloned, bodies cannot.
#[derive(Clone)]
struct Attached(Arc<Mutex<Option<FlvBody>>>);

impl Body for FlvBody {
    type Data = Batch;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Batch>, CutOff>>> {
        self.0.poll_batch(cx).map(|batch| match batch {
            Ok(batch) => Some(Ok(Frame::data(batch))),
            Err(End::Unpublished | End::ByHost | End::Stopping) => None,
            Err(end @ (End::TooSlow | End::Failed)) => Some(Err(CutOff(end))),
        })
    }
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            End::TooSlow => "the player was too slow for too long",
            _ => "the stream cannot be packaged",
        })
    }
}

impl std::error::Error for CutOff {}

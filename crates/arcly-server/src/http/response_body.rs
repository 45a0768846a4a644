//! The bodies of all responses, as hyper sends them.

use super::flv::{Batch, FlvBody};
use axum::body::Body;
use bytes::{Buf, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::error::Error;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body of axum, or one in [batches](Batch).
pub(super) enum ResponseBody {
    Whole(Body),
    Flv(Box<FlvBody>),
}

/// A part of a body.
pub(super) enum Part {
    Bytes(Bytes),
    Batch(Batch),
}

impl HttpBody for ResponseBody {
    type Data = Part;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Part>, Self::Error>>> {
        match &mut *self {
            Self::Whole(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| Ok(frame?.map_data(Part::Bytes)))),
            Self::Flv(body) => Pin::new(&mut **body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| Ok(frame?.map_data(Part::Batch)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Flv(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Flv(_) => SizeHint::new(),
        }
    }
}

impl Buf for Part {
    fn remaining(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.remaining(),
            Self::Batch(batch) => batch.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes.chunk(),
            Self::Batch(batch) => batch.chunk(),
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.chunks_vectored(slices),
            Self::Batch(batch) => batch.chunks_vectored(slices),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(count),
            Self::Batch(batch) => batch.advance(count),
        }
    }
}

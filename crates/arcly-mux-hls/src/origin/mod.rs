//! Requests in, responses out: the origin's face, free of any HTTP framework.

mod byte_range;
mod directives;
mod request;
mod response;
mod route;

pub(crate) use directives::Directives;
pub use request::{HlsMethod, HlsRequest};
pub use response::HlsResponse;
pub(crate) use route::{Media, Resource, Route};

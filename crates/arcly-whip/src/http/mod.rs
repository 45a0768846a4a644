//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) as requests and responses, whatever the HTTP server.

mod problem;
mod request;
mod response;

pub use request::{WhipMethod, WhipRequest, WhipResource};
pub use response::WhipResponse;

pub(crate) use problem::Problem;

/// What the protocol calls descriptions.
pub(crate) const SDP: &str = "application/sdp";

/// What it calls candidates that come after.
pub(crate) const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";

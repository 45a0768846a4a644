//! Messages: requests, responses and interleaved blocks (RFC 2326, sections 4 to 7 and 10.12), read from a connection's bytes and written to them.
//!
//! [`MessageReader`] splits what came into [`Message`]s within [`MessageLimits`](crate::MessageLimits).
//! [`Request`] and [`Response`] write themselves; [`interleaved_head`] is what stands before an interleaved block.

mod head;
mod headers;
mod method;
mod reader;
mod request;
mod response;
mod status;

pub use headers::{Headers, name};
pub use method::Method;
pub use reader::{Interleaved, Message, MessageReader, interleaved_head};
pub use request::Request;
pub use response::Response;
pub use status::StatusCode;

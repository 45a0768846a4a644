//! Proving who one is: the Basic, Digest and Bearer schemes (RFC 7617, 7616, 6750; RFC 2069 where a peer knows no `qop`), for both roles.
//!
//! A server writes [`Challenge`]s into `WWW-Authenticate`, one a header, and reads the client's [`Authorization`]. A client reads all challenges of a
//! 401, picks the [strongest](Challenge::strongest), and [answers](Challenge::answer) it.

mod authorization;
mod challenge;
mod digest;

pub use authorization::{Authorization, DigestResponse};
pub use challenge::{Challenge, DigestChallenge};
pub use digest::{DigestAlgorithm, DigestQuestion};

//! The client's side of a connection: publishing to a server, or playing from one.
//!
//! ```
//! use arcly_rtmp::proto::client::{ClientConfig, ClientSession, Purpose};
//! use arcly_rtmp::proto::client::{Input, Output, RtmpUrl};
//! use std::time::Instant;
//!
//! # fn now() -> Instant {
//! #     #[expect(clippy::disallowed_methods, reason = "the example is its own driver")]
//! #     Instant::now()
//! # }
//! let url: RtmpUrl = "rtmp://example.com/live/cam".parse()?;
//! let mut session = ClientSession::new(ClientConfig::default(), &url, Purpose::Play, 7, now());
//! let Output::Transmit(opening) = session.poll_output() else { panic!("C0 and C1") };
//! assert_eq!(opening.len(), 1537);
//! // An HTTP server answers.
//! assert!(session.handle_input(Input::Receive(b"HTTP/1.1 400 Bad Request\r\n"), now()).is_err());
//! assert_eq!(session.poll_output(), Output::Close);
//! # Ok::<(), arcly_rtmp::proto::client::InvalidUrl>(())
//! ```

mod adobe_auth;
mod commands;
mod io;
mod messages;
mod secrets;
mod session;
mod url;

pub use super::handshake::HandshakeKind;
pub use io::{ClientConfig, End, Event, Input, Output, Purpose, Stage};
pub use session::ClientSession;
pub use url::{InvalidUrl, RtmpUrl};

//! The client: plays a stream of a server, or publishes one to it.
//!
//! [`ClientSession`] is one connection, sans-IO. Its methods in the order in which they are called:
//!
//! 1. [`play`](ClientSession::play) or [`publish_to`](ClientSession::publish_to), with the URL and what is wanted of it.
//! 2. [`handle_input`](ClientSession::handle_input) with what came and what time it is; then [`poll_output`](ClientSession::poll_output) until it says
//!    [`Output::Timeout`] or [`Output::Close`].
//! 3. On [`Event::Described`], [`setup`](ClientSession::setup) says which tracks are wanted and over what: a caller who wants datagrams
//!    has bound the sockets by then.
//! 4. [`Event::Started`] tells that media goes; [`Event::Frame`]s follow, or [`publish`](ClientSession::publish) may be called.
//! 5. [`finish`](ClientSession::finish) ends it.
//!
//! What real servers do beside the specification is in [`Quirks`].

mod config;
mod control;
mod io;
mod keepalive;
mod login;
mod presentation;
mod quirks;
mod session;
mod url;

pub use config::{ClientConfig, ClientLimits};
pub use io::{Agreement, Carriage, End, Event, Input, Notice, Output, Purpose, Stage};
pub use presentation::{Presentation, PresentedTrack};
pub use quirks::{
    BaseUrlPolicy, KeepalivePolicy, OptionsPolicy, PlayRangePolicy, Quirks, SessionIdPolicy,
    SourcePortPolicy, SsrcPolicy,
};
pub use session::ClientSession;
pub use url::{InvalidUrl, RemoteUrl};

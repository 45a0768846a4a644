//! The server's side of a connection.
//!
//! ```
//! use arcly_rtmp::Config;
//! use arcly_rtmp::proto::session::{Input, Output, ServerSession};
//! use std::time::Instant;
//!
//! # fn now() -> Instant {
//! #     #[expect(clippy::disallowed_methods, reason = "the example is its own driver")]
//! #     Instant::now()
//! # }
//! let mut session = ServerSession::new(Config::default(), now());
//! // A browser comes to the wrong port.
//! assert!(session.handle_input(Input::Receive(b"GET / HTTP/1.1\r\n"), now()).is_err());
//! assert_eq!(session.poll_output(), Output::Close);
//! ```

mod commands;
mod flow;
mod io;
mod messages;
mod play;
mod reading;
mod streams;
mod timers;

pub use io::{
    Event, Input, MessageStreamId, Output, PlayControl, PlayEnd, PlayRequest, PublishKind,
    PublishRequest,
};

pub(in crate::proto) use messages::take_tag;

use super::chunk::{ChunkReader, ChunkWriter, ReaderLimits};
use super::command;
use super::control::{Control, UserControl};
use super::handshake::ServerHandshake;
use super::message::Message;
use super::status::{Level, StatusCode};
use super::target::Connect;
use crate::amf0;
use crate::{Config, Error, Location, Result};
use arcly_core::net::Rate;
use bytes::BytesMut;
use flow::{AckWindow, InFlight};
use messages::Aggregate;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use streams::MessageStream;
use timers::{Timer, Timers};

/// The server's side of a connection, without its socket.
///
/// Three families of methods:
/// * [`handle_input`](Self::handle_input) with what comes;
/// * [`poll_output`](Self::poll_output) after each call of any other method, again and again until it says
///   [`Output::Timeout`] (nothing more to do) or [`Output::Close`];
/// * the replies to events: [`accept_connect`](Self::accept_connect), [`reject_connect`](Self::reject_connect),
///   [`accept_publish`](Self::accept_publish), [`reject_publish`](Self::reject_publish),
///   [`accept_play`](Self::accept_play), [`reject_play`](Self::reject_play), and, of one's own accord,
///   [`end_publish`](Self::end_publish), [`end_play`](Self::end_play), [`hang_up`](Self::hang_up).
///
/// The media of a play does not pass through the session: the caller writes it, as chunks that depend on nothing before
/// them ([`egress`](crate::egress)), between what the session transmits, and counts it by [`sent`](Self::sent).
///
/// While [`Event::Connect`] or [`Event::Publish`] waits for its reply, input is only held, up to
/// [`Limits::buffered_bytes`](crate::Limits::buffered_bytes), and no deadline passes: what takes time then is not the
/// peer's doing. A driver simply does not read meanwhile.
///
/// Input is read as far as 64 events are waiting, and on from there when these have been polled. Where it turns out then that the peer
/// broke the rules, a timeout comes that is due already, and the next call of [`handle_input`](Self::handle_input) has the error.
///
/// Events come before the bytes to transmit, so that a reply is only sent once its event was acted on, and all the
/// bytes that a call makes come as one [`Output::Transmit`].
///
/// Memory: below 1 KiB, 3 KiB more from the first byte to the end of the handshake, and what
/// [`Limits`](crate::Limits) says. At most 64 events wait to be polled, and those of one tag beyond them, which are three for each of
/// [`Limits::tracks`](crate::Limits::tracks) and some notices, whatever comes in one call or in one message.
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<Config>,
    amf: amf0::Limits,
    stage: Stage,
    /// Input that was not read yet: a reply is waited for, or events are to be polled first.
    held: BytesMut,
    /// The aggregate message whose tags come before that input.
    aggregate: Option<Box<Aggregate>>,
    /// What was found when input was read on behind events; the caller is told when it calls next.
    found: Option<Error>,
    /// The time of the last call.
    now: Instant,
    /// The reply that is waited for.
    awaited: Option<Awaited>,
    connect: Option<Arc<Connect>>,
    streams: BTreeMap<u32, MessageStream>,
    last_stream: u32,
    /// Whether the peer uses FCPublish and FCUnpublish, so that it is told of the outcome that way too.
    uses_fc: bool,
    writer: ChunkWriter,
    out: BytesMut,
    events: VecDeque<Event>,
    timers: Timers,
    acks: AckWindow,
    in_flight: InFlight,
    rate: Rate,
    started: Instant,
}

/// How far the connection is.
#[derive(Debug)]
enum Stage {
    Handshake(ServerHandshake),
    Chunks(Box<ChunkReader>),
    /// It ends once the output is drained.
    Closing,
}

/// A reply of the caller's that is waited for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Awaited {
    Connect { transaction: f64 },
    Publish(MessageStreamId),
}

/// Chunk streams that we send on. Which is free to the sender but for 2 (RTMP 1.0, 5.4); these are the usual ones.
mod chunk_stream {
    pub(super) const CONTROL: u8 = 2;
    pub(super) const COMMAND: u8 = 3;
    pub(super) const STATUS: u8 = 5;
}

/// The deadline where none is set, since all timeouts are too long to be represented.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

impl ServerSession {
    /// A session for a connection that was made `now`.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>, now: Instant) -> Self {
        let config = config.into();
        let mut timers = Timers::default();
        timers.set(Timer::Handshake, now, config.limits.handshake_timeout);
        Self {
            amf: amf0::Limits::from(&config.limits),
            stage: Stage::Handshake(ServerHandshake::default()),
            held: BytesMut::new(),
            aggregate: None,
            found: None,
            now,
            awaited: None,
            connect: None,
            streams: BTreeMap::new(),
            last_stream: 0,
            uses_fc: false,
            writer: ChunkWriter::default(),
            out: BytesMut::new(),
            events: VecDeque::new(),
            timers,
            acks: AckWindow::new(config.window_ack_size),
            in_flight: InFlight::default(),
            rate: Rate::new(config.limits.commands_per_second, now),
            started: now,
            config,
        }
    }

    /// Takes what came.
    ///
    /// # Errors
    /// Any that ends the connection; what is still to be said to the peer comes from [`poll_output`](Self::poll_output),
    /// then [`Output::Close`]. After that input is ignored.
    pub fn handle_input(&mut self, input: Input<'_>, now: Instant) -> Result<()> {
        if matches!(self.stage, Stage::Closing) {
            return Ok(());
        }
        self.now = now;
        if let Some(error) = self.found.take() {
            self.fail(&error);
            return Err(error);
        }
        let result = match input {
            Input::Receive(bytes) => self.receive(bytes, now),
            Input::Timeout => self.time_out(now),
        };
        result.inspect_err(|error| self.fail(error))
    }

    /// What is to be done next.
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        if let Some(event) = self.next_event() {
            return Output::Event(event);
        }
        if !self.out.is_empty() {
            self.in_flight.send(self.out.len());
            // Taken, not split off: what stayed behind would keep the whole buffer alive.
            return Output::Transmit(std::mem::take(&mut self.out).freeze());
        }
        match self.stage {
            Stage::Closing => Output::Close,
            _ if self.found.is_some() => Output::Timeout(self.now),
            _ => Output::Timeout(self.timers.next().unwrap_or(self.started + FAR)),
        }
    }

    /// What the peer said when it connected; `None` until it did.
    #[must_use]
    pub fn connect(&self) -> Option<&Arc<Connect>> {
        self.connect.as_ref()
    }

    /// Grants [`Event::Connect`], and goes on with the input that was held.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where no such event waits; else as [`handle_input`](Self::handle_input).
    pub fn accept_connect(&mut self, now: Instant) -> Result<()> {
        let Some(Awaited::Connect { transaction }) = self.awaited else {
            return Err(Error::ApiMisuse {
                what: "accept_connect without a request to connect",
            });
        };
        self.reply_connect(transaction);
        self.timers
            .set(Timer::Setup, now, self.config.limits.setup_timeout);
        self.resume(now)
    }

    /// Refuses [`Event::Connect`] with `code` and words for the peer, and closes.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where no such event waits.
    pub fn reject_connect(&mut self, code: StatusCode, description: &str) -> Result<()> {
        let Some(Awaited::Connect { transaction }) = self.awaited else {
            return Err(Error::ApiMisuse {
                what: "reject_connect without a request to connect",
            });
        };
        self.send(
            chunk_stream::COMMAND,
            &command::error(transaction, code, description),
        );
        self.close();
        Ok(())
    }

    /// Grants [`Event::Publish`], and goes on with the input that was held.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where no such event waits; else as [`handle_input`](Self::handle_input).
    pub fn accept_publish(&mut self, stream: MessageStreamId, now: Instant) -> Result<()> {
        if self.awaited != Some(Awaited::Publish(stream)) {
            return Err(Error::ApiMisuse {
                what: "accept_publish without a request to publish",
            });
        }
        self.start_publication(stream);
        self.resume(now)
    }

    /// Refuses [`Event::Publish`] with `code` and words for the peer, and closes.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where no such event waits.
    pub fn reject_publish(
        &mut self,
        stream: MessageStreamId,
        code: StatusCode,
        description: &str,
    ) -> Result<()> {
        if self.awaited != Some(Awaited::Publish(stream)) {
            return Err(Error::ApiMisuse {
                what: "reject_publish without a request to publish",
            });
        }
        self.send_status(stream, Level::Error, code, description);
        self.close();
        Ok(())
    }

    /// Ends a publication that was accepted, with `code` and words for the peer, and closes: the host has ended it,
    /// or given the name to another. Nothing happens where it has ended already.
    pub fn end_publish(&mut self, stream: MessageStreamId, code: StatusCode, description: &str) {
        if self
            .streams
            .get(&stream.0)
            .is_some_and(MessageStream::is_publishing)
        {
            self.send_status(stream, Level::Error, code, description);
            self.close();
        }
    }

    /// Counts bytes that the caller has written of its own, beside what the session transmits.
    pub fn sent(&mut self, bytes: usize) {
        self.in_flight.send(bytes);
    }

    /// How many bytes the peer has not acknowledged yet; `None` where it has never acknowledged any (RTMP 1.0, 5.4.3).
    #[must_use]
    pub fn bytes_in_flight(&self) -> Option<u64> {
        self.in_flight.bytes()
    }

    /// Closes once the output is drained. Plays and publications end by events.
    pub fn hang_up(&mut self) {
        self.close();
    }

    /// The peer is alive.
    fn heard(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Chunks(_)) {
            self.timers
                .set(Timer::Idle, now, self.config.limits.idle_timeout);
            self.timers.set(Timer::Ping, now, self.config.ping_interval);
        }
    }

    fn time_out(&mut self, now: Instant) -> Result<()> {
        if self.awaited.is_some() {
            // The caller is late, not the peer.
            self.heard(now);
            return Ok(());
        }
        while let Some(timer) = self.timers.take_due(now) {
            let limits = &self.config.limits;
            let (what, limit) = match timer {
                Timer::Handshake => ("the handshake", limits.handshake_timeout),
                Timer::Setup => ("the request to publish or play", limits.setup_timeout),
                Timer::Idle => ("the next byte of the peer", limits.idle_timeout),
                Timer::Ping => {
                    self.timers.set(Timer::Ping, now, self.config.ping_interval);
                    let millis = now.duration_since(self.started).as_millis() as u32;
                    self.send_control(Control::User(UserControl::PingRequest(millis)));
                    continue;
                }
            };
            return Err(Error::TimedOut { what, limit });
        }
        Ok(())
    }

    /// The limits of a peer that was not allowed to publish.
    fn early_limits(&self) -> ReaderLimits {
        let limits = ReaderLimits::from(&self.config.limits);
        ReaderLimits {
            message_bytes: limits.message_bytes.min(limits.command_bytes),
            buffered_bytes: limits.buffered_bytes.min(limits.command_bytes as usize),
            ..limits
        }
    }

    /// The place that was read up to.
    fn here(&self) -> Location {
        let offset = match &self.stage {
            Stage::Chunks(reader) => reader.offset(),
            _ => 0,
        };
        Location {
            offset,
            ..Location::default()
        }
    }

    fn send(&mut self, chunk_stream: u8, message: &Message) {
        self.writer.write(&mut self.out, chunk_stream, message);
    }

    fn send_control(&mut self, control: Control) {
        self.send(chunk_stream::CONTROL, &control.to_message());
        if let Control::SetChunkSize(size) = control {
            self.writer.set_chunk_size(size);
        }
    }

    fn send_status(
        &mut self,
        stream: MessageStreamId,
        level: Level,
        code: StatusCode,
        description: &str,
    ) {
        self.send(
            chunk_stream::STATUS,
            &command::status("onStatus", stream.0, level, code, description),
        );
    }

    /// Tells the peer why, as far as it is far enough to understand, and closes.
    fn fail(&mut self, error: &Error) {
        if self.connect.is_some() && !matches!(self.stage, Stage::Closing) {
            let reason = error.to_string();
            let publishing: Vec<_> = self.publications().collect();
            let playing: Vec<_> = self.plays().collect();
            let (level, code) = (Level::Error, StatusCode::PUBLISH_DENIED);
            for &stream in &publishing {
                self.send_status(stream, level, code, &reason);
            }
            for &stream in &playing {
                self.send_status(stream, level, StatusCode::PLAY_FAILED, &reason);
            }
            if publishing.is_empty() && playing.is_empty() {
                self.send_status(
                    MessageStreamId(0),
                    level,
                    StatusCode::CONNECT_CLOSED,
                    &reason,
                );
            }
        }
        self.close();
    }

    /// Ends all publications and plays, and closes once the output is drained.
    fn close(&mut self) {
        let publishing: Vec<_> = self.publications().collect();
        for stream in publishing {
            self.end_publication(stream);
        }
        let playing: Vec<_> = self.plays().collect();
        for stream in playing {
            self.end_playback(stream);
        }
        self.streams.clear();
        self.held = BytesMut::new();
        self.aggregate = None;
        self.found = None;
        self.awaited = None;
        self.stage = Stage::Closing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_stays_below_a_kibibyte() {
        assert!(
            size_of::<ServerSession>() < 1024,
            "{}",
            size_of::<ServerSession>()
        );
        assert!(
            size_of::<ChunkReader>() < 256,
            "{}",
            size_of::<ChunkReader>()
        );
    }
}

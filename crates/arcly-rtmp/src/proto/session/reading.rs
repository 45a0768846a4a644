//! How input is read: no further than there is room for events.

use super::timers::Timer;
use super::{Event, ServerSession, Stage};
use crate::proto::chunk::ChunkReader;
use crate::proto::control::Control;
use crate::proto::handshake::CLIENT_BYTES;
use crate::{Error, Result};
use bytes::Buf;
use std::collections::VecDeque;
use std::time::Instant;

/// How many events wait to be polled before input is left where it is. A few bytes can make an event of a hundred, and an aggregate
/// message has half a million of tags in 8 MiB.
const MAX_EVENTS: usize = 64;

/// The room for events that is kept when there are none. A publisher has a few at a time, most other peers none.
const KEPT_EVENTS: usize = 16;

impl ServerSession {
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<()> {
        self.acks.receive(bytes.len());
        self.heard(now);
        self.process(bytes, now)?;
        if let Some(sequence_number) = self.acks.take_due() {
            self.send_control(Control::Acknowledgement(sequence_number));
        }
        Ok(())
    }

    /// Reads what there is room for, and holds the rest.
    fn process(&mut self, mut input: &[u8], now: Instant) -> Result<()> {
        if let Stage::Handshake(handshake) = &mut self.stage {
            if !handshake.read(&mut input, &mut self.out)? {
                return Ok(());
            }
            self.stage = Stage::Chunks(Box::new(ChunkReader::new(
                self.early_limits(),
                CLIENT_BYTES as u64,
            )));
            self.timers.clear(Timer::Handshake);
            self.timers
                .set(Timer::Setup, now, self.config.limits.setup_timeout);
            self.heard(now);
        }
        if !self.is_behind() {
            self.read_messages(&mut input, now)?;
        }
        if !matches!(self.stage, Stage::Chunks(_)) {
            return Ok(());
        }
        if self.held.len() + input.len() > self.config.limits.buffered_bytes {
            let (what, max) = ("buffered_bytes", self.config.limits.buffered_bytes as u64);
            return Err(Error::LimitExceeded {
                what,
                max,
                at: self.here(),
            });
        }
        self.held.extend_from_slice(input);
        Ok(())
    }

    /// Reads messages until `input` is used up, a reply is waited for, or there are enough events.
    fn read_messages(&mut self, input: &mut &[u8], now: Instant) -> Result<()> {
        while self.awaited.is_none() && self.events.len() < MAX_EVENTS {
            if let Some(aggregate) = self.aggregate.take() {
                self.read_aggregate(aggregate)?;
                continue;
            }
            let Stage::Chunks(reader) = &mut self.stage else {
                return Ok(());
            };
            let Some(received) = reader.read(input)? else {
                return Ok(());
            };
            self.handle_message(received, now)?;
        }
        Ok(())
    }

    /// Whether there is something to be read that came before what comes now.
    fn is_behind(&self) -> bool {
        let reads = matches!(self.stage, Stage::Chunks(_));
        reads && (self.aggregate.is_some() || !self.held.is_empty())
    }

    /// Goes on with what was held.
    fn catch_up(&mut self, now: Instant) -> Result<()> {
        let mut held = std::mem::take(&mut self.held);
        let mut input = &*held;
        self.read_messages(&mut input, now)?;
        let rest = input.len();
        held.advance(held.len() - rest);
        // What is used up gives its memory back.
        if rest > 0 && matches!(self.stage, Stage::Chunks(_)) {
            self.held = held;
        }
        Ok(())
    }

    /// Goes on after a reply of the caller's.
    pub(super) fn resume(&mut self, now: Instant) -> Result<()> {
        self.now = now;
        self.awaited = None;
        self.heard(now);
        self.catch_up(now).inspect_err(|error| self.fail(error))
    }

    /// The next event; where there is none, of what was held.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        while self.events.is_empty()
            && self.is_behind()
            && self.awaited.is_none()
            && self.found.is_none()
        {
            // The time in which the caller polls is not the peer's.
            self.found = self.catch_up(self.now).err();
        }
        let event = self.events.pop_front();
        if event.is_none() && self.events.capacity() > KEPT_EVENTS {
            self.events = VecDeque::new();
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Input, MessageStreamId, Output};
    use super::*;
    use crate::amf0::{Value, Writer};
    use crate::proto::chunk::ChunkWriter;
    use crate::proto::message::{Message, type_id};
    use crate::{Config, Limits};
    use bytes::{Bytes, BytesMut};

    fn message(type_id: u8, payload: impl Into<Bytes>) -> Message {
        Message {
            timestamp: 0,
            type_id,
            stream_id: 1,
            payload: payload.into(),
        }
    }

    fn command(name: &str, values: &[Value]) -> Message {
        let mut payload = BytesMut::new();
        let mut writer = Writer::new(&mut payload);
        writer.string(name).number(0.0);
        for value in values {
            writer.value(value);
        }
        message(type_id::COMMAND_AMF0, payload)
    }

    fn chunks(messages: &[Message]) -> Bytes {
        let mut bytes = BytesMut::new();
        for message in messages {
            ChunkWriter::default().write(&mut bytes, 3, message);
        }
        bytes.freeze()
    }

    /// A session that publishes. Time stands still.
    fn publishing() -> ServerSession {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
        let mut session = ServerSession::new(Config::default(), Instant::now());
        let app = Value::Object(vec![("app".to_owned(), "live".into())]);
        let setup = [
            command("connect", &[app]),
            command("createStream", &[Value::Null]),
            command("publish", &[Value::Null, "cam".into()]),
        ];
        let mut bytes = vec![0; CLIENT_BYTES];
        bytes[0] = 3;
        bytes.extend_from_slice(&chunks(&setup));
        receive(&mut session, &bytes);
        assert_eq!(poll_all(&mut session), 2, "connect and publish");
        session
    }

    fn receive(session: &mut ServerSession, bytes: &[u8]) {
        let now = session.now;
        session
            .handle_input(Input::Receive(bytes), now)
            .expect("in order");
        assert!(session.events.len() <= MOST_EVENTS);
    }

    /// What the documentation of the session says: 64, and those of one tag of 16 tracks with some notices.
    const MOST_EVENTS: usize = 64 + 3 * 16 + 8;

    /// Polls until there is nothing more, within the bound at each step; the number of events.
    fn poll_all(session: &mut ServerSession) -> usize {
        let mut count = 0;
        loop {
            let output = session.poll_output();
            assert!(session.events.len() <= MOST_EVENTS);
            let now = session.now;
            match output {
                Output::Event(event) => {
                    count += 1;
                    match event {
                        Event::Connect(_) => session.accept_connect(now).expect("awaited"),
                        Event::Publish(request) => {
                            session
                                .accept_publish(request.stream, now)
                                .expect("awaited");
                        }
                        _ => {}
                    }
                }
                Output::Transmit(_) => {}
                Output::Timeout(_) | Output::Close => return count,
            }
        }
    }

    /// A tag of an aggregate message, or of an FLV file.
    fn tag(tag_type: u8, body: &[u8]) -> Vec<u8> {
        let mut tag = vec![tag_type, 0, 0, body.len() as u8, 0, 0, 0, 0, 0, 0, 0];
        tag.extend_from_slice(body);
        tag.extend_from_slice(&(body.len() as u32 + 11).to_be_bytes());
        tag
    }

    const MP3: &[u8] = &[0x2F, 0xFF, 0xFB];

    #[test]
    fn an_aggregate_of_many_tags_becomes_events_as_they_are_polled() {
        let mut session = publishing();
        let tags = tag(type_id::AUDIO, MP3).repeat(100_000);
        let end = command("deleteStream", &[Value::Null, 1.0.into()]);
        let messages = [message(type_id::AGGREGATE, tags), end];
        receive(&mut session, &chunks(&messages));
        assert_eq!(poll_all(&mut session), 100_001, "in order, with the end");
        assert!(session.events.capacity() <= KEPT_EVENTS && session.held.capacity() == 0);
    }

    #[test]
    fn many_messages_in_one_read_do_as_well() {
        let mut session = publishing();
        let messages = vec![message(type_id::AUDIO, MP3); 10_000];
        let bytes = chunks(&messages);
        for piece in bytes.chunks(50_000) {
            receive(&mut session, piece);
        }
        assert_eq!(poll_all(&mut session), 10_000);
        assert!(session.events.capacity() <= KEPT_EVENTS && session.held.capacity() == 0);
    }

    #[test]
    fn what_is_wrong_behind_events_is_told_with_the_next_call() {
        let mut session = publishing();
        let mut tags = tag(type_id::AUDIO, MP3).repeat(1_000);
        tags.truncate(tags.len() - 5);
        receive(&mut session, &chunks(&[message(type_id::AGGREGATE, tags)]));
        assert_eq!(poll_all(&mut session), 999);
        let now = session.now;
        assert_eq!(session.poll_output(), Output::Timeout(now), "due at once");
        let result = session.handle_input(Input::Timeout, now);
        assert!(
            matches!(result, Err(Error::PeerMisbehaved { .. })),
            "{result:?}"
        );
        let ended = session.poll_output();
        let stream = MessageStreamId(1);
        assert!(matches!(ended, Output::Event(Event::PublishEnded(id, _)) if id == stream));
    }

    #[test]
    fn input_that_nobody_polls_for_is_bounded() {
        let mut session = publishing();
        let limits = Limits::default();
        let bytes = chunks(&vec![message(type_id::AUDIO, MP3); 10_000]);
        let now = session.now;
        let mut results = (0..=limits.buffered_bytes / bytes.len() + 1)
            .map(|_| session.handle_input(Input::Receive(&bytes), now));
        let refused = results.find_map(Result::err);
        assert!(matches!(
            refused,
            Some(Error::LimitExceeded {
                what: "buffered_bytes",
                ..
            })
        ));
    }
}

//! What a client makes of each kind of message.

use super::io::{Event, Purpose, Stage};
use super::session::ClientSession;
use crate::flv::{Item, TagKind};
use crate::proto::chunk::Received;
use crate::proto::command::{Command, strip_amf3_prefix};
use crate::proto::control::{Control, UserControl};
use crate::proto::message::{Message, type_id};
use crate::proto::session::take_tag;
use crate::{Error, Fault, Location, Result};
use bytes::Bytes;
use std::time::Instant;

/// How a data message begins that tells of the play, not of the stream: its name as an AMF0 string.
const ABOUT_THE_PLAY: [&[u8]; 2] = [b"\x02\x00\x08onStatus", b"\x02\x00\x0conPlayStatus"];

impl ClientSession {
    pub(super) fn handle_message(&mut self, received: Received, now: Instant) -> Result<()> {
        let Received { message, at } = received;
        match message.type_id {
            type_id::AUDIO => self.handle_tag(TagKind::Audio, &message, now, at),
            type_id::VIDEO => self.handle_tag(TagKind::Video, &message, now, at),
            type_id::DATA_AMF0 => self.handle_data(&message, now, at),
            type_id::DATA_AMF3 => {
                let body = strip_amf3_prefix(&message.payload).map_err(|fault| fault.at(at))?;
                let payload = message.payload.slice_ref(body);
                self.handle_data(&Message { payload, ..message }, now, at)
            }
            type_id::AGGREGATE => self.handle_aggregate(&message, now, at),
            type_id::COMMAND_AMF0 | type_id::COMMAND_AMF3 => {
                self.charge(now, at)?;
                let command = Command::parse(&message, &self.amf).map_err(|fault| fault.at(at))?;
                self.handle_command(&command, at, now)
            }
            _ => {
                self.charge(now, at)?;
                match Control::parse(&message).map_err(|fault| fault.at(at))? {
                    Some(control) => self.handle_control(control).map_err(|fault| fault.at(at)),
                    None => Ok(()),
                }
            }
        }
    }

    fn handle_control(&mut self, control: Control) -> Result<(), Fault> {
        match control {
            Control::SetChunkSize(size) => {
                if let Some(reader) = &mut self.reader {
                    reader.set_chunk_size(size)?;
                }
            }
            Control::Abort(chunk_stream) => {
                if let Some(reader) = &mut self.reader {
                    reader.abort(chunk_stream);
                }
            }
            Control::WindowAckSize(window) => self.acks.window = window.max(1),
            // Asks for the window in return (RTMP 1.0, 5.4.5).
            Control::SetPeerBandwidth(window, _) => {
                self.send_control(Control::WindowAckSize(window))
            }
            Control::User(UserControl::PingRequest(time)) => {
                self.send_control(Control::User(UserControl::PingResponse(time)));
            }
            // All that nginx-rtmp says by default of a publisher that has gone; the next one's stream comes without another word.
            Control::User(UserControl::StreamEof(id)) => self.handle_eof(id),
            // Acknowledgements tell what TCP knows.
            Control::Acknowledgement(_) | Control::User(_) => {}
        }
        Ok(())
    }

    fn handle_eof(&mut self, stream: u32) {
        if self.purpose == Purpose::Play && self.stage == Stage::Live && stream == self.stream {
            // What comes next has configs and times of its own.
            self.tags = self.config.tag_reader();
            self.events.push_back(Event::StreamEnded);
        }
    }

    fn handle_data(&mut self, message: &Message, now: Instant, at: Location) -> Result<()> {
        if ABOUT_THE_PLAY
            .iter()
            .any(|name| message.payload.starts_with(name))
        {
            return self.charge(now, at);
        }
        self.handle_tag(TagKind::Script, message, now, at)
    }

    fn handle_tag(
        &mut self,
        kind: TagKind,
        message: &Message,
        now: Instant,
        at: Location,
    ) -> Result<()> {
        self.read_tag(
            kind,
            message.stream_id,
            message.timestamp,
            &message.payload,
            now,
            at,
        )
    }

    /// An aggregate message: tags in the form of an FLV file (RTMP 1.0, 7.1.6). Their times count from the aggregate's.
    fn handle_aggregate(&mut self, message: &Message, now: Instant, at: Location) -> Result<()> {
        let mut rest = message.payload.clone();
        let mut origin = None;
        while !rest.is_empty() {
            let (tag_type, timestamp, body) = take_tag(&mut rest).ok_or(Error::PeerMisbehaved {
                what: "aggregate message with a tag that is cut short",
                at,
            })?;
            let origin = *origin.get_or_insert(timestamp);
            let timestamp = message
                .timestamp
                .wrapping_add(timestamp.wrapping_sub(origin));
            let kind = match tag_type {
                type_id::AUDIO => TagKind::Audio,
                type_id::VIDEO => TagKind::Video,
                type_id::DATA_AMF0 => TagKind::Script,
                _ => continue,
            };
            self.read_tag(kind, message.stream_id, timestamp, &body, now, at)?;
        }
        Ok(())
    }

    /// Reads a tag of what is played. Media of other message streams, or while nothing is played, is passed over at the price of a command.
    fn read_tag(
        &mut self,
        kind: TagKind,
        stream: u32,
        timestamp: u32,
        body: &Bytes,
        now: Instant,
        at: Location,
    ) -> Result<()> {
        let plays = self.purpose == Purpose::Play && self.stage == Stage::Live;
        // Some servers send metadata ahead of the status.
        let early = self.purpose == Purpose::Play && self.stage == Stage::Start;
        if !(plays || early) || stream != self.stream {
            return self.charge(now, at);
        }
        if early {
            self.enter(Stage::Live, now);
            self.events.push_back(Event::Started);
        }
        let result = self.tags.read(kind, timestamp, body);
        while let Some(item) = self.tags.poll() {
            self.events.push_back(match item {
                Item::Frame(frame) => Event::Frame(frame),
                Item::Notice(notice) => Event::Notice(notice),
            });
        }
        result.map_err(|fault| fault.at(at))
    }
}

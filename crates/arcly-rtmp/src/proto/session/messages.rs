//! What a session does with each kind of message.

use super::{ServerSession, Stage};
use crate::flv::TagKind;
use crate::proto::chunk::Received;
use crate::proto::command::{Command, strip_amf3_prefix};
use crate::proto::control::{Control, UserControl};
use crate::proto::message::{Message, type_id};
use crate::{Error, Fault, Location, Result};
use bytes::Bytes;
use std::time::Instant;

/// An aggregate message: tags in the form of an FLV file (RTMP 1.0, 7.1.6). Their times count from the aggregate's.
#[derive(Debug)]
pub(super) struct Aggregate {
    stream: u32,
    timestamp: u32,
    /// The time of the first tag, once it was read.
    origin: Option<u32>,
    /// The tags that were not read yet, at least one.
    rest: Bytes,
    at: Location,
}

impl Aggregate {
    /// `None` where there is no tag in it.
    fn of(message: Message, at: Location) -> Option<Box<Self>> {
        let aggregate = Self {
            stream: message.stream_id,
            timestamp: message.timestamp,
            origin: None,
            rest: message.payload,
            at,
        };
        (!aggregate.rest.is_empty()).then(|| Box::new(aggregate))
    }
}

impl ServerSession {
    pub(super) fn handle_message(&mut self, received: Received, now: Instant) -> Result<()> {
        let Received { message, at } = received;
        match message.type_id {
            type_id::AUDIO => self.handle_tag(TagKind::Audio, &message, at),
            type_id::VIDEO => self.handle_tag(TagKind::Video, &message, at),
            type_id::DATA_AMF0 => self.handle_tag(TagKind::Script, &message, at),
            type_id::DATA_AMF3 => {
                let body = strip_amf3_prefix(&message.payload).map_err(|fault| fault.at(at))?;
                let payload = message.payload.slice_ref(body);
                self.handle_tag(TagKind::Script, &Message { payload, ..message }, at)
            }
            type_id::AGGREGATE => {
                self.aggregate = Aggregate::of(message, at);
                Ok(())
            }
            type_id::COMMAND_AMF0 | type_id::COMMAND_AMF3 => {
                self.charge(now, at)?;
                let command = Command::parse(&message, &self.amf).map_err(|fault| fault.at(at))?;
                self.handle_command(&command, message.stream_id, at, now)
            }
            _ => {
                self.charge(now, at)?;
                match Control::parse(&message).map_err(|fault| fault.at(at))? {
                    Some(control) => self.handle_control(control).map_err(|fault| fault.at(at)),
                    // Shared objects and what RTMP does not define: passed over, at the price of a command.
                    None => Ok(()),
                }
            }
        }
    }

    fn handle_tag(&mut self, kind: TagKind, message: &Message, at: Location) -> Result<()> {
        self.read_tag(message.stream_id, kind, message.timestamp, &message.payload)
            .map_err(|fault| fault.at(at))
    }

    fn handle_control(&mut self, control: Control) -> Result<(), Fault> {
        match control {
            Control::SetChunkSize(size) => {
                if let Stage::Chunks(reader) = &mut self.stage {
                    reader.set_chunk_size(size)?;
                }
            }
            Control::Abort(chunk_stream) => {
                if let Stage::Chunks(reader) = &mut self.stage {
                    reader.abort(chunk_stream);
                }
            }
            Control::WindowAckSize(window) => self.acks.set_window(window),
            Control::User(UserControl::PingRequest(time)) => {
                self.send_control(Control::User(UserControl::PingResponse(time)));
            }
            Control::Acknowledgement(sequence_number) => {
                self.in_flight.acknowledge(sequence_number);
            }
            // A window of the peer's for us to keep would only do what TCP does; a buffer length changes nothing about a
            // live stream; a pong is a sign of life like any other byte.
            Control::SetPeerBandwidth(..) | Control::User(_) => {}
        }
        Ok(())
    }

    /// Reads the next tag of an aggregate message, and keeps the rest.
    pub(super) fn read_aggregate(&mut self, mut aggregate: Box<Aggregate>) -> Result<()> {
        let at = aggregate.at;
        let Some((tag_type, timestamp, body)) = take_tag(&mut aggregate.rest) else {
            return Err(Error::PeerMisbehaved {
                what: "aggregate message with a tag that is cut short",
                at,
            });
        };
        let origin = *aggregate.origin.get_or_insert(timestamp);
        let timestamp = aggregate
            .timestamp
            .wrapping_add(timestamp.wrapping_sub(origin));
        let stream = aggregate.stream;
        if !aggregate.rest.is_empty() {
            self.aggregate = Some(aggregate);
        }
        let kind = match tag_type {
            type_id::AUDIO => TagKind::Audio,
            type_id::VIDEO => TagKind::Video,
            type_id::DATA_AMF0 => TagKind::Script,
            _ => return Ok(()),
        };
        self.read_tag(stream, kind, timestamp, &body)
            .map_err(|fault| fault.at(at))
    }

    fn charge(&mut self, now: Instant, at: Location) -> Result<()> {
        if self.rate.take(now) {
            return Ok(());
        }
        let max = self.config.limits.commands_per_second.into();
        Err(Error::LimitExceeded {
            what: "commands_per_second",
            max,
            at,
        })
    }
}

/// Takes a tag with its header and back pointer off `rest`.
pub(in crate::proto) fn take_tag(rest: &mut Bytes) -> Option<(u8, u32, Bytes)> {
    let &[tag_type, s0, s1, s2, t0, t1, t2, t3, _, _, _] = rest.first_chunk::<11>()?;
    let length = u32::from_be_bytes([0, s0, s1, s2]) as usize;
    // The last byte of the time is its highest (FLV, E.4.1).
    let timestamp = u32::from_be_bytes([t3, t0, t1, t2]);
    if rest.len() < 11 + length {
        return None;
    }
    let _header = rest.split_to(11);
    let body = rest.split_to(length);
    // Some senders leave the last back pointer out.
    let _back_pointer = rest.split_to(rest.len().min(4));
    Some((tag_type, timestamp, body))
}

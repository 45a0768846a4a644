//! What a session does with each command (RTMP 1.0, 7.2, and what Flash Media Live Encoder added to it).

use super::streams::MessageStream;
use super::timers::Timer;
use super::{Awaited, Event, MessageStreamId, ServerSession, Stage, chunk_stream};
use crate::amf0::Value;
use crate::proto::capabilities::Capabilities;
use crate::proto::command::{self, Command};
use crate::proto::control::{BANDWIDTH_DYNAMIC, Control};
use crate::proto::status::{Level, StatusCode};
use crate::proto::target::Connect;
use crate::{Error, Location, Result};
use std::sync::Arc;
use std::time::Instant;

/// What we call ourselves. Some clients look for Flash Media Server's name and version before they go on.
const SERVER_VERSION: &str = "FMS/3,5,7,7009";

/// What Flash Media Server says it can do.
const CAPABILITIES: f64 = 31.0;

impl ServerSession {
    pub(super) fn handle_command(
        &mut self,
        command: &Command,
        stream: u32,
        at: Location,
        now: Instant,
    ) -> Result<()> {
        if command.name == "connect" {
            return self.handle_connect(command, at);
        }
        if self.connect.is_none() {
            return Err(Error::PeerMisbehaved {
                what: "command before connect",
                at,
            });
        }
        let stream = MessageStreamId(stream);
        if self.handle_play_command(command, stream, at, now)? {
            return Ok(());
        }
        match command.name.as_str() {
            "createStream" => {
                let id = self.create_stream(at)?;
                self.reply(command, &Value::Number(id.0.into()));
            }
            "releaseStream" => self.reply(command, &Value::Undefined),
            "FCPublish" => {
                self.uses_fc = true;
                self.reply(command, &Value::Undefined);
            }
            "publish" => match command.arguments.first() {
                Some(Value::String(name)) => {
                    self.request_publish(stream, name, command.text(1), at)?
                }
                // NetStream.publish(false) is how a Flash client stops.
                Some(Value::Boolean(false)) => self.unpublish(stream, now),
                _ => {
                    return Err(Error::PeerMisbehaved {
                        what: "publish without a stream name",
                        at,
                    });
                }
            },
            "FCUnpublish" => {
                self.reply(command, &Value::Undefined);
                if let Some(stream) = command.text(0).and_then(|name| self.publication_of(name)) {
                    self.unpublish(stream, now);
                }
            }
            "closeStream" => {
                self.unpublish(stream, now);
                self.stop_play(stream, now);
            }
            "deleteStream" => {
                // `as` saturates, and makes 0 of what is no number: then there is no such stream.
                let stream = MessageStreamId(command.number(0).map_or(0, |id| id as u32));
                self.unpublish(stream, now);
                self.stop_play(stream, now);
                self.streams.remove(&stream.0);
            }
            // Replies must not be replied to.
            "_result" | "_error" | "onStatus" => {}
            _ if command.wants_reply() => {
                let reply = command::error(
                    command.transaction,
                    StatusCode::CALL_FAILED,
                    "the command is unknown",
                );
                self.send(chunk_stream::COMMAND, &reply);
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_connect(&mut self, command: &Command, at: Location) -> Result<()> {
        if self.connect.is_some() {
            return Err(Error::PeerMisbehaved {
                what: "connect a second time",
                at,
            });
        }
        let connect =
            Connect::parse(&command.object, &self.config.limits).map_err(|fault| fault.at(at))?;
        if connect.application().is_empty() {
            let description = "connect names no application";
            let reply = command::error(
                command.transaction,
                StatusCode::CONNECT_INVALID_APP,
                description,
            );
            self.send(chunk_stream::COMMAND, &reply);
            return Err(Error::PeerMisbehaved {
                what: description,
                at,
            });
        }
        let connect = Arc::new(connect);
        self.connect = Some(Arc::clone(&connect));
        self.timers.clear(Timer::Setup);
        self.awaited = Some(Awaited::Connect {
            transaction: command.transaction,
        });
        self.events.push_back(Event::Connect(connect));
        Ok(())
    }

    /// Says that the connection stands, in one write with the settings that go with it.
    pub(super) fn reply_connect(&mut self, transaction: f64) {
        let window = self.config.window_ack_size;
        self.send_control(Control::WindowAckSize(window));
        self.send_control(Control::SetPeerBandwidth(window, BANDWIDTH_DYNAMIC));
        self.send_control(Control::SetChunkSize(self.config.announced_chunk_size()));
        let mut properties = vec![
            ("fmsVer".to_owned(), SERVER_VERSION.into()),
            ("capabilities".to_owned(), CAPABILITIES.into()),
        ];
        // Only those who speak of Enhanced RTMP are answered in it: to others the reply stays what they know.
        if self
            .connect
            .as_ref()
            .is_some_and(|connect| connect.is_enhanced())
        {
            properties.extend(Capabilities::own_properties(false));
        }
        let properties = Value::Object(properties);
        let mut information = command::information(
            Level::Status,
            StatusCode::CONNECT_SUCCESS,
            "the connection stands",
        );
        if let Value::Object(properties) = &mut information {
            // AMF0, whatever the client proposes: one that is told 3 may send AMF3 objects, which nobody needs for a stream.
            properties.push(("objectEncoding".to_owned(), 0.0.into()));
        }
        self.send(
            chunk_stream::COMMAND,
            &command::result(transaction, &properties, &information),
        );
    }

    pub(super) fn reply(&mut self, command: &Command, information: &Value) {
        if command.wants_reply() {
            let reply = command::result(command.transaction, &Value::Null, information);
            self.send(chunk_stream::COMMAND, &reply);
        }
    }

    /// Ends the publication on a message stream, if there is one, and tells the peer.
    fn unpublish(&mut self, stream: MessageStreamId, now: Instant) {
        if !self.end_publication(stream) {
            return;
        }
        let (level, code) = (Level::Status, StatusCode::UNPUBLISH_SUCCESS);
        if self.uses_fc {
            self.send(
                chunk_stream::COMMAND,
                &command::status("onFCUnpublish", 0, level, code, "publishing has ended"),
            );
        }
        self.send_status(stream, level, code, "publishing has ended");
        self.await_request(now);
    }

    /// Gives the peer time for another request, where it neither publishes nor plays nor waits to.
    pub(super) fn await_request(&mut self, now: Instant) {
        let idle = self.streams.values().all(MessageStream::is_idle);
        if idle && matches!(self.stage, Stage::Chunks(_)) {
            self.timers
                .set(Timer::Setup, now, self.config.limits.setup_timeout);
        }
    }
}

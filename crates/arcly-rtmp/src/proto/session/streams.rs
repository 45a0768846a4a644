//! Message streams and the publications on them.

use super::play::Playback;
use super::timers::Timer;
use super::{
    Awaited, Event, MessageStreamId, PublishKind, PublishRequest, ServerSession, Stage,
    chunk_stream,
};
use crate::flv::{Item, TagKind, TagReader};
use crate::proto::chunk::ReaderLimits;
use crate::proto::command;
use crate::proto::control::{Control, UserControl};
use crate::proto::status::{Level, StatusCode};
use crate::proto::target::Target;
use crate::{Error, Fault, Location, Result};
use bytes::Bytes;

/// A message stream.
#[derive(Debug)]
pub(super) enum MessageStream {
    /// Created, and nothing more.
    Idle,
    /// The caller is being asked whether it may publish `name`.
    Requested { name: String },
    /// Publishing.
    Publishing { name: String, tags: Box<TagReader> },
    /// Plays, or is to.
    Playing(Playback),
}

impl MessageStream {
    pub(super) fn is_publishing(&self) -> bool {
        matches!(self, Self::Publishing { .. })
    }

    /// Whether nothing goes on here.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }

    fn is_publishing_as(&self, wanted: &str) -> bool {
        matches!(self, Self::Publishing { name, .. } if name == wanted)
    }
}

impl ServerSession {
    /// The message streams that publish.
    pub(super) fn publications(&self) -> impl Iterator<Item = MessageStreamId> {
        self.streams
            .iter()
            .filter(|(_, stream)| stream.is_publishing())
            .map(|(&id, _)| MessageStreamId(id))
    }

    /// The publication of the stream name `name`, as sent.
    pub(super) fn publication_of(&self, name: &str) -> Option<MessageStreamId> {
        let (&id, _) = self
            .streams
            .iter()
            .find(|(_, stream)| stream.is_publishing_as(name))?;
        Some(MessageStreamId(id))
    }

    pub(super) fn create_stream(&mut self, at: Location) -> Result<MessageStreamId> {
        let max = self.config.limits.message_streams;
        if self.streams.len() >= max {
            return Err(Error::LimitExceeded {
                what: "message_streams",
                max: max as u64,
                at,
            });
        }
        self.last_stream = self.last_stream.wrapping_add(1).max(1);
        self.streams.insert(self.last_stream, MessageStream::Idle);
        Ok(MessageStreamId(self.last_stream))
    }

    pub(super) fn request_publish(
        &mut self,
        stream: MessageStreamId,
        name: &str,
        kind: Option<&str>,
        at: Location,
    ) -> Result<()> {
        let Some(connect) = self.connect.clone() else {
            return Err(Error::PeerMisbehaved {
                what: "publish before connect",
                at,
            });
        };
        let target =
            Target::new(&connect, name, &self.config.limits).map_err(|fault| fault.at(at))?;
        let kind = match kind {
            None | Some("live") => PublishKind::Live,
            Some("record") => PublishKind::Record,
            Some("append") => PublishKind::Append,
            Some(_) => {
                let description = "the publishing type is none of live, record and append";
                self.send_status(
                    stream,
                    Level::Error,
                    StatusCode::PUBLISH_BAD_NAME,
                    description,
                );
                return Ok(());
            }
        };
        match self.streams.get_mut(&stream.0) {
            Some(slot @ MessageStream::Idle) => {
                *slot = MessageStream::Requested {
                    name: name.to_owned(),
                }
            }
            Some(_) => {
                let description = "the message stream publishes or plays already";
                self.send_status(
                    stream,
                    Level::Error,
                    StatusCode::PUBLISH_BAD_NAME,
                    description,
                );
                return Ok(());
            }
            None => {
                return Err(Error::PeerMisbehaved {
                    what: "publish on a message stream that was not created",
                    at,
                });
            }
        }
        self.timers.clear(Timer::Setup);
        self.awaited = Some(Awaited::Publish(stream));
        self.events.push_back(Event::Publish(PublishRequest {
            stream,
            target,
            kind,
            connect,
        }));
        Ok(())
    }

    /// Carries out that a publication was accepted.
    pub(super) fn start_publication(&mut self, stream: MessageStreamId) {
        let Some(slot) = self.streams.get_mut(&stream.0) else {
            return;
        };
        let MessageStream::Requested { name } = std::mem::replace(slot, MessageStream::Idle) else {
            return;
        };
        if self.uses_fc {
            let (level, code) = (Level::Status, StatusCode::PUBLISH_START);
            self.send(
                chunk_stream::COMMAND,
                &command::status("onFCPublish", 0, level, code, &name),
            );
        }
        self.send_control(Control::User(UserControl::StreamBegin(stream.0)));
        self.send_status(
            stream,
            Level::Status,
            StatusCode::PUBLISH_START,
            "publishing may start",
        );
        let tags = Box::new(TagReader::new(self.amf).with_max_tracks(self.config.limits.tracks));
        self.streams
            .insert(stream.0, MessageStream::Publishing { name, tags });
        if let Stage::Chunks(reader) = &mut self.stage {
            reader.set_limits(ReaderLimits::from(&self.config.limits));
        }
    }

    /// Ends a publication, if there is one, and says so to the caller.
    pub(super) fn end_publication(&mut self, stream: MessageStreamId) -> bool {
        let Some(slot) = self.streams.get_mut(&stream.0) else {
            return false;
        };
        match std::mem::replace(slot, MessageStream::Idle) {
            MessageStream::Publishing { tags, .. } => {
                self.events
                    .push_back(Event::PublishEnded(stream, tags.drops()));
                true
            }
            other => {
                *slot = other;
                false
            }
        }
    }

    /// Reads a tag of a publication. Media where nothing is published is passed over: it may have crossed the end.
    pub(super) fn read_tag(
        &mut self,
        stream: u32,
        kind: TagKind,
        timestamp: u32,
        body: &Bytes,
    ) -> Result<(), Fault> {
        let Some(MessageStream::Publishing { tags, .. }) = self.streams.get_mut(&stream) else {
            return Ok(());
        };
        let result = tags.read(kind, timestamp, body);
        let id = MessageStreamId(stream);
        while let Some(item) = tags.poll() {
            self.events.push_back(match item {
                Item::Frame(frame) => Event::Frame(id, frame),
                Item::Notice(notice) => Event::Notice(id, notice),
            });
        }
        result
    }
}

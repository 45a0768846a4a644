//! What a push sends on one connection.

use super::failure::Failure;
use super::link::Link;
use super::moving::Moving;
use super::push_queue::PushQueue;
use crate::flv::{NotCarried, TagWriter, on_meta_data};
use crate::proto::capabilities::Capabilities;
use arcly_core::net::now;
use arcly_core::{
    CodecId, MediaFrame, MediaKind, PlaySession, StreamKey, Subscription, Timestamp, TrackId,
};
use std::time::Duration;
use tracing::warn;

/// How much is handed to the session at once.
const BATCH_BYTES: usize = 256 << 10;

/// What turns the frames of a stream into a connection's tags.
pub(super) struct Sending<'a> {
    key: &'a StreamKey,
    server: Capabilities,
    /// Whether the server wants us to leave, and for where.
    pub(super) moving: Moving,
    /// Set with the first frame, whose DTS is the connection's time 0.
    tags: Option<(TagWriter, Timestamp)>,
    queue: PushQueue,
    /// Whether `onMetaData` was sent.
    described: bool,
    warned: Vec<NotCarried>,
    /// The first track of each kind: those that a server has to take.
    first_video: Option<TrackId>,
    first_audio: Option<TrackId>,
}

impl<'a> Sending<'a> {
    pub(super) fn new(
        key: &'a StreamKey,
        server: Capabilities,
        max_delay: Duration,
        moving: Moving,
    ) -> Self {
        Self {
            key,
            server,
            moving,
            tags: None,
            queue: PushQueue::new(max_delay),
            described: false,
            warned: Vec::new(),
            first_video: None,
            first_audio: None,
        }
    }

    /// Takes all frames that are there; or, where the server wants us to leave, those before the next point at which another connection can start,
    /// and says whether that came.
    pub(super) fn take(&mut self, frames: &mut Subscription) -> bool {
        let (now, mut left) = (now(), false);
        while let Some(frame) = frames.try_recv() {
            if self.moving.is_wanted() && frame.is_sync_point() {
                left = true;
                break;
            }
            self.queue
                .push((*frame).clone(), frame.is_sync_point(), now);
        }
        let dropped = self.queue.take_dropped();
        if dropped > 0 {
            warn!(stream = %self.key, dropped, "the remote is too slow; frames are left out");
        }
        left
    }

    /// Hands the session a batch; false where there is none.
    pub(super) fn fill(&mut self, link: &mut Link, play: &PlaySession) -> Result<bool, Failure> {
        if self.tags.is_none() {
            let Some(origin) = self.queue.first_media() else {
                return Ok(false);
            };
            let form = self.server.tag_form().for_publishing();
            self.tags = Some((TagWriter::new(form).counting_from(origin), origin));
        }
        let mut bytes = 0;
        while bytes < BATCH_BYTES
            && let Some(frame) = self.queue.pop()
        {
            bytes += frame.payload.len() + 1;
            if !self.described {
                self.described = true;
                if !is_metadata(&frame) {
                    let description = on_meta_data(&play.handle().metadata());
                    let description = MediaFrame::new_data(frame.dts, description, CodecId::Amf0);
                    self.write(link, description.into_config())?;
                }
            }
            self.write(link, frame)?;
        }
        Ok(bytes > 0)
    }

    fn write(&mut self, link: &mut Link, mut frame: MediaFrame) -> Result<(), Failure> {
        let is_first = self.is_first(&frame);
        let Some((tags, origin)) = &mut self.tags else {
            return Ok(());
        };
        if frame.dts < *origin {
            if !frame.is_config() {
                // Sound from just before the first picture, for which there is no time.
                return Ok(());
            }
            (frame.dts, frame.pts) = (*origin, *origin);
        }
        let mut result = Ok(());
        let is_taken = frame.kind == MediaKind::Data || self.server.accepts(frame.codec);
        let written = if is_taken {
            tags.write(&frame, &mut |tag| {
                if result.is_ok() {
                    result = link.session().publish_tag(&tag);
                }
            })
        } else {
            Err(NotCarried::Codec(frame.codec))
        };
        match written {
            Ok(()) => {}
            // Without its picture or sound the stream would be silently wrong.
            Err(NotCarried::Codec(codec)) if is_first && !is_taken => {
                return Err(Failure::NotTaken(codec));
            }
            Err(lacking @ NotCarried::Codec(_)) if is_first => {
                return Err(Failure::NotCarried(lacking));
            }
            Err(lacking) => {
                if !self.warned.contains(&lacking) {
                    warn!(stream = %self.key, "{lacking}");
                    self.warned.push(lacking);
                }
            }
        }
        Ok(result?)
    }

    /// Whether it is of the first video or the first audio track.
    fn is_first(&mut self, frame: &MediaFrame) -> bool {
        let first = match frame.kind {
            MediaKind::Video => &mut self.first_video,
            MediaKind::Audio => &mut self.first_audio,
            MediaKind::Data => return false,
        };
        *first.get_or_insert(frame.track) == frame.track
    }
}

fn is_metadata(frame: &MediaFrame) -> bool {
    frame.kind == MediaKind::Data && frame.is_config()
}

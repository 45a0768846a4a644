//! The rendition of a stream as FLV tags and RTMP messages.

use super::{FlvPacket, FlvVariant};
use crate::flv::{Tag, TagKind, TagWriter, on_meta_data};
use arcly_core::{
    CodecId, Delivery, MediaFrame, MediaKind, Packager, Packets, StreamHandle, Timestamp,
};
use std::time::Duration;

/// Serialises a stream once for all viewers by RTMP and by FLV over HTTP that take the same. There are few renditions however many
/// ways its players name of taking it, see [`FlvVariant::settled`].
///
/// The preamble, which a viewer gets where it starts and after it has missed something, is `onMetaData` (the publisher's, or
/// else one made of what is known of the tracks), at time 0, and the sequence headers, with the time of the sync point. Tracks that the
/// variant has no place for are left out.
///
/// Viewers start at a keyframe, or at sound where pictures are not carried or none come.
///
/// Sound wakes nobody while there are pictures: it goes out with the next one, or after
/// [`flush_window`](FlvVariant::flush_window).
#[derive(Debug)]
pub struct FlvPackager {
    variant: FlvVariant,
    stream: StreamHandle,
    writer: TagWriter,
    /// The codec configs in force, and the publisher's `onMetaData`.
    configs: Vec<MediaFrame>,
    /// Whether pictures come that are carried. A sequence header is none: a camera may be off from the start.
    has_video: bool,
    /// Whether a sync point went by without a packet: the next one that can be started with is one.
    owes_sync: bool,
}

impl FlvPackager {
    /// A packager for the stream.
    #[must_use]
    pub fn new(stream: StreamHandle, variant: FlvVariant) -> Self {
        Self {
            writer: TagWriter::new(variant.accepts.form()),
            variant,
            stream,
            configs: Vec::new(),
            has_video: false,
            owes_sync: false,
        }
    }

    fn keep_config(&mut self, frame: &MediaFrame) {
        let place = self
            .configs
            .iter_mut()
            .find(|held| held.track == frame.track);
        match place {
            Some(held) => *held = frame.clone(),
            None => self.configs.push(frame.clone()),
        }
    }

    /// What a viewer needs before a sync point at `dts`.
    fn preamble(&mut self, dts: Timestamp) -> Vec<FlvPacket> {
        let mut packets = Vec::with_capacity(self.configs.len() + 1);
        let own_metadata = self.configs.iter().any(is_metadata);
        let made = (!own_metadata).then(|| {
            let payload = on_meta_data(&self.stream.metadata());
            MediaFrame::new_data(dts, payload, CodecId::Amf0).into_config()
        });
        let (metadata, codecs): (Vec<_>, Vec<_>) =
            self.configs.iter().cloned().partition(is_metadata);
        for mut config in made.into_iter().chain(metadata).chain(codecs) {
            (config.dts, config.pts) = (dts, dts);
            self.serialise(&config, |packet, _| packets.push(packet));
        }
        packets
    }

    /// Hands the packets of a frame to `push`, each with whether it can be started with.
    fn serialise(&mut self, frame: &MediaFrame, mut push: impl FnMut(FlvPacket, bool)) {
        if !self.variant.accepts.takes(frame.codec) {
            return;
        }
        let Self {
            writer,
            variant,
            has_video,
            ..
        } = self;
        // What has no place in this form is left out; whether that leaves anything is for the viewer to say.
        let _ = writer.write(frame, &mut |mut tag: Tag| {
            if tag.kind == TagKind::Script && tag.config {
                // ffmpeg (5.1 and 9 alike) passes over an `onMetaData` at time 0 and makes a subtitle track of one at any other. All
                // others go by the times of media tags alone (GStreamer's flvdemux; nginx-rtmp, which sends its own at 0 too), so
                // that a step from 0 to the time of the stream disturbs none.
                tag.timestamp = 0;
            }
            let Some(packet) = FlvPacket::new(&tag, frame.dts, variant.chunk_size) else {
                return;
            };
            *has_video |= tag.kind == TagKind::Video && !tag.config;
            let wakes = tag.kind == TagKind::Video || !*has_video || variant.flush_window.is_zero();
            let starts = !tag.config && (tag.keyframe || !*has_video);
            // Configs go out with what they are for.
            push(packet.waking(wakes && !tag.config), starts);
        });
    }
}

fn is_metadata(frame: &MediaFrame) -> bool {
    frame.kind == MediaKind::Data
}

impl Packager for FlvPackager {
    type Packet = FlvPacket;
    type Variant = FlvVariant;

    fn variant(&self) -> FlvVariant {
        self.variant
    }

    fn settle(&mut self, live: &[FlvVariant]) {
        self.variant = self.variant.settled(live, &self.stream.metadata());
        self.writer = TagWriter::new(self.variant.accepts.form());
    }

    fn flush_window(&self) -> Duration {
        self.variant.flush_window
    }

    fn pack(&mut self, frame: &Delivery<'_, MediaFrame>, out: &mut Packets<'_, FlvPacket>) {
        if frame.is_config() {
            self.keep_config(frame);
        }
        if frame.is_sync_point {
            self.owes_sync = true;
            // Sound makes the sync points where there are no pictures, or have not been for long.
            self.has_video &= frame.kind == MediaKind::Video;
        }
        if !self.owes_sync {
            self.serialise(frame, |packet, _| out.push(packet));
            return;
        }
        let mut packets = Vec::with_capacity(1);
        self.serialise(frame, |packet, starts| packets.push((packet, starts)));
        for (packet, starts) in packets {
            if starts && self.owes_sync {
                self.owes_sync = false;
                let preamble = self.preamble(frame.dts);
                out.set_preamble(preamble);
                out.push_sync(packet);
            } else {
                out.push(packet);
            }
        }
    }
}

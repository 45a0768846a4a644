//! The rendition of a stream as RTP packets, with its sound in another codec.

use super::{RtpFrame, RtpPackager, RtpTrack, RtpVariant};
use crate::transcode::{AudioTranscode, AudioTranscoder};
use crate::{
    CodecId, Delivery, MediaFrame, Packager, Packets, StartAt, StreamHandle, Timestamp, TrackId,
    TrackInfo,
};
use std::sync::Arc;
use std::time::Duration;

/// An [`RtpPackager`] whose AAC tracks go through a transcoder: they are packets of what comes out of it, under the same track. All else is as it is
/// in [`RtpPackager`].
///
/// One transcoding serves all viewers, and lasts as long as the rendition, so until the last of them is gone. Its frames are picked up when the
/// stream's next frame comes: sound is later than in the plain rendition by what transcoding takes and a frame.
pub struct TranscodingRtpPackager {
    packager: RtpPackager,
    transcoder: Arc<dyn AudioTranscoder>,
    tracks: Vec<Transcoded>,
    /// Where the stream was when the rendition began: sound of before is not transcoded. It would come after the pictures of its time, and be of no
    /// use to viewers, who begin with live sound.
    live: Timestamp,
}

struct Transcoded {
    track: TrackId,
    config: MediaFrame,
    transcode: Box<dyn AudioTranscode>,
}

impl TranscodingRtpPackager {
    /// A packager for the stream, as [`RtpPackager::new`]. A stream should be transcoded by one transcoder only: renditions are told apart by their
    /// variants alone.
    #[must_use]
    pub fn new(
        stream: StreamHandle,
        variant: RtpVariant,
        transcoder: Arc<dyn AudioTranscoder>,
    ) -> Self {
        Self {
            live: newest(&stream),
            packager: RtpPackager::new(stream, variant),
            transcoder,
            tracks: Vec::new(),
        }
    }

    /// The codec of the tracks that are transcoded.
    const SOURCE: CodecId = CodecId::Aac;

    /// How the frames of a transcoded track go out; `None` where the track is not transcoded, or RTP does not carry the outcome.
    ///
    /// # Errors
    /// Why the transcoder refuses it.
    pub fn track(
        transcoder: &dyn AudioTranscoder,
        config: &MediaFrame,
    ) -> Result<Option<RtpTrack>, crate::transcode::TranscodeRefused> {
        if config.codec != Self::SOURCE || !config.is_config() {
            return Ok(None);
        }
        transcoder.accepts(config)?;
        let info = TrackInfo {
            codec: transcoder.output(),
            codec_string: None,
            ..TrackInfo::from_config(config)
        };
        Ok(RtpTrack::of(&info, None))
    }

    fn configure(&mut self, config: &MediaFrame) {
        let known = self.tracks.iter();
        let mut same = known.filter(|known| known.track == config.track);
        if same.any(|known| known.config.payload == config.payload) {
            return;
        }
        self.tracks.retain(|known| known.track != config.track);
        match self.transcoder.start(config) {
            Ok(transcode) => self.tracks.push(Transcoded {
                track: config.track,
                config: config.clone(),
                transcode,
            }),
            Err(reason) => {
                tracing::warn!(track = %config.track, %reason, "a track is not transcoded");
            }
        }
    }

    fn collect(&mut self, out: &mut Packets<'_, RtpFrame>) {
        for track in &mut self.tracks {
            while let Some(frame) = track.transcode.pull() {
                self.packager.pack_frame(&frame, out);
            }
        }
    }
}

impl Packager for TranscodingRtpPackager {
    type Packet = RtpFrame;
    type Variant = RtpVariant;

    fn variant(&self) -> RtpVariant {
        self.packager.variant()
    }

    fn flush_window(&self) -> Duration {
        self.packager.flush_window()
    }

    fn pack(&mut self, frame: &Delivery<'_, MediaFrame>, out: &mut Packets<'_, RtpFrame>) {
        // What is done by now is older than this frame.
        self.collect(out);
        if frame.codec != Self::SOURCE {
            self.packager.pack(frame, out);
            return;
        }
        if frame.is_config() {
            self.configure(frame);
            return;
        }
        if frame.is_sync_point {
            self.packager.owe_sync(frame);
        }
        let mut tracks = self.tracks.iter_mut();
        if let Some(track) = tracks.find(|known| known.track == frame.track)
            && frame.pts >= self.live
        {
            track.transcode.push(frame);
        }
    }
}

/// The time of the stream's newest frame.
fn newest(stream: &StreamHandle) -> Timestamp {
    let mut frames = stream.subscribe_from(StartAt::LatestKeyframe);
    let behind = frames.backlog();
    // Configs go before it, with the times at which they came.
    while let Some(frame) = frames.try_recv() {
        if !frame.is_config() {
            return frame.dts + behind;
        }
    }
    Timestamp::from_raw(i64::MIN)
}

impl std::fmt::Debug for TranscodingRtpPackager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TranscodingRtpPackager")
            .field("packager", &self.packager)
            .field("transcoder", &self.transcoder)
            .finish_non_exhaustive()
    }
}

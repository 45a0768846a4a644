//! What a push sends on one connection.

use arcly_core::rtp::sdp::{Origin, SessionDescription};
use arcly_core::rtp::{RtpFrame, RtpTrack, describe, rtp_tracks};
use arcly_core::{CodecId, PlaySession, RenditionSubscription, StartAt, StreamHandle, ViewerLoss};
use std::time::Duration;
use tokio::time::timeout;

/// How long the codec configs of a stream that has just begun are waited for.
const CONFIG_WAIT: Duration = Duration::from_secs(3);

/// What is announced of a stream.
#[derive(Debug, Clone)]
pub(super) struct Announcement {
    pub(super) description: SessionDescription,
    /// The interleaved channel that the packets of each track are made for.
    pub(super) channels: Vec<u8>,
    tracks: Vec<RtpTrack>,
}

impl Announcement {
    /// Describes the stream, once what is to be described is known; `None` where RTP carries none of its tracks.
    pub(super) async fn of(stream: &StreamHandle, name: &str) -> Option<Self> {
        let mut frames = stream.subscribe_from(StartAt::LatestKeyframe);
        let known = async { while !is_known(stream) && frames.recv().await.is_some() {} };
        // What is not known by then is left out, or comes in band.
        let _ = timeout(CONFIG_WAIT, known).await;
        let tracks = rtp_tracks(stream);
        if tracks.is_empty() {
            return None;
        }
        let mut description = describe(&tracks, |_, _| None);
        description.origin = Origin::new(stream.session().get(), 1, "127.0.0.1");
        description.name = name.to_owned();
        let channels = (0..tracks.len()).map(|place| u8::try_from(place * 2).unwrap_or(u8::MAX));
        Some(Self {
            description,
            channels: channels.collect(),
            tracks,
        })
    }

    /// Whether the stream still is as it was announced: the same tracks in the same formats. That a config changes is told in band.
    pub(super) fn still_holds(&self, stream: &StreamHandle) -> bool {
        let key = |track: &RtpTrack| (track.track, track.payload_type);
        let now = rtp_tracks(stream);
        now.iter().map(key).eq(self.tracks.iter().map(key))
    }
}

/// Whether all tracks have the configs that their descriptions are made of, and there is media at all.
fn is_known(stream: &StreamHandle) -> bool {
    let (metadata, configs) = (stream.metadata(), stream.configs());
    let needs_config = |codec| matches!(codec, CodecId::H264 | CodecId::H265 | CodecId::Aac);
    let mut tracks = metadata.tracks.iter();
    !metadata.tracks.is_empty()
        && tracks.all(|track| {
            !needs_config(track.codec) || configs.iter().any(|config| config.track == track.id)
        })
}

/// Skips to the newest keyframe where the remote is further behind than it may be.
pub(super) fn catch_up(
    frames: &mut RenditionSubscription<RtpFrame>,
    play: &PlaySession,
    max_delay: Duration,
) {
    let backlog = frames.backlog().as_millis();
    let is_late = u128::try_from(backlog).is_ok_and(|late| late > max_delay.as_millis());
    if is_late {
        let skipped = frames.skip_to_newest_sync();
        if skipped > 0 {
            play.lost(ViewerLoss::SkippedToKeyframe, skipped);
        }
    }
}

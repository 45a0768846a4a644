//! What a viewer of a stream can be sent.

use crate::peers::PeerSlot;
use crate::sdp::{Offer, WatchedTrack};
use arcly_core::rtp::{RtpTrack, TranscodingRtpPackager, rtp_tracks};
use arcly_core::transcode::AudioTranscoder;
use arcly_core::{MediaKind, StreamHandle};
use std::time::Duration;

/// How long a viewer's answer waits for the first track of a stream: a publisher by WHIP is live once it is answered, and may take seconds to connect then.
const FIRST_TRACK_WAIT: Duration = Duration::from_secs(8);

/// How long it waits for the codec configs of the other tracks, once there is one.
const CONFIG_WAIT: Duration = Duration::from_secs(2);

/// What a viewer can be sent.
pub(super) struct Watchable {
    /// The tracks as they are, and behind them those that would be transcoded.
    pub(super) tracks: Vec<WatchedTrack>,
    /// Notices that say why tracks are not transcoded.
    pub(super) refusals: Vec<String>,
}

impl Watchable {
    fn new(
        stream: &StreamHandle,
        mut tracks: Vec<RtpTrack>,
        transcoder: Option<&dyn AudioTranscoder>,
        slot: &PeerSlot,
    ) -> Self {
        let mut refusals = Vec::new();
        if let Some(transcoder) = transcoder {
            for config in stream.configs() {
                match TranscodingRtpPackager::track(transcoder, &config) {
                    Ok(track) => tracks.extend(track),
                    Err(reason) => refusals.push(format!("no-audio: {reason}")),
                }
            }
        }
        let watched = |rtp| WatchedTrack {
            rtp,
            ssrc: slot.random_u32(),
            retransmission_ssrc: slot.random_u32(),
        };
        Self {
            tracks: tracks.into_iter().map(watched).collect(),
            refusals,
        }
    }
}

/// The tracks of the stream that can be sent, once those that were asked for are known; the rest is waited for no longer than a moment.
pub(super) async fn watched_tracks(
    stream: &StreamHandle,
    offer: &Offer,
    transcoder: Option<&dyn AudioTranscoder>,
    slot: &PeerSlot,
) -> Watchable {
    let wants = |kind: MediaKind| {
        offer
            .media
            .iter()
            .any(|section| section.kind == Some(kind) && section.direction.receives())
    };
    let mut subscription = stream.subscribe_resilient();
    let deadline = tokio::time::sleep(FIRST_TRACK_WAIT);
    tokio::pin!(deadline);
    let mut is_first = true;
    // Only what was there before counts: a publisher that has just connected may send much of one kind first.
    let goes_without =
        [MediaKind::Video, MediaKind::Audio].map(|kind| (kind, is_known_without(stream, kind)));
    loop {
        let tracks = rtp_tracks(stream);
        if is_first && !tracks.is_empty() {
            is_first = false;
            deadline.set(tokio::time::sleep(CONFIG_WAIT));
        }
        let has = |kind: MediaKind| tracks.iter().any(|track| track.kind == kind);
        let is_complete = goes_without
            .into_iter()
            .all(|(kind, without)| !wants(kind) || has(kind) || without);
        let more = async {
            // Tracks are made known by frames.
            subscription.recv().await.is_some()
        };
        let go_on = !is_complete
            && tokio::select! {
                more = more => more,
                () = &mut deadline => false,
            };
        if !go_on {
            return Watchable::new(stream, tracks, transcoder, slot);
        }
    }
}

/// Whether the stream has media of the other kind already, and has had time to show this one: sound and pictures begin together.
fn is_known_without(stream: &StreamHandle, kind: MediaKind) -> bool {
    const SETTLED: u64 = 60;
    let metadata = stream.metadata();
    let is_there = metadata.tracks.iter().any(|track| track.kind == kind);
    let frames: u64 = stream
        .qos()
        .tracks
        .iter()
        .map(|track| track.frames)
        .max()
        .unwrap_or(0);
    !is_there && frames >= SETTLED
}

/// Whether pictures are shown in another order than they come in.
pub(super) fn has_b_frames(stream: &StreamHandle) -> bool {
    stream
        .replay_buffer()
        .iter()
        .any(|frame| frame.is_video() && frame.pts != frame.dts)
}

/// Whether this is not what the track is on the stream.
pub(super) fn is_transcoded(stream: &StreamHandle, track: &RtpTrack) -> bool {
    let metadata = stream.metadata();
    let mut known = metadata.tracks.iter();
    known.any(|known| known.id == track.track && known.codec != track.codec)
}

//! What one viewer is sent, by what gets through to it.

use super::{BandwidthEstimate, Feedback, LayerChooser, Purpose, Wish};
use arcly_core::rtp::rtcp::RtcpPacket;
use arcly_core::rtp::{RtpFrame, rtcp};
use arcly_core::{MediaKind, TrackId};
use std::time::Duration;

/// How fast a viewer catches up while nothing is known of its way, in bits a second: most ways take that for the moment that it lasts.
const CATCH_UP_RATE: u64 = 20_000_000;

/// The least by which it catches up: slower than most streams are, it never would.
const MIN_CATCH_UP_RATE: u64 = 2_000_000;

/// How long after a packet was sent it is not worth to be sent again, where the round trip is not known: what asks for it was sent before.
const REPEAT_GUARD: Duration = Duration::from_millis(10);

/// The timestamps of pictures whose layer changes.
#[derive(Debug, Default)]
struct Timeline {
    layer: Option<TrackId>,
    /// The last picture's.
    last: u32,
    /// By how much those of this layer are moved.
    shift: u32,
}

impl Timeline {
    /// How far timestamps go on where those of a new layer would step back: one tick of a millisecond.
    const STEP: u32 = 90;

    /// The viewer's timestamp of a picture, which the clock of all layers says to be at `timestamp`. Layers are put on one clock by their sender reports;
    /// before the first of these they may be a little apart.
    const fn at(&mut self, layer: TrackId, timestamp: u32) -> u32 {
        match self.layer {
            Some(current) if current.0 == layer.0 => {}
            Some(_) => {
                let ahead = timestamp.wrapping_sub(self.last) as i32;
                self.shift = if ahead > 0 {
                    0
                } else {
                    self.last.wrapping_add(Self::STEP).wrapping_sub(timestamp)
                };
                self.layer = Some(layer);
            }
            None => self.layer = Some(layer),
        }
        self.last = timestamp.wrapping_add(self.shift);
        self.last
    }
}

/// Estimates what gets through to one viewer, and chooses its simulcast layer by it. Sans-IO; `now` is the time since any start of the caller's.
#[derive(Debug, Default)]
pub(crate) struct Adaptation {
    estimate: BandwidthEstimate,
    layers: LayerChooser,
    timeline: Timeline,
    wish: Option<Wish>,
    lost: Vec<Purpose>,
}

impl Adaptation {
    /// A packet is sent with this transport-wide number; numbers have no holes.
    pub(crate) fn on_sent(&mut self, number: u16, bytes: usize, purpose: Purpose, now: Duration) {
        self.estimate.on_sent(number, bytes, purpose, now);
    }

    /// The viewer has sent RTCP: feedback counts, the rest is for others.
    pub(crate) fn on_rtcp(&mut self, datagram: &[u8], now: Duration) {
        for feedback in Feedback::read(datagram) {
            self.estimate.on_feedback(&feedback, now, &mut self.lost);
        }
        for packet in rtcp::read(datagram) {
            match packet {
                Ok(RtcpPacket::MaxBitrate(told)) => self.estimate.on_told(told.bits_per_second),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        if let Some(estimate) = self.estimate.bits_per_second() {
            self.wish = self.layers.choose(estimate, now).or(self.wish);
        }
    }

    /// What is lost, as feedback tells, and was not sent again since: track and sequence number.
    pub(crate) fn take_lost(&mut self) -> impl Iterator<Item = (usize, u16)> {
        self.lost.drain(..).filter_map(|purpose| match purpose {
            Purpose::Media { track, sequence } => Some((usize::from(track), sequence)),
            Purpose::Probe => None,
        })
    }

    /// Whether a packet was sent so lately that who misses it cannot know of that yet.
    pub(crate) fn is_on_its_way(
        &self,
        purpose: Purpose,
        round_trip: Option<Duration>,
        now: Duration,
    ) -> bool {
        let guard = round_trip.map_or(REPEAT_GUARD, |round_trip| round_trip * 3 / 4);
        self.estimate
            .was_sent_since(purpose, now.saturating_sub(guard))
    }

    /// What is needed next, once.
    pub(crate) const fn take_wish(&mut self) -> Option<Wish> {
        self.wish.take()
    }

    /// A probe is about to be sent, unless one is on its way.
    pub(crate) fn begin_probe(&mut self, wanted: u64, now: Duration) -> bool {
        let may = !self.estimate.is_probing();
        if may {
            self.estimate.begin_probe(wanted, now);
        }
        may
    }

    /// How much gets through, in bits a second; `None` where the viewer does not tell.
    pub(crate) fn bits_per_second(&self) -> Option<u64> {
        self.estimate.bits_per_second()
    }

    /// How fast the viewer catches up, in bits a second.
    pub(crate) fn catch_up_rate(&self) -> u64 {
        let estimate = self.estimate.bits_per_second();
        estimate.map_or(CATCH_UP_RATE, |estimate| {
            (estimate * 5 / 4).clamp(MIN_CATCH_UP_RATE, CATCH_UP_RATE)
        })
    }

    /// The track of the viewer that a frame of the stream goes out on, whose pictures are on `video`: `None` where the viewer is not sent it.
    pub(crate) fn route(
        &mut self,
        frame: &RtpFrame,
        video: Option<TrackId>,
        is_past: bool,
        now: Duration,
    ) -> Option<TrackId> {
        let track = frame.track();
        let has_layers = video.is_some_and(LayerChooser::is_layer);
        if frame.kind() != MediaKind::Video || !has_layers || !LayerChooser::is_layer(track) {
            return Some(track);
        }
        let is_sent = if is_past {
            self.layers.on_past_frame(track, frame.is_keyframe())
        } else {
            let bytes = frame.payload_bytes();
            self.layers.on_frame(track, bytes, frame.is_keyframe(), now)
        };
        video.filter(|_| is_sent)
    }

    /// Whether a picture of this layer is the first one behind those of another.
    pub(crate) fn changes_layer(&self, layer: TrackId) -> bool {
        self.timeline.layer.is_some_and(|current| current != layer)
    }

    /// The viewer's timestamp of a picture, by the clock of all layers.
    pub(crate) const fn timestamp(&mut self, layer: TrackId, timestamp: u32) -> u32 {
        self.timeline.at(layer, timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_go_on_where_layers_change() {
        let (low, high) = (TrackId::VIDEO, TrackId(17));
        let mut timeline = Timeline::default();
        let near_wrap = u32::MAX - 3_000;
        assert_eq!(timeline.at(low, near_wrap), near_wrap);
        let next = near_wrap.wrapping_add(3_600);
        assert_eq!(timeline.at(low, next), next);
        // The other layer's clock is behind by 5 ms.
        let behind = next.wrapping_sub(450);
        assert_eq!(timeline.at(high, behind), next.wrapping_add(90));
        assert_eq!(
            timeline.at(high, behind.wrapping_add(3_600)),
            next.wrapping_add(3_690)
        );
        // Back to the first one, which needs no shift.
        let later = next.wrapping_add(10_000);
        assert_eq!(timeline.at(low, later), later);
    }

    #[test]
    fn catching_up_follows_the_estimate() {
        let mut adaptation = Adaptation::default();
        assert_eq!(adaptation.catch_up_rate(), 20_000_000);
        adaptation.estimate.on_told(4_000_000);
        assert_eq!(adaptation.catch_up_rate(), 5_000_000);
        adaptation.estimate.on_told(100_000);
        assert_eq!(adaptation.catch_up_rate(), 2_000_000);
    }
}

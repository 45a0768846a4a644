//! Simulcast: which layer a viewer is sent.

use arcly_core::{MediaKind, TrackId};
use std::time::Duration;

/// Tracks from here on are for layers and further sections, [`MAX_LAYERS`] of each.
const FURTHER: usize = 16;

/// The most layers of one section; browsers send three.
const MAX_LAYERS: usize = 8;

/// The track of a simulcast layer. The first section of a kind has the kind's own track for its first layer, and those behind [`FURTHER`] for others;
/// other sections have those that follow.
pub(crate) fn layer_track(
    kind: MediaKind,
    is_first: bool,
    section: usize,
    layer: usize,
) -> Option<TrackId> {
    if layer >= MAX_LAYERS {
        return None;
    }
    match (is_first, layer, kind) {
        (true, 0, MediaKind::Video) => Some(TrackId::VIDEO),
        (true, 0, MediaKind::Audio) => Some(TrackId::AUDIO),
        (true, _, MediaKind::Video) => Some(TrackId((FURTHER + layer) as u16)),
        _ => u16::try_from(FURTHER + (section + 1) * MAX_LAYERS + layer)
            .ok()
            .map(TrackId),
    }
}

/// Whether a track is a layer of the first video section.
fn is_video_layer(track: TrackId) -> bool {
    let further = FURTHER..FURTHER + MAX_LAYERS;
    track == TrackId::VIDEO || further.contains(&usize::from(track.0))
}

/// A layer that has sent nothing for so long is paused: publishers leave out what they have no bandwidth for.
const PAUSED: Duration = Duration::from_millis(1_500);

/// Over how long a layer's rate is measured.
const WINDOW: Duration = Duration::from_secs(1);

/// How much the estimate has to exceed the rate of a layer that is higher, and what it has to be of the one that is sent, in percent. The
/// difference keeps a viewer from going up and down.
const UP: u64 = 115;
const STAY: u64 = 85;

/// How much of the rate of the layer that is left has to fit, in percent, for it to be sent until the other one begins.
const HALT: u64 = 60;

/// How long too low an estimate is watched before the layer is left.
const GRACE: Duration = Duration::from_millis(300);

/// How long a viewer stays with a layer that it had to go down to, and the most that this grows to where it had to just after having gone up.
const BACKOFF: Duration = Duration::from_secs(4);
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// Having gone down within this time of having gone up was a mistake of going up.
const REGRET: Duration = Duration::from_secs(15);

/// How long after a probe the next one is sent, and the most that this grows to while probes show nothing.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
const MAX_PROBE_INTERVAL: Duration = Duration::from_secs(16);

/// How often the wanted layer's keyframe is asked for.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Layer {
    track: TrackId,
    window: Duration,
    bytes: u64,
    /// Of the last whole window, or the one before where that was more: keyframes come seldom.
    rates: [u64; 2],
    last: Duration,
}

impl Layer {
    fn bits_per_second(&self) -> u64 {
        self.rates.into_iter().max().unwrap_or_default()
    }

    fn count(&mut self, bytes: usize, now: Duration) {
        self.last = now;
        self.bytes += bytes as u64;
        let elapsed = now.saturating_sub(self.window);
        if elapsed >= WINDOW {
            let rate = self.bytes * 8_000 / (elapsed.as_millis() as u64).max(1);
            self.rates = [rate, self.rates[0]];
            self.window = now;
            self.bytes = 0;
        }
    }
}

/// What is needed to send the layer that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A keyframe of the layer that is gone to.
    Keyframe,
    /// To know whether this many bits a second get through.
    Probe(u64),
}

/// Chooses for one viewer. Layers change at keyframes only.
#[derive(Debug, Default)]
pub(crate) struct LayerChooser {
    layers: Vec<Layer>,
    current: Option<TrackId>,
    wanted: Option<TrackId>,
    /// So little gets through that nothing is sent until a keyframe of the layer that is gone to: what would be sent queues up before that.
    halted: bool,
    /// Since when the estimate has been too low.
    low_since: Option<Duration>,
    went_up: Option<Duration>,
    backoff: Duration,
    /// Before this the viewer does not go up.
    stays_until: Duration,
    next_probe: Duration,
    probe_interval: Duration,
    keyframe_asked: Option<Duration>,
}

impl LayerChooser {
    /// Whether a track is one of those that it chooses among.
    pub(crate) fn is_layer(track: TrackId) -> bool {
        is_video_layer(track)
    }

    /// A frame of a layer comes next in the stream. Whether the viewer is sent it; `true` for a keyframe may mean that another layer begins.
    pub(crate) fn on_frame(
        &mut self,
        track: TrackId,
        bytes: usize,
        is_keyframe: bool,
        now: Duration,
    ) -> bool {
        if let Some(layer) = self.layers.iter_mut().find(|layer| layer.track == track) {
            layer.count(bytes, now);
        } else if self.layers.len() < MAX_LAYERS {
            self.layers.push(Layer {
                track,
                window: now,
                bytes: bytes as u64,
                rates: [0; 2],
                last: now,
            });
        } else {
            return false;
        }
        if is_keyframe && (self.current.is_none() || self.wanted == Some(track)) {
            self.current = Some(track);
            self.wanted = None;
            self.halted = false;
            self.low_since = None;
            self.keyframe_asked = None;
        }
        self.current == Some(track) && !self.halted
    }

    /// A frame of the past, which the viewer catches up with: only that layer is sent with which it began.
    pub(crate) fn on_past_frame(&mut self, track: TrackId, is_keyframe: bool) -> bool {
        if is_keyframe && self.current.is_none() {
            self.current = Some(track);
        }
        self.current == Some(track)
    }

    /// Decides by the estimate, in bits a second, of what gets through.
    pub(crate) fn choose(&mut self, estimate: u64, now: Duration) -> Option<Wish> {
        let current = self.current?;
        let alive = |layer: &&Layer| {
            now < layer.last + PAUSED && (layer.rates[0] > 0 || layer.track == current)
        };
        let mut layers: Vec<(u64, TrackId)> = self
            .layers
            .iter()
            .filter(alive)
            .map(|layer| (layer.bits_per_second(), layer.track))
            .collect();
        layers.sort_unstable();
        let place = layers.iter().position(|(_, track)| *track == current);
        let fits = |rate: u64, percent: u64| rate * percent / 100 <= estimate;
        let Some(place) = place.filter(|_| !self.halted) else {
            // The publisher has left it out, or nothing is sent of it any more.
            let lower = layers.iter().rev().find(|(rate, _)| fits(*rate, 100));
            let lower = lower.or(layers.first())?;
            return self.want(lower.1, now);
        };
        let (rate, _) = *layers.get(place)?;
        if !fits(rate, STAY) {
            let since = *self.low_since.get_or_insert(now);
            if let Some((_, lowest)) = layers.first().filter(|_| place > 0)
                && now >= since + GRACE
            {
                let below = layers.get(..place)?.iter().rev();
                let fitting = below.clone().find(|(rate, _)| fits(*rate, 100));
                let target = fitting.map_or(*lowest, |(_, track)| *track);
                if self.wanted != Some(target) {
                    self.going_down(now);
                }
                self.halted |= !fits(rate, HALT);
                return self.want(target, now);
            }
        } else {
            self.low_since = None;
        }
        let Some((higher, _)) = layers.get(place + 1).filter(|_| now >= self.stays_until) else {
            return self.repeat(now);
        };
        let fitting = layers.get(place + 1..)?.iter().rev();
        if let Some((_, target)) = fitting.clone().find(|(rate, _)| fits(*rate, UP)) {
            if self.wanted != Some(*target) {
                self.went_up = Some(now);
                self.probe_interval = PROBE_INTERVAL;
            }
            return self.want(*target, now);
        }
        self.wanted = None;
        if now >= self.next_probe {
            self.probe_interval =
                (self.probe_interval * 2).clamp(PROBE_INTERVAL, MAX_PROBE_INTERVAL);
            self.next_probe = now + self.probe_interval;
            return Some(Wish::Probe(higher * (UP + 25) / 100));
        }
        None
    }

    fn going_down(&mut self, now: Duration) {
        let regrets = self.went_up.take().is_some_and(|up| now < up + REGRET);
        self.backoff = if regrets {
            (self.backoff * 2).clamp(BACKOFF, MAX_BACKOFF)
        } else {
            BACKOFF
        };
        self.stays_until = now + self.backoff;
        self.next_probe = self.stays_until;
        self.probe_interval = Duration::ZERO;
    }

    fn want(&mut self, track: TrackId, now: Duration) -> Option<Wish> {
        if self.wanted != Some(track) {
            self.wanted = Some(track);
            self.keyframe_asked = None;
        }
        self.repeat(now)
    }

    /// Asks for the keyframe of the layer that is wanted, now and then.
    fn repeat(&mut self, now: Duration) -> Option<Wish> {
        self.wanted?;
        let is_time = self
            .keyframe_asked
            .is_none_or(|asked| now >= asked + KEYFRAME_INTERVAL);
        is_time.then(|| {
            self.keyframe_asked = Some(now);
            Wish::Keyframe
        })
    }
}

#[cfg(test)]
mod tests;

//! The estimate: by delays, by losses, and by probes.

use super::delay::{DelayWatch, Usage};
use super::sent::{Outcome, SentLog};
use super::throughput::Throughput;
use super::{Feedback, Purpose};
use std::time::Duration;

/// What is estimated at least, in bits a second: the draft's examples begin here, and sound alone needs as much.
const MIN: u64 = 50_000;

/// What is estimated at most.
const MAX: u64 = 100_000_000;

/// What is left of the throughput where queues grow (draft-ietf-rmcat-gcc-02 5.5: beta).
const DECREASE: f64 = 0.85;

/// How much the estimate grows in a second without news of the way's capacity (5.5).
const INCREASE: f64 = 1.08;

/// How much it grows in a second near the rate at which queues began to grow, in bits a second: half a packet each response time of 100 ms (5.5).
const INCREASE_NEAR: f64 = 48_000.0;

/// How long a decrease shows no effect: it has to get there, and what is queued has to come out.
const RESPONSE: Duration = Duration::from_millis(300);

/// Losses up to this are no congestion; above it, half of them is taken off (6).
const LOSSY: f64 = 0.10;

/// Losses are counted over this time and this many packets, at least.
const LOSS_WINDOW: Duration = Duration::from_millis(500);
const LOSS_PACKETS: u32 = 20;

/// How long the outcome of a probe is waited for.
const PROBE_TIME: Duration = Duration::from_millis(700);

/// How many packets of a probe have to arrive to count.
const PROBE_PACKETS: u32 = 4;

/// How much gets through to one receiver, in bits a second, by what it tells of the packets it was sent.
///
/// Sans-IO; `now` is the time since any start of the caller's.
#[derive(Debug, Default)]
pub(crate) struct BandwidthEstimate {
    sent: SentLog,
    delay: DelayWatch,
    throughput: Throughput,
    estimate: Option<f64>,
    /// What the receiver estimates itself (REMB).
    told: Option<u64>,
    updated: Option<Duration>,
    decreased: Option<Duration>,
    /// The throughput at which queues began to grow last.
    capacity: Option<f64>,
    losses: Losses,
    probe: Option<Probe>,
    outcomes: Vec<Outcome>,
}

#[derive(Debug, Default)]
struct Losses {
    since: Duration,
    packets: u32,
    lost: u32,
}

/// Packets that were sent at once, whose distance on arrival tells how fast the narrowest part of the way lets them through.
#[derive(Debug)]
struct Probe {
    /// What is to be shown, in bits a second.
    wanted: u64,
    ends: Duration,
    sent: u32,
    lost: u32,
    arrived: u32,
    /// In microseconds of the receiver's clock.
    first: i64,
    last: i64,
    /// Behind the first packet.
    bytes: u64,
}

impl BandwidthEstimate {
    /// A packet is sent with this transport-wide number; numbers have no holes.
    pub(crate) fn on_sent(&mut self, number: u16, bytes: usize, purpose: Purpose, now: Duration) {
        self.sent.push(number, now, bytes, purpose);
        if purpose == Purpose::Probe
            && let Some(probe) = &mut self.probe
        {
            probe.sent += 1;
        }
    }

    /// A probe is about to be sent, to show whether this many bits a second get through.
    pub(crate) fn begin_probe(&mut self, wanted: u64, now: Duration) {
        self.probe = Some(Probe {
            wanted,
            ends: now + PROBE_TIME,
            sent: 0,
            lost: 0,
            arrived: 0,
            first: i64::MAX,
            last: i64::MIN,
            bytes: 0,
        });
    }

    /// Whether the outcome of a probe is still waited for.
    pub(crate) const fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// The estimate; `None` as long as the receiver has told nothing.
    pub(crate) fn bits_per_second(&self) -> Option<u64> {
        let estimate = self.estimate.map(|estimate| estimate as u64);
        match (estimate, self.told) {
            (Some(estimate), Some(told)) => Some(estimate.min(told)),
            (estimate, told) => estimate.or(told),
        }
    }

    /// Whether a packet was sent for this after that time.
    pub(crate) fn was_sent_since(&self, purpose: Purpose, since: Duration) -> bool {
        self.sent.was_repeated(purpose, since)
    }

    /// The receiver has told what it estimates itself.
    pub(crate) fn on_told(&mut self, bits_per_second: u64) {
        self.told = Some(bits_per_second.max(MIN));
    }

    /// The receiver has told what arrived. What was lost and not sent again since is appended to `lost`.
    pub(crate) fn on_feedback(
        &mut self,
        feedback: &Feedback,
        now: Duration,
        lost: &mut Vec<Purpose>,
    ) {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        self.sent.outcomes(feedback, &mut outcomes);
        for Outcome { sent, arrived } in outcomes.drain(..) {
            let is_probe = sent.purpose == Purpose::Probe;
            if let Some(probe) = self.probe.as_mut().filter(|_| is_probe) {
                probe.on_outcome(arrived, sent.bytes);
            }
            self.losses.packets += 1;
            if let Some(arrived) = arrived {
                self.throughput.push(arrived, sent.bytes);
                // A probe queues up by intent.
                if !is_probe {
                    self.delay.on_packet(sent.at, arrived);
                }
            } else {
                self.losses.lost += 1;
                if !is_probe && !self.sent.was_repeated(sent.purpose, sent.at) {
                    lost.push(sent.purpose);
                }
            }
        }
        self.outcomes = outcomes;
        self.update(now);
        self.end_probe(now);
    }

    fn update(&mut self, now: Duration) {
        let Some(throughput) = self.throughput.bits_per_second() else {
            return;
        };
        let throughput = throughput as f64;
        let since = now.saturating_sub(self.updated.replace(now).unwrap_or(now));
        let seconds = since.as_secs_f64().min(1.0);
        // What has got through at once is the least that there is.
        let mut estimate = self.estimate.unwrap_or(throughput);
        let may_decrease = self
            .decreased
            .is_none_or(|decreased| now >= decreased + RESPONSE);
        match self.delay.usage() {
            Usage::Over if may_decrease => {
                self.capacity = Some(throughput);
                estimate = estimate.min(throughput * DECREASE);
                self.decreased = Some(now);
            }
            Usage::Normal if may_decrease && estimate < throughput * 1.5 + 10_000.0 => {
                // Where less is sent than could be, nothing is learnt by sending it.
                let is_near = |capacity: f64| (capacity * 0.8..capacity * 1.1).contains(&estimate);
                if self.capacity.is_some_and(is_near) {
                    estimate += INCREASE_NEAR * seconds;
                } else {
                    estimate *= INCREASE.powf(seconds);
                }
                estimate = estimate.max(throughput);
            }
            _ => {}
        }
        if let Some(share) = self.losses.share(now)
            && share > LOSSY
        {
            estimate *= 1.0 - share / 2.0;
            self.decreased = Some(now);
        }
        self.estimate = Some(estimate.clamp(MIN as f64, MAX as f64));
    }

    fn end_probe(&mut self, now: Duration) {
        let is_over = |probe: &Probe| {
            let is_reported = probe.sent > 0 && probe.arrived + probe.lost >= probe.sent;
            is_reported || now >= probe.ends
        };
        let Some(probe) = self.probe.take_if(|probe| is_over(probe)) else {
            return;
        };
        let shown = probe.bits_per_second().unwrap_or_default() * 0.9;
        let shown = shown.min(probe.wanted as f64);
        if let Some(estimate) = &mut self.estimate
            && shown > *estimate
        {
            *estimate = shown.min(MAX as f64);
            // It has shown that the way is wider now.
            self.capacity = None;
        }
    }
}

impl Losses {
    /// Which share was lost, once enough is known; counting starts anew.
    fn share(&mut self, now: Duration) -> Option<f64> {
        if now < self.since + LOSS_WINDOW || self.packets < LOSS_PACKETS {
            return None;
        }
        let share = f64::from(self.lost) / f64::from(self.packets);
        *self = Self {
            since: now,
            ..Self::default()
        };
        Some(share)
    }
}

impl Probe {
    fn on_outcome(&mut self, arrived: Option<i64>, bytes: u32) {
        let Some(arrived) = arrived else {
            self.lost += 1;
            return;
        };
        if self.arrived > 0 {
            self.bytes += u64::from(bytes);
        }
        self.arrived += 1;
        self.first = self.first.min(arrived);
        self.last = self.last.max(arrived);
    }

    /// How fast it got through; `None` where too little of it did.
    fn bits_per_second(&self) -> Option<f64> {
        let enough = self.arrived >= PROBE_PACKETS && self.arrived * 4 >= self.sent * 3;
        // The receiver's clock counts in quarters of a millisecond.
        let micros = (self.last - self.first).max(250);
        enough.then(|| self.bytes as f64 * 8_000_000.0 / micros as f64)
    }
}

#[cfg(test)]
mod tests;

//! Whether packets queue up on their way: the delay-based half of Google congestion control (draft-ietf-rmcat-gcc-02 5), with a line through the delays of
//! the last groups instead of a Kalman filter, as browsers have it.

use std::collections::VecDeque;
use std::time::Duration;

/// Packets sent within this time of each other are one group (5.2): how they follow each other says nothing about queues.
const GROUP: Duration = Duration::from_millis(5);

/// Through how many groups the line is laid.
const WINDOW: usize = 20;

/// How much of the delay so far counts beside a new one.
const SMOOTHING: f64 = 0.9;

/// By how much the slope is amplified before it is compared.
const GAIN: f64 = 4.0;

/// How many groups count into the amplification at most.
const MAX_GROUPS: f64 = 60.0;

/// The threshold to begin with, and its bounds, in milliseconds (5.4).
const THRESHOLD: f64 = 12.5;
const THRESHOLDS: std::ops::RangeInclusive<f64> = 6.0..=600.0;

/// How fast the threshold follows, where the slope is above and below it, per millisecond (5.4: K_u and K_d).
const K_UP: f64 = 0.0087;
const K_DOWN: f64 = 0.039;

/// For how long the slope has to be above the threshold (5.4: overuse_time_th), in milliseconds.
const OVERUSE_MS: f64 = 10.0;

/// A silence after which all starts anew, in milliseconds.
const SILENCE_MS: f64 = 2_000.0;

/// What the delays say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Usage {
    /// Queues grow: more is sent than gets through.
    Over,
    /// Delays are steady.
    #[default]
    Normal,
    /// Queues empty themselves.
    Under,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: Duration,
    last_sent: Duration,
    /// In microseconds of the receiver's clock.
    last_arrived: i64,
}

/// Watches the delays of packets in the order in which they were sent.
#[derive(Debug)]
pub(super) struct DelayWatch {
    current: Option<Group>,
    previous: Option<Group>,
    /// Arrival and smoothed delay of the last groups, both in milliseconds since the first.
    points: VecDeque<(f64, f64)>,
    first_arrived: i64,
    accumulated: f64,
    smoothed: f64,
    groups: f64,
    threshold: f64,
    over_for: f64,
    previous_slope: f64,
    usage: Usage,
}

impl Default for DelayWatch {
    fn default() -> Self {
        Self {
            current: None,
            previous: None,
            points: VecDeque::new(),
            first_arrived: 0,
            accumulated: 0.0,
            smoothed: 0.0,
            groups: 0.0,
            threshold: THRESHOLD,
            over_for: 0.0,
            previous_slope: 0.0,
            usage: Usage::Normal,
        }
    }
}

impl DelayWatch {
    /// A packet arrived at this time of the receiver's clock, in microseconds.
    pub(super) fn on_packet(&mut self, sent: Duration, arrived: i64) {
        let Some(current) = &mut self.current else {
            self.current = Some(Group::of(sent, arrived));
            return;
        };
        if sent < current.first_sent {
            // An older one; its group has been counted.
            return;
        }
        if sent - current.first_sent <= GROUP {
            current.last_sent = current.last_sent.max(sent);
            current.last_arrived = current.last_arrived.max(arrived);
            return;
        }
        let complete = std::mem::replace(current, Group::of(sent, arrived));
        if let Some(previous) = self.previous.replace(complete) {
            let sent_apart = millis(complete.last_sent.saturating_sub(previous.last_sent));
            let arrived_apart = (complete.last_arrived - previous.last_arrived) as f64 / 1_000.0;
            if arrived_apart.abs() > SILENCE_MS || sent_apart > SILENCE_MS {
                self.start_over();
            } else {
                self.on_groups(sent_apart, arrived_apart, complete.last_arrived);
            }
        }
    }

    fn start_over(&mut self) {
        *self = Self {
            current: self.current,
            threshold: self.threshold,
            ..Self::default()
        };
    }

    /// Two groups were so many milliseconds apart when they were sent, and when they arrived.
    fn on_groups(&mut self, sent_apart: f64, arrived_apart: f64, arrived: i64) {
        if self.points.is_empty() {
            self.first_arrived = arrived;
        }
        self.groups = (self.groups + 1.0).min(MAX_GROUPS);
        self.accumulated += arrived_apart - sent_apart;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        let at = (arrived - self.first_arrived) as f64 / 1_000.0;
        self.points.push_back((at, self.smoothed));
        if self.points.len() > WINDOW {
            self.points.pop_front();
        }
        if self.points.len() == WINDOW {
            let slope = self.slope();
            self.compare(slope, sent_apart);
            self.previous_slope = slope;
        }
    }

    /// Of the line with the least squares of errors through the points.
    fn slope(&self) -> f64 {
        let count = self.points.len() as f64;
        let (sum_x, sum_y) = self
            .points
            .iter()
            .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        let (mean_x, mean_y) = (sum_x / count, sum_y / count);
        let (covariance, variance) = self.points.iter().fold((0.0, 0.0), |sums, (x, y)| {
            let off = x - mean_x;
            (sums.0 + off * (y - mean_y), sums.1 + off * off)
        });
        if variance > 0.0 {
            covariance / variance
        } else {
            0.0
        }
    }

    fn compare(&mut self, slope: f64, elapsed: f64) {
        let trend = slope * self.groups * GAIN;
        if trend > self.threshold {
            self.over_for += elapsed;
            if self.over_for > OVERUSE_MS && slope >= self.previous_slope {
                self.usage = Usage::Over;
            }
        } else {
            self.over_for = 0.0;
            self.usage = if trend < -self.threshold {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
        let off = trend.abs() - self.threshold;
        // A spike is not what the threshold is to get used to.
        if off <= 15.0 {
            let follow = if off < 0.0 { K_DOWN } else { K_UP };
            self.threshold += follow * off * elapsed.min(100.0);
            self.threshold = self.threshold.clamp(*THRESHOLDS.start(), *THRESHOLDS.end());
        }
    }

    /// What the delays say now.
    pub(super) const fn usage(&self) -> Usage {
        self.usage
    }
}

impl Group {
    const fn of(sent: Duration, arrived: i64) -> Self {
        Self {
            first_sent: sent,
            last_sent: sent,
            last_arrived: arrived,
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_testkit::Random;

    /// What is said of a packet every 10 ms with these delays in microseconds.
    fn watch(count: u64, mut delay: impl FnMut(u64) -> i64) -> Vec<Usage> {
        let mut watch = DelayWatch::default();
        let said = (0..count).map(|number| {
            let sent = Duration::from_millis(number * 10);
            watch.on_packet(sent, sent.as_micros() as i64 + delay(number));
            watch.usage()
        });
        said.collect()
    }

    #[test]
    fn steady_delays_are_normal_however_the_clocks_differ() {
        assert!(
            watch(500, |_| -5_000_000)
                .iter()
                .all(|usage| *usage == Usage::Normal)
        );
        // One clock is faster by 100 parts in a million.
        let drifts = watch(2_000, |number| number as i64);
        assert!(drifts.iter().all(|usage| *usage == Usage::Normal));
    }

    #[test]
    fn jitter_is_no_overuse() {
        let mut random = Random::new(1);
        let said = watch(3_000, |_| random.below(8_000) as i64);
        let over = said.iter().filter(|usage| **usage == Usage::Over).count();
        assert!(over < 30, "{over} of 3 000");
    }

    #[test]
    fn a_queue_that_grows_is_overuse_within_half_a_second_and_one_that_empties_is_not() {
        // 20 % more is sent than gets through, for a second.
        let said = watch(300, |number| match number {
            0..100 => 0,
            100..200 => (number as i64 - 100) * 2_000,
            _ => (200_000 - (number as i64 - 200) * 4_000).max(0),
        });
        let first = said.iter().position(|usage| *usage == Usage::Over);
        assert!(
            first.is_some_and(|at| (100..150).contains(&at)),
            "{first:?}"
        );
        assert!(said[230..].contains(&Usage::Under));
    }
}

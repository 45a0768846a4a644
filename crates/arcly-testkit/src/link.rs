//! One direction of an emulated network: datagrams go in with the time, and come out later, reordered, twice or never.

use crate::Random;
use bytes::Bytes;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// What a [`Link`] does to datagrams. The default delivers all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkConfig {
    /// How long a datagram takes.
    pub delay: Duration,
    /// By how much longer it takes at most, each by chance: what reorders datagrams that are sent closer together.
    pub jitter: Duration,
    /// How many of a million datagrams start a loss.
    pub loss_per_million: u32,
    /// How many datagrams a loss takes, in a row; 0 counts as 1.
    pub burst: u32,
    /// How many of a million datagrams are delivered twice.
    pub duplicates_per_million: u32,
    /// How many of a million datagrams come `reorder_by` later than the rest.
    pub reorder_per_million: u32,
    /// See [`reorder_per_million`](Self::reorder_per_million).
    pub reorder_by: Duration,
    /// Bits a second, where the link is a bottleneck.
    pub rate: Option<u64>,
    /// How long a datagram may queue at the bottleneck before it is dropped; zero stands for a second.
    pub queue: Duration,
}

/// What a [`Link`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounters {
    /// Datagrams that went in.
    pub sent: u64,
    /// Those that were lost, at a full bottleneck included.
    pub lost: u64,
    /// Those that were delivered a second time.
    pub duplicated: u64,
    /// Those that were held back to come later than the rest.
    pub reordered: u64,
}

/// One direction of an emulated network. The same seed, times and datagrams give the same deliveries.
///
/// Time is whatever the caller counts from, as a [`Duration`]; it does not step back.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    random: Random,
    /// By time of delivery, then in the order in which they were sent.
    flying: BinaryHeap<Reverse<(Duration, u64, Bytes)>>,
    number: u64,
    /// How many more the loss takes that goes on.
    losing: u32,
    /// When the bottleneck is free again.
    busy_until: Duration,
    counters: LinkCounters,
}

impl Link {
    /// An idle link.
    #[must_use]
    pub fn new(config: LinkConfig, seed: u64) -> Self {
        Self {
            config,
            random: Random::new(seed),
            flying: BinaryHeap::new(),
            number: 0,
            losing: 0,
            busy_until: Duration::ZERO,
            counters: LinkCounters::default(),
        }
    }

    /// Changes what happens to datagrams that are sent from now on.
    pub fn reconfigure(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// What was done so far.
    #[must_use]
    pub const fn counters(&self) -> LinkCounters {
        self.counters
    }

    /// A datagram is sent.
    pub fn send(&mut self, now: Duration, datagram: Bytes) {
        self.counters.sent += 1;
        if self.loses() {
            self.counters.lost += 1;
            return;
        }
        let Some(queued) = self.pass_bottleneck(now, datagram.len()) else {
            self.counters.lost += 1;
            return;
        };
        let LinkConfig { delay, jitter, .. } = self.config;
        let jitter = u64::try_from(jitter.as_nanos()).unwrap_or(u64::MAX);
        let mut due = queued + delay + Duration::from_nanos(self.random.below(jitter));
        if self.random.happens(self.config.reorder_per_million) {
            self.counters.reordered += 1;
            due += self.config.reorder_by;
        }
        if self.random.happens(self.config.duplicates_per_million) {
            self.counters.duplicated += 1;
            self.fly(due, datagram.clone());
        }
        self.fly(due, datagram);
    }

    /// When [`receive`](Self::receive) has something next.
    #[must_use]
    pub fn next_delivery(&self) -> Option<Duration> {
        self.flying.peek().map(|Reverse((due, ..))| *due)
    }

    /// A datagram that has arrived by `now`.
    pub fn receive(&mut self, now: Duration) -> Option<Bytes> {
        if self.next_delivery()? > now {
            return None;
        }
        self.flying.pop().map(|Reverse((_, _, datagram))| datagram)
    }

    fn fly(&mut self, due: Duration, datagram: Bytes) {
        self.number += 1;
        self.flying.push(Reverse((due, self.number, datagram)));
    }

    fn loses(&mut self) -> bool {
        if self.losing > 0 {
            self.losing -= 1;
            return true;
        }
        let starts = self.random.happens(self.config.loss_per_million);
        if starts {
            self.losing = self.config.burst.saturating_sub(1);
        }
        starts
    }

    /// When the datagram has left the bottleneck; `None` where its queue is full.
    fn pass_bottleneck(&mut self, now: Duration, bytes: usize) -> Option<Duration> {
        let Some(rate) = self.config.rate else {
            return Some(now);
        };
        let queue = match self.config.queue {
            Duration::ZERO => Duration::from_secs(1),
            queue => queue,
        };
        let start = self.busy_until.max(now);
        if start.saturating_sub(now) > queue {
            return None;
        }
        let nanoseconds = bytes as u64 * 8 * 1_000_000_000 / rate.max(1);
        self.busy_until = start + Duration::from_nanos(nanoseconds);
        Some(self.busy_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Sends `count` numbered datagrams, one a millisecond, and returns what arrives.
    fn run(config: LinkConfig, seed: u64, count: u32) -> Vec<u32> {
        let mut link = Link::new(config, seed);
        let mut arrived = Vec::new();
        for number in 0..count + 10_000 {
            let now = ms(number.into());
            if number < count {
                link.send(now, Bytes::copy_from_slice(&number.to_be_bytes()));
            }
            while let Some(datagram) = link.receive(now) {
                arrived.push(u32::from_be_bytes(datagram[..].try_into().unwrap()));
            }
        }
        assert_eq!(link.next_delivery(), None);
        arrived
    }

    #[test]
    fn a_plain_link_delivers_all_in_order() {
        let config = LinkConfig {
            delay: ms(20),
            ..LinkConfig::default()
        };
        assert_eq!(run(config, 1, 100), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_seed_decides_what_is_lost_doubled_and_reordered() {
        let config = LinkConfig {
            jitter: ms(5),
            loss_per_million: 50_000,
            duplicates_per_million: 10_000,
            ..LinkConfig::default()
        };
        let arrived = run(config, 7, 10_000);
        assert_eq!(arrived, run(config, 7, 10_000));
        assert_ne!(arrived, run(config, 8, 10_000));
        assert!((9_400..9_800).contains(&arrived.len()), "{}", arrived.len());
        assert!(!arrived.is_sorted());
    }

    #[test]
    fn a_burst_takes_datagrams_in_a_row() {
        let config = LinkConfig {
            loss_per_million: 1_000,
            burst: 5,
            ..LinkConfig::default()
        };
        let arrived = run(config, 3, 10_000);
        let gaps: Vec<_> = arrived
            .windows(2)
            .map(|pair| pair[1] - pair[0] - 1)
            .filter(|&gap| gap > 0)
            .collect();
        assert!(gaps.iter().all(|gap| gap % 5 == 0), "{gaps:?}");
        assert!(!gaps.is_empty());
    }

    #[test]
    fn a_bottleneck_spreads_and_then_drops() {
        let config = LinkConfig {
            rate: Some(8_000),
            queue: ms(50),
            ..LinkConfig::default()
        };
        let mut link = Link::new(config, 0);
        for _ in 0..100 {
            link.send(Duration::ZERO, Bytes::from_static(&[0; 10]));
        }
        // Ten bytes take 10 ms, and what would wait for more than 50 ms is dropped.
        assert_eq!(link.counters().lost, 94);
        assert_eq!(link.next_delivery(), Some(ms(10)));
    }
}

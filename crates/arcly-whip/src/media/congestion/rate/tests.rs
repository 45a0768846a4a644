//! A sender and a receiver with an emulated network between them, in emulated time.

use super::*;
use arcly_testkit::{Link, LinkConfig};
use bytes::{BufMut as _, Bytes, BytesMut};
use std::collections::BTreeMap;

const PACKET_BYTES: usize = 1_200;

/// How often the receiver tells what arrived, as browsers do.
const FEEDBACK: Duration = Duration::from_millis(50);

struct Network {
    estimate: BandwidthEstimate,
    there: Link,
    back: Link,
    now: Duration,
    number: u16,
    owed: f64,
    arrived: BTreeMap<u16, i64>,
    next_told: u16,
    next_feedback: Duration,
    /// The longest that a packet took.
    slowest: Duration,
    lost: Vec<Purpose>,
}

fn link(rate: u64) -> LinkConfig {
    LinkConfig {
        delay: Duration::from_millis(25),
        rate: Some(rate),
        queue: Duration::from_millis(400),
        ..LinkConfig::default()
    }
}

impl Network {
    fn new(config: LinkConfig) -> Self {
        let back = LinkConfig {
            delay: config.delay,
            ..LinkConfig::default()
        };
        Self {
            estimate: BandwidthEstimate::default(),
            there: Link::new(config, 1),
            back: Link::new(back, 2),
            now: Duration::ZERO,
            number: 0,
            owed: 0.0,
            arrived: BTreeMap::new(),
            next_told: 0,
            next_feedback: FEEDBACK,
            slowest: Duration::ZERO,
            lost: Vec::new(),
        }
    }

    fn send(&mut self, purpose: Purpose) {
        let mut packet = BytesMut::zeroed(PACKET_BYTES - 10);
        packet.put_u16(self.number);
        packet.put_u64(self.now.as_micros() as u64);
        self.estimate
            .on_sent(self.number, PACKET_BYTES, purpose, self.now);
        self.there.send(self.now, packet.freeze());
        self.number = self.number.wrapping_add(1);
    }

    /// Sends for so many seconds, at a rate that may follow the estimate.
    fn run(&mut self, seconds: u64, rate: impl Fn(Option<u64>) -> u64) -> u64 {
        let end = self.now + Duration::from_secs(seconds);
        self.slowest = Duration::ZERO;
        while self.now < end {
            self.now += Duration::from_millis(1);
            self.owed += rate(self.estimate.bits_per_second()) as f64 / 8_000.0;
            while self.owed >= PACKET_BYTES as f64 {
                self.owed -= PACKET_BYTES as f64;
                self.send(Purpose::Media {
                    track: 0,
                    sequence: self.number,
                });
            }
            while let Some(packet) = self.there.receive(self.now) {
                let number =
                    u16::from_be_bytes([packet[PACKET_BYTES - 10], packet[PACKET_BYTES - 9]]);
                let sent = u64::from_be_bytes(packet[PACKET_BYTES - 8..].try_into().unwrap());
                let took = self.now.saturating_sub(Duration::from_micros(sent));
                self.slowest = self.slowest.max(took);
                self.arrived.insert(number, self.now.as_micros() as i64);
            }
            self.tell();
        }
        self.estimate.bits_per_second().unwrap_or_default()
    }

    /// Feedback is passed on as numbers: its format has tests of its own.
    fn tell(&mut self) {
        if self.now >= self.next_feedback {
            self.next_feedback += FEEDBACK;
            let of_now = self
                .arrived
                .keys()
                .map(|number| number.wrapping_sub(self.next_told));
            if let Some(ahead) = of_now.filter(|ahead| *ahead < 0x8000).max() {
                let mut told = BytesMut::new();
                told.put_u16(self.next_told);
                for place in 0..=ahead {
                    let number = self.next_told.wrapping_add(place);
                    told.put_i64(self.arrived.get(&number).copied().unwrap_or(-1));
                }
                self.next_told = self.next_told.wrapping_add(ahead + 1);
                self.arrived.clear();
                self.back.send(self.now, told.freeze());
            }
        }
        while let Some(told) = self.back.receive(self.now) {
            let feedback = read(&told);
            self.estimate
                .on_feedback(&feedback, self.now, &mut self.lost);
        }
    }

    fn probe(&mut self, wanted: u64) {
        self.estimate.begin_probe(wanted, self.now);
        for _ in 0..10 {
            self.send(Purpose::Probe);
        }
        assert!(self.estimate.is_probing());
    }
}

fn read(told: &Bytes) -> Feedback {
    let times = told[2..].chunks(8);
    let times = times.map(|time| i64::from_be_bytes(time.try_into().unwrap()));
    Feedback {
        first: u16::from_be_bytes([told[0], told[1]]),
        arrived: times.map(|time| (time >= 0).then_some(time)).collect(),
    }
}

#[test]
fn what_exceeds_a_bottleneck_is_noticed_in_seconds() {
    let mut network = Network::new(link(1_000_000));
    let estimate = network.run(3, |_| 2_000_000);
    assert!((400_000..1_050_000).contains(&estimate), "{estimate}");
}

#[test]
fn who_follows_the_estimate_fills_a_bottleneck_and_keeps_its_queue_short() {
    let mut network = Network::new(link(1_500_000));
    network.run(10, |estimate| estimate.unwrap_or(300_000));
    let mut sum = 0;
    for _ in 0..20 {
        sum += network.run(1, |estimate| estimate.unwrap_or(300_000));
        assert!(
            network.slowest < Duration::from_millis(300),
            "{:?}",
            network.slowest
        );
    }
    let average = sum / 20;
    assert!((1_000_000..1_600_000).contains(&average), "{average}");
}

#[test]
fn losses_by_chance_are_no_congestion_and_what_is_lost_is_told_once() {
    let mut network = Network::new(LinkConfig {
        loss_per_million: 50_000,
        ..link(10_000_000)
    });
    let estimate = network.run(20, |_| 1_000_000);
    assert!(estimate > 1_000_000, "{estimate}");
    let lost = network.there.counters().lost as usize;
    assert!(
        network.lost.len().abs_diff(lost) <= 2,
        "{} of {lost}",
        network.lost.len()
    );
}

#[test]
fn heavy_losses_are_congestion() {
    let mut network = Network::new(LinkConfig {
        loss_per_million: 300_000,
        ..link(10_000_000)
    });
    // No more than what gets through.
    let estimate = network.run(10, |_| 1_000_000);
    assert!(estimate < 750_000, "{estimate}");
    let followed = network.run(10, |estimate| estimate.unwrap_or_default());
    assert!(followed < 300_000, "{followed}");
}

#[test]
fn little_that_is_sent_says_little_and_a_probe_says_more() {
    let mut network = Network::new(link(3_000_000));
    let before = network.run(10, |_| 300_000);
    assert!((300_000..600_000).contains(&before), "{before}");
    network.probe(1_500_000);
    let after = network.run(1, |_| 300_000);
    assert!((1_300_000..1_600_000).contains(&after), "{after}");
    assert!(!network.estimate.is_probing());
}

#[test]
fn a_probe_through_a_bottleneck_shows_the_bottleneck() {
    let mut network = Network::new(link(600_000));
    network.run(10, |_| 300_000);
    network.probe(1_500_000);
    let after = network.run(1, |_| 300_000);
    assert!((300_000..660_000).contains(&after), "{after}");
}

#[test]
fn what_the_receiver_estimates_itself_is_a_limit() {
    let mut estimate = BandwidthEstimate::default();
    assert_eq!(estimate.bits_per_second(), None);
    estimate.on_told(700_000);
    assert_eq!(estimate.bits_per_second(), Some(700_000));
    let mut network = Network::new(link(10_000_000));
    network.run(3, |_| 1_000_000);
    network.estimate.on_told(700_000);
    assert_eq!(network.estimate.bits_per_second(), Some(700_000));
}

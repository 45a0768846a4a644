//! A camera by datagrams over a network that loses, doubles and reorders by seed: what is published is what was sent, whole, and a loss costs no
//! more than the pictures up to the next keyframe that arrives.

mod client;

use arcly_core::rtp::rtcp::{self, RtcpPacket};
use arcly_core::{FrameFlags, MediaFrame};
use arcly_rtsp::proto::client::{Carriage, ClientConfig, ClientSession, Event, Input, RemoteUrl};
use arcly_rtsp::proto::message::Method;
use arcly_rtsp::proto::transport::Pair;
use arcly_testkit::{Link, LinkConfig};
use client::camera::plain;
use client::mock::{DESCRIPTION, Pictures};
use client::{Driven, start};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Five packets each.
const PICTURE_BYTES: usize = 4_500;
const PICTURES: u32 = 1_500;
const GOP: u32 = 12;

struct Outcome {
    /// The pictures that were published, by their indices, in order.
    published: Vec<u32>,
    /// Those of which every packet was delivered.
    whole: HashSet<u32>,
    frames: Vec<MediaFrame>,
    /// When keyframes were asked for.
    keyframe_requests: Vec<Duration>,
    reports: usize,
}

fn run(config: LinkConfig, seed: u64) -> Outcome {
    let begun = start();
    let url: RemoteUrl = "rtsp://192.0.2.1/a".parse().expect("a URL");
    let session = ClientSession::play(ClientConfig::default(), &url, seed, begun);
    let mut driven = Driven::new(session, begun);
    let description = format!("{DESCRIPTION}a=rtcp-fb:96 nack pli\r\n");
    let answer = |request: &arcly_rtsp::proto::message::Request| {
        Some(match request.method {
            Method::Describe => plain(request)
                .body("application/sdp", description.clone())
                .to_bytes(),
            _ => plain(request).to_bytes(),
        })
    };
    driven.run(answer);
    let ports = Carriage::Datagrams(Pair::new(5_000, 5_001));
    driven
        .session
        .setup(&[(0, ports)], begun)
        .expect("described");
    let mut wake = driven.run(answer);

    let (mut link, mut pictures) = (Link::new(config, seed), Pictures::of_bytes(PICTURE_BYTES));
    let (mut sent, mut missing): (HashMap<_, _>, HashMap<u32, HashSet<u16>>) = Default::default();
    let mut outcome = Outcome {
        published: Vec::new(),
        whole: HashSet::new(),
        frames: Vec::new(),
        keyframe_requests: Vec::new(),
        reports: 0,
    };
    let known: HashMap<_, _> = (0..PICTURES)
        .map(|index| (Pictures::picture(index, PICTURE_BYTES).payload, index))
        .collect();
    // A second more for what is on its way and held back.
    for millis in 0..u64::from(PICTURES) * 40 + 1_000 {
        let at = Duration::from_millis(millis);
        let index = (millis / 40) as u32;
        if millis % 40 == 0 && index < PICTURES {
            for packet in pictures.next_packets() {
                let sequence = u16::from_be_bytes([packet[2], packet[3]]);
                missing.entry(index).or_default().insert(sequence);
                sent.insert(sequence, index);
                link.send(at, packet);
            }
        }
        driven.now = begun + at;
        while let Some(data) = link.receive(at) {
            let sequence = u16::from_be_bytes([data[2], data[3]]);
            let of = sent[&sequence];
            missing.entry(of).or_default().remove(&sequence);
            let input = Input::Datagram {
                track: 0,
                rtcp: false,
                data,
            };
            driven
                .session
                .handle_input(input, driven.now)
                .expect("it goes on");
        }
        if wake <= driven.now {
            driven.time_out(driven.now);
        }
        wake = driven.run(answer);
        for (_, rtcp, data) in driven.datagrams.drain(..) {
            for packet in rtcp::read(&data).flatten().filter(|_| rtcp) {
                match packet {
                    RtcpPacket::PictureLoss(_) => outcome.keyframe_requests.push(at),
                    RtcpPacket::ReceiverReport(_) => outcome.reports += 1,
                    _ => {}
                }
            }
        }
        for event in driven.take_events() {
            if let Event::Frame(frame) = event
                && !frame.is_config()
            {
                let index = known.get(&frame.payload);
                outcome
                    .published
                    .push(*index.expect("a picture that was sent, whole"));
                outcome.frames.push(frame);
            }
        }
    }
    let whole = missing.iter().filter(|(_, missing)| missing.is_empty());
    outcome.whole = whole.map(|(index, _)| *index).collect();
    outcome
}

impl Outcome {
    /// What can be decoded: whole pictures, with all between them and their keyframe.
    fn decodable(&self) -> Vec<u32> {
        let mut unbroken = false;
        (0..PICTURES)
            .filter(|index| {
                let whole = self.whole.contains(index);
                unbroken = whole && (unbroken || index % GOP == 0);
                unbroken
            })
            .collect()
    }

    fn check(&self) {
        assert!(
            self.published.is_sorted_by(|a, b| a < b),
            "none twice, none out of order"
        );
        // Until markers have proven to end pictures, one ends where the next begins: where the first packets of that are lost, it does for us.
        let mut decodable = self.decodable();
        if self.published.first() != decodable.first() {
            decodable.retain(|index| *index >= GOP);
        }
        assert_eq!(self.published, decodable);
        let times = self.frames.windows(2);
        assert!(
            times.into_iter().all(|pair| pair[0].dts < pair[1].dts),
            "a step back in time"
        );
        for (pair, frames) in self.published.windows(2).zip(self.frames.windows(2)) {
            if pair[1] != pair[0] + 1 {
                assert!(frames[1].is_keyframe(), "{pair:?}");
                assert!(
                    frames[1].flags.contains(FrameFlags::DISCONTINUITY),
                    "{pair:?}"
                );
            }
            let apart = (frames[1].pts.to_ticks(90_000)) - frames[0].pts.to_ticks(90_000);
            assert_eq!(apart, i64::from(pair[1] - pair[0]) * 3_600, "{pair:?}");
        }
    }
}

fn lossy(per_million: u32) -> LinkConfig {
    LinkConfig {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(15),
        loss_per_million: per_million,
        duplicates_per_million: 5_000,
        reorder_per_million: 10_000,
        reorder_by: Duration::from_millis(50),
        ..LinkConfig::default()
    }
}

#[test]
fn reordering_and_doubling_cost_nothing() {
    for seed in 0..3 {
        let outcome = run(lossy(0), seed);
        outcome.check();
        assert_eq!(outcome.published.len() as u32, PICTURES);
        assert!(
            outcome.keyframe_requests.len() <= 1,
            "{:?}",
            outcome.keyframe_requests
        );
        assert!(outcome.reports > 5, "{}", outcome.reports);
    }
}

#[test]
fn a_hundredth_and_a_twentieth_lost_cost_what_cannot_be_decoded_and_no_more() {
    for per_million in [10_000, 50_000] {
        for seed in 0..4 {
            let outcome = run(lossy(per_million), seed);
            outcome.check();
            assert!(outcome.whole.len() < PICTURES as usize, "nothing was lost");
            // Once a second at most, and soon after a loss.
            let requests = &outcome.keyframe_requests;
            assert!(requests.len() > 5, "{requests:?}");
            let second = Duration::from_secs(1);
            assert!(
                requests.windows(2).all(|pair| pair[1] - pair[0] >= second),
                "{requests:?}"
            );
        }
    }
}

#[test]
fn a_seed_decides_all() {
    let (one, other) = (run(lossy(50_000), 9), run(lossy(50_000), 9));
    assert_eq!(one.published, other.published);
    assert_eq!(one.frames, other.frames);
}

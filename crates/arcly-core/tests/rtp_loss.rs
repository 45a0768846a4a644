//! Pictures over a network that loses, reorders and doubles packets: none that is published is damaged or refers to one that is not there, and
//! each keyframe that arrives whole is a new start.
#![cfg(feature = "rtp")]
#![allow(missing_docs, reason = "a test")]

use arcly_core::rtp::{
    IngestConfig, IngestEvent, IngestTrack, PayloadFormat, RtpHeader, RtpIngest,
};
use arcly_core::{MediaFrame, TrackId};
use arcly_testkit::{Link, LinkConfig, Random};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::BTreeSet;
use std::time::Duration;

/// avcC of x264 at 160×120, 25 fps, High, which holds back two pictures.
const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\
    \x00\x03\x00\x32\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

const GOP: u32 = 25;
const FRAMES: u32 = 40 * GOP;
const FRAME: Duration = Duration::from_millis(40);

/// A picture as one slice: its number, and bytes that only it has.
fn picture(number: u32, random: &mut Random) -> Bytes {
    let key = number.is_multiple_of(GOP);
    let length = if key {
        9_000
    } else {
        1_000 + random.below(3_000)
    } as usize;
    let mut nal = BytesMut::new();
    nal.put_u8(if key { 0x65 } else { 0x41 });
    nal.put_u8(0x88);
    nal.put_u32(number | 0x8000_0000);
    while nal.len() < length {
        // No emulation of start codes.
        nal.put_u8(random.below(255) as u8 + 1);
    }
    let mut unit = BytesMut::new();
    unit.put_u32(nal.len() as u32);
    unit.extend_from_slice(&nal);
    unit.freeze()
}

/// Which picture of its group of I P B B is presented when, in frames.
fn presented(number: u32) -> u32 {
    match number % GOP {
        0 => number,
        place => {
            let (group, place) = ((place - 1) / 3, (place - 1) % 3);
            number - number % GOP + 1 + group * 3 + [2, 0, 1][place as usize]
        }
    }
}

fn number_of(frame: &MediaFrame) -> u32 {
    let bytes = frame.payload[6..10].try_into().expect("four bytes");
    u32::from_be_bytes(bytes) & 0x7fff_ffff
}

struct Outcome {
    frames: Vec<MediaFrame>,
    requests: usize,
    /// Pictures of which every packet arrived.
    whole: BTreeSet<u32>,
    pictures: Vec<Bytes>,
    lost: u64,
}

fn run(link: LinkConfig, ingest: IngestConfig, seed: u64) -> Outcome {
    let format = PayloadFormat::parse("H264", 90_000, None, "packetization-mode=1").expect("known");
    let mut packetizer = format.packetizer(1_188).expect("H.264 is written");
    packetizer
        .set_config(&Bytes::from_static(AVCC))
        .expect("valid");
    let mut random = Random::new(seed);
    let pictures: Vec<Bytes> = (0..FRAMES)
        .map(|number| picture(number, &mut random))
        .collect();
    let mut link = Link::new(link, seed);
    let mut ingest = RtpIngest::new(ingest);
    ingest
        .add_track(IngestTrack::new(TrackId::VIDEO, 96, format))
        .expect("H.264 is read");

    // Which picture each sequence number belongs to, and how many packets of it are under way.
    let (mut owners, mut missing) = (Vec::new(), vec![0_u32; FRAMES as usize]);
    let first_sequence = 65_000_u16;
    let mut arrived: BTreeSet<u32> = BTreeSet::new();
    let mut outcome = Outcome {
        frames: Vec::new(),
        requests: 0,
        whole: BTreeSet::new(),
        pictures: Vec::new(),
        lost: 0,
    };
    let mut payloads = Vec::new();
    let end = FRAME * (FRAMES + 25);
    let mut now = Duration::ZERO;
    let mut sent = 0;
    while now < end {
        if sent < FRAMES && now >= FRAME * sent {
            payloads.clear();
            let key = sent.is_multiple_of(GOP);
            packetizer
                .packetize(&pictures[sent as usize], key, &mut payloads)
                .expect("a picture");
            for payload in &payloads {
                let header = RtpHeader {
                    payload_type: 96,
                    marker: payload.marker,
                    sequence: first_sequence.wrapping_add(owners.len() as u16),
                    timestamp: (u32::MAX - 300_000).wrapping_add(presented(sent) * 3_600),
                    ssrc: 7,
                };
                let mut datagram = BytesMut::from(&header.to_bytes()[..]);
                datagram.extend_from_slice(payload.head());
                datagram.extend_from_slice(&payload.body);
                // The emulated link does not tell packets apart: the index goes in front.
                let mut numbered = BytesMut::new();
                numbered.put_u32(owners.len() as u32);
                numbered.extend_from_slice(&datagram);
                owners.push(sent);
                missing[sent as usize] += 1;
                link.send(now, numbered.freeze());
            }
            sent += 1;
        }
        while let Some(datagram) = link.receive(now) {
            let index = u32::from_be_bytes(datagram[..4].try_into().expect("four bytes"));
            if arrived.insert(index) {
                missing[owners[index as usize] as usize] -= 1;
            }
            // What follows a gap can be a fragment of nothing, which is said.
            let _ = ingest.handle_rtp(0, datagram.slice(4..), now);
        }
        if ingest.next_timeout().is_some_and(|at| at <= now) {
            ingest.handle_timeout(now);
        }
        take(&mut ingest, &mut outcome);
        now += Duration::from_millis(1);
    }
    ingest.finish(now);
    take(&mut ingest, &mut outcome);
    let whole = (0..FRAMES).filter(|number| missing[*number as usize] == 0);
    outcome.whole = whole.collect();
    outcome.pictures = pictures;
    outcome.lost = ingest.stats(0).expect("a track").lost;
    assert_eq!(outcome.lost, (owners.len() - arrived.len()) as u64);
    outcome
}

fn take(ingest: &mut RtpIngest, outcome: &mut Outcome) {
    while let Some(event) = ingest.poll_event() {
        match event {
            IngestEvent::Frame(frame) if frame.is_config() => assert_eq!(frame.payload, AVCC),
            IngestEvent::Frame(frame) => outcome.frames.push(frame),
            IngestEvent::KeyframeWanted { index: 0 } => outcome.requests += 1,
            other => panic!("{other:?}"),
        }
    }
}

#[track_caller]
fn check(outcome: &Outcome) {
    // Every picture that was published is the one that was sent, and follows the one before it or is a keyframe.
    let mut last: Option<u32> = None;
    let mut last_dts = None;
    for frame in &outcome.frames {
        let number = number_of(frame);
        assert_eq!(
            frame.payload, outcome.pictures[number as usize],
            "picture {number}"
        );
        assert_eq!(frame.is_keyframe(), number.is_multiple_of(GOP));
        let follows = number == last.map_or(0, |last| last + 1);
        assert!(follows || frame.is_keyframe(), "{number} behind {last:?}");
        // What came before the first packet did is not missed.
        let gap = last.is_some() && !follows;
        assert_eq!(frame.is_discontinuity(), gap, "{number} behind {last:?}");
        assert_eq!(
            frame.pts.to_ticks(90_000) - 90_000,
            i64::from(presented(number)) * 3_600
        );
        assert!(
            frame.dts <= frame.pts && last_dts <= Some(frame.dts),
            "{frame:?}"
        );
        last_dts = Some(frame.dts);
        last = Some(number);
    }
    // And every picture was published that arrived whole with all that it refers to.
    let published: BTreeSet<u32> = outcome.frames.iter().map(number_of).collect();
    for start in (0..FRAMES).step_by(GOP as usize) {
        if published.first().is_some_and(|first| start < *first) && start == 0 {
            continue;
        }
        let decodable = (start..start + GOP).take_while(|number| outcome.whole.contains(number));
        for number in decodable {
            assert!(published.contains(&number), "{number} was there");
        }
    }
}

#[test]
fn without_loss_nothing_is_missing() {
    let link = LinkConfig {
        delay: Duration::from_millis(20),
        ..LinkConfig::default()
    };
    for ingest in [IngestConfig::datagrams(), IngestConfig::reliable()] {
        let outcome = run(link, ingest, 1);
        check(&outcome);
        assert_eq!(
            (outcome.frames.len(), outcome.requests),
            (FRAMES as usize, 0)
        );
    }
}

#[test]
fn packets_out_of_order_and_twice_harm_nothing() {
    let link = LinkConfig {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(30),
        duplicates_per_million: 20_000,
        reorder_per_million: 20_000,
        reorder_by: Duration::from_millis(40),
        ..LinkConfig::default()
    };
    let outcome = run(link, IngestConfig::datagrams(), 2);
    check(&outcome);
    // But for what came before the first packet did.
    assert!(outcome.frames.len() >= (FRAMES - GOP) as usize);
}

#[test]
fn pictures_go_on_at_the_next_keyframe() {
    for (loss, burst) in [(10_000, 1), (50_000, 1), (10_000, 5)] {
        let link = LinkConfig {
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(10),
            loss_per_million: loss,
            burst,
            ..LinkConfig::default()
        };
        let outcome = run(link, IngestConfig::datagrams(), 3);
        check(&outcome);
        assert!(
            outcome.lost > 15 && outcome.requests > 5,
            "{loss}: {} lost",
            outcome.lost
        );
        assert!(
            outcome.frames.len() > 100,
            "{loss}: {} frames",
            outcome.frames.len()
        );
        let again = run(link, IngestConfig::datagrams(), 3);
        assert_eq!(again.frames, outcome.frames, "the seed decides");
    }
}

//! A source with tracks of any formats: packets in any order, reports, timeouts. Decoding times of a track never decrease, pictures begin with a
//! keyframe, configs go first, and nothing grows past the limits.

#![no_main]

use arcly_core::rtp::{
    IngestConfig, IngestEvent, IngestTrack, PayloadFormat, RtpHeader, RtpIngest,
};
use arcly_core::{Timestamp, TrackId};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

const FORMATS: &[(&str, u32, &str)] = &[
    (
        "H264",
        90_000,
        "packetization-mode=1;sprop-parameter-sets=Z2QACqzZQo2wEQAAAwABAAADADIPFCmW,aOvjyyLA",
    ),
    ("H264", 90_000, ""),
    ("H265", 90_000, "sprop-max-don-diff=1"),
    ("VP8", 90_000, ""),
    ("VP9", 90_000, ""),
    ("AV1", 90_000, ""),
    (
        "MPEG4-GENERIC",
        48_000,
        "mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1190",
    ),
    ("opus", 48_000, ""),
    ("PCMU", 8_000, ""),
    ("JPEG", 90_000, ""),
    ("MP4A-LATM", 48_000, "cpresent=1"),
    ("MPA", 90_000, ""),
    ("ac3", 48_000, ""),
    ("smpte336m", 90_000, ""),
    ("MP2T", 90_000, ""),
];

// Reads one operation after another: a byte that says which, and what it needs.
fuzz_target!(|data: &[u8]| {
    let Some((&setting, mut rest)) = data.split_first() else {
        return;
    };
    let mut config = match setting & 1 {
        0 => IngestConfig::datagrams(),
        _ => IngestConfig::reliable(),
    };
    if setting & 8 != 0 {
        config.sync_wait = Duration::from_millis(50);
        config.max_sync_bytes = 4 << 10;
    }
    let mut ingest = RtpIngest::new(config);
    let mut tracks = 0_u8;
    for place in [usize::from(setting >> 1), usize::from(setting >> 4)] {
        let (encoding, rate, fmtp) = FORMATS[place % FORMATS.len()];
        let format = PayloadFormat::parse(encoding, rate, None, fmtp).expect("known");
        let track = IngestTrack::new(TrackId(tracks.into()), 96, format);
        if ingest.add_track(track).is_ok() {
            tracks += 1;
        }
    }
    let mut now = Duration::ZERO;
    let mut sequences = [0_u16; 2];
    let mut timestamps = [0_u32; 2];
    let mut seen = [(Timestamp::MIN, false); 2];
    while let [operation, step, length, more @ ..] = rest {
        let length = usize::from(*length).min(more.len());
        let (payload, after) = more.split_at(length);
        rest = after;
        let index = usize::from(operation & 1);
        now += Duration::from_millis(u64::from(step & 0x0f));
        match operation >> 1 & 7 {
            0 => {
                let _ = ingest.handle_rtcp(index, payload, now);
            }
            1 => ingest.handle_timeout(now + Duration::from_millis(200)),
            2 if payload.is_empty() => ingest.restart(now),
            2 => {
                let start = u16::from(*step);
                ingest.starts_at(index, Some(start), Some(start.into()));
            }
            kind => {
                // Mostly the next packet; sometimes one further or before, or a new timestamp.
                let skip = if kind == 3 { u16::from(step >> 4) } else { 0 };
                let back = if kind == 4 { u16::from(step >> 4) } else { 0 };
                let sequence = sequences[index].wrapping_add(skip).wrapping_sub(back);
                sequences[index] = sequence.wrapping_add(1);
                if operation & 0x40 != 0 {
                    timestamps[index] = timestamps[index]
                        .wrapping_add(u32::from(*step) << ((operation >> 4 & 3) * 8));
                }
                let header = RtpHeader {
                    payload_type: 96,
                    marker: operation & 0x80 != 0,
                    sequence,
                    timestamp: timestamps[index],
                    ssrc: 1 + u32::from(kind == 5),
                };
                let mut datagram = header.to_bytes().to_vec();
                datagram.extend_from_slice(payload);
                let _ = ingest.handle_rtp(index, Bytes::from(datagram), now);
            }
        }
        now = now.max(Duration::ZERO);
        check(&mut ingest, &mut seen);
    }
    ingest.finish(now);
    check(&mut ingest, &mut seen);
});

fn check(ingest: &mut RtpIngest, seen: &mut [(Timestamp, bool); 2]) {
    while let Some(event) = ingest.poll_event() {
        let IngestEvent::Frame(frame) = event else {
            continue;
        };
        let (last, begun) = &mut seen[usize::from(frame.track.0)];
        assert!(frame.dts >= *last, "{frame:?} behind {last:?}");
        *last = frame.dts;
        if !frame.is_config() {
            assert!(
                *begun || !frame.is_video() || frame.is_keyframe(),
                "{frame:?} comes first"
            );
            *begun = true;
        }
    }
}

//! Sections and PES packets of any content in a transport stream that is sound otherwise: tables have the right CRC, counters go on. Each
//! item of the input is: which PID, length, content. Never a panic, no track that goes back.

#![no_main]

use arcly_core::mux::Demuxer;
use arcly_mux_ts::TsDemuxer;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;

/// A PMT with one stream of every kind, on PIDs from 0x100 on: stream type and descriptors.
const STREAMS: &[(u8, &[u8])] = &[
    (0x1b, b""),
    (0x24, b""),
    (0x0f, b""),
    (0x11, b""),
    (0x03, b""),
    (0x81, b""),
    (0x87, b""),
    (0x06, b"\x05\x04Opus\x7f\x02\x80\x02"),
    (0x15, b"\x26\x0d\xff\xffID3 \xffID3 \x00\x0f"),
    (0x15, b"\x26\x09\x01\x00\xffKLVA\x00\x0f"),
    (0x06, b"\x05\x04KLVA"),
    (0x86, b"\x05\x04CUEI"),
];

fn crc(data: &[u8]) -> u32 {
    data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}

fn section(table: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len() + 4;
    let mut out = vec![0, table, 0xb0 | (length >> 8) as u8 & 0x0f, length as u8];
    out.extend_from_slice(body);
    let crc = crc(&out[1..]);
    out.extend_from_slice(&crc.to_be_bytes());
    out
}

/// The packets of a unit on a PID.
fn packets(pid: u16, unit: &[u8], counters: &mut HashMap<u16, u8>, out: &mut Vec<u8>) {
    for (index, part) in unit.chunks(184).enumerate() {
        let counter = counters.entry(pid).or_default();
        let start = if index == 0 { 0x40 } else { 0 };
        out.extend_from_slice(&[0x47, start | (pid >> 8) as u8 & 0x1f, pid as u8]);
        let stuffing = 184 - part.len();
        out.push(*counter | if stuffing == 0 { 0x10 } else { 0x30 });
        *counter = (*counter + 1) & 0x0f;
        if stuffing > 0 {
            out.push(stuffing as u8 - 1);
            out.extend(
                [0].into_iter()
                    .chain(std::iter::repeat(0xff))
                    .take(stuffing - 1),
            );
        }
        out.extend_from_slice(part);
    }
}

fuzz_target!(|data: &[u8]| {
    let (mut counters, mut stream) = (HashMap::new(), Vec::new());
    packets(
        0,
        &section(0, &[0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0]),
        &mut counters,
        &mut stream,
    );
    let mut pmt = vec![0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 0];
    for (pid, (kind, descriptors)) in (0..).zip(STREAMS) {
        pmt.extend_from_slice(&[*kind, 0xe1, pid, 0xf0, descriptors.len() as u8]);
        pmt.extend_from_slice(descriptors);
    }
    packets(0x1000, &section(2, &pmt), &mut counters, &mut stream);
    let mut rest = data;
    let mut time = 0_u8;
    while let [which, length, behind @ ..] = rest {
        let (content, behind) = behind.split_at((usize::from(*length) * 4).min(behind.len()));
        rest = behind;
        match which {
            0xfe => packets(0, &section(0, content), &mut counters, &mut stream),
            0xff => packets(0x1000, &section(2, content), &mut counters, &mut stream),
            0xfd => packets(0x10b, &section(0xfc, content), &mut counters, &mut stream),
            _ => {
                let pid = 0x100 + u16::from(which & 0x0f);
                let mut unit = content.to_vec();
                if which & 0x10 == 0 {
                    // With a header, and a time a little later than the one before.
                    time = time.wrapping_add(1);
                    unit = [
                        &[
                            0,
                            0,
                            1,
                            0xe0,
                            0,
                            0,
                            0x80,
                            0x80,
                            5,
                            0x21,
                            0,
                            1 | time << 1,
                            0,
                            1,
                        ],
                        content,
                    ]
                    .concat();
                }
                packets(pid, &unit, &mut counters, &mut stream);
            }
        }
    }
    let (mut demuxer, mut frames, mut last) = (TsDemuxer::default(), Vec::new(), HashMap::new());
    demuxer
        .read(Bytes::from(stream), &mut frames)
        .expect("packets");
    demuxer.finish(&mut frames);
    assert_eq!(demuxer.stats().garbage_bytes, 0);
    for frame in &frames {
        let before = last.insert(frame.track, frame.dts);
        assert!(before.is_none_or(|before| before <= frame.dts));
    }
});

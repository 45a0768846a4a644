//! MPEG-TS over UDP, raw or in RTP, from several senders, as a sequence of operations: datagrams as they are, RTP packets with any number and SSRC, time
//! passing. It never panics; each datagram is counted once; one sender at a time is heard; nothing is due any more after it was seen to; frames are
//! no more than the bytes that came can hold. As text, what reads as a URL is written so that it leads to the same place.

#![no_main]

use arcly_core::rtp::RtpHeader;
use arcly_mux_ts::TsDemuxer;
use arcly_ts_udp::proto::{Received, Receiver};
use arcly_ts_udp::{Limits, TsUrl};
use libfuzzer_sys::fuzz_target;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn split<'a>(data: &mut &'a [u8], at: usize) -> &'a [u8] {
    let (head, tail) = data.split_at(at.min(data.len()));
    *data = tail;
    head
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(url) = text.parse::<TsUrl>()
    {
        let written: TsUrl = url.to_string().parse().expect("what is written is read");
        assert_eq!(
            (written.is_rtp(), written.address(), written.source()),
            (url.is_rtp(), url.address(), url.source())
        );
    }
    let mut data = data;
    let Some((&mode, rest)) = data.split_first() else {
        return;
    };
    data = rest;
    let rtp = mode & 1 != 0;
    #[expect(clippy::disallowed_methods, reason = "time starts anywhere")]
    let mut now = Instant::now();
    let mut receiver = Receiver::new(rtp, Limits::default(), Arc::new(TsDemuxer::default), now);
    let (mut frames, mut frame_bytes, mut sent, mut bytes) = (Vec::new(), 0, 0_u64, 0);
    // An operation: what and from whom, a pause, two bytes of length, a number for RTP; then the datagram.
    while let &[what, pause, high, low, number, ..] = data {
        split(&mut data, 5);
        let length = usize::from(high & 0x07) << 8 | usize::from(low);
        let payload = split(&mut data, length);
        // Mostly as datagrams come, now and then longer than anything is waited for.
        now += match pause {
            0..=0x7f => Duration::from_micros(u64::from(pause) * 100),
            0x80..=0xef => Duration::from_millis(u64::from(pause - 0x80) * 4),
            _ => Duration::from_secs(u64::from(pause - 0xf0)),
        };
        let before = receiver.source();
        if receiver.handle_timeout(now, &mut frames) == Received::Silent {
            assert!(before.is_some() && receiver.source().is_none());
        }
        assert!(
            receiver.next_timeout().is_none_or(|due| due > now),
            "what was due is done"
        );
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 5_000 + u16::from(what & 0x03)));
        let datagram = if rtp && what & 0x80 == 0 {
            let header = RtpHeader {
                payload_type: 33,
                marker: false,
                sequence: 0xfff0_u16.wrapping_add(number.into()),
                timestamp: 0,
                ssrc: u32::from(what >> 2 & 0x03),
            };
            [&header.to_bytes()[..], payload].concat()
        } else {
            payload.to_vec()
        };
        let held = receiver.source();
        let received = receiver.receive(from, &datagram, now, &mut frames);
        match held {
            Some(holder) => {
                assert!(receiver.source() == Some(holder) && received != Received::Started(from))
            }
            None => assert_eq!(receiver.source(), Some(from)),
        }
        (sent, bytes) = (sent + 1, bytes + datagram.len());
        let counters = receiver.counters();
        assert_eq!(counters.datagrams + counters.of_others, sent);
        assert!(
            receiver.next_timeout().is_some_and(|due| due > now),
            "somebody is listened to"
        );
        frame_bytes += frames
            .drain(..)
            .map(|frame| frame.payload.len())
            .sum::<usize>();
    }
    now += Duration::from_secs(60);
    let _ = receiver.handle_timeout(now, &mut frames);
    assert!(receiver.next_timeout().is_none());
    frame_bytes += frames
        .drain(..)
        .map(|frame| frame.payload.len())
        .sum::<usize>();
    // Access units may come with delimiters and lengths in front that MPEG-TS need not have; configs repeat what parameter sets say.
    assert!(
        frame_bytes <= 64 + bytes * 8,
        "{frame_bytes} bytes out of {bytes}"
    );
});

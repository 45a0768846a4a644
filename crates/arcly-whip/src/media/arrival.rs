//! When packets arrived, for the sender's congestion control: transport-wide feedback
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1).

use arcly_core::rtp::RtpHeader;
use bytes::{BufMut, BytesMut};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often feedback is given.
const INTERVAL: Duration = Duration::from_millis(50);

/// How many packets one feedback is about at most, lost ones included: what arrives in 50 ms at 100 Mbit/s.
const MAX_PACKETS: usize = 512;

/// The unit of deltas.
const DELTA: Duration = Duration::from_micros(250);

/// The unit of the reference time.
const REFERENCE: Duration = Duration::from_millis(64);

/// Collects arrival times.
#[derive(Debug, Default)]
pub(crate) struct ArrivalLog {
    /// By number with its wraps.
    arrived: BTreeMap<i64, Duration>,
    /// The number that the next feedback begins with.
    next: Option<i64>,
    highest: Option<i64>,
    count: u8,
    due: Option<Duration>,
    /// The last packet's SSRC: feedback has to name one.
    media: u32,
}

impl ArrivalLog {
    /// A packet has come with this number.
    pub(crate) fn on_packet(&mut self, header: &RtpHeader, number: u16, now: Duration) {
        self.media = header.ssrc;
        let highest = self.highest.unwrap_or(number.into());
        let number = highest + i64::from(number.wrapping_sub(highest as u16) as i16);
        // What is older than the last feedback was told to be lost; it stays so.
        if self.next.is_some_and(|next| number < next) {
            return;
        }
        self.highest = Some(highest.max(number));
        self.arrived.entry(number).or_insert(now);
        while self.arrived.len() > MAX_PACKETS {
            self.arrived.pop_first();
        }
        self.due.get_or_insert(now + INTERVAL);
    }

    /// When feedback is due.
    pub(crate) const fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Appends the feedback on what has come since the last one, where it is due.
    pub(crate) fn feedback(&mut self, now: Duration, own_ssrc: u32, out: &mut BytesMut) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        let Some((&oldest, &first_arrival)) = self.arrived.first_key_value() else {
            return;
        };
        let last = self
            .arrived
            .last_key_value()
            .map_or(oldest, |(&last, _)| last);
        // Lost ones at the beginning are told as well, as far as there is room.
        let begin = self.next.map_or(oldest, |next| next.min(oldest));
        let begin = begin.max(last - MAX_PACKETS as i64 + 1);
        let arrived = std::mem::take(&mut self.arrived);
        self.next = Some(last + 1);

        // 24 bits, signed; 2^24 * 64 ms are 12 days, and it wraps.
        let reference = (first_arrival.as_micros() / REFERENCE.as_micros()) as u32 & 0x00ff_ffff;
        let mut previous = Duration::from_micros(
            (first_arrival.as_micros() / REFERENCE.as_micros() * REFERENCE.as_micros()) as u64,
        );
        let mut symbols = Vec::with_capacity((last - begin + 1) as usize);
        let mut deltas = BytesMut::new();
        for number in begin..=last {
            let Some(&at) = arrived.get(&number) else {
                symbols.push(0_u16);
                continue;
            };
            let units =
                (at.as_micros() as i64 - previous.as_micros() as i64) / DELTA.as_micros() as i64;
            if let Ok(small) = u8::try_from(units) {
                symbols.push(1);
                deltas.put_u8(small);
            } else {
                let large = units.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
                symbols.push(2);
                deltas.put_i16(large);
            }
            // What was rounded off goes to the next delta.
            previous = Duration::from_micros(
                (previous.as_micros() as i64 + units * DELTA.as_micros() as i64).max(0) as u64,
            );
        }
        let start = out.len();
        out.put_slice(&[0x80 | 15, 205, 0, 0]);
        out.put_u32(own_ssrc);
        out.put_u32(self.media);
        out.put_u16(begin as u16);
        out.put_u16(symbols.len() as u16);
        out.put_u32(reference << 8 | u32::from(self.count));
        self.count = self.count.wrapping_add(1);
        for chunk in symbols.chunks(7) {
            // A status vector of two-bit symbols, the first one on top.
            let shifted = chunk.iter().zip((0..14).step_by(2).rev());
            let bits = shifted.fold(0xc000, |bits, (symbol, shift)| bits | symbol << shift);
            out.put_u16(bits);
        }
        out.put_slice(&deltas);
        let padding = (out.len() - start).wrapping_neg() % 4;
        out.put_bytes(0, padding);
        if padding > 0 {
            let end = out.len() - 1;
            if let Some(last) = out.get_mut(end) {
                *last = padding as u8;
            }
            if let Some(flags) = out.get_mut(start) {
                *flags |= 0x20;
            }
        }
        let words = ((out.len() - start) / 4 - 1) as u16;
        if let Some(length) = out.get_mut(start + 2..start + 4) {
            length.copy_from_slice(&words.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: RtpHeader = RtpHeader {
        payload_type: 96,
        marker: false,
        sequence: 0,
        timestamp: 0,
        ssrc: 0x0102_0304,
    };

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn arrivals_and_losses_are_told() {
        let mut log = ArrivalLog::default();
        log.on_packet(&HEADER, 65_535, ms(640));
        log.on_packet(&HEADER, 1, ms(641));
        log.on_packet(&HEADER, 2, ms(741));
        let mut out = BytesMut::new();
        log.feedback(ms(650), 9, &mut out);
        assert!(out.is_empty(), "not due yet");
        log.feedback(ms(690), 9, &mut out);
        let expected = [
            &[0x8f | 0x20, 205, 0, 6][..],
            &[0, 0, 0, 9, 1, 2, 3, 4],
            &[0xff, 0xff, 0, 4],
            &[0, 0, 10, 0],
            // Arrived, lost, arrived, arrived after long.
            &[0b1101_0001, 0b1000_0000],
            &[0, 4, 0x01, 0x90],
            &[0, 2],
        ]
        .concat();
        assert_eq!(out[..], expected);
        assert_eq!(log.due(), None);

        // The next one goes on where this ended, and late ones stay lost.
        out.clear();
        log.on_packet(&HEADER, 0, ms(750));
        log.on_packet(&HEADER, 4, ms(750));
        log.feedback(ms(800), 9, &mut out);
        assert_eq!(out[12..16], [0, 3, 0, 2]);
        assert_eq!(out[19], 1, "the number of the feedback");
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut log = ArrivalLog::default();
        for number in 0..60_000 {
            log.on_packet(&HEADER, number, ms(0));
        }
        let mut out = BytesMut::new();
        log.feedback(ms(50), 9, &mut out);
        assert!(out.len() < 1_200, "{}", out.len());
    }
}

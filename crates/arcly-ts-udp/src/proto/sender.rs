//! Frames in, datagrams out, each at its time.

use super::datagrams::Payloads;
use super::pacing::{Pacer, Slot};
use arcly_core::MediaFrame;
use arcly_core::mux::{MuxError, Muxer};
use arcly_core::rtp::RtpHeader;
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// What is around the packets of MPEG-TS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "RTP or nothing: RFC 2250 knows no more"
)]
pub enum Framing {
    /// Nothing.
    Plain,
    /// RTP (RFC 2250). All three are to be random numbers (RFC 3550, 5.1).
    Rtp {
        /// Who sends.
        ssrc: u32,
        /// The number of the first packet.
        sequence: u16,
        /// The timestamp of decoding time 0.
        timestamp: u32,
    },
}

/// The payload type of MPEG-TS (RFC 3551, 6).
const MP2T: u8 = 33;

/// RTP's clock of MPEG-TS, in Hz (RFC 2250, 2).
const CLOCK_RATE: u32 = 90_000;

/// How much waits to be sent before [`Sender::is_full`], in bytes: four seconds of 16 Mbit/s.
const MAX_WAITING_BYTES: usize = 8 << 20;

/// The sending side of one destination.
///
/// [`write`](Self::write) frames while it is not [full](Self::is_full), and [`poll`](Self::poll) for datagrams now and at
/// [`next_timeout`](Self::next_timeout).
pub struct Sender {
    muxer: Box<dyn Muxer>,
    payloads: Payloads,
    pacer: Pacer,
    framing: Framing,
    waiting: VecDeque<(Instant, Bytes)>,
    waiting_bytes: usize,
    muxed: Vec<Bytes>,
}

impl Sender {
    /// Sends payloads of `payload_bytes`, a multiple of 188.
    #[must_use]
    pub fn new(muxer: Box<dyn Muxer>, payload_bytes: usize, framing: Framing) -> Self {
        Self {
            muxer,
            payloads: Payloads::new(payload_bytes.max(188) / 188 * 188),
            pacer: Pacer::default(),
            framing,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            muxed: Vec::new(),
        }
    }

    /// Adds a frame. It is sent in whole payloads; what is left goes with the next frame.
    ///
    /// # Errors
    /// Where the container cannot carry the frame, which is left out.
    pub fn write(&mut self, frame: &MediaFrame, now: Instant) -> Result<(), MuxError> {
        self.muxer.write(frame, &mut self.muxed)?;
        if self.muxed.is_empty() {
            return Ok(());
        }
        for bytes in self.muxed.drain(..) {
            self.payloads.add(bytes);
        }
        let slot = self.pacer.slot(frame.dts, now);
        let timestamp = frame.dts.to_ticks(CLOCK_RATE);
        let count = u32::try_from(self.payloads.whole())
            .unwrap_or(u32::MAX)
            .max(1);
        let mut number = 0;
        while let Some(payload) = self.payloads.pop() {
            self.enqueue(payload, slot, number, count, timestamp);
            number += 1;
        }
        Ok(())
    }

    /// Ends the stream: what is left is sent.
    ///
    /// # Errors
    /// Where the muxer fails over what it had held back.
    pub fn finish(&mut self, now: Instant) -> Result<(), MuxError> {
        let finished = self.muxer.finish(&mut self.muxed);
        for bytes in self.muxed.drain(..) {
            self.payloads.add(bytes);
        }
        let start = self.waiting.back().map_or(now, |&(due, _)| due);
        let slot = Slot {
            start,
            spread: Duration::ZERO,
        };
        while let Some(payload) = self.payloads.pop().or_else(|| self.payloads.pop_rest()) {
            self.enqueue(payload, slot, 0, 1, 0);
        }
        finished
    }

    /// The next datagram whose time has come.
    pub fn poll(&mut self, now: Instant) -> Option<Bytes> {
        if self.next_timeout()? > now {
            return None;
        }
        let (_, datagram) = self.waiting.pop_front()?;
        self.waiting_bytes -= datagram.len();
        Some(datagram)
    }

    /// When [`poll`](Self::poll) has something; `None` where nothing waits.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.waiting.front().map(|&(due, _)| due)
    }

    /// Whether so much waits that no more frames are to be written: 8 MiB.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.waiting_bytes >= MAX_WAITING_BYTES
    }

    fn enqueue(&mut self, payload: Bytes, slot: Slot, number: u32, count: u32, timestamp: i64) {
        let due = slot.start + slot.spread * number / count;
        // Frames of several tracks overlap; datagrams keep their order.
        let due = self.waiting.back().map_or(due, |&(last, _)| last.max(due));
        let datagram = self.frame(payload, timestamp);
        self.waiting_bytes += datagram.len();
        self.waiting.push_back((due, datagram));
    }

    fn frame(&mut self, payload: Bytes, ticks: i64) -> Bytes {
        let Framing::Rtp {
            ssrc,
            sequence,
            timestamp,
        } = &mut self.framing
        else {
            return payload;
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "timestamps are modulo 2^32"
        )]
        let header = RtpHeader {
            payload_type: MP2T,
            marker: false,
            sequence: *sequence,
            timestamp: timestamp.wrapping_add(ticks as u32),
            ssrc: *ssrc,
        };
        *sequence = sequence.wrapping_add(1);
        let header = header.to_bytes();
        let mut datagram = BytesMut::with_capacity(header.len() + payload.len());
        datagram.put_slice(&header);
        datagram.put_slice(&payload);
        datagram.freeze()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("framing", &self.framing)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::mux::ContainerFormat;
    use arcly_core::{CodecId, MediaFrame};

    /// Writes each payload as it is.
    struct Plain;

    impl Muxer for Plain {
        fn format(&self) -> ContainerFormat {
            ContainerFormat {
                name: "plain",
                extension: "",
                mime_type: "",
            }
        }

        fn write(&mut self, frame: &MediaFrame, out: &mut Vec<Bytes>) -> Result<(), MuxError> {
            out.push(frame.payload.clone());
            Ok(())
        }

        fn finish(&mut self, _: &mut Vec<Bytes>) -> Result<(), MuxError> {
            Ok(())
        }
    }

    fn frame(number: i64, packets: usize) -> MediaFrame {
        let payload = Bytes::from(vec![0x47; packets * 188]);
        MediaFrame::new_video(40 * number, 40 * number, payload, CodecId::H264, false)
    }

    #[test]
    fn a_keyframe_is_spread_over_the_time_of_a_frame() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let start = Instant::now();
        let framing = Framing::Rtp {
            ssrc: 7,
            sequence: u16::MAX,
            timestamp: 1_000,
        };
        let mut sender = Sender::new(Box::new(Plain), 1316, framing);
        let mut sent = Vec::new();
        for number in 0..50u32 {
            let now = start + number * Duration::from_millis(40);
            // One frame is 40 datagrams long, the others two.
            let packets = if number == 40 { 280 } else { 14 };
            sender.write(&frame(number.into(), packets), now).unwrap();
            for millisecond in 0..40 {
                let now = now + Duration::from_millis(millisecond);
                while let Some(datagram) = sender.poll(now) {
                    sent.push((now - start, datagram));
                }
            }
        }
        assert_eq!(sent.len(), 49 * 2 + 40);
        // A datagram a millisecond, never two.
        for pair in sent[40..].windows(2) {
            assert!(pair[0].0 < pair[1].0, "{:?}", pair[0].0);
        }
        for (number, (_, datagram)) in sent.iter().enumerate() {
            let expected = (number as u16).wrapping_sub(1);
            assert_eq!(datagram[2..4], expected.to_be_bytes());
            assert_eq!((datagram.len(), datagram[1]), (12 + 1316, MP2T));
        }
        assert_eq!(sent[1].1[4..8], 1_000u32.to_be_bytes());
        assert_eq!(sent[2].1[4..8], 4_600u32.to_be_bytes());
    }

    #[test]
    fn what_is_left_goes_with_the_next_frame_or_at_the_end() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let start = Instant::now();
        let mut sender = Sender::new(Box::new(Plain), 1316, Framing::Plain);
        sender.write(&frame(0, 5), start).unwrap();
        assert_eq!(sender.next_timeout(), None);
        sender.write(&frame(1, 5), start).unwrap();
        let later = start + Duration::from_secs(1);
        assert_eq!(
            sender.poll(later).map(|datagram| datagram.len()),
            Some(1316)
        );
        assert_eq!(sender.poll(later), None);
        sender.finish(later).unwrap();
        assert_eq!(
            sender.poll(later).map(|datagram| datagram.len()),
            Some(3 * 188)
        );
        assert_eq!(sender.poll(later), None);
    }
}

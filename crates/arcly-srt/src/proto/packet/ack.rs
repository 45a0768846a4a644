//! Acknowledgements (draft-sharabayko-srt-01, 3.2.4).

use crate::proto::sequence::SequenceNumber;
use crate::{Error, Result};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// What has arrived at a receiver, and how it fares. A light acknowledgement has no details, a small one no rates, a full
/// one both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the draft fixes the fields, and receivers write them"
)]
pub struct Ack {
    /// The number of the acknowledgement, which an ACKACK repeats; 0 for a light one, which is not answered.
    pub number: u32,
    /// One past the last packet up to which all have arrived, or were given up.
    pub next: SequenceNumber,
    /// What a small or full one also says.
    pub details: Option<AckDetails>,
}

/// The part of an acknowledgement that light ones leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the draft fixes the fields, and receivers write them"
)]
pub struct AckDetails {
    /// The round-trip time as the receiver knows it, in microseconds.
    pub rtt: u32,
    /// Its variance, in microseconds.
    pub rtt_variance: u32,
    /// How many packets the receiver has room for.
    pub available_packets: u32,
    /// What a full one also says.
    pub rates: Option<AckRates>,
}

/// The part of an acknowledgement that only full ones have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the draft fixes the fields, and receivers write them"
)]
pub struct AckRates {
    /// Packets that arrive a second.
    pub packets_per_second: u32,
    /// What the link could carry, in packets a second.
    pub link_packets_per_second: u32,
    /// Bytes that arrive a second. Peers before libsrt 1.0.3 leave it out: 0.
    pub bytes_per_second: u32,
}

impl Ack {
    pub(super) fn read(number: u32, mut body: Bytes) -> Result<Self> {
        if body.len() < 4 {
            return Err(Error::misbehaved("an acknowledgement of nothing"));
        }
        let next = SequenceNumber::new(body.get_u32());
        let details = (body.len() >= 12).then(|| {
            let (rtt, rtt_variance, available_packets) =
                (body.get_u32(), body.get_u32(), body.get_u32());
            let rates = (body.len() >= 8).then(|| AckRates {
                packets_per_second: body.get_u32(),
                link_packets_per_second: body.get_u32(),
                bytes_per_second: body.try_get_u32().unwrap_or(0),
            });
            AckDetails {
                rtt,
                rtt_variance,
                available_packets,
                rates,
            }
        });
        Ok(Self {
            number,
            next,
            details,
        })
    }

    pub(super) fn body(&self) -> Bytes {
        let mut body = BytesMut::with_capacity(28);
        body.put_u32(self.next.value());
        if let Some(details) = self.details {
            body.put_u32(details.rtt);
            body.put_u32(details.rtt_variance);
            body.put_u32(details.available_packets);
            if let Some(rates) = details.rates {
                body.put_u32(rates.packets_per_second);
                body.put_u32(rates.link_packets_per_second);
                body.put_u32(rates.bytes_per_second);
            }
        }
        body.freeze()
    }
}

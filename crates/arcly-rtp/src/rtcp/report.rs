//! Sender and receiver reports (RFC 3550 6.4).

use super::{RR, SR, get_u32, write_packet};
use crate::{NtpTime, Result};
use bytes::{BufMut, BytesMut};

/// The most report blocks of a packet: the count has five bits.
pub(super) const MAX_BLOCKS: usize = 31;

/// What one source tells of what it sends (RFC 3550 6.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SenderReport {
    /// Who sends.
    pub ssrc: u32,
    /// The sender's clock when this was sent.
    pub ntp: NtpTime,
    /// The same moment on the clock of its RTP timestamps.
    pub rtp_timestamp: u32,
    /// RTP packets sent so far, modulo 2^32.
    pub packets: u32,
    /// Bytes of payload sent so far, modulo 2^32.
    pub octets: u32,
    /// What it received itself; at most 31 are written.
    pub blocks: Vec<ReportBlock>,
}

/// What a receiver tells (RFC 3550 6.4.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReceiverReport {
    /// Who tells.
    pub ssrc: u32,
    /// One for each source; at most 31 are written.
    pub blocks: Vec<ReportBlock>,
}

impl ReceiverReport {
    /// A report.
    #[must_use]
    pub const fn new(ssrc: u32, blocks: Vec<ReportBlock>) -> Self {
        Self { ssrc, blocks }
    }
}

/// How the packets of one source arrive (RFC 3550 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// The packets lost since the last report, in 256ths of those expected.
    pub fraction_lost: u8,
    /// The packets lost so far; negative where more came twice than were lost. 24 bits, signed.
    pub cumulative_lost: i32,
    /// The highest sequence number, with the number of its wraps above.
    pub highest_sequence: u32,
    /// Interarrival jitter in ticks of the clock rate.
    pub jitter: u32,
    /// The [middle](NtpTime::middle) of the last sender report; 0 where none has come.
    pub last_report: u32,
    /// How long that is ago, in units of 1/65536 s.
    pub since_last_report: u32,
}

impl SenderReport {
    pub(super) fn read(mut body: &[u8], count: u8) -> Result<Self> {
        let body = &mut body;
        let ssrc = get_u32(body)?;
        let ntp = NtpTime(u64::from(get_u32(body)?) << 32 | u64::from(get_u32(body)?));
        Ok(Self {
            ssrc,
            ntp,
            rtp_timestamp: get_u32(body)?,
            packets: get_u32(body)?,
            octets: get_u32(body)?,
            blocks: read_blocks(body, count)?,
        })
    }

    /// Appends the packet.
    pub fn write(&self, out: &mut BytesMut) {
        write_packet(out, self.blocks.len().min(MAX_BLOCKS), SR, |out| {
            out.put_u32(self.ssrc);
            out.put_u64(self.ntp.0);
            out.put_u32(self.rtp_timestamp);
            out.put_u32(self.packets);
            out.put_u32(self.octets);
            write_blocks(out, &self.blocks);
        });
    }
}

impl ReceiverReport {
    pub(super) fn read(mut body: &[u8], count: u8) -> Result<Self> {
        let body = &mut body;
        Ok(Self {
            ssrc: get_u32(body)?,
            blocks: read_blocks(body, count)?,
        })
    }

    /// Appends the packet.
    pub fn write(&self, out: &mut BytesMut) {
        write_packet(out, self.blocks.len().min(MAX_BLOCKS), RR, |out| {
            out.put_u32(self.ssrc);
            write_blocks(out, &self.blocks);
        });
    }
}

fn read_blocks(body: &mut &[u8], count: u8) -> Result<Vec<ReportBlock>> {
    let mut block = || {
        let ssrc = get_u32(body)?;
        let loss = get_u32(body)?;
        Ok(ReportBlock {
            ssrc,
            fraction_lost: (loss >> 24) as u8,
            // Shifted up and down again, so that the sign of the 24 bits is kept.
            cumulative_lost: (loss << 8) as i32 >> 8,
            highest_sequence: get_u32(body)?,
            jitter: get_u32(body)?,
            last_report: get_u32(body)?,
            since_last_report: get_u32(body)?,
        })
    };
    (0..count).map(|_| block()).collect()
}

fn write_blocks(out: &mut BytesMut, blocks: &[ReportBlock]) {
    for block in blocks.iter().take(MAX_BLOCKS) {
        out.put_u32(block.ssrc);
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff);
        out.put_u32(u32::from(block.fraction_lost) << 24 | lost as u32 & 0xff_ffff);
        out.put_u32(block.highest_sequence);
        out.put_u32(block.jitter);
        out.put_u32(block.last_report);
        out.put_u32(block.since_last_report);
    }
}

//! The headers of JPEG pictures (ITU-T T.81 B.2), written and read.

use super::tables::HUFFMAN;
use super::{QuantTable, Sampling, marker};
use crate::{Result, RtpError};
use bytes::{Buf, BufMut, Bytes, BytesMut};

const WHAT: &str = "JPEG picture";

/// The identifiers of Y, Cb and Cr that are written.
const COMPONENTS: [u8; 3] = [1, 2, 3];

/// What stands before the entropy-coded data of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Headers {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) sampling: Sampling,
    /// MCUs between restart markers; 0 where there are none.
    pub(super) restart_interval: u16,
    /// Of luma and of chroma.
    pub(super) quant: [QuantTable; 2],
}

impl Headers {
    /// Writes the headers of a picture.
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_slice(&[0xff, marker::SOI]);
        for (id, table) in (0..).zip(&self.quant) {
            out.put_slice(&[0xff, marker::DQT]);
            // Tables have 128 bytes at most.
            out.put_u16(3 + table.bytes.len() as u16);
            out.put_u8(u8::from(table.wide) << 4 | id);
            out.put_slice(&table.bytes);
        }
        if self.restart_interval > 0 {
            out.put_slice(&[0xff, marker::DRI, 0, 4]);
            out.put_u16(self.restart_interval);
        }
        out.put_slice(&[0xff, marker::SOF0, 0, 17, 8]);
        out.put_u16(self.height);
        out.put_u16(self.width);
        let [y, cb, cr] = COMPONENTS;
        let luma = self.sampling.luma_factors();
        out.put_slice(&[3, y, luma, 0, cb, 0x11, 1, cr, 0x11, 1]);
        for table in &HUFFMAN {
            out.put_slice(&[0xff, marker::DHT]);
            out.put_u16(19 + table.values.len() as u16);
            out.put_u8(table.class_and_id);
            out.put_slice(&table.counts);
            out.put_slice(table.values);
        }
        out.put_slice(&[0xff, marker::SOS, 0, 12, 3]);
        out.put_slice(&[y, 0x00, cb, 0x11, cr, 0x11, 0, 63, 0]);
    }

    /// Reads the headers of a picture: these, and its entropy-coded data without the marker of its end.
    pub(super) fn read(picture: &Bytes) -> Result<(Self, Bytes)> {
        let mut rest = picture.clone();
        if !rest.starts_with(&[0xff, marker::SOI]) {
            return Err(malformed("no start of image"));
        }
        rest.advance(2);
        let mut found = Found::default();
        loop {
            let (marker, mut segment) = next_segment(&mut rest)?;
            match marker {
                marker::DQT => found.read_quant(&mut segment)?,
                marker::DHT => check_huffman(&segment)?,
                marker::SOF0 => found.read_frame(&segment)?,
                marker::DRI if segment.len() >= 2 => found.restart_interval = segment.get_u16(),
                // Other processes than baseline (table B.1); arithmetic coding.
                0xc1..=0xcf => {
                    return Err(unsupported(
                        "JPEG process other than baseline, marker",
                        marker,
                    ));
                }
                marker::SOS => {
                    if segment.first() != Some(&3) {
                        return Err(malformed("a scan of less than all components"));
                    }
                    let headers = found.finish()?;
                    return Ok((headers, entropy_coded(&rest)));
                }
                // Comments and application data.
                _ => {}
            }
        }
    }
}

/// The size in a frame header among these segments, as the header extension of ONVIF has them.
pub(super) fn find_size(segments: &Bytes) -> Option<(u16, u16)> {
    let mut rest = segments.clone();
    loop {
        let (marker, segment) = next_segment(&mut rest).ok()?;
        if marker == marker::SOF0 {
            let mut segment = segment.get(1..5)?;
            let height = segment.get_u16();
            return Some((segment.get_u16(), height));
        }
    }
}

/// The next marker and what its segment holds.
fn next_segment(rest: &mut Bytes) -> Result<(u8, Bytes)> {
    let cut = || malformed("truncated");
    if rest.first() != Some(&0xff) {
        return Err(malformed("no marker where one belongs"));
    }
    // Any number of 0xff may stand before a marker (B.1.1.2).
    let fill = rest.iter().take_while(|&&byte| byte == 0xff).count();
    rest.advance(fill);
    if rest.len() < 3 {
        return Err(cut());
    }
    let marker = rest.get_u8();
    let length = usize::from(rest.get_u16()).checked_sub(2).ok_or_else(cut)?;
    if length > rest.len() {
        return Err(cut());
    }
    Ok((marker, rest.split_to(length)))
}

/// What stands before the end of the image, or before another marker than that of a restart.
fn entropy_coded(rest: &Bytes) -> Bytes {
    let mut from = 0;
    while let Some(found) = rest
        .get(from..)
        .and_then(|rest| rest.iter().position(|&byte| byte == 0xff))
    {
        let at = from + found;
        match rest.get(at + 1).copied() {
            // A stuffed zero, a restart, or filling.
            Some(0 | marker::RST0..=marker::RST7) => from = at + 2,
            Some(0xff) => from = at + 1,
            _ => return rest.slice(..at),
        }
    }
    rest.clone()
}

/// What was found in the segments so far.
#[derive(Default)]
struct Found {
    tables: [Option<QuantTable>; 4],
    frame: Option<Frame>,
    restart_interval: u16,
}

struct Frame {
    width: u16,
    height: u16,
    sampling: Sampling,
    /// The quantization tables of luma and chroma.
    tables: [u8; 2],
}

impl Found {
    fn read_quant(&mut self, segment: &mut Bytes) -> Result<()> {
        while !segment.is_empty() {
            let head = segment.get_u8();
            let wide = head >> 4 != 0;
            let length = if wide { 128 } else { 64 };
            let Some(place) = self.tables.get_mut(usize::from(head & 15)) else {
                return Err(malformed("a quantization table of another number"));
            };
            if segment.len() < length {
                return Err(malformed("a quantization table is truncated"));
            }
            *place = Some(QuantTable {
                wide,
                bytes: segment.split_to(length),
            });
        }
        Ok(())
    }

    fn read_frame(&mut self, segment: &[u8]) -> Result<()> {
        let Some(
            &[
                precision,
                h0,
                h1,
                w0,
                w1,
                count,
                _,
                luma,
                luma_table,
                _,
                cb,
                cb_table,
                _,
                cr,
                cr_table,
            ],
        ) = segment.first_chunk()
        else {
            // One component: grey.
            let components = segment.get(5).copied().unwrap_or_default();
            return Err(unsupported("JPEG number of components in RTP", components));
        };
        if precision != 8 {
            return Err(unsupported("JPEG sample precision in RTP", precision));
        }
        if count != 3 {
            return Err(unsupported("JPEG number of components in RTP", count));
        }
        let sampling = match (luma, cb, cr) {
            (0x21, 0x11, 0x11) => Sampling::Horizontal,
            (0x22, 0x11, 0x11) => Sampling::Both,
            _ => {
                return Err(unsupported(
                    "JPEG sampling in RTP other than 4:2:2 and 4:2:0, luma factors",
                    luma,
                ));
            }
        };
        if cb_table != cr_table {
            return Err(unsupported(
                "JPEG third quantization table in RTP",
                cr_table,
            ));
        }
        self.frame = Some(Frame {
            width: u16::from_be_bytes([w0, w1]),
            height: u16::from_be_bytes([h0, h1]),
            sampling,
            tables: [luma_table, cb_table],
        });
        Ok(())
    }

    fn finish(self) -> Result<Headers> {
        let Some(frame) = self.frame else {
            return Err(malformed("a scan before its frame header"));
        };
        let table = |id: u8| {
            let table = self.tables.get(usize::from(id)).and_then(Option::as_ref);
            table
                .cloned()
                .ok_or(malformed("a quantization table is missing"))
        };
        let [luma, chroma] = frame.tables;
        Ok(Headers {
            width: frame.width,
            height: frame.height,
            sampling: frame.sampling,
            restart_interval: self.restart_interval,
            quant: [table(luma)?, table(chroma)?],
        })
    }
}

/// Receivers know no other Huffman tables than those of Annex K.
fn check_huffman(mut segment: &[u8]) -> Result<()> {
    while let Some((&class_and_id, rest)) = segment.split_first() {
        let known = HUFFMAN
            .iter()
            .find(|table| table.class_and_id == class_and_id);
        let behind = known.and_then(|table| {
            rest.strip_prefix(&table.counts[..])?
                .strip_prefix(table.values)
        });
        let Some(behind) = behind else {
            return Err(unsupported(
                "JPEG Huffman table of its own in RTP",
                class_and_id,
            ));
        };
        segment = behind;
    }
    Ok(())
}

const fn malformed(reason: &'static str) -> RtpError {
    RtpError::malformed(WHAT, reason)
}

fn unsupported(what: &'static str, value: u8) -> RtpError {
    RtpError::Unsupported {
        what,
        value: value.into(),
    }
}

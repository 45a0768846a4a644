//! Packets to pictures.

use super::jfif::{Headers, find_size};
use super::{QuantTable, RESTART_TYPES, Sampling, marker, tables};
use crate::payload::fragments::{Fragments, Progress};
use crate::payload::{AccessUnit, Depacketizer};
use crate::{Result, RtpError, RtpPacket};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::BTreeMap;

const WHAT: &str = "JPEG payload";

/// The main header (3.1).
const MAIN_HEADER_BYTES: usize = 8;

/// The profile of the header extension that carries the segments of the original (ONVIF Streaming Specification 5.1.3).
const ONVIF_EXTENSION: u16 = 0xffd8;

/// The values of Q whose tables may be sent once for all pictures (3.1.4).
const LASTING_TABLES: std::ops::Range<u8> = 128..255;

/// What stands before the fragment in a packet.
#[derive(Debug, Clone, Copy)]
struct MainHeader {
    offset: usize,
    rtp_type: u8,
    quality: u8,
    /// In pixels.
    width: u16,
    height: u16,
}

/// Puts JPEG pictures together and writes their headers anew, with the Huffman tables of Annex K. There is no config; each picture is a keyframe.
///
/// Each packet tells where its data belongs in the picture, so that one with a packet missing never comes out. Pictures end at the marker or
/// where the timestamp changes. Limit: [`MAX_ACCESS_UNIT_BYTES`](crate::payload::MAX_ACCESS_UNIT_BYTES).
#[derive(Debug, Default)]
pub struct MjpegDepacketizer {
    progress: Progress,
    headers: Option<Headers>,
    fragments: Fragments,
    /// The tables of values of Q that need not come again; 127 at most.
    lasting: BTreeMap<u8, [QuantTable; 2]>,
}

impl MjpegDepacketizer {
    /// At the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn push_payload(&mut self, packet: &RtpPacket) -> Result<()> {
        let mut payload = packet.payload.clone();
        if payload.is_empty() {
            return Ok(());
        }
        let timestamp = packet.header.timestamp;
        let mut main = MainHeader::read(&mut payload)?;
        let mut restart_interval = 0;
        if main.rtp_type >= RESTART_TYPES {
            if payload.len() < 4 {
                return Err(malformed("truncated"));
            }
            restart_interval = payload.get_u16();
            // F, L and the count of restarts: the offset tells where the data belongs.
            payload.advance(2);
        }
        if main.offset == 0 {
            if let Some((ONVIF_EXTENSION, segments)) = &packet.extension
                && let Some((width, height)) = find_size(segments)
            {
                (main.width, main.height) = (width, height);
            }
            let quant = self.tables(main.quality, &mut payload)?;
            self.headers = Some(main.headers(restart_interval, quant)?);
            self.fragments.clear();
            self.progress = Progress::Open(timestamp);
        }
        match self.progress {
            Progress::Open(_) if main.offset == self.fragments.len() => {
                self.fragments.push(payload)
            }
            Progress::Unknown | Progress::Skipping(_) => {
                self.progress = Progress::Skipping(timestamp);
                Ok(())
            }
            _ => Err(malformed("a fragment that does not follow")),
        }
    }

    /// The quantization tables of a picture, which may stand before its data (3.1.8).
    fn tables(&mut self, quality: u8, payload: &mut Bytes) -> Result<[QuantTable; 2]> {
        match quality {
            1..=99 => return Ok(tables::of_quality(quality)),
            0 | 100..=127 => return Err(malformed("a reserved value of Q")),
            _ => {}
        }
        if payload.len() < 4 {
            return Err(malformed("truncated"));
        }
        payload.advance(1);
        let precision = payload.get_u8();
        let length = usize::from(payload.get_u16());
        if length > payload.len() {
            return Err(malformed("quantization tables are truncated"));
        }
        if length == 0 {
            let known = self.lasting.get(&quality).cloned();
            return known.ok_or(malformed("quantization tables never came"));
        }
        let mut section = payload.split_to(length);
        let mut next = |wide: bool| {
            let bytes = if wide { 128 } else { 64 };
            (section.len() >= bytes).then(|| QuantTable {
                wide,
                // Kept longer than the packet.
                bytes: Bytes::copy_from_slice(&section.split_to(bytes)),
            })
        };
        let luma =
            next(precision & 1 != 0).ok_or(malformed("quantization tables are truncated"))?;
        // Some senders have one table for all.
        let chroma = next(precision & 2 != 0).unwrap_or_else(|| luma.clone());
        let tables = [luma, chroma];
        if LASTING_TABLES.contains(&quality) {
            self.lasting.insert(quality, tables.clone());
        }
        Ok(tables)
    }

    fn end(&mut self, units: &mut Vec<AccessUnit>) {
        let progress = std::mem::replace(&mut self.progress, Progress::Idle);
        let data = self.fragments.take();
        if let Progress::Open(timestamp) = progress
            && let Some(headers) = self.headers.take()
            && !data.is_empty()
        {
            let mut picture = BytesMut::with_capacity(data.len() + 1024);
            headers.write(&mut picture);
            picture.extend_from_slice(&data);
            let end = [0xff, marker::EOI];
            if !data.ends_with(&end) {
                picture.extend_from_slice(&end);
            }
            units.push(AccessUnit::new(timestamp, picture.freeze()));
        }
    }
}

impl MainHeader {
    fn read(payload: &mut Bytes) -> Result<Self> {
        if payload.len() < MAIN_HEADER_BYTES {
            return Err(malformed("truncated"));
        }
        let type_specific = payload.get_u8();
        if matches!(type_specific, 1 | 2) {
            return Err(RtpError::Unsupported {
                what: "JPEG of interlaced fields, type-specific",
                value: type_specific.into(),
            });
        }
        Ok(Self {
            // 24 bits.
            offset: payload.get_uint(3) as usize,
            rtp_type: payload.get_u8(),
            quality: payload.get_u8(),
            width: u16::from(payload.get_u8()) * 8,
            height: u16::from(payload.get_u8()) * 8,
        })
    }

    fn headers(&self, restart_interval: u16, quant: [QuantTable; 2]) -> Result<Headers> {
        let unsupported = |what, value: u8| RtpError::Unsupported {
            what,
            value: value.into(),
        };
        let sampling = match self.rtp_type {
            0 | RESTART_TYPES => Sampling::Horizontal,
            1 | 65 => Sampling::Both,
            other => return Err(unsupported("JPEG payload type field", other)),
        };
        if self.width == 0 || self.height == 0 {
            return Err(unsupported("JPEG without a size, above 2040 pixels", 0));
        }
        Ok(Headers {
            width: self.width,
            height: self.height,
            sampling,
            restart_interval,
            quant,
        })
    }
}

const fn malformed(reason: &'static str) -> RtpError {
    RtpError::malformed(WHAT, reason)
}

impl Depacketizer for MjpegDepacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        let timestamp = packet.header.timestamp;
        match self.progress {
            Progress::Open(open) | Progress::Skipping(open) if open != timestamp => self.end(units),
            _ => {}
        }
        let pushed = self.push_payload(packet);
        if pushed.is_err() {
            self.fragments.clear();
            self.progress = Progress::Skipping(timestamp);
        }
        if packet.header.marker {
            self.end(units);
        }
        pushed
    }

    fn lost(&mut self) {
        self.fragments.clear();
        self.progress = Progress::Unknown;
    }
}

//! Source descriptions and goodbyes (RFC 3550 6.5, 6.6).

use super::report::MAX_BLOCKS;
use super::{BYE, SDES, get_u32, truncated, write_packet};
use crate::Result;
use bytes::{Buf, BufMut, BytesMut};

/// The SDES item that names a source for all its tracks (RFC 3550 6.5.1).
const CNAME: u8 = 1;

/// The longest text of an item: its length has eight bits.
const MAX_TEXT: usize = 255;

/// The names of sources (RFC 3550 6.5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SourceDescription {
    /// SSRC and CNAME of each source, empty where it has none; at most 31, of at most 255 bytes, are written.
    pub sources: Vec<(u32, String)>,
}

impl SourceDescription {
    /// The name of one source.
    #[must_use]
    pub fn new(ssrc: u32, cname: impl Into<String>) -> Self {
        Self {
            sources: vec![(ssrc, cname.into())],
        }
    }

    pub(super) fn read(body: &[u8], count: u8) -> Result<Self> {
        let mut rest = body;
        let sources = (0..count).map(|_| read_chunk(&mut rest));
        let sources = sources.collect::<Result<_>>()?;
        Ok(Self { sources })
    }

    /// Appends the packet.
    pub fn write(&self, out: &mut BytesMut) {
        write_packet(out, self.sources.len().min(MAX_BLOCKS), SDES, |out| {
            for (ssrc, cname) in self.sources.iter().take(MAX_BLOCKS) {
                let cname = truncate(cname);
                out.put_u32(*ssrc);
                out.put_slice(&[CNAME, cname.len() as u8]);
                out.put_slice(cname.as_bytes());
                // At least one zero ends the list, and more fill the chunk up to words.
                out.put_bytes(0, 4 - (2 + cname.len()) % 4);
            }
        });
    }
}

fn read_chunk(rest: &mut &[u8]) -> Result<(u32, String)> {
    let ssrc = get_u32(rest)?;
    let mut cname = String::new();
    let mut read = 0;
    loop {
        let item = rest.try_get_u8().map_err(truncated)?;
        read += 1;
        if item == 0 {
            break;
        }
        let length = usize::from(rest.try_get_u8().map_err(truncated)?);
        let text = rest.get(..length).ok_or(()).map_err(truncated)?;
        if item == CNAME {
            cname = String::from_utf8_lossy(text).into_owned();
        }
        rest.advance(length);
        read += 1 + length;
    }
    let padding = 4_usize.wrapping_sub(read) % 4;
    *rest = rest.get(padding..).unwrap_or_default();
    Ok((ssrc, cname))
}

/// The text, cut off between characters where it is too long.
fn truncate(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Sources that end (RFC 3550 6.6).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Bye {
    /// Which; at most 31 are written.
    pub ssrcs: Vec<u32>,
    /// Why; empty where nothing is said. At most 255 bytes are written.
    pub reason: String,
}

impl Bye {
    /// One source ends.
    #[must_use]
    pub fn new(ssrc: u32) -> Self {
        Self {
            ssrcs: vec![ssrc],
            reason: String::new(),
        }
    }

    pub(super) fn read(mut body: &[u8], count: u8) -> Result<Self> {
        let ssrcs = (0..count).map(|_| get_u32(&mut body));
        let ssrcs = ssrcs.collect::<Result<_>>()?;
        let reason = match body.try_get_u8() {
            Ok(length) => body.get(..length.into()).ok_or(()).map_err(truncated)?,
            Err(_) => &[],
        };
        Ok(Self {
            ssrcs,
            reason: String::from_utf8_lossy(reason).into_owned(),
        })
    }

    /// Appends the packet.
    pub fn write(&self, out: &mut BytesMut) {
        write_packet(out, self.ssrcs.len().min(MAX_BLOCKS), BYE, |out| {
            for ssrc in self.ssrcs.iter().take(MAX_BLOCKS) {
                out.put_u32(*ssrc);
            }
            let reason = truncate(&self.reason);
            if !reason.is_empty() {
                out.put_u8(reason.len() as u8);
                out.put_slice(reason.as_bytes());
            }
        });
    }
}

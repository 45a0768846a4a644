//! Program specific information: PAT and PMT (ISO/IEC 13818-1 2.4.4).

use crate::crc::crc32;
use crate::packet::{Adaptation, Lane, PACKET_SIZE, Pid, UnitWriter, unit_size};
use bytes::{BufMut, BytesMut};

/// The one program of the stream.
const PROGRAM_NUMBER: u16 = 1;
const TRANSPORT_STREAM_ID: u16 = 1;
const PMT_PID: Pid = Pid(0x1000);

const TABLE_ID_PAT: u8 = 0x00;
const TABLE_ID_PMT: u8 = 0x02;

/// `stream_type` (Table 2-34).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamType(pub(crate) u8);

impl StreamType {
    /// ISO/IEC 14496-10 video.
    pub(crate) const H264: Self = Self(0x1b);
    /// ISO/IEC 13818-7 audio with ADTS.
    pub(crate) const AAC_ADTS: Self = Self(0x0f);
}

/// One elementary stream as the PMT lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elementary {
    pub(crate) stream_type: StreamType,
    pub(crate) pid: Pid,
}

/// Writes the two tables, and counts the PMT's version.
#[derive(Debug)]
pub(crate) struct Tables {
    pat: Lane,
    pmt: Lane,
    /// What the PMT said when it was last written.
    told: Option<(Pid, Vec<Elementary>)>,
    version: u8,
    /// The sections as they are now, `pointer_field` first.
    pat_section: BytesMut,
    pmt_section: BytesMut,
}

impl Tables {
    pub(crate) fn new() -> Self {
        let mut pat_section = BytesMut::new();
        section(
            TABLE_ID_PAT,
            TRANSPORT_STREAM_ID,
            0,
            &mut pat_section,
            |out| {
                out.put_u16(PROGRAM_NUMBER);
                out.put_u16(0xe000 | PMT_PID.0);
            },
        );
        Self {
            pat: Lane::new(Pid::PAT),
            pmt: Lane::new(PMT_PID),
            told: None,
            version: 0,
            pat_section,
            pmt_section: BytesMut::new(),
        }
    }

    /// Takes over the list of streams for the PMTs to come. A change of what has been told before
    /// bumps the version.
    pub(crate) fn set(&mut self, pcr_pid: Pid, streams: Vec<Elementary>) {
        match &self.told {
            Some((pid, told)) if *pid == pcr_pid && *told == streams => return,
            Some(_) => self.version = (self.version + 1) & 0x1f,
            None => {}
        }
        self.pmt_section.clear();
        section(
            TABLE_ID_PMT,
            PROGRAM_NUMBER,
            self.version,
            &mut self.pmt_section,
            |out| {
                out.put_u16(0xe000 | pcr_pid.0);
                out.put_u16(0xf000); // no program descriptors
                for stream in &streams {
                    out.put_u8(stream.stream_type.0);
                    out.put_u16(0xe000 | stream.pid.0);
                    out.put_u16(0xf000); // no descriptors
                }
            },
        );
        self.told = Some((pcr_pid, streams));
    }

    /// How many bytes [`write`](Self::write) adds.
    pub(crate) fn size(&self) -> usize {
        let none = Adaptation::default();
        unit_size(self.pat_section.len(), none) + unit_size(self.pmt_section.len(), none)
    }

    /// Writes PAT and PMT.
    pub(crate) fn write(&mut self, out: &mut BytesMut) {
        for (lane, section) in [
            (&mut self.pat, &self.pat_section),
            (&mut self.pmt, &self.pmt_section),
        ] {
            write_section(lane, section, out);
        }
    }
}

/// Writes one section in packets of its own. Sections are stuffed with 0xff after their end
/// (2.4.4), not by an adaptation field, because some receivers look for tables only in packets that
/// have none.
fn write_section(lane: &mut Lane, section: &[u8], out: &mut BytesMut) {
    const BODY: usize = PACKET_SIZE - 4;
    const STUFFING: [u8; BODY] = [0xff; BODY];
    let stuffing = section.len().next_multiple_of(BODY) - section.len();
    let mut unit = UnitWriter::begin(lane, Adaptation::default(), section.len() + stuffing, out);
    unit.put(section);
    unit.put(STUFFING.get(..stuffing).unwrap_or_default());
}

/// Appends a section in the long form (2.4.4.11), with its `pointer_field` before it and its CRC
/// after it.
fn section(
    table_id: u8,
    extension: u16,
    version: u8,
    out: &mut BytesMut,
    body: impl FnOnce(&mut BytesMut),
) {
    let mut content = BytesMut::new();
    content.put_u16(extension);
    content.put_u8(0xc1 | version << 1); // reserved, version, current_next_indicator
    content.put_u16(0); // section_number and last_section_number
    body(&mut content);
    out.put_u8(0); // pointer_field: the section starts at once
    let start = out.len();
    out.put_u8(table_id);
    // The limit on tracks keeps the length below the 1021 that 2.4.4.9 allows.
    out.put_u16(0xb000 | (content.len() + 4) as u16);
    out.put_slice(&content);
    let crc = crc32(out.get(start..).unwrap_or_default());
    out.put_u32(crc);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(count: u16) -> Vec<Elementary> {
        (0..count)
            .map(|n| Elementary {
                stream_type: StreamType::H264,
                pid: Pid(0x100 + n),
            })
            .collect()
    }

    #[test]
    fn the_pat_names_the_pmt() {
        let mut tables = Tables::new();
        tables.set(Pid(0x100), streams(1));
        let mut out = BytesMut::new();
        tables.write(&mut out);
        assert_eq!(out.len(), tables.size());
        // The same bytes as ffmpeg 5.1 writes for transport stream 1, program 1 on PID 0x1000.
        assert_eq!(
            out[..21],
            [
                0x47, 0x40, 0x00, 0x10, 0x00, 0x00, 0xb0, 0x0d, 0x00, 0x01, 0xc1, 0x00, 0x00, 0x00,
                0x01, 0xf0, 0x00, 0x2a, 0xb1, 0x04, 0xb2
            ]
        );
    }

    #[test]
    fn the_version_counts_changes_only_and_wraps() {
        let version = |tables: &Tables| tables.pmt_section[6] >> 1 & 0x1f;
        let mut tables = Tables::new();
        tables.set(Pid(0x100), streams(1));
        tables.set(Pid(0x100), streams(1));
        assert_eq!(version(&tables), 0);
        for change in 1..=32_u16 {
            tables.set(Pid(0x100), streams(change % 2 + 1));
            assert_eq!(u16::from(version(&tables)), change % 32);
        }
    }

    #[test]
    fn a_pmt_of_many_streams_spans_packets() {
        let mut tables = Tables::new();
        tables.set(Pid(0x100), streams(60));
        let mut out = BytesMut::new();
        tables.write(&mut out);
        assert_eq!(out.len(), 3 * PACKET_SIZE);
        assert_eq!(crc32(&tables.pmt_section[1..]), 0);
    }
}

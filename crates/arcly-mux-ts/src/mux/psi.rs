//! Program specific information: PAT and PMT (ISO/IEC 13818-1 2.4.4).

use super::packetize::{Adaptation, Lane, UnitWriter};
use crate::carriage::{Carriage, format, push_descriptor, stream_type, tag};
use crate::crc::crc32;
use crate::packet::{BODY_SIZE, PACKET_SIZE, Pid, TABLE_ID_PAT, TABLE_ID_PMT};
use bytes::{BufMut, BytesMut};

/// The one program of the stream.
const PROGRAM_NUMBER: u16 = 1;
const TRANSPORT_STREAM_ID: u16 = 1;
const PMT_PID: Pid = Pid(0x1000);

/// The most bytes of program descriptors and streams in a PMT section: a section has 1021 behind its
/// length (2.4.4.9), of which header and CRC take 13.
const MAX_STREAM_BYTES: usize = 1021 - 13;

/// One elementary stream as the PMT lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elementary {
    /// See [`stream_type`].
    pub(crate) stream_type: u8,
    pub(crate) pid: Pid,
    /// The whole descriptor loop.
    pub(crate) descriptors: Vec<u8>,
}

/// Whether a PMT section has room for these streams.
pub(crate) fn fits(streams: &[Elementary]) -> bool {
    let size = |stream: &Elementary| 5 + stream.descriptors.len();
    program_descriptors(streams).len() + streams.iter().map(size).sum::<usize>() <= MAX_STREAM_BYTES
}

/// What the program has to say because of its streams.
fn program_descriptors(streams: &[Elementary]) -> Vec<u8> {
    let mut out = Vec::new();
    // SCTE 35 8.1: programs with splice information say so here.
    if streams
        .iter()
        .any(|stream| stream.stream_type == stream_type::SCTE35)
    {
        push_descriptor(&mut out, tag::REGISTRATION, &format::SCTE35);
    }
    // "Timed Metadata for HTTP Live Streaming" wants a pointer to the ID3 stream.
    let is_id3 = |stream: &Elementary| {
        Carriage::of(stream.stream_type, &[], &stream.descriptors) == Some(Carriage::Id3)
    };
    if streams.iter().any(is_id3) {
        let mut content = b"\xff\xffID3 \xffID3 \x00\x1f".to_vec();
        content.extend_from_slice(&PROGRAM_NUMBER.to_be_bytes());
        push_descriptor(&mut out, tag::METADATA_POINTER, &content);
    }
    out
}

/// Writes the two tables, and counts the PMT's version.
#[derive(Debug)]
pub(crate) struct Tables {
    pat: Lane,
    pmt: Lane,
    /// What the PMT said when it was last written.
    told: Option<(Pid, Vec<Elementary>)>,
    version: u8,
    /// The sections as they are now.
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
                // The loops' lengths have 12 bits; `fits` keeps them below 10.
                let program = program_descriptors(&streams);
                out.put_u16(0xf000 | program.len() as u16);
                out.put_slice(&program);
                for stream in &streams {
                    out.put_u8(stream.stream_type);
                    out.put_u16(0xe000 | stream.pid.0);
                    out.put_u16(0xf000 | stream.descriptors.len() as u16);
                    out.put_slice(&stream.descriptors);
                }
            },
        );
        self.told = Some((pcr_pid, streams));
    }

    /// How many bytes [`write`](Self::write) adds.
    pub(crate) fn size(&self) -> usize {
        section_size(self.pat_section.len()) + section_size(self.pmt_section.len())
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

/// How many bytes the packets of a section take.
pub(crate) const fn section_size(section: usize) -> usize {
    (1 + section).div_ceil(BODY_SIZE) * PACKET_SIZE
}

/// Writes one section in packets of its own. Sections are stuffed with 0xff after their end (2.4.4),
/// not by an adaptation field, because some receivers look for tables only in packets that have none.
pub(crate) fn write_section(lane: &mut Lane, section: &[u8], out: &mut BytesMut) {
    const STUFFING: [u8; BODY_SIZE] = [0xff; BODY_SIZE];
    // `pointer_field` 0: the section starts at once.
    let unit = 1 + section.len();
    let stuffing = unit.next_multiple_of(BODY_SIZE) - unit;
    let mut unit = UnitWriter::begin(lane, Adaptation::default(), unit + stuffing, out);
    unit.put(&[0]);
    unit.put(section);
    unit.put(STUFFING.get(..stuffing).unwrap_or_default());
}

/// Appends a section in the long form (2.4.4.11), with its CRC after it.
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
    let start = out.len();
    out.put_u8(table_id);
    // `fits` keeps the length within the 1021 that 2.4.4.9 allows.
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
                stream_type: stream_type::H264,
                pid: Pid(0x100 + n),
                descriptors: Vec::new(),
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
        let version = |tables: &Tables| tables.pmt_section[5] >> 1 & 0x1f;
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
        assert_eq!(crc32(&tables.pmt_section), 0);
    }
}

//! Reading PAT and PMT (ISO/IEC 13818-1 2.4.4.3, 2.4.4.8).

use crate::carriage::Carriage;
use crate::packet::{TABLE_ID_PAT, TABLE_ID_PMT};

/// A stream that the PMT lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PmtStream {
    pub(crate) pid: u16,
    /// What it is; `None` where it is nothing that is read here.
    pub(crate) carriage: Option<Carriage>,
}

/// A Program Map Table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pmt {
    pub(crate) program: u16,
    pub(crate) streams: Vec<PmtStream>,
}

/// The number behind `table_id_extension` and the content of a section with this table id that
/// applies now, without header and CRC.
fn content(section: &[u8], table_id: u8) -> Option<(u16, &[u8])> {
    let (&[id, flags, _, high, low, version, _, _], rest) = section.split_first_chunk()?;
    // section_syntax_indicator and current_next_indicator.
    let applies = id == table_id && flags & 0x80 != 0 && version & 1 != 0;
    let content = rest.get(..rest.len().checked_sub(4)?)?;
    applies.then_some((u16::from_be_bytes([high, low]), content))
}

/// The programs that a PAT section lists, each with the PID of its PMT.
pub(crate) fn programs(section: &[u8]) -> impl Iterator<Item = (u16, u16)> {
    let content = content(section, TABLE_ID_PAT).map_or(&[][..], |(_, content)| content);
    let entries = content.as_chunks::<4>().0.iter();
    entries
        .map(|&[a, b, c, d]| {
            (
                u16::from_be_bytes([a, b]),
                u16::from_be_bytes([c & 0x1f, d]),
            )
        })
        .filter(|&(program, _)| program != 0) // the network information table
}

/// Whether a table consists of this section alone.
pub(crate) fn is_only_section(section: &[u8]) -> bool {
    section.get(7) == Some(&0)
}

impl Pmt {
    /// Reads a PMT section; `None` where it is none, does not apply yet, or is cut off.
    pub(crate) fn parse(section: &[u8]) -> Option<Self> {
        let (program, content) = content(section, TABLE_ID_PMT)?;
        let (&[_, _, high, low], rest) = content.split_first_chunk()?;
        let length = u16::from_be_bytes([high & 0x0f, low]);
        let (program_info, mut rest) = rest.split_at_checked(length.into())?;
        let mut streams = Vec::new();
        while let Some((&[stream_type, pid_high, pid_low, high, low], behind)) =
            rest.split_first_chunk()
        {
            let length = u16::from_be_bytes([high & 0x0f, low]);
            let (own, behind) = behind.split_at_checked(length.into())?;
            streams.push(PmtStream {
                pid: u16::from_be_bytes([pid_high & 0x1f, pid_low]),
                carriage: Carriage::of(stream_type, program_info, own),
            });
            rest = behind;
        }
        Some(Self { program, streams })
    }
}

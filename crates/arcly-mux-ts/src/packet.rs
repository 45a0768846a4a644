//! What the transport packets of both directions share (ISO/IEC 13818-1 2.4.3).

/// The size of a transport packet, in bytes.
pub const PACKET_SIZE: usize = 188;

/// What a packet holds besides its 4-byte header.
pub(crate) const BODY_SIZE: usize = PACKET_SIZE - 4;

/// The first byte of each packet.
pub(crate) const SYNC_BYTE: u8 = 0x47;

/// The bit of the second byte that says that a payload unit starts in the packet.
pub(crate) const UNIT_START: u8 = 0x40;

/// The fourth byte, but for the counter, of a packet that is not scrambled and has a payload and no adaptation
/// field.
pub(crate) const PAYLOAD_ONLY: u8 = 0x10;

/// A packet identifier, 13 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pid(pub(crate) u16);

impl Pid {
    /// The Program Association Table.
    pub(crate) const PAT: Self = Self(0x0000);
}

/// `table_id` of the Program Association Table (Table 2-31).
pub(crate) const TABLE_ID_PAT: u8 = 0x00;
/// `table_id` of the Program Map Table.
pub(crate) const TABLE_ID_PMT: u8 = 0x02;
/// `table_id` of a splice information section (SCTE 35 9.6).
pub(crate) const TABLE_ID_SPLICE: u8 = 0xfc;

/// Ticks a second of PTS, DTS and the PCR's base.
pub(crate) const RATE: u32 = 90_000;

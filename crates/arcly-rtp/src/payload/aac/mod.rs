//! AAC as `mpeg4-generic` (RFC 3640), modes AAC-hbr and AAC-lbr.
//!
//! Access units that share a packet and fragmented ones are read; interleaved ones are refused, as no known sender uses them.

mod depacketizer;
mod packetizer;

pub use depacketizer::AacDepacketizer;
pub use packetizer::{AacPacketizer, MAX_HBR_BYTES};

use arcly_codec::aac::AudioSpecificConfig;

/// The most access units that are taken from a packet. AAC-hbr writes 16 bits for each: 64 would last more than a second.
pub const MAX_ACCESS_UNITS: usize = 64;

/// How the header of an access unit is laid out: the parameters of the format in the session description (RFC 3640 4.1), 0 where they are
/// not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_structs, reason = "the parameters of RFC 3640")]
pub struct AuHeaderLayout {
    /// `sizelength` in bits, 32 at most.
    pub size_length: u8,
    /// `indexlength` in bits, 32 at most.
    pub index_length: u8,
    /// `indexdeltalength` in bits, 32 at most.
    pub index_delta_length: u8,
    /// `ctsdeltalength` in bits, 32 at most.
    pub cts_delta_length: u8,
    /// `dtsdeltalength` in bits, 32 at most.
    pub dts_delta_length: u8,
    /// `randomaccessindication`.
    pub random_access_indication: bool,
    /// `streamstateindication` in bits, 32 at most.
    pub stream_state_indication: u8,
    /// `auxiliarydatasizelength` in bits, 32 at most.
    pub auxiliary_data_size_length: u8,
    /// `constantsize`: the bytes of each access unit, where there is no `sizelength`.
    pub constant_size: u16,
    /// `constantduration`: the ticks that each access unit lasts, where it is not what the config says.
    pub constant_duration: u32,
}

impl AuHeaderLayout {
    /// Mode AAC-hbr (3.3.6): 13 bits of size, 3 of index.
    pub const HBR: Self = Self {
        size_length: 13,
        index_length: 3,
        index_delta_length: 3,
        ..Self::NONE
    };
    /// Mode AAC-lbr (3.3.5): 6 bits of size, 2 of index.
    pub const LBR: Self = Self {
        size_length: 6,
        index_length: 2,
        index_delta_length: 2,
        ..Self::NONE
    };
    const NONE: Self = Self {
        size_length: 0,
        index_length: 0,
        index_delta_length: 0,
        cts_delta_length: 0,
        dts_delta_length: 0,
        random_access_indication: false,
        stream_state_indication: 0,
        auxiliary_data_size_length: 0,
        constant_size: 0,
        constant_duration: 0,
    };

    /// Whether packets have a section of headers at all (3.2.1).
    const fn has_headers(&self) -> bool {
        self.size_length > 0
            || self.index_length > 0
            || self.index_delta_length > 0
            || self.cts_delta_length > 0
            || self.dts_delta_length > 0
            || self.random_access_indication
            || self.stream_state_indication > 0
    }
}

/// The ticks of `clock_rate` that an access unit lasts.
pub(super) fn frame_ticks(config: &AudioSpecificConfig, clock_rate: u32) -> u64 {
    let ticks = u64::from(config.samples_per_frame()) * u64::from(clock_rate);
    ticks / u64::from(config.sample_rate.max(1))
}

//! What a demuxer counted.

/// What was found in a transport stream besides frames, for whoever wants to say what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TsStats {
    /// Transport packets.
    pub packets: u64,
    /// Bytes that belonged to no packet.
    pub garbage_bytes: u64,
    /// Packets that their header marks as damaged, or whose fields cannot be.
    pub damaged_packets: u64,
    /// Packets that are encrypted, on PIDs that are read.
    pub scrambled_packets: u64,
    /// Places where the continuity counter of a PID that is read says that packets are missing.
    pub continuity_errors: u64,
    /// Sections with a wrong CRC.
    pub damaged_sections: u64,
    /// PES packets without a readable header.
    pub malformed_pes: u64,
    /// PES packets that were dropped because of [`DemuxLimits`](crate::DemuxLimits).
    pub oversized_units: u64,
    /// Pictures of streams without DTS whose DTS, which the demuxer derives, exceeds their PTS: a few where it turns out that pictures are
    /// reordered, and those that the SPS did not promise to be. The demuxer allows for one more each time, so that it comes right.
    pub late_pictures: u64,
    /// Streams of the program that are not read: of other codecs, or past the limit on tracks. As of the PMT in force.
    pub ignored_streams: u64,
}

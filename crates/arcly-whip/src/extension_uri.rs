//! The header extensions that are used, by their URIs.

/// Which media section a packet is of (RFC 9143 15).
pub(crate) const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// Which simulcast layer it is of (RFC 8852 3.1).
pub(crate) const LAYER: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";

/// Which simulcast layer it retransmits (RFC 8852 3.2).
pub(crate) const REPAIRED_LAYER: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";

/// A number over all packets of a transport, for congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01).
pub(crate) const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// How long the player is to wait at least and at most, in units of 10 ms.
pub(crate) const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

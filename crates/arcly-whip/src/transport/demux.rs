//! What a datagram is, and which peer it is for (RFC 7983, RFC 5761 4).

/// The kinds of datagrams on a WebRTC port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketKind {
    /// A STUN message (RFC 8489).
    Stun,
    /// A DTLS record (RFC 6347).
    Dtls,
    /// An SRTP packet.
    Rtp,
    /// An SRTCP packet.
    Rtcp,
}

impl PacketKind {
    /// Tells by the first two bytes (RFC 7983 7, RFC 5761 4); `None` for TURN channels, ZRTP and noise.
    #[must_use]
    pub fn of(datagram: &[u8]) -> Option<Self> {
        match datagram {
            [0..=3, ..] => Some(Self::Stun),
            [20..=63, ..] => Some(Self::Dtls),
            [128..=191, second, ..] if (192..=223).contains(second) => Some(Self::Rtcp),
            [128..=191, _, ..] => Some(Self::Rtp),
            _ => None,
        }
    }
}

/// Attributes that are looked at to find the user name; it is among the first in what any client sends.
const MAX_ATTRIBUTES: usize = 16;

const STUN_HEADER_BYTES: usize = 20;
const STUN_BINDING_REQUEST: [u8; 2] = [0, 1];
const STUN_MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const STUN_USERNAME: u16 = 6;

/// The user name fragment of ours that a STUN binding request names: what is before the colon of its USERNAME (RFC 8445 7.2.2). `None` where
/// the datagram is no binding request, or names none. Nothing is authenticated by this.
#[must_use]
pub fn stun_local_ufrag(datagram: &[u8]) -> Option<&str> {
    let (header, mut attributes) = datagram.split_at_checked(STUN_HEADER_BYTES)?;
    let is_request = header.starts_with(&STUN_BINDING_REQUEST)
        && header.get(4..8) == Some(STUN_MAGIC_COOKIE.as_slice());
    if !is_request {
        return None;
    }
    for _ in 0..MAX_ATTRIBUTES {
        let (&[t0, t1, l0, l1], rest) = attributes.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let value = rest.get(..length)?;
        if u16::from_be_bytes([t0, t1]) == STUN_USERNAME {
            let (local, _) = std::str::from_utf8(value).ok()?.split_once(':')?;
            return Some(local);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn binding_request(attributes: &[u8]) -> Vec<u8> {
        let mut datagram = vec![0, 1, 0, attributes.len() as u8];
        datagram.extend_from_slice(&STUN_MAGIC_COOKIE);
        datagram.extend_from_slice(&[7; 12]);
        datagram.extend_from_slice(attributes);
        datagram
    }

    #[test]
    fn datagrams_are_told_apart_by_their_first_bytes() {
        let kind = |first, second| PacketKind::of(&[first, second, 0, 0]);
        assert_eq!(kind(0, 1), Some(PacketKind::Stun));
        assert_eq!(kind(22, 254), Some(PacketKind::Dtls));
        assert_eq!(kind(0x80, 96), Some(PacketKind::Rtp));
        assert_eq!(kind(0x80, 0x80 | 96), Some(PacketKind::Rtp), "a marker");
        assert_eq!(kind(0x81, 200), Some(PacketKind::Rtcp));
        assert_eq!(kind(0x40, 0), None, "a TURN channel");
        assert_eq!(PacketKind::of(&[]), None);
        assert_eq!(PacketKind::of(&[0x80]), None);
    }

    #[test]
    fn the_local_fragment_is_found_behind_other_attributes() {
        let datagram = binding_request(b"\x80\x22\0\x03abc\0\0\x06\0\x09ours:them\0\0\0");
        assert_eq!(stun_local_ufrag(&datagram), Some("ours"));
    }

    #[test]
    fn what_names_nobody_is_not_for_anybody() {
        assert_eq!(stun_local_ufrag(&binding_request(b"")), None);
        let no_colon = binding_request(b"\0\x06\0\x04ours");
        assert_eq!(stun_local_ufrag(&no_colon), None);
        let longer_than_it_is = binding_request(b"\0\x06\0\xffours:them");
        assert_eq!(stun_local_ufrag(&longer_than_it_is), None);
        let mut response = binding_request(b"\0\x06\0\x09ours:them\0\0\0");
        response[0] = 1;
        assert_eq!(stun_local_ufrag(&response), None);
    }

    proptest! {
        #[test]
        fn noise_is_read_without_panic(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PacketKind::of(&noise);
            let _ = stun_local_ufrag(&noise);
            let _ = stun_local_ufrag(&binding_request(&noise));
        }
    }
}

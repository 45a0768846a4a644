//! The server's handshake (RTMP 1.0, 5.2), on `rml_rtmp`'s state machine.
//!
//! `rml_rtmp::handshake` was read for this: it indexes only within packets it has whole, its digest offsets end at most
//! at byte 1 535 of 1 536, it answers the digest handshake of Flash Player 9 as well as the plain one, and it accepts any
//! C2 (as every server does: Flash itself sent wrong ones). What it lacks is a bound on its input buffer, and it copies
//! what follows the handshake. So it is created when the first byte comes (a silent connection costs nothing) and is
//! handed no byte beyond C0, C1 and C2.

use super::{CLIENT_BYTES, VERSION};
use crate::{Fault, Location};
use bytes::BytesMut;
use rml_rtmp::handshake::{Handshake, HandshakeError, HandshakeProcessResult, PeerType};

/// The handshake from the server's side.
#[derive(Default)]
pub(crate) struct ServerHandshake {
    inner: Option<Box<Handshake>>,
    taken: usize,
}

impl ServerHandshake {
    /// Takes what belongs to the handshake from `input`, cutting it off, and appends the reply to `out`. True once the
    /// handshake is complete.
    pub(crate) fn read(
        &mut self,
        input: &mut &[u8],
        out: &mut BytesMut,
    ) -> Result<bool, crate::Error> {
        let (head, tail) = input.split_at(input.len().min(CLIENT_BYTES - self.taken));
        let Some(&first) = head.first() else {
            return Ok(false);
        };
        if self.taken == 0 && first != VERSION {
            // Checked before the library does, which would build its reply first. 0x16 opens TLS, letters HTTP.
            return Err(Fault::Malformed(match first {
                0x16 => "TLS spoken to the plain RTMP port",
                b'A'..=b'Z' => "HTTP or another text protocol spoken to the RTMP port",
                6 | 8 => "encrypted RTMP (RTMPE) requested",
                _ => "RTMP version is not 3",
            })
            .at(Location::default()));
        }
        let inner = self
            .inner
            .get_or_insert_with(|| Box::new(Handshake::new(PeerType::Server)));
        let at = Location {
            offset: self.taken as u64,
            ..Location::default()
        };
        let result = inner.process_bytes(head).map_err(|error| {
            Fault::Malformed(match error {
                HandshakeError::BadVersionId => "RTMP version is not 3",
                _ => "handshake packet is invalid",
            })
            .at(at)
        })?;
        self.taken += head.len();
        *input = tail;
        match result {
            HandshakeProcessResult::InProgress { response_bytes } => {
                out.extend_from_slice(&response_bytes);
                Ok(false)
            }
            HandshakeProcessResult::Completed { response_bytes, .. } => {
                out.extend_from_slice(&response_bytes);
                self.inner = None;
                Ok(true)
            }
        }
    }
}

impl std::fmt::Debug for ServerHandshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerHandshake")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_packets(server: &mut ServerHandshake) -> (Vec<u8>, Vec<u8>) {
        let mut client = Handshake::new(PeerType::Client);
        let c0c1 = client.generate_outbound_p0_and_p1().expect("random bytes");
        let mut out = BytesMut::new();
        assert_eq!(server.read(&mut c0c1.as_slice(), &mut out), Ok(false));
        match client.process_bytes(&out).expect("a valid reply") {
            HandshakeProcessResult::Completed { response_bytes, .. } => (c0c1, response_bytes),
            HandshakeProcessResult::InProgress { .. } => {
                panic!("S0, S1 and S2 complete the client's side")
            }
        }
    }

    #[test]
    fn the_digest_handshake_completes_and_what_follows_is_left() {
        let mut server = ServerHandshake::default();
        let (_, mut c2) = client_packets(&mut server);
        c2.extend_from_slice(b"chunks");
        let mut input = c2.as_slice();
        assert_eq!(server.read(&mut input, &mut BytesMut::new()), Ok(true));
        assert_eq!(input, b"chunks");
        assert_eq!(server.taken, CLIENT_BYTES);
    }

    #[test]
    fn the_plain_handshake_is_echoed_byte_by_byte() {
        let mut server = ServerHandshake::default();
        let mut out = BytesMut::new();
        let mut c1 = vec![VERSION];
        c1.extend((0..1536_u32).map(|i| if (4..8).contains(&i) { 0 } else { i as u8 }));
        for byte in &c1 {
            assert_eq!(server.read(&mut [*byte].as_slice(), &mut out), Ok(false));
        }
        assert_eq!(out.len(), CLIENT_BYTES, "S0, S1, S2");
        assert_eq!(out[1537..], c1[1..], "S2 repeats C1");
        let c2 = out[1..1537].to_vec();
        assert_eq!(server.read(&mut c2.as_slice(), &mut out), Ok(true));
    }

    #[test]
    fn a_wrong_version_is_refused_at_the_first_byte_and_named() {
        for (first, what) in [(0x16, "TLS"), (b'G', "HTTP"), (6, "RTMPE"), (0, "not 3")] {
            let mut server = ServerHandshake::default();
            let mut out = BytesMut::new();
            let error = server
                .read(&mut [first, 1, 2].as_slice(), &mut out)
                .expect_err("refused");
            assert!(error.to_string().contains(what), "{error}");
            assert!(out.is_empty());
        }
    }
}

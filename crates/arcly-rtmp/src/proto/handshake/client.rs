//! The client's handshake.

use super::{CLIENT_BYTES, PACKET_BYTES, VERSION};
use crate::{Error, Fault, Location};
use bytes::{BufMut, BytesMut};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};

/// Which handshake a client opens with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeKind {
    /// That of RTMP 1.0 (5.2). Every server takes it.
    #[default]
    Plain,
    /// With the digests of Flash Player 9, which some content delivery networks and Flash Media Servers ask for. A server that
    /// does not know them takes it for a plain one.
    Digest,
}

/// The handshake from the client's side.
///
/// S2 is not compared with C1, as no client does: servers differ in what they echo.
pub(crate) struct ClientHandshake {
    digest: Option<Box<Handshake>>,
    /// What came of S0, S1 and S2.
    received: Vec<u8>,
    answered: bool,
}

impl ClientHandshake {
    /// Starts it: appends C0 and C1 to `out`. `seed` makes the random bytes of a plain C1, which guard nothing.
    pub(crate) fn start(kind: HandshakeKind, seed: u64, out: &mut BytesMut) -> Self {
        let mut digest = None;
        if kind == HandshakeKind::Digest {
            let mut handshake = Box::new(Handshake::new(PeerType::Client));
            if let Ok(opening) = handshake.generate_outbound_p0_and_p1() {
                out.extend_from_slice(&opening);
                digest = Some(handshake);
            }
        }
        if digest.is_none() {
            out.put_u8(VERSION);
            // Time 0, and the zero that tells it from the digest handshake.
            out.put_u64(0);
            random_bytes(seed, PACKET_BYTES - 8, out);
        }
        Self {
            digest,
            received: Vec::new(),
            answered: false,
        }
    }

    /// Takes what belongs to the handshake from `input`, cutting it off, and appends the reply to `out`. True once the
    /// handshake is complete.
    pub(crate) fn read(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<bool, Error> {
        let (head, tail) = input.split_at(input.len().min(CLIENT_BYTES - self.received.len()));
        let at = Location {
            offset: self.received.len() as u64,
            ..Location::default()
        };
        if self.received.is_empty()
            && let Some(&first) = head.first()
            && first != VERSION
        {
            return Err(Fault::Malformed(match first {
                // An alert, or a record of another kind.
                0x15 | 0x16 => "the server speaks TLS: the URL should be rtmps",
                b'H' => "the server speaks HTTP",
                _ => "the server's RTMP version is not 3",
            })
            .at(at));
        }
        self.received.extend_from_slice(head);
        *input = tail;
        if !self.answered
            && self.digest.is_none()
            && let Some(s1) = self.received.get(1..1 + PACKET_BYTES)
        {
            // C2 repeats S1; its second time field is for when that was read, and servers ignore it.
            out.extend_from_slice(s1);
            self.answered = true;
        }
        if let Some(digest) = &mut self.digest
            && !head.is_empty()
        {
            let result = digest
                .process_bytes(head)
                .map_err(|_| Fault::Malformed("the server's handshake packet is invalid").at(at))?;
            let (HandshakeProcessResult::InProgress { response_bytes }
            | HandshakeProcessResult::Completed { response_bytes, .. }) = result;
            out.extend_from_slice(&response_bytes);
        }
        Ok(self.received.len() == CLIENT_BYTES)
    }
}

impl std::fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("digest", &self.digest.is_some())
            .field("received", &self.received.len())
            .finish_non_exhaustive()
    }
}

/// `length` bytes by SplitMix64 (Steele, Lea, Flood 2014).
fn random_bytes(seed: u64, length: usize, out: &mut BytesMut) {
    let mut state = seed;
    for start in (0..length).step_by(8) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let bytes = (mixed ^ (mixed >> 31)).to_be_bytes();
        out.extend(bytes.iter().take(length - start));
    }
}

#[cfg(test)]
mod tests {
    use super::super::ServerHandshake;
    use super::*;

    /// Lets a client and our server talk, `cut` bytes at a time.
    fn talk(kind: HandshakeKind, cut: usize) {
        let (mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new());
        let mut client = ClientHandshake::start(kind, 1, &mut to_server);
        let mut server = ServerHandshake::default();
        let (mut client_done, mut server_done) = (false, false);
        while !(client_done && server_done) {
            assert!(!(to_server.is_empty() && to_client.is_empty()), "both wait");
            let bytes = to_server.split_to(cut.min(to_server.len()));
            server_done |= server.read(&mut &bytes[..], &mut to_client).expect("valid");
            let bytes = to_client.split_to(cut.min(to_client.len()));
            client_done |= client.read(&mut &bytes[..], &mut to_server).expect("valid");
        }
        assert!(to_server.is_empty() && to_client.is_empty());
    }

    #[test]
    fn both_kinds_are_understood_by_our_server_however_cut() {
        for kind in [HandshakeKind::Plain, HandshakeKind::Digest] {
            for cut in [1, 7, 1536, 1537, 4_000] {
                talk(kind, cut);
            }
        }
    }

    #[test]
    fn what_follows_the_handshake_is_left() {
        let mut out = BytesMut::new();
        let mut client = ClientHandshake::start(HandshakeKind::Plain, 1, &mut out);
        assert_eq!(out.len(), 1 + PACKET_BYTES);
        assert_eq!(out[..9], [3, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.clear();
        let mut reply = vec![VERSION];
        reply.extend((0..2 * PACKET_BYTES).map(|i| i as u8));
        reply.extend_from_slice(b"chunks");
        let mut input = reply.as_slice();
        assert_eq!(client.read(&mut input, &mut out), Ok(true));
        assert_eq!(input, b"chunks");
        assert_eq!(out[..], reply[1..1537], "C2 repeats S1");
    }

    #[test]
    fn another_protocol_is_named_at_its_first_byte() {
        for (first, what) in [(0x15, "TLS"), (b'H', "HTTP"), (6, "not 3")] {
            let mut client = ClientHandshake::start(HandshakeKind::Plain, 1, &mut BytesMut::new());
            let error = client.read(&mut [first].as_slice(), &mut BytesMut::new());
            let error = error.expect_err("refused").to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}

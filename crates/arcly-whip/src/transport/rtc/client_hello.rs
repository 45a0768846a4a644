//! Which ways of encrypting media a DTLS client knows, before the handshake begins (RFC 5764 4.1.1).
//!
//! It is for the server to choose among them, and the engine takes the client's first. Browsers name AES-CM with HMAC-SHA1 first, which costs four
//! times as much as AEAD_AES_128_GCM; so the first message is read here, and the engine is told of what is to be chosen alone.

use bytes::{Buf, BytesMut};
use std::collections::BTreeMap;

/// The longest message that is read; browsers with post-quantum keys write 1.5 KiB.
const MAX_BYTES: usize = 8 * 1024;

/// The most datagrams that are held until it is whole.
const MAX_DATAGRAMS: usize = 8;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const RECORD_HEADER_BYTES: usize = 13;
const FRAGMENT_HEADER_BYTES: usize = 12;
const EXTENSION_USE_SRTP: u16 = 14;

/// The first message of a client, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct ClientHello {
    fragments: BTreeMap<usize, Vec<u8>>,
    datagrams: Vec<BytesMut>,
}

/// What a datagram has brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to come.
    Incomplete,
    /// The message can be read: the numbers of the profiles that the client knows, as far as it has any; and the datagrams, for the engine.
    Complete(Vec<u16>, Vec<BytesMut>),
}

impl ClientHello {
    /// A datagram has come before anything was shown to the engine. What cannot be read is for the engine to refuse.
    pub(super) fn on_datagram(&mut self, datagram: BytesMut) -> Progress {
        let length = self.add(&datagram);
        self.datagrams.push(datagram);
        let body = length.map(|length| self.body(length));
        match body {
            Some(None) if self.datagrams.len() < MAX_DATAGRAMS => Progress::Incomplete,
            body => {
                let profiles = body.flatten().and_then(|body| profiles(&body));
                let held = std::mem::take(&mut self.datagrams);
                Progress::Complete(profiles.unwrap_or_default(), held)
            }
        }
    }

    /// Takes the fragments of a datagram; the length of the message. `None` where it is none, or is too long.
    fn add(&mut self, datagram: &[u8]) -> Option<usize> {
        let (header, rest) = datagram.split_first_chunk::<RECORD_HEADER_BYTES>()?;
        let [HANDSHAKE, _, _, 0, 0, .., l0, l1] = *header else {
            return None;
        };
        let record = rest.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
        let (header, rest) = record.split_first_chunk::<FRAGMENT_HEADER_BYTES>()?;
        let [CLIENT_HELLO, m0, m1, m2, _, _, o0, o1, o2, f0, f1, f2] = *header else {
            return None;
        };
        let number = |high, middle, low| u32::from_be_bytes([0, high, middle, low]) as usize;
        let (length, offset) = (number(m0, m1, m2), number(o0, o1, o2));
        let fragment = rest.get(..number(f0, f1, f2))?;
        if length > MAX_BYTES || offset + fragment.len() > length {
            return None;
        }
        self.fragments.insert(offset, fragment.to_vec());
        Some(length)
    }

    /// The whole message, once all of it has come.
    fn body(&self, length: usize) -> Option<Vec<u8>> {
        let mut body = Vec::with_capacity(length);
        for (offset, fragment) in &self.fragments {
            // Fragments may overlap where they were sent again.
            let known = body.len().checked_sub(*offset)?;
            body.extend_from_slice(fragment.get(known..).unwrap_or_default());
        }
        (body.len() == length).then_some(body)
    }
}

/// The profiles of `use_srtp` (RFC 5764 4.1.1) in the body of a ClientHello (RFC 6347 4.2.1).
fn profiles(mut hello: &[u8]) -> Option<Vec<u16>> {
    // Version and random.
    hello = hello.get(34..)?;
    for bytes_of_length in [1, 1, 2, 1] {
        // Session, cookie, cipher suites, compression methods.
        let length = hello.try_get_uint(bytes_of_length).ok()? as usize;
        hello = hello.get(length..)?;
    }
    let length = usize::from(hello.try_get_u16().ok()?);
    let mut extensions = hello.get(..length)?;
    while extensions.has_remaining() {
        let extension = extensions.try_get_u16().ok()?;
        let length = usize::from(extensions.try_get_u16().ok()?);
        let (mut data, rest) = extensions.split_at_checked(length)?;
        extensions = rest;
        if extension == EXTENSION_USE_SRTP {
            let length = usize::from(data.try_get_u16().ok()?);
            let pairs = data.get(..length)?.chunks_exact(2);
            return Some(
                pairs
                    .filter_map(|pair| pair.first_chunk().copied().map(u16::from_be_bytes))
                    .collect(),
            );
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message with these profiles behind another extension.
    fn hello(profiles: &[u16]) -> Vec<u8> {
        let mut hello = vec![0xfe, 0xfd];
        hello.extend_from_slice(&[7; 32]);
        hello.extend_from_slice(&[0, 2, 9, 9, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
        let list = profiles.len() as u8 * 2;
        hello.extend_from_slice(&[
            0,
            list + 7 + 6,
            0,
            10,
            0,
            2,
            0,
            0,
            0,
            14,
            0,
            list + 3,
            0,
            list,
        ]);
        for profile in profiles {
            hello.extend_from_slice(&profile.to_be_bytes());
        }
        hello.push(0);
        hello
    }

    fn datagram(message: &[u8], offset: usize, length: usize) -> BytesMut {
        let number = |number: usize| [(number >> 8) as u8, number as u8];
        let mut datagram = vec![HANDSHAKE, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        datagram.extend_from_slice(&number(FRAGMENT_HEADER_BYTES + length));
        datagram.extend_from_slice(&[CLIENT_HELLO, 0]);
        datagram.extend_from_slice(&number(message.len()));
        datagram.extend_from_slice(&[0, 0, 0]);
        datagram.extend_from_slice(&number(offset));
        datagram.push(0);
        datagram.extend_from_slice(&number(length));
        datagram.extend_from_slice(&message[offset..offset + length]);
        datagram[..].into()
    }

    #[test]
    fn profiles_are_read_whatever_the_fragments() {
        let message = hello(&[1, 8, 7]);
        let whole = datagram(&message, 0, message.len());
        let complete = Progress::Complete(vec![1, 8, 7], vec![whole.clone()]);
        assert_eq!(ClientHello::default().on_datagram(whole), complete);

        let mut parts = ClientHello::default();
        let (last, first) = (
            datagram(&message, 30, message.len() - 30),
            datagram(&message, 0, 40),
        );
        assert_eq!(parts.on_datagram(last.clone()), Progress::Incomplete);
        assert_eq!(parts.on_datagram(last.clone()), Progress::Incomplete);
        let all = vec![last.clone(), last, first.clone()];
        assert_eq!(
            parts.on_datagram(first),
            Progress::Complete(vec![1, 8, 7], all)
        );
    }

    #[test]
    fn what_cannot_be_read_is_passed_on() {
        let mut cut = ClientHello::default();
        let message = hello(&[7]);
        let begin = datagram(&message, 0, 20);
        for _ in 1..MAX_DATAGRAMS {
            assert_eq!(cut.on_datagram(begin.clone()), Progress::Incomplete);
        }
        let all = vec![begin.clone(); MAX_DATAGRAMS];
        assert_eq!(cut.on_datagram(begin), Progress::Complete(vec![], all));
        let noise = BytesMut::from(&[HANDSHAKE, 1, 2][..]);
        let passed = Progress::Complete(vec![], vec![noise.clone()]);
        assert_eq!(ClientHello::default().on_datagram(noise), passed);
    }

    proptest! {
        #[test]
        fn noise_is_read_without_panic_and_bounded(
            noise in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..200)), 0..20)
        ) {
            let mut hello = ClientHello::default();
            for (as_message, bytes) in noise {
                let _ = profiles(&bytes);
                let datagram = if as_message { datagram(&bytes, 0, bytes.len()) } else { bytes[..].into() };
                let _ = hello.on_datagram(datagram);
                prop_assert!(hello.datagrams.len() <= MAX_DATAGRAMS);
            }
        }
    }
}

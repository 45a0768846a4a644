//! The floor: a program that does nothing but encrypt the same packets for as many viewers and send them, one segmented send a frame and viewer.
//! What it costs is what AES and the kernel cost; a server can only come near.

use super::media::{Source, Unit};
use arcly_core::net::udp::{UdpBatch, UdpPort};
use rtc_crypto::{AeadAlgorithm, AeadCipher, default_provider};
use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use tokio::time::{Instant, sleep_until};

/// A packet as the server makes them: 12 bytes of RTP, 12 of header extensions, and a tag of 16.
const HEADER_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// What a packet carries of a picture: 1 200 bytes with RTP's header, less the header of a fragment (RFC 6184 5.8).
const FRAGMENT_BYTES: usize = 1_200 - 12 - 2;

/// A viewer, by where it is and its key.
struct Viewer {
    address: SocketAddr,
    cipher: Box<dyn AeadCipher>,
    sequence: u64,
}

/// Waits until a datagram has come from each of so many viewers, then sends them the stream for ever.
///
/// # Errors
/// Where the port fails.
pub async fn run(port: &UdpPort, viewers: usize) -> io::Result<()> {
    let mut known = HashSet::new();
    let mut batch = UdpBatch::new(16);
    while known.len() < viewers {
        port.recv(&mut batch).await?;
        known.extend(batch.datagrams().map(|datagram| datagram.from));
    }
    let provider = default_provider().map_err(io::Error::other)?;
    let mut viewers = Vec::new();
    for (number, address) in known.into_iter().enumerate() {
        let key = [number as u8; 16];
        let cipher = provider.crypto().new_aead(AeadAlgorithm::Aes128Gcm, &key);
        viewers.push(Viewer {
            address,
            cipher: cipher.map_err(io::Error::other)?,
            sequence: 0,
        });
    }
    let start = Instant::now();
    let mut out = Vec::new();
    for unit in Source::default() {
        sleep_until(start + unit.due).await;
        let (payload, lengths) = packets(unit);
        for viewer in &mut viewers {
            out.clear();
            let mut rest = &payload[..];
            for length in &lengths {
                let (packet, after) = rest.split_at(*length);
                rest = after;
                viewer.seal(packet, &mut out)?;
            }
            let segment = lengths.first().map_or(0, |length| length + TAG_BYTES);
            // A full socket loses it, as the server's does.
            let _ = port.try_send(viewer.address, None, segment, &out);
        }
    }
    Ok(())
}

impl Viewer {
    fn seal(&mut self, packet: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let start = out.len();
        out.extend_from_slice(packet);
        self.sequence += 1;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.sequence.to_be_bytes());
        let (header, body) = out[start..].split_at_mut(HEADER_BYTES);
        let mut tag = [0; TAG_BYTES];
        self.cipher
            .seal_in_place(&nonce, header, body, &mut tag)
            .map_err(io::Error::other)?;
        out.extend_from_slice(&tag);
        Ok(())
    }
}

/// The packets of a frame back to back, not encrypted, and how long each is.
fn packets(unit: Unit) -> (Vec<u8>, Vec<usize>) {
    let frame = unit.to_frame();
    let mut bytes = Vec::new();
    let mut lengths = Vec::new();
    let body = match unit.is_picture {
        // The length before the NAL unit, and its header, which fragments carry in theirs.
        true => frame.payload.get(5..).unwrap_or_default(),
        false => &frame.payload[..],
    };
    for fragment in body.chunks(FRAGMENT_BYTES) {
        let start = bytes.len();
        // Media, as the viewers tell it from what keeps ways open (RFC 7983).
        bytes.extend_from_slice(&[0x90; HEADER_BYTES]);
        if unit.is_picture {
            bytes.extend_from_slice(&[0x7c, 0x05]);
        }
        bytes.extend_from_slice(fragment);
        lengths.push(bytes.len() - start);
    }
    (bytes, lengths)
}

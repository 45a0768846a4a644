//! MPEG audio, `MPA` (RFC 2250 3.5), of layer III.
//!
//! The layers share one payload type and name; the bus knows only MP3, so layers I and II are refused both ways. The form that is robust to loss
//! (`mpa-robust`, RFC 5219) is another format.

use super::{AccessUnit, Depacketizer, MIN_PAYLOAD_BYTES, Packetizer, Payload};
use crate::{Result, RtpError, RtpPacket};
use arcly_codec::mpeg_audio::{Layer, MpegAudioHeader};
use bytes::{Buf, Bytes, BytesMut};

const WHAT: &str = "MPEG audio payload";

/// The rate of the timestamps in Hz (RFC 3551 6, table 5).
const CLOCK_RATE: u64 = 90_000;

/// Before the audio: 16 bits of zero, and where in its frame it begins.
const HEADER_BYTES: usize = 4;

/// Takes frames out of packets: whole ones, of which a packet may hold several, and fragments. Whole ones are slices. There is no config.
///
/// A frame ends where its own header says, [`MAX_FRAME_BYTES`](arcly_codec::mpeg_audio::MAX_FRAME_BYTES) at most; so a frame with a
/// fragment missing never comes out.
#[derive(Debug, Default)]
pub struct Mp3Depacketizer {
    /// What came of a fragmented frame, its whole length and its timestamp.
    open: Option<(BytesMut, usize, u32)>,
    behind_gap: bool,
}

impl Mp3Depacketizer {
    /// At the start of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            open: None,
            behind_gap: true,
        }
    }

    fn push_frames(
        &mut self,
        timestamp: u32,
        mut rest: Bytes,
        units: &mut Vec<AccessUnit>,
    ) -> Result<()> {
        self.open = None;
        self.behind_gap = false;
        let mut samples = 0;
        while !rest.is_empty() {
            let header = read_header(&rest)?;
            let ticks = samples * CLOCK_RATE / u64::from(header.sample_rate.max(1));
            // Wraps as timestamps do.
            let time = timestamp.wrapping_add(ticks as u32);
            let length = header.frame_bytes();
            if length > rest.len() {
                self.open = Some((BytesMut::from(&rest[..]), length, time));
                break;
            }
            units.push(AccessUnit::new(time, rest.split_to(length)));
            samples += u64::from(header.samples());
        }
        Ok(())
    }

    fn push_fragment(
        &mut self,
        offset: usize,
        fragment: &[u8],
        units: &mut Vec<AccessUnit>,
    ) -> Result<()> {
        match self.open.take() {
            Some((mut data, length, time)) if data.len() == offset => {
                data.extend_from_slice(fragment);
                if data.len() > length {
                    return Err(RtpError::malformed(WHAT, "fragments exceed their frame"));
                }
                if data.len() < length {
                    self.open = Some((data, length, time));
                } else {
                    units.push(AccessUnit::new(time, data.freeze()));
                }
                Ok(())
            }
            _ if self.behind_gap => Ok(()),
            _ => Err(RtpError::malformed(WHAT, "a fragment that does not follow")),
        }
    }
}

fn read_header(frame: &[u8]) -> Result<MpegAudioHeader> {
    let header = MpegAudioHeader::parse(frame)?;
    let layer = match header.layer {
        Layer::III => return Ok(header),
        Layer::II => 2,
        Layer::I => 1,
    };
    Err(RtpError::Unsupported {
        what: "MPEG audio layer",
        value: layer,
    })
}

impl Depacketizer for Mp3Depacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        let mut payload = packet.payload.clone();
        if payload.is_empty() {
            return Ok(());
        }
        if payload.len() < HEADER_BYTES {
            self.open = None;
            return Err(RtpError::malformed(WHAT, "truncated"));
        }
        payload.advance(2);
        match payload.get_u16() {
            0 => self.push_frames(packet.header.timestamp, payload, units),
            offset => self.push_fragment(offset.into(), &payload, units),
        }
    }

    fn lost(&mut self) {
        self.open = None;
        self.behind_gap = true;
    }
}

/// Sends each frame in a packet, or in fragments of the same length but the last; payloads are slices. The marker is never set.
#[derive(Debug)]
pub struct Mp3Packetizer {
    max_payload: usize,
}

impl Mp3Packetizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(max_payload: usize) -> Self {
        Self {
            max_payload: max_payload.max(MIN_PAYLOAD_BYTES),
        }
    }
}

impl Packetizer for Mp3Packetizer {
    /// # Errors
    /// [`RtpError::Codec`] where the header of the frame cannot be read; [`RtpError::Unsupported`] for layers I and II;
    /// [`RtpError::Malformed`] where the frame is shorter or longer than its header says.
    fn packetize(
        &mut self,
        data: &Bytes,
        _keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        if read_header(data)?.frame_bytes() != data.len() {
            return Err(RtpError::malformed("MPEG audio frame", "of another length"));
        }
        let mut rest = data.clone();
        while !rest.is_empty() {
            // Frames are below 2^16 bytes.
            let offset = (data.len() - rest.len()) as u16;
            let [high, low] = offset.to_be_bytes();
            let body = rest.split_to((self.max_payload - HEADER_BYTES).min(rest.len()));
            payloads.push(Payload::new(&[0, 0, high, low], body));
        }
        Ok(())
    }
}

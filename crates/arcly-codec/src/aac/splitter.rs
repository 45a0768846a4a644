//! Cutting an ADTS byte stream (an `.aac` file, the elementary stream of MPEG-TS) into frames.

use super::adts::Fields;
use super::{ADTS_HEADER_BYTES, AdtsHeader, AudioSpecificConfig, ChannelLayout, ProgramConfig};
use crate::bits::Bits;
use crate::{CodecError, Result};
use bytes::{Buf, Bytes, BytesMut};

/// `id_syn_ele` of a program config element (Table 4.85).
const ID_PCE: u32 = 5;

/// One frame of an ADTS stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdtsFrame {
    /// Its header.
    pub header: AdtsHeader,
    /// The raw data block, which is what the bus carries.
    pub payload: Bytes,
}

impl AdtsFrame {
    /// The config of the stream as far as one frame tells: object type, rate and channels; SBR and PS are
    /// [`Implicit`](super::SbrSignalling::Implicit). With `channel_configuration` 0 the layout is read from the
    /// program config element at the start of the payload.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where that element is missing or cut off: not every frame carries it.
    pub fn config(&self) -> Result<AudioSpecificConfig> {
        let AdtsHeader {
            object_type,
            sample_rate,
            channel_configuration,
            ..
        } = self.header;
        if channel_configuration != 0 {
            return AudioSpecificConfig::new(object_type, sample_rate, channel_configuration);
        }
        let mut bits = Bits::new("ADTS raw data block", &self.payload);
        if bits.read::<3>("id_syn_ele")? != ID_PCE {
            return bits.malformed(
                "id_syn_ele",
                "no program config element, and channel_configuration is 0",
            );
        }
        let program = ProgramConfig::read(&mut bits)?;
        Ok(AudioSpecificConfig::with_layout(
            object_type,
            sample_rate,
            ChannelLayout::Program(Box::new(program)),
        ))
    }
}

/// Cuts a byte stream, which may arrive in any pieces, into ADTS frames.
///
/// Call [`push`](Self::push) with each piece, then [`next_frame`](Self::next_frame) until it returns `None`; at the
/// end of the input [`finish`](Self::finish), and `next_frame` again.
///
/// **Synchronisation.** The first frame is taken where its header is valid and the next one stands right behind it with
/// the same object type and rate, or where the input ends there. From then on a frame is taken as soon as it is whole, as
/// long as nothing behind it contradicts. Anything else is skipped byte by byte and counted in
/// [`skipped_bytes`](Self::skipped_bytes), so that a syncword within the audio (12 bits that occur by chance) is not
/// taken for a frame.
///
/// Memory: what was pushed and not taken yet; at most a frame and a header,
/// [`MAX_ADTS_FRAME_BYTES`](super::MAX_ADTS_FRAME_BYTES) + 7, once `next_frame` has returned `None`.
///
/// ```
/// use arcly_codec::aac::{AdtsHeader, AdtsSplitter, AudioSpecificConfig};
///
/// let config = AudioSpecificConfig::parse(&[0x12, 0x10])?;
/// let mut splitter = AdtsSplitter::new();
/// splitter.push(b"noise");
/// splitter.push(&AdtsHeader::for_payload(&config, 4)?.to_bytes()?);
/// splitter.push(b"data");
/// splitter.finish();
/// let frame = splitter.next_frame()?.expect("a frame");
/// assert_eq!((&frame.payload[..], splitter.skipped_bytes()), (&b"data"[..], 5));
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct AdtsSplitter {
    buffer: BytesMut,
    /// The fixed part of the frame that ended where the buffer starts.
    locked: Option<[u8; 3]>,
    finished: bool,
    skipped: u64,
}

/// What stands at the start of the buffer.
enum Found {
    Frame { header: AdtsHeader, blocks: u8 },
    Noise,
    Incomplete,
}

impl AdtsSplitter {
    /// Nothing buffered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends input. It is copied, so that frames pin no buffer of the caller's.
    pub fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// Says that no more input comes: the last frame need not be followed by another one.
    pub const fn finish(&mut self) {
        self.finished = true;
    }

    /// How many bytes belonged to no frame so far.
    #[must_use]
    pub const fn skipped_bytes(&self) -> u64 {
        self.skipped
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`] where a frame has several raw data blocks; it is skipped, and the next call goes
    /// on behind it.
    pub fn next_frame(&mut self) -> Result<Option<AdtsFrame>> {
        loop {
            match self.look() {
                Found::Frame { header, blocks } => {
                    self.locked = fixed_part(&self.buffer);
                    let mut frame = self.buffer.split_to(header.frame_bytes);
                    if blocks > 1 {
                        self.skipped += header.frame_bytes as u64;
                        return Err(CodecError::Unsupported {
                            what: "ADTS frame with several raw data blocks",
                            value: blocks.into(),
                        });
                    }
                    frame.advance(header.header_bytes());
                    return Ok(Some(AdtsFrame {
                        header,
                        payload: frame.freeze(),
                    }));
                }
                Found::Noise => {
                    self.locked = None;
                    // On to the next byte that a syncword can begin with.
                    let skip = self.buffer.iter().skip(1).position(|&byte| byte == 0xff);
                    let skip = skip.map_or(self.buffer.len(), |at| at + 1);
                    self.skipped += skip as u64;
                    self.buffer.advance(skip);
                }
                Found::Incomplete => return Ok(None),
            }
        }
    }

    fn look(&self) -> Found {
        let missing = if self.finished && !self.buffer.is_empty() {
            Found::Noise
        } else {
            Found::Incomplete
        };
        match self.buffer[..] {
            [] | [0xff] => return missing,
            [0xff, second, ..] if second & 0xf6 == 0xf0 => {}
            _ => return Found::Noise,
        }
        // A header with CRC has two bytes more, which may still be missing.
        let crc_missing =
            self.buffer.get(1).is_some_and(|flags| flags & 1 == 0) && self.buffer.len() < 9;
        if self.buffer.len() < ADTS_HEADER_BYTES || crc_missing {
            return missing;
        }
        let Ok(Fields { header, blocks }) = Fields::parse(&self.buffer) else {
            return Found::Noise;
        };
        if self.buffer.len() < header.frame_bytes {
            return missing;
        }
        let behind = self.buffer.get(header.frame_bytes..).unwrap_or_default();
        let fixed = fixed_part(&self.buffer);
        match fixed_part(behind) {
            Some(next) if Some(next) == fixed => Found::Frame { header, blocks },
            Some(_) => Found::Noise,
            // The input ends right behind the frame, or within the next header.
            None if self.finished || self.locked == fixed => Found::Frame { header, blocks },
            None => Found::Incomplete,
        }
    }
}

/// What must not change within a stream of a header: syncword, `ID`, layer, profile, rate. `None` where there are too
/// few bytes to tell.
fn fixed_part(header: &[u8]) -> Option<[u8; 3]> {
    // Whether there is a CRC (the lowest bit of the second byte) may change, as may the private bit and the channels.
    header
        .first_chunk()
        .map(|&[sync, flags, profile]| [sync, flags & 0xfe, profile & 0xfc])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "test data of known length")]

    use super::*;
    use crate::aac::AudioObjectType;
    use proptest::prelude::*;

    fn stream(payloads: &[Vec<u8>]) -> Vec<u8> {
        let config =
            AudioSpecificConfig::new(AudioObjectType::LowComplexity, 48_000, 2).expect("valid");
        payloads.iter().fold(Vec::new(), |mut out, payload| {
            let header = AdtsHeader::for_payload(&config, payload.len()).expect("fits");
            out.extend_from_slice(&header.to_bytes().expect("valid"));
            out.extend_from_slice(payload);
            out
        })
    }

    fn drain(splitter: &mut AdtsSplitter) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| splitter.next_frame().expect("one block a frame"))
            .map(|f| f.payload.to_vec())
            .collect()
    }

    #[test]
    fn a_syncword_within_a_frame_is_not_a_frame() {
        // The payload looks like the header of a frame of 16 bytes, behind which nothing follows.
        let mut fake = vec![0xff, 0xf1, 0x4c, 0x80, 0x02, 0x1f, 0xfc];
        fake.resize(40, 0x55);
        let bytes = stream(&[fake.clone(), vec![1; 20], vec![2; 20]]);
        let mut splitter = AdtsSplitter::new();
        // Joining in the middle: the first header is lost.
        splitter.push(&bytes[ADTS_HEADER_BYTES..]);
        splitter.finish();
        assert_eq!(drain(&mut splitter), [vec![1; 20], vec![2; 20]]);
        assert_eq!(splitter.skipped_bytes(), 40);
    }

    #[test]
    fn several_raw_data_blocks_are_refused_and_skipped() {
        let mut bytes = stream(&[vec![1; 20], vec![2; 20], vec![3; 20]]);
        bytes[27 + 6] |= 1;
        let mut splitter = AdtsSplitter::new();
        splitter.push(&bytes);
        splitter.finish();
        assert_eq!(
            splitter
                .next_frame()
                .expect("plain")
                .expect("whole")
                .payload,
            vec![1; 20]
        );
        let refused = CodecError::Unsupported {
            what: "ADTS frame with several raw data blocks",
            value: 2,
        };
        assert_eq!(splitter.next_frame(), Err(refused));
        assert_eq!(
            splitter
                .next_frame()
                .expect("plain")
                .expect("whole")
                .payload,
            vec![3; 20]
        );
        assert_eq!(splitter.skipped_bytes(), 27);
    }

    #[test]
    fn once_in_step_a_frame_comes_out_without_waiting_for_the_next() {
        let bytes = stream(&[vec![1; 20], vec![2; 20]]);
        let mut splitter = AdtsSplitter::new();
        splitter.push(&bytes[..27]);
        assert_eq!(drain(&mut splitter), Vec::<Vec<u8>>::new());
        splitter.push(&bytes[27..]);
        assert_eq!(drain(&mut splitter), [vec![1; 20], vec![2; 20]]);
    }

    #[test]
    fn a_cut_off_frame_at_the_end_is_dropped() {
        let bytes = stream(&[vec![1; 20], vec![2; 20]]);
        let mut splitter = AdtsSplitter::new();
        splitter.push(&bytes[..bytes.len() - 1]);
        splitter.finish();
        assert_eq!(drain(&mut splitter), [vec![1; 20]]);
        assert_eq!(splitter.skipped_bytes(), 26);
    }

    proptest! {
        #[test]
        fn frames_come_out_however_the_input_is_cut(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 1..8),
            piece in 1_usize..100,
        ) {
            let mut splitter = AdtsSplitter::new();
            let mut out = Vec::new();
            for piece in stream(&payloads).chunks(piece) {
                splitter.push(piece);
                out.extend(drain(&mut splitter));
            }
            splitter.finish();
            out.extend(drain(&mut splitter));
            prop_assert_eq!(out, payloads);
            prop_assert_eq!(splitter.skipped_bytes(), 0);
        }

        #[test]
        fn any_bytes_are_frames_or_skipped(data in prop::collection::vec(any::<u8>(), 0..2000), piece in 1_usize..500) {
            let mut splitter = AdtsSplitter::new();
            let mut taken = 0;
            for piece in data.chunks(piece).map(Some).chain([None]) {
                match piece {
                    Some(piece) => splitter.push(piece),
                    None => splitter.finish(),
                }
                loop {
                    match splitter.next_frame() {
                        Ok(Some(frame)) => taken += frame.header.frame_bytes,
                        Ok(None) => break,
                        Err(_) => {}
                    }
                }
            }
            prop_assert_eq!(taken as u64 + splitter.skipped_bytes(), data.len() as u64);
        }
    }
}

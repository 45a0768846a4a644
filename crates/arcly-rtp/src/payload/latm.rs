//! AAC as `MP4A-LATM` (RFC 6416 6): an AudioMuxElement in one packet or several, with its config in band or not.

use super::fragments::{Fragments, Progress};
use super::{AccessUnit, Depacketizer, MAX_HEAD_BYTES, MIN_PAYLOAD_BYTES, Packetizer, Payload};
use crate::{Result, RtpError, RtpPacket};
use arcly_codec::aac::AudioSpecificConfig;
use arcly_codec::aac::latm::{FrameLength, LatmReader, LatmWriter, MuxElement, StreamMuxConfig};
use bytes::Bytes;

const WHAT: &str = "MP4A-LATM payload";

/// Bytes of zero that stand for what GStreamer's payloader leaves out of its `config`: all behind the AudioSpecificConfig, which is then of coded
/// lengths and without other data.
const LEFT_OUT_BYTES: usize = 3;

/// Reads the StreamMuxConfig of a session description.
///
/// # Errors
/// [`RtpError::Codec`] as for [`StreamMuxConfig::parse`].
pub(super) fn read_mux_config(config: &[u8]) -> Result<StreamMuxConfig> {
    let read = StreamMuxConfig::parse(config);
    if read.is_ok() {
        return Ok(read?);
    }
    let filled = [config, &[0; LEFT_OUT_BYTES]].concat();
    Ok(StreamMuxConfig::parse(&filled).or(read)?)
}

/// Takes AAC access units out of AudioMuxElements.
///
/// The config, an AudioSpecificConfig, comes with the first one and wherever it changes. Access units before it are dropped. Elements end at the
/// marker or where the timestamp changes. Nothing tells where one begins: behind a gap the rest up to the next end is dropped, but where no
/// element of the stream ever took more than a packet. Limit:
/// [`MAX_ACCESS_UNIT_BYTES`](super::MAX_ACCESS_UNIT_BYTES) an element.
#[derive(Debug)]
pub struct LatmDepacketizer {
    reader: LatmReader,
    clock_rate: u32,
    in_band: bool,
    /// Packets came without the marker.
    is_fragmented: bool,
    progress: Progress,
    /// The element may have lost its beginning.
    is_doubtful: bool,
    fragments: Fragments,
    config: Option<Bytes>,
}

impl LatmDepacketizer {
    /// For a stream with its config in band (`cpresent=1`, which holds where nothing is said).
    #[must_use]
    pub fn in_band(clock_rate: u32) -> Self {
        Self {
            reader: LatmReader::in_band(),
            clock_rate,
            in_band: true,
            is_fragmented: false,
            progress: Progress::Unknown,
            is_doubtful: false,
            fragments: Fragments::default(),
            config: None,
        }
    }

    /// For a stream with this StreamMuxConfig in its session description (`cpresent=0`).
    ///
    /// # Errors
    /// [`RtpError::Codec`] where it cannot be read.
    pub fn out_of_band(mux_config: &[u8], clock_rate: u32) -> Result<Self> {
        let config = read_mux_config(mux_config)?;
        Ok(Self {
            config: Some(config.audio.to_bytes()?),
            reader: LatmReader::out_of_band(config),
            in_band: false,
            ..Self::in_band(clock_rate)
        })
    }

    fn push_payload(&mut self, packet: &RtpPacket) -> Result<()> {
        if packet.payload.is_empty() {
            return Ok(());
        }
        let timestamp = packet.header.timestamp;
        let marker = packet.header.marker;
        match self.progress {
            Progress::Unknown if self.is_fragmented || !marker => {
                self.progress = Progress::Skipping(timestamp);
            }
            Progress::Unknown => {
                self.is_doubtful = true;
                self.progress = Progress::Open(timestamp);
            }
            Progress::Idle => self.progress = Progress::Open(timestamp),
            Progress::Open(_) | Progress::Skipping(_) => {}
        }
        self.is_fragmented |= !marker;
        if matches!(self.progress, Progress::Open(_)) {
            self.fragments.push(packet.payload.clone())?;
        }
        Ok(())
    }

    fn end(&mut self, units: &mut Vec<AccessUnit>) -> Result<()> {
        let progress = std::mem::replace(&mut self.progress, Progress::Idle);
        let is_doubtful = std::mem::take(&mut self.is_doubtful);
        let element = self.fragments.take();
        let Progress::Open(timestamp) = progress else {
            return Ok(());
        };
        if element.is_empty() {
            return Ok(());
        }
        let mut reader = self.reader.clone();
        let read = match reader.read(&element) {
            Ok(read) if is_doubtful && !self.fills(&element, &read, &reader) => return Ok(()),
            Ok(read) => read,
            Err(_) if is_doubtful => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.reader = reader;
        let Some(config) = self.reader.config() else {
            return Ok(());
        };
        if read.config_changed {
            self.config = Some(config.audio.to_bytes()?);
        }
        let ticks = super::aac::frame_ticks(&config.audio, self.clock_rate);
        let mut time = timestamp;
        for data in read.access_units {
            if !data.is_empty() {
                let mut unit = AccessUnit::new(time, data);
                unit.config = self.config.take();
                units.push(unit);
            }
            // Wraps as timestamps do.
            time = time.wrapping_add(ticks as u32);
        }
        Ok(())
    }

    /// Whether the access units account for the whole element, as they do but by chance not where its beginning is missing. One that carries
    /// its config is taken to be whole.
    fn fills(&self, element: &[u8], read: &MuxElement, reader: &LatmReader) -> bool {
        let starts_with_config =
            self.in_band && element.first().is_some_and(|byte| byte & 0x80 == 0);
        let Some(config) = reader.config() else {
            return false;
        };
        let sizes = read
            .access_units
            .iter()
            .map(|unit| match config.frame_length {
                FrameLength::Coded { .. } => unit.len() + unit.len() / 255 + 1,
                _ => unit.len(),
            });
        starts_with_config || sizes.sum::<usize>() + usize::from(self.in_band) == element.len()
    }
}

impl Depacketizer for LatmDepacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        let timestamp = packet.header.timestamp;
        let ended = match self.progress {
            Progress::Open(open) | Progress::Skipping(open) if open != timestamp => self.end(units),
            _ => Ok(()),
        };
        let pushed = self.push_payload(packet);
        if pushed.is_err() {
            self.fragments.clear();
            self.progress = Progress::Skipping(timestamp);
        }
        let marked = if packet.header.marker {
            self.end(units)
        } else {
            Ok(())
        };
        ended.and(pushed).and(marked)
    }

    fn lost(&mut self) {
        self.fragments.clear();
        self.progress = Progress::Unknown;
        self.is_doubtful = false;
    }
}

/// Sends each access unit in an AudioMuxElement, in one packet or several of the same length but the last.
///
/// Out of band, payloads are slices; in band each element has the config, so that receivers can join anywhere, and is not on whole bytes:
/// it is copied.
#[derive(Debug)]
pub struct LatmPacketizer {
    in_band: bool,
    max_payload: usize,
    writer: Option<LatmWriter>,
}

/// The longest access unit whose length fits into a head out of band, in bytes.
pub const MAX_LATM_BYTES: usize = MAX_HEAD_BYTES * 255 - 1;

impl LatmPacketizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(in_band: bool, max_payload: usize) -> Self {
        Self {
            in_band,
            max_payload: max_payload.max(MIN_PAYLOAD_BYTES),
            writer: None,
        }
    }

    /// The StreamMuxConfig that a receiver needs out of band, of this AudioSpecificConfig: `config` of the session description.
    ///
    /// # Errors
    /// [`RtpError::Codec`] where the config cannot be read or written.
    pub fn mux_config(config: &[u8]) -> Result<Bytes> {
        let audio = AudioSpecificConfig::parse(config)?;
        Ok(StreamMuxConfig::new(audio).to_bytes()?)
    }
}

impl Packetizer for LatmPacketizer {
    /// # Errors
    /// [`RtpError::LimitExceeded`] for more than [`MAX_LATM_BYTES`]; [`RtpError::Malformed`] in band, before a config is set.
    fn packetize(
        &mut self,
        data: &Bytes,
        _keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        if data.len() > MAX_LATM_BYTES {
            return Err(RtpError::LimitExceeded {
                what: "bytes of an AAC access unit in LATM",
                max: MAX_LATM_BYTES,
            });
        }
        let mut head = [0xff; MAX_HEAD_BYTES];
        let mut head_bytes = 0;
        let mut rest = data.clone();
        if self.in_band {
            let Some(writer) = &self.writer else {
                return Err(RtpError::malformed(WHAT, "no config is set"));
            };
            rest = writer.element(&[data], true)?;
        } else {
            // PayloadLengthInfo: bytes that are added up, of which the last one is not 255.
            head_bytes = data.len() / 255 + 1;
            if let Some(last) = head.get_mut(head_bytes - 1) {
                *last = (data.len() % 255) as u8;
            }
        }
        loop {
            let body = rest.split_to((self.max_payload - head_bytes).min(rest.len()));
            let head = head.get(..head_bytes).unwrap_or_default();
            payloads.push(Payload::new(head, body).with_marker(rest.is_empty()));
            head_bytes = 0;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Takes an AudioSpecificConfig.
    ///
    /// # Errors
    /// [`RtpError::Codec`] where it cannot be read or written.
    fn set_config(&mut self, config: &Bytes) -> Result<()> {
        let audio = AudioSpecificConfig::parse(config)?;
        self.writer = Some(LatmWriter::in_band(StreamMuxConfig::new(audio))?);
        Ok(())
    }
}

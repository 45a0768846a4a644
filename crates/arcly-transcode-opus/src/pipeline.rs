//! The work itself, without threads: access units in, packets out.

use crate::decoder::{Decoder, Format, UNIT_SAMPLES};
use crate::encoder::{Encoder, OPUS_RATE, PACKET_SAMPLES};
use crate::resampler::Resampler;
use crate::timeline::{Step, Timeline};
use arcly_core::transcode::TranscodeRefused;
use arcly_core::{CodecId, MediaFrame, TimeDelta, Timestamp, TrackId};
use std::collections::VecDeque;

/// The longest access unit that is decoded, in bytes: 6 144 bits a channel (ISO/IEC 14496-3 4.5.3.1), for the eight that a config can have.
pub const MAX_FRAME_BYTES: usize = 6_144;

/// Transcodes one track of AAC-LC. Sans-IO: [`push`](Self::push) does the work of a frame, in some 1 ms; [`pull`](Self::pull) gives out what is
/// done. A packet has 20 ms; its timestamp is when its sound is to be heard, the delay of the encoder taken off.
pub struct Pipeline {
    track: TrackId,
    decoder: Decoder,
    timeline: Timeline,
    resampler: Resampler,
    encoder: Encoder,
    /// At the source's rate, interleaved as all of these.
    decoded: Vec<f32>,
    unresampled: Vec<f32>,
    /// At 48 kHz.
    unencoded: Vec<f32>,
    /// How many samples of a channel are to be left out of what is decoded.
    dropping: usize,
    /// When the first of `unencoded` is heard.
    run: Run,
    packets: VecDeque<MediaFrame>,
    failures: u64,
}

/// What was encoded without a break.
#[derive(Debug, Clone, Copy)]
struct Run {
    start: Timestamp,
    packets: i64,
}

impl Pipeline {
    /// For a track with this codec config. `bits_per_channel` a second, before what is saved where the sound is simple.
    ///
    /// # Errors
    /// Where it is not AAC-LC of one or two channels.
    pub fn new(config: &MediaFrame, bits_per_channel: u32) -> Result<Self, TranscodeRefused> {
        let decoder = Decoder::new(&config.payload)?;
        let Format { rate, channels } = decoder.format();
        Ok(Self {
            track: config.track,
            decoder,
            timeline: Timeline::new(rate),
            resampler: Resampler::new(rate, channels)?,
            encoder: Encoder::new(channels, bits_per_channel)?,
            decoded: Vec::new(),
            unresampled: Vec::new(),
            unencoded: Vec::new(),
            dropping: 0,
            run: Run {
                start: config.pts,
                packets: 0,
            },
            packets: VecDeque::new(),
            failures: 0,
        })
    }

    /// Whether a config is of what can be transcoded, as [`new`](Self::new) tells.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn accepts(config: &MediaFrame) -> Result<(), TranscodeRefused> {
        Format::of(&config.payload).map(drop)
    }

    /// Takes an access unit. One that cannot be decoded is silence.
    pub fn push(&mut self, frame: &MediaFrame) {
        let channels = self.decoder.format().channels;
        match self.timeline.place(frame.pts, frame.is_discontinuity()) {
            Step::Continue => {}
            Step::Insert(samples) => {
                let silence = self.unresampled.len() + samples * channels;
                self.unresampled.resize(silence, 0.0);
            }
            Step::Drop(samples) => self.dropping = samples,
            Step::Restart => self.restart(frame.pts),
        }
        let unit = frame
            .payload
            .get(..MAX_FRAME_BYTES.min(frame.payload.len()));
        if !self
            .decoder
            .decode(unit.unwrap_or_default(), &mut self.decoded)
        {
            self.failures += 1;
        }
        let dropped = self.dropping.min(UNIT_SAMPLES);
        self.dropping -= dropped;
        self.timeline.add(UNIT_SAMPLES - dropped);
        let kept = self.decoded.get(dropped * channels..).unwrap_or_default();
        self.unresampled.extend_from_slice(kept);
        self.resampler
            .process(&mut self.unresampled, &mut self.unencoded);
        self.encode();
    }

    /// A packet that is done, as a frame of Opus of the same track.
    pub fn pull(&mut self) -> Option<MediaFrame> {
        self.packets.pop_front()
    }

    /// How many access units could not be decoded.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.failures
    }

    /// Ends what has been going on: what is left of it is filled up with silence.
    fn restart(&mut self, at: Timestamp) {
        if !self.unencoded.is_empty() {
            let packet = PACKET_SAMPLES * self.decoder.format().channels;
            self.unencoded.resize(packet, 0.0);
            self.encode();
        }
        // Less than the resampler's step is left over; with what comes now it would be of two times.
        self.unresampled.clear();
        self.resampler.reset();
        self.dropping = 0;
        self.run = Run {
            start: at,
            packets: 0,
        };
    }

    fn encode(&mut self) {
        let packet = PACKET_SAMPLES * self.decoder.format().channels;
        let mut taken = 0;
        while let Some(samples) = self.unencoded.get(taken..taken + packet) {
            taken += packet;
            let before = self.run.packets * PACKET_SAMPLES as i64 - i64::from(self.encoder.delay());
            self.run.packets += 1;
            let Some(payload) = self.encoder.encode(samples) else {
                self.failures += 1;
                continue;
            };
            let at = self.run.start + TimeDelta::from_ticks(before, OPUS_RATE);
            let frame = MediaFrame::new_audio(at, payload, CodecId::Opus);
            self.packets.push_back(frame.on_track(self.track));
        }
        self.unencoded.drain(..taken);
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("track", &self.track)
            .field("format", &self.decoder.format())
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

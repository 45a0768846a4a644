//! Any rate of AAC to the 48 kHz of Opus.

use crate::decoder::UNIT_SAMPLES;
use crate::encoder::OPUS_RATE;
use arcly_core::transcode::TranscodeRefused;
use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

/// Resamples in steps of an access unit. What goes in at a time comes out at that time: the delay of the filter is taken off.
pub(crate) struct Resampler {
    /// `None` where the rate is right already.
    fft: Option<Fft<f32>>,
    channels: usize,
    /// How many samples of a channel are still to be taken off the beginning.
    delay: usize,
    out: Vec<f32>,
}

impl Resampler {
    pub(crate) fn new(rate: u32, channels: usize) -> Result<Self, TranscodeRefused> {
        let fft = if rate == OPUS_RATE {
            None
        } else {
            let (from, to) = (rate as usize, OPUS_RATE as usize);
            let fft = Fft::new(from, to, UNIT_SAMPLES, channels, FixedSync::Input);
            Some(fft.map_err(|error| TranscodeRefused::Failed(error.to_string()))?)
        };
        Ok(Self {
            delay: fft.as_ref().map_or(0, |fft| fft.output_delay()),
            out: vec![0.0; fft.as_ref().map_or(0, |fft| fft.output_frames_max()) * channels],
            fft,
            channels,
        })
    }

    /// Forgets what went in before.
    pub(crate) fn reset(&mut self) {
        if let Some(fft) = &mut self.fft {
            fft.reset();
            self.delay = fft.output_delay();
        }
    }

    /// Takes as many samples off the beginning of `input` as it can use, and appends what comes out. Both are interleaved.
    pub(crate) fn process(&mut self, input: &mut Vec<f32>, out: &mut Vec<f32>) {
        let Some(fft) = &mut self.fft else {
            out.append(input);
            return;
        };
        let mut taken = 0;
        loop {
            let wanted = fft.input_frames_next();
            let Some(step) = input.get(taken..taken + wanted * self.channels) else {
                break;
            };
            taken += step.len();
            let room = self.out.len() / self.channels;
            let Ok(from) = InterleavedSlice::new(step, self.channels, wanted) else {
                break;
            };
            let Ok(mut to) = InterleavedSlice::new_mut(&mut self.out, self.channels, room) else {
                break;
            };
            // It fails for buffers of a wrong size only.
            let Ok((_, made)) = fft.process_into_buffer(&from, &mut to, None) else {
                break;
            };
            let skipped = self.delay.min(made);
            self.delay -= skipped;
            let made = self.out.get(skipped * self.channels..made * self.channels);
            out.extend_from_slice(made.unwrap_or_default());
        }
        input.drain(..taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ramp stays where it is, whatever the rate.
    #[test]
    fn what_goes_in_at_a_time_comes_out_at_that_time() {
        for rate in [8_000, 22_050, 32_000, 44_100, 48_000, 96_000] {
            let mut resampler = Resampler::new(rate, 2).unwrap();
            let mut out = Vec::new();
            let mut input = Vec::new();
            for sample in 0..rate * 2 {
                // 100 Hz, the right one inverted.
                let at = f64::from(sample) / f64::from(rate);
                let value = (at * 100.0 * std::f64::consts::TAU).sin() as f32;
                input.extend([value, -value]);
                resampler.process(&mut input, &mut out);
            }
            let error = out
                .chunks(2)
                .enumerate()
                .skip(4_800)
                .map(|(sample, frame)| {
                    let at = sample as f64 / 48_000.0;
                    let expected = (at * 100.0 * std::f64::consts::TAU).sin() as f32;
                    (frame[0] - expected).abs().max((frame[1] + expected).abs())
                })
                .fold(0.0, f32::max);
            // A sample late would be 0.013 off.
            assert!(error < 0.004, "{rate}: {error}");
            assert!(out.len() > 90_000 * 2, "{rate}: {}", out.len());
        }
    }
}

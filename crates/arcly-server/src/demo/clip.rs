//! The clip: two files made by `demo/make.sh`, as frames.

use arcly_stream::codec::CodecError;
use arcly_stream::codec::aac::AdtsSplitter;
use arcly_stream::codec::h264::{self, AccessUnitInfo, NalFilter, access_units, annex_b};
use arcly_stream::media::{CodecId, MediaFrame, TimeDelta, Timestamp};
use bytes::Bytes;

const VIDEO: &[u8] = include_bytes!("../../demo/demo.h264");
const AUDIO: &[u8] = include_bytes!("../../demo/demo.aac");

/// Pictures a second. They are in decode order as in presentation order.
const FRAME_RATE: u32 = 25;
const SAMPLE_RATE: u32 = 48_000;
const SAMPLES_PER_FRAME: i64 = 1_024;

/// What is wrong with the files; nothing, unless they are made anew.
#[derive(Debug)]
pub(crate) enum ClipError {
    Codec(CodecError),
    /// There are no parameter sets.
    NoConfig,
    /// Sound and picture are not of one length, so they would drift apart.
    Unequal,
}

impl std::fmt::Display for ClipError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Codec(error) => write!(f, "the built-in clip: {error}"),
            Self::NoConfig => f.write_str("the built-in clip has no parameter sets"),
            Self::Unequal => {
                f.write_str("the built-in clip's sound and picture are not of one length")
            }
        }
    }
}

impl std::error::Error for ClipError {}

impl From<CodecError> for ClipError {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

/// The clip, in decode order, from timestamp zero on.
#[derive(Debug)]
pub(crate) struct Clip {
    configs: [MediaFrame; 2],
    frames: Vec<MediaFrame>,
    length: TimeDelta,
}

impl Clip {
    /// The clip in this executable.
    pub(crate) fn built_in() -> Result<Self, ClipError> {
        let (video_config, mut frames) = pictures()?;
        let length = TimeDelta::from_ticks(frames.len() as i64, FRAME_RATE);
        let (audio_config, sound) = sound()?;
        if TimeDelta::from_ticks(sound.len() as i64 * SAMPLES_PER_FRAME, SAMPLE_RATE) != length {
            return Err(ClipError::Unequal);
        }
        frames.extend(sound);
        frames.sort_by_key(|frame| frame.dts);
        Ok(Self {
            configs: [video_config, audio_config],
            frames,
            length,
        })
    }

    pub(crate) fn configs(&self) -> [MediaFrame; 2] {
        self.configs.clone()
    }

    /// The frames of the `round`th repetition; timestamps go on from the one before.
    pub(crate) fn round(&self, round: i64) -> impl Iterator<Item = MediaFrame> + Send {
        let offset = TimeDelta::from_raw(self.length.raw().saturating_mul(round));
        self.frames.iter().map(move |frame| {
            let mut frame = frame.clone();
            frame.pts = frame.pts + offset;
            frame.dts = frame.dts + offset;
            frame
        })
    }
}

fn pictures() -> Result<(MediaFrame, Vec<MediaFrame>), ClipError> {
    let mut units = access_units(Bytes::from_static(VIDEO));
    let mut frames = Vec::new();
    for (n, unit) in units.by_ref().enumerate() {
        let at = Timestamp::from_ticks(n as i64, FRAME_RATE);
        let is_key = AccessUnitInfo::of_annex_b(&unit).is_keyframe();
        let payload = annex_b::to_length_prefixed(unit, NalFilter::SAMPLE)?;
        frames.push(MediaFrame::new_video(
            at,
            at,
            payload,
            CodecId::H264,
            is_key,
        ));
    }
    let config: h264::AvcDecoderConfig =
        units.parameter_sets().config().ok_or(ClipError::NoConfig)?;
    let config = MediaFrame::new_video(0, 0, config.to_bytes()?, CodecId::H264, false);
    Ok((config.into_config(), frames))
}

fn sound() -> Result<(MediaFrame, Vec<MediaFrame>), ClipError> {
    let mut splitter = AdtsSplitter::new();
    splitter.push(AUDIO);
    splitter.finish();
    let (mut config, mut frames) = (None, Vec::new());
    while let Some(frame) = splitter.next_frame()? {
        if config.is_none() {
            config = Some(frame.config()?.to_bytes()?);
        }
        let at = Timestamp::from_ticks(frames.len() as i64 * SAMPLES_PER_FRAME, SAMPLE_RATE);
        frames.push(MediaFrame::new_audio(at, frame.payload, CodecId::Aac));
    }
    let config = MediaFrame::new_audio(0, config.ok_or(ClipError::NoConfig)?, CodecId::Aac);
    Ok((config.into_config(), frames))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_follow_each_other_without_a_seam() {
        let clip = Clip::built_in().expect("a good clip");
        let two: Vec<_> = clip.round(0).chain(clip.round(1)).collect();
        let video: Vec<_> = two.iter().filter(|frame| frame.is_video()).collect();
        let audio: Vec<_> = two.iter().filter(|frame| frame.is_audio()).collect();
        assert_eq!((video.len(), audio.len()), (400, 750));
        for (n, frame) in video.iter().enumerate() {
            assert_eq!(frame.dts, Timestamp::from_ticks(n as i64, 25));
            assert_eq!(frame.is_keyframe(), n % 25 == 0, "one a second");
        }
        for (n, frame) in audio.iter().enumerate() {
            assert_eq!(frame.dts, Timestamp::from_ticks(n as i64 * 1_024, 48_000));
        }
        assert!(two.is_sorted_by_key(|frame| frame.dts));
    }
}

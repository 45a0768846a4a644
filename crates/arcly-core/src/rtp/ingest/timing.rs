//! Decoding times, which RTP does not carry.

use crate::CodecId;
use crate::rtp::clock::TIMELINE_RATE;
use arcly_codec::dts::DtsDeriver;
use arcly_codec::h264::{self, AvcDecoderConfig, FrameRate};
use arcly_codec::h265::HevcDecoderConfig;
use bytes::Bytes;

/// Derives the decoding times of a track, which never decrease.
#[derive(Debug)]
pub(super) struct DecodingTimes {
    /// For codecs whose pictures can be reordered.
    deriver: Option<DtsDeriver>,
    last: i64,
}

impl DecodingTimes {
    pub(super) const fn new() -> Self {
        Self {
            deriver: None,
            last: i64::MIN,
        }
    }

    /// Pictures are of this config from now on.
    pub(super) fn set_config(&mut self, codec: CodecId, config: &Bytes) {
        let reordering = match codec {
            CodecId::H264 => avc_reordering(config),
            CodecId::H265 => hevc_reordering(config),
            _ => return,
        };
        let (depth, rate) = reordering.unwrap_or((0, None));
        let scale = u32::try_from(TIMELINE_RATE).unwrap_or(u32::MAX);
        self.deriver = Some(DtsDeriver::with_frame_rate(depth, rate, scale));
    }

    /// Pictures are missing before the next one.
    pub(super) fn reset(&mut self) {
        if let Some(deriver) = &mut self.deriver {
            deriver.reset();
        }
    }

    /// The decoding time of the next picture, which is presented at `pts`. It is later than that only where a stream reorders
    /// more pictures than it says, for as many as that is more.
    pub(super) fn next(&mut self, pts: i64) -> i64 {
        let dts = match &mut self.deriver {
            Some(deriver) => deriver.push(pts).dts,
            None => pts,
        };
        self.last = self.last.max(dts);
        self.last
    }
}

type Reordering = (u32, Option<FrameRate>);

/// How many pictures an H.264 stream holds back.
///
/// Where the SPS does not say (no `bitstream_restriction`), E.2.1 infers the largest value that the level allows, up to 16 pictures. Cameras leave it out
/// and reorder nothing, and their decoding times would lie that far back; so none is taken here, and a stream that does reorder comes right with its
/// first B-frames.
fn avc_reordering(config: &Bytes) -> Option<Reordering> {
    let sps = AvcDecoderConfig::parse(config).ok()?.first_sps().ok()?;
    let restriction = sps.vui.as_ref().and_then(|vui: &h264::Vui| vui.restriction);
    let depth = restriction.map_or(0, |restriction| restriction.max_num_reorder_frames);
    Some((depth, sps.frame_rate()))
}

fn hevc_reordering(config: &Bytes) -> Option<Reordering> {
    let sps = HevcDecoderConfig::parse(config).ok()?.first_sps().ok()?;
    Some((sps.max_num_reorder_pics.into(), sps.frame_rate()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// avcC of x264 at 25 fps with B-frames, which says how many pictures it holds back.
    const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\
        \x00\x03\x00\x32\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

    const FRAME: i64 = TIMELINE_RATE / 25;

    #[test]
    fn b_frames_get_decoding_times_that_the_sps_allows() {
        let mut decoding = DecodingTimes::new();
        decoding.set_config(CodecId::H264, &Bytes::from_static(AVCC));
        let mut last = i64::MIN;
        for shown in [25, 28, 26, 27, 31, 29, 30] {
            let dts = decoding.next(shown * FRAME);
            assert!(last <= dts && dts <= shown * FRAME, "{shown}");
            last = dts;
        }
        // Behind a gap times begin anew, and do not step back.
        decoding.reset();
        let behind = decoding.next(60 * FRAME);
        assert!(last <= behind && behind <= 60 * FRAME);
        assert!(behind > 50 * FRAME, "near the picture, not near the gap");
    }

    /// A camera's SPS without VUI (Main, level 4, 1280×720), which reorders nothing.
    #[test]
    fn without_a_bound_in_the_sps_none_is_assumed() {
        let sps = Bytes::from_static(b"\x67\x4d\x00\x28\x95\xa0\x14\x01\x6e\x40");
        let pps = Bytes::from_static(b"\x68\xee\x3c\x80");
        let config = AvcDecoderConfig::from_parameter_sets([sps], [pps]).unwrap();
        let config = config.to_bytes().unwrap();
        let mut decoding = DecodingTimes::new();
        decoding.set_config(CodecId::H264, &config);
        assert_eq!(
            [1, 2, 3].map(|shown| decoding.next(shown * FRAME)),
            [1, 2, 3].map(|shown| shown * FRAME)
        );
        // B-frames after all: one is shown before its decoding time, and all is well from then on.
        let shown = [6, 4, 5, 9, 7, 8, 12, 10, 11];
        let late = shown
            .iter()
            .filter(|&&shown| decoding.next(shown * FRAME) > shown * FRAME);
        assert!(late.count() <= 2);
    }

    #[test]
    fn other_codecs_are_decoded_when_they_are_shown() {
        let mut decoding = DecodingTimes::new();
        decoding.set_config(CodecId::Vp9, &Bytes::new());
        assert_eq!([5, 6].map(|pts| decoding.next(pts)), [5, 6]);
    }
}

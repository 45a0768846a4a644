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

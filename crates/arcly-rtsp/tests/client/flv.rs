//! Real pictures and sound as frames.

use arcly_core::{CodecId, MediaFrame};

/// The frames of an FLV file: H.264 and AAC are in it as they are on the bus.
pub(crate) fn flv_frames(file: &[u8]) -> Vec<MediaFrame> {
    let mut frames = Vec::new();
    let mut rest = &file[13..];
    while let [kind, l0, l1, l2, t0, t1, t2, t3, _, _, _, tail @ ..] = rest {
        let length = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
        let dts = i64::from(u32::from_be_bytes([*t3, *t0, *t1, *t2]));
        let body = &tail[..length];
        rest = &tail[length + 4..];
        match (kind, body) {
            (9, [first, packet, c0, c1, c2, data @ ..]) => {
                let composition = i32::from_be_bytes([*c0, *c1, *c2, 0]) >> 8;
                let data = data.to_vec().into();
                let pts = dts + i64::from(composition);
                let frame = MediaFrame::new_video(pts, dts, data, CodecId::H264, first >> 4 == 1);
                match packet {
                    0 => frames.push(frame.into_config()),
                    1 => frames.push(frame),
                    _ => {}
                }
            }
            (8, [_, packet, data @ ..]) => {
                let frame = MediaFrame::new_audio(dts, data.to_vec().into(), CodecId::Aac);
                frames.push(if *packet == 0 {
                    frame.into_config()
                } else {
                    frame
                });
            }
            _ => {}
        }
    }
    frames
}

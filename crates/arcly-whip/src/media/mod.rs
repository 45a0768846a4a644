//! What stands between a stream and a peer's transport, sans-IO: packets made the peer's own on the way out, and made whole on the way in.

mod adaptation;
mod arrival;
mod congestion;
mod extensions;
mod history;
mod layers;
mod nack;
mod outgoing;
mod playout;

pub(crate) use adaptation::Adaptation;
pub(crate) use arrival::ArrivalLog;
pub(crate) use congestion::{BandwidthEstimate, Feedback, Purpose};
pub(crate) use extensions::{ExtensionReader, ExtensionWriter};
pub(crate) use layers::{LayerChooser, Wish, layer_track};
pub(crate) use nack::NackGenerator;
pub(crate) use outgoing::{OutgoingTrack, Resend};

#[cfg(test)]
mod tests {
    use arcly_core::rtp::{RtpFrame, RtpPackager, RtpVariant};
    use arcly_core::{CodecId, MediaFrame, StartAt, StreamHandle, StreamKey, StreamLimits};
    use bytes::{BufMut as _, BytesMut};

    /// Pictures of VP8 with so many bytes, in packets.
    pub(super) async fn rendition(sizes: &[usize]) -> Vec<RtpFrame> {
        let stream =
            StreamHandle::standalone(StreamKey::new("live", "cam"), StreamLimits::default());
        let packager = RtpPackager::new(stream.clone(), RtpVariant::default());
        let rendition = stream.rendition(packager);
        let mut packets = rendition.subscribe_from(StartAt::Live);
        let mut frames = Vec::new();
        for (size, number) in sizes.iter().zip(0..) {
            let mut picture = BytesMut::from(&b"\x10\x02\0\x9d\x01\x2a\x40\x01\xf0\0"[..]);
            picture.put_bytes(number as u8, size - picture.len());
            let picture = MediaFrame::new_video(
                number * 33,
                number * 33,
                picture.freeze(),
                CodecId::Vp8,
                true,
            );
            stream.publish_frame(picture).expect("live");
            frames.push(RtpFrame::clone(&packets.recv().await.expect("live")));
        }
        frames
    }
}

//! Sound in AAC reaches a viewer as Opus, in step with the pictures.
#![allow(missing_docs, reason = "a test")]

mod support;

use arcly_core::codec::aac::{AdtsHeader, AudioObjectType, AudioSpecificConfig};
use arcly_core::rtp::rtcp::RtcpPacket;
use arcly_core::{CodecId, IngestContext, MediaFrame, Timestamp};
use arcly_transcode_opus::OpusTranscoder;
use arcly_whip::WhipResource;
use bytes::Bytes;
use ropus::{Channels, DecodeMode, Decoder};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use support::peer::{Input, OPUS, Peer, VP8, vp8_frame};
use support::{Server, cam};

/// When the tone begins, in milliseconds.
const ONSET: i64 = 2_000;
const PICTURE: i64 = 33;

/// Access units of a tone that begins after two seconds, at 44.1 kHz in stereo, with their times; and their config.
fn tone() -> (MediaFrame, Vec<MediaFrame>) {
    let source =
        "aevalsrc='0.5*sin(1000*2*PI*t)*gte(t,2)|0.5*sin(1000*2*PI*t)*gte(t,2)':s=44100:d=3";
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source])
        .args(["-c:a", "aac", "-b:a", "128k", "-f", "adts", "-"])
        .output()
        .expect("ffmpeg; `cargo xtask setup` installs it");
    let mut rest = &output.stdout[..];
    let mut units = Vec::new();
    while !rest.is_empty() {
        let header = AdtsHeader::parse(rest).expect("ADTS");
        let (unit, after) = rest.split_at(header.frame_bytes);
        let payload = Bytes::copy_from_slice(header.payload(unit).expect("whole"));
        // The first one is what the encoder needs before the sound begins; times are as RTMP has them.
        let at = Timestamp::from_ticks((units.len() as i64 - 1) * 1_024, 44_100);
        units.push(MediaFrame::new_audio(at.as_millis(), payload, CodecId::Aac));
        rest = after;
    }
    let config = AudioSpecificConfig::new(AudioObjectType::LowComplexity, 44_100, 2);
    let config = config.expect("a config").to_bytes().expect("a config");
    (
        MediaFrame::new_audio(0, config, CodecId::Aac).into_config(),
        units,
    )
}

/// The newest sender report of an SSRC: a timestamp, and the wall clock at it in seconds.
#[derive(Default)]
struct Clock(Option<(u32, f64)>);

impl Clock {
    fn seconds(&self, timestamp: u32, rate: f64) -> f64 {
        let (known, at) = self.0.expect("a report");
        at + f64::from(timestamp.wrapping_sub(known).cast_signed()) / rate
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aac_is_heard_as_opus_in_step_with_the_pictures() {
    let server = Server::start().await;
    let transcoder = Arc::new(OpusTranscoder::default());
    let _ = server
        .whip
        .clone()
        .transcode_audio(Arc::clone(&transcoder) as _);
    let session = IngestContext::new(Arc::clone(&server.engine) as _)
        .open_publish(cam())
        .await
        .expect("free");
    let (config, units) = tone();
    session.publish_frame(config).expect("live");
    let pictures = (0..3_000 / PICTURE).map(|number| {
        let at = number * PICTURE;
        let content = (number % 200) as u8;
        MediaFrame::new_video(
            at,
            at,
            vp8_frame(number == 0, content),
            CodecId::Vp8,
            number == 0,
        )
    });
    let mut frames: Vec<MediaFrame> = units.into_iter().chain(pictures).collect();
    frames.sort_by_key(|frame| frame.dts);
    let mut frames = frames.into_iter();
    // Something of both, so that the viewer is told of both.
    for frame in frames.by_ref().take(12) {
        session.publish_frame(frame).expect("live");
    }
    let mut peer = Peer::connect(&server, WhipResource::Play(cam())).await;
    assert_eq!(peer.response.header("arcly-notice"), None);
    let feed = tokio::spawn(async move {
        for frame in frames {
            session.publish_frame(frame).expect("live");
            tokio::time::sleep(Duration::from_millis(12)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        session
    });

    let (mut video, mut audio) = (Clock::default(), Clock::default());
    let (mut shown, mut packets) = (Vec::new(), Vec::new());
    let video_ssrc = peer.video_ssrc();
    while !feed.is_finished() {
        for input in peer.listen(Duration::from_millis(100)).await {
            match input {
                Input::Rtp(packet) if packet.header.payload_type == VP8 => {
                    let content = *packet.payload.last().expect("not empty");
                    shown.push((content, packet.header.timestamp));
                }
                Input::Rtp(packet) if packet.header.payload_type == OPUS => packets.push(packet),
                Input::Rtcp(reports) => {
                    for report in reports {
                        if let RtcpPacket::SenderReport(report) = report {
                            let clock = if report.ssrc == video_ssrc {
                                &mut video
                            } else {
                                &mut audio
                            };
                            let seconds = report.ntp.0 as f64 / (1_u64 << 32) as f64;
                            clock.0 = Some((report.rtp_timestamp, seconds));
                        }
                    }
                }
                _ => {}
            }
        }
    }
    assert_eq!(transcoder.running(), 1, "once a stream");
    assert!(packets.len() > 80, "{} packets", packets.len());
    let steps = packets.windows(2).map(|pair| {
        pair[1]
            .header
            .timestamp
            .wrapping_sub(pair[0].header.timestamp)
    });
    assert!(steps.into_iter().all(|step| step == 960));

    let mut decoder = Decoder::new(48_000, Channels::Stereo).expect("a decoder");
    let mut onset = None;
    for packet in &packets {
        let mut samples = vec![0.0; 960 * 2];
        decoder
            .decode_float(&packet.payload, &mut samples, DecodeMode::Normal)
            .expect("it decodes");
        let loud = samples.chunks(2).position(|frame| frame[0].abs() > 0.15);
        if let Some(sample) = loud {
            let at = packet.header.timestamp.wrapping_add(sample as u32);
            onset = Some(audio.seconds(at, 48_000.0));
            break;
        }
    }
    let onset = onset.expect("a tone");
    let number = ONSET / PICTURE;
    let (_, timestamp) = shown
        .iter()
        .find(|(content, _)| i64::from(*content) == number)
        .expect("the picture of that time");
    let picture = video.seconds(*timestamp, 90_000.0);
    let expected = (ONSET - number * PICTURE) as f64 / 1e3;
    let off = onset - picture - expected;
    eprintln!("the sound is {:.2} ms late", off * 1e3);
    assert!(off.abs() < 0.005, "{off} s");
    drop(feed.await.expect("no panic"));
    drop(peer);
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_transcoded_is_told() {
    let server = Server::start().await;
    let _ = server
        .whip
        .clone()
        .transcode_audio(Arc::new(OpusTranscoder::default()));
    let session = IngestContext::new(Arc::clone(&server.engine) as _)
        .open_publish(cam())
        .await
        .expect("free");
    // HE-AAC: a core of 24 kHz in stereo, 48 kHz with SBR.
    let config = Bytes::from_static(&[0x2b, 0x11, 0x88, 0x00]);
    let config = MediaFrame::new_audio(0, config, CodecId::Aac).into_config();
    session.publish_frame(config).expect("live");
    let picture = MediaFrame::new_video(0, 0, vp8_frame(true, 1), CodecId::Vp8, true);
    session.publish_frame(picture).expect("live");
    let response = server
        .post(
            WhipResource::Play(cam()),
            &support::peer::any_offer("recvonly"),
        )
        .await;
    assert_eq!(response.status, 201);
    let notice = response.header("arcly-notice").unwrap_or_default();
    assert!(
        notice.starts_with("no-audio:") && notice.contains("HE-AAC"),
        "{notice}"
    );
    server.stop().await;
}

//! ffmpeg sends pictures with B-frames and sound by RTP: all of it arrives, in step, with its times.
#![cfg(feature = "rtp")]
#![allow(missing_docs, reason = "a test")]
#![expect(clippy::disallowed_methods, reason = "the driver of this test")]

use arcly_core::rtp::sdp::SessionDescription;
use arcly_core::rtp::{IngestConfig, IngestEvent, IngestTrack, RtpIngest};
use arcly_core::{CodecId, MediaFrame, TrackId};
use bytes::Bytes;
use std::fs;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A socket on an even port, with one on the next for RTCP (RFC 3550 11).
fn pair() -> (UdpSocket, UdpSocket) {
    loop {
        let rtp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = rtp.local_addr().expect("bound").port();
        if port.is_multiple_of(2)
            && let Ok(rtcp) = UdpSocket::bind(("127.0.0.1", port + 1))
        {
            for socket in [&rtp, &rtcp] {
                socket.set_nonblocking(true).expect("a socket");
            }
            return (rtp, rtcp);
        }
    }
}

/// A child that does not outlive the test.
struct Ffmpeg(Child);

impl Ffmpeg {
    fn start(arguments: &str) -> Self {
        let mut command = Command::new("ffmpeg");
        let command = command.args(arguments.split_whitespace());
        let child = command.stdin(Stdio::null()).spawn();
        Self(child.expect("ffmpeg is needed here: install it, as in `apt-get install ffmpeg`"))
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn pictures_and_sound_of_ffmpeg_arrive_whole_and_in_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let sdp = folder.path().join("session.sdp");
    let sockets = [pair(), pair()];
    let [video, audio] = sockets.each_ref().map(|(rtp, _)| {
        let port = rtp.local_addr().expect("bound").port();
        format!("rtp://127.0.0.1:{port}")
    });
    let arguments = format!(
        "-hide_banner -loglevel error -re -f lavfi -i testsrc2=s=320x180:r=25 -re -f lavfi -i sine=r=48000 -t 3 -sdp_file {} \
         -map 0 -c:v libx264 -g 25 -bf 2 -x264-params b-adapt=0:scenecut=0 -f rtp {video} -map 1 -c:a aac -t 3 -f rtp {audio}",
        sdp.display()
    );
    let mut ffmpeg = Ffmpeg::start(&arguments);

    let start = Instant::now();
    let described = loop {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "no description came"
        );
        match fs::read(&sdp).map(|text| SessionDescription::parse(&text)) {
            Ok(Ok(session))
                if session.media.len() == 2
                    && session.media.iter().all(|m| m.preferred().is_some()) =>
            {
                break session;
            }
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let mut ingest = RtpIngest::new(IngestConfig::datagrams());
    for (media, track) in described.media.iter().zip([TrackId::VIDEO, TrackId::AUDIO]) {
        let known = media.preferred().expect("looked at before");
        let format = known.format.clone().expect("preferred ones are known");
        ingest
            .add_track(IngestTrack::new(track, known.payload_type, format))
            .expect("read");
    }
    let mut frames: Vec<MediaFrame> = Vec::new();
    let mut datagram = [0; 2_048];
    let mut ended = None;
    // A moment longer than ffmpeg runs, for what is on its way.
    while ended.is_none_or(|at: Instant| at.elapsed() < Duration::from_millis(300)) {
        assert!(
            start.elapsed() < Duration::from_secs(40),
            "ffmpeg does not end"
        );
        let mut idle = true;
        for (index, (rtp, rtcp)) in sockets.iter().enumerate() {
            // ffmpeg sends a report before its first packet: it is there by the time that has been read.
            let mut packets = Vec::new();
            while let Ok(length) = rtp.recv(&mut datagram) {
                packets.push(Bytes::copy_from_slice(&datagram[..length]));
            }
            idle &= packets.is_empty();
            let now = start.elapsed();
            while let Ok(length) = rtcp.recv(&mut datagram) {
                let report = ingest.handle_rtcp(index, &datagram[..length], now);
                report.expect("RTCP of ffmpeg");
            }
            for packet in packets {
                let packet = ingest.handle_rtp(index, packet, now);
                packet.expect("RTP of ffmpeg");
            }
        }
        ingest.handle_timeout(start.elapsed());
        take(&mut ingest, &mut frames);
        if ended.is_none() && ffmpeg.0.try_wait().expect("a child").is_some() {
            ended = Some(Instant::now());
        }
        if idle {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    ingest.finish(start.elapsed());
    take(&mut ingest, &mut frames);

    let of = |codec| -> Vec<&MediaFrame> {
        frames
            .iter()
            .filter(|frame| frame.codec == codec && !frame.is_config())
            .collect()
    };
    let (video, audio) = (of(CodecId::H264), of(CodecId::Aac));
    assert_eq!(
        ingest.stats(0).map(|stats| (stats.lost, stats.undecodable)),
        Some((0, 0))
    );
    assert_eq!(video.len(), 75, "three seconds at 25 pictures a second");
    // ffmpeg gathers frames for a packet, and drops what it has gathered when it ends.
    assert!((130..=142).contains(&audio.len()), "{}", audio.len());
    let lost = ingest.stats(1).map(|stats| (stats.lost, stats.malformed));
    assert_eq!(lost, Some((0, 0)));
    let samples = |pair: &[&MediaFrame]| pair[1].pts.since(pair[0].pts).to_ticks(48_000);
    assert!(audio.windows(2).all(|pair| samples(pair) == 1_024));
    assert!(
        video.iter().any(|frame| frame.dts < frame.pts),
        "there are B-frames"
    );
    let in_order = |pair: &[&MediaFrame]| pair[0].dts <= pair[1].dts;
    assert!(video.windows(2).all(in_order) && video.iter().all(|frame| frame.dts <= frame.pts));
    let mut shown: Vec<i64> = video.iter().map(|frame| frame.pts.as_millis()).collect();
    shown.sort_unstable();
    assert!(
        shown.windows(2).all(|pair| pair[1] - pair[0] == 40),
        "{shown:?}"
    );
    // ffmpeg starts the clock of each output when it opens it, and its reports say so.
    let apart = audio[0].pts.as_millis() - shown[0];
    assert!((-500..=500).contains(&apart), "{apart} ms");
    let told = |frame: &&&MediaFrame| frame.wall_clock.is_some();
    assert!(video.iter().filter(told).count() > 70 && audio.iter().filter(told).count() > 130);
    let wall = |frame: &MediaFrame| frame.wall_clock.expect("told").0 / 1_000_000;
    let (last, other) = (video[74], audio[audio.len() - 1]);
    let by_wall = wall(last) - wall(other);
    let by_time = last.pts.as_millis() - other.pts.as_millis();
    assert!((by_wall - by_time).abs() < 20, "{by_wall} {by_time}");
}

fn take(ingest: &mut RtpIngest, frames: &mut Vec<MediaFrame>) {
    while let Some(event) = ingest.poll_event() {
        match event {
            IngestEvent::Frame(frame) => frames.push(frame),
            IngestEvent::Bye { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

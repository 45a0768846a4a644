//! How the server behaves.

use crate::Limits;
use arcly_core::StartAt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How the server side of a connection behaves. [`Default`] suits real publishers and players.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What a peer may ask of us.
    pub limits: Limits,
    /// What user and password are for, as challenges name it. Default `arcly`.
    pub realm: String,
    /// How long a player may wait for a stream that is not live. Default 0: it is told at once that there is no such stream.
    /// A connection that waits costs a slot and about 8 KiB.
    pub play_wait: Duration,
    /// How long DESCRIBE waits for the codec configs of a stream whose publisher has just come: a player that is told of a track without
    /// them may never show it. Default 5 s, longer than [`sync_wait`](Self::sync_wait). After that the tracks are described that are known.
    pub describe_wait: Duration,
    /// How long the first packets of a publisher with several tracks are held back at most, until a sender report of each says how they relate: sound and
    /// picture are in their places from the first frame on. Default 3.1 s: a sender that keeps to RFC 3550, section 6.3.1 reports within 3.08 s
    /// (GStreamer does; ffmpeg reports with the first packet, and nothing is held back). Zero: nothing is held back, and tracks lie
    /// where they arrived until a report comes, and are moved slowly then. Cost: up to 8 MiB, once; and that a publisher which never reports is live so much later.
    pub sync_wait: Duration,
    /// Where in a stream a player starts. Default: at the newest keyframe, for a picture at once.
    pub play_start: PlayStart,
    /// The longest RTP packet, header included, in bytes. Default 1 200, which fits any path with UDP and IPv6.
    pub max_packet: usize,
    /// How long the sound of a stream with pictures is held back at most, to go out with the next picture in one write.
    /// Default 40 ms, one picture at 25 a second.
    pub audio_flush_window: Duration,
    /// How much faster than real time a UDP player is sent what lies between the keyframe that it starts at and now. Default 4: a start
    /// 2 s back is caught up with in 0.7 s. A burst at the speed of the local network would be lost in the receiver's buffers or on the way.
    pub udp_burst: u32,
    /// How often sender reports go to players and receiver reports to publishers. Default 5 s (RFC 3550, section 6.2).
    pub report_interval: Duration,
    /// How far a player by TCP may fall behind, beyond where it started, before pictures that no other refers to are left out.
    /// Default 500 ms.
    pub shed_after: Duration,
    /// How far a player by TCP may fall behind, beyond where it started, before it goes on at the newest keyframe. Default 2 s.
    /// One that has to do so again and again is closed: see `max_lag` of `arcly_core::StreamLimits`.
    pub skip_after: Duration,
}

/// The UDP ports that media goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UdpPorts {
    /// None: media goes over the RTSP connections alone.
    Off,
    /// Any even port and the next one, at the address of the listener, for all sessions.
    #[default]
    Any,
    /// This address, whose port is even, for RTP, and the port behind it for RTCP, for all sessions: 8000 by convention.
    Shared(SocketAddr),
    /// A pair of its own for each track, out of these, at the address of the listener. For players of which several sit behind one NAT.
    /// Cost: two sockets and 256 KiB of buffers a track.
    Range(RangeInclusive<u16>),
}

/// Where in a stream a player starts: always at a keyframe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlayStart {
    /// At the newest keyframe that is kept, for a picture at once; at the next one where none is kept, or where the player asks for a range of
    /// `npt=now-`.
    #[default]
    LatestKeyframe,
    /// At the next keyframe, for the least latency: the player waits for it for up to a GOP.
    NextKeyframe,
    /// At the last keyframe that lies at least this far back, or the oldest one that is kept.
    Back(Duration),
}

impl From<PlayStart> for StartAt {
    fn from(start: PlayStart) -> Self {
        match start {
            PlayStart::LatestKeyframe => Self::LatestKeyframe,
            PlayStart::NextKeyframe => Self::NextKeyframe,
            PlayStart::Back(by) => Self::Back(by),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            realm: "arcly".into(),
            play_wait: Duration::ZERO,
            describe_wait: Duration::from_secs(5),
            sync_wait: Duration::from_millis(3_100),
            play_start: PlayStart::LatestKeyframe,
            max_packet: 1_200,
            audio_flush_window: Duration::from_millis(40),
            udp_burst: 4,
            report_interval: Duration::from_secs(5),
            shed_after: Duration::from_millis(500),
            skip_after: Duration::from_secs(2),
        }
    }
}

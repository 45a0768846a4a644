//! The server over real sockets, with peers that do what programs do at their worst moments.

mod client;
mod server;

use arcly_core::rtp::rtcp::{self, PictureLoss, RtcpPacket};
use arcly_core::rtp::{IngestConfig, IngestEvent, IngestTrack, RtpIngest, RtpPacket};
use arcly_core::{
    AppSpec, Event, EventBus, EventKind, FrameFlags, MediaFrame, PlaybackRegistry, StartAt,
    StreamHandle, StreamKey, TrackId, ViewerLoss,
};
use arcly_rtsp::proto::message::{Method, name};
use arcly_rtsp::proto::transport::Transport;
use arcly_rtsp::{Config, UdpPorts};
use arcly_testkit::{LinkConfig, UdpProxy};
use client::mock::{DESCRIPTION, Pictures};
use server::peer::Peer;
use server::{PATIENCE, Server};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const TCP: &str = "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record";
const PICTURE: Duration = Duration::from_millis(5);

/// Publishes pictures of so many bytes by TCP, five times as fast as they are to be shown, until it is aborted; the connection closes then.
async fn publisher(server: &Server, bytes: usize) -> JoinHandle<()> {
    let mut peer = Peer::connect(server.address, server.url("cam")).await;
    peer.record(DESCRIPTION, TCP).await;
    let mut pictures = Pictures::of_bytes(bytes);
    tokio::spawn(async move {
        loop {
            peer.send(&pictures.next_interleaved(0)).await;
            sleep(PICTURE).await;
        }
    })
}

async fn player(server: &Server) -> Peer {
    Peer::connect(server.address, server.url("cam")).await
}

fn handle(server: &Server) -> StreamHandle {
    let key = StreamKey::new("live", "cam");
    server.engine.get_stream(&key).expect("it is live")
}

/// The number of a picture, which is as it was sent.
fn number(frame: &MediaFrame, bytes: usize) -> u32 {
    // Behind the length and the head of the NAL unit.
    let digits = std::str::from_utf8(&frame.payload[6..14]).expect("digits");
    let number = u32::from_str_radix(digits, 16).expect("digits");
    let sent = Pictures::picture(number, bytes);
    assert!(frame.payload == sent.payload, "picture {number} is whole");
    number
}

/// The frames of a stream as they come, with their numbers among [`Pictures`] of so many bytes.
struct Shown {
    ingest: RtpIngest,
    bytes: usize,
}

impl Shown {
    fn new(bytes: usize) -> Self {
        let description =
            arcly_core::rtp::sdp::SessionDescription::parse(DESCRIPTION.as_bytes()).expect("SDP");
        let format = description.media[0].preferred().expect("known");
        let format = format.format.clone().expect("known");
        let mut ingest = RtpIngest::new(IngestConfig::reliable());
        let track = IngestTrack::new(TrackId::VIDEO, 96, format);
        ingest.add_track(track).expect("the first");
        Self { ingest, bytes }
    }

    fn number(&self, frame: &MediaFrame) -> u32 {
        number(frame, self.bytes)
    }

    /// The numbers of the pictures that are whole with this packet.
    fn packet(&mut self, packet: RtpPacket) -> Vec<u32> {
        let mut header = packet.header;
        // Ours has one of its own.
        header.payload_type = 96;
        let bytes = [&header.to_bytes()[..], &packet.payload].concat();
        let taken = self.ingest.handle_rtp(0, bytes.into(), Duration::ZERO);
        taken.expect("H.264");
        let mut numbers = Vec::new();
        while let Some(event) = self.ingest.poll_event() {
            if let IngestEvent::Frame(frame) = event
                && !frame.is_config()
            {
                numbers.push(self.number(&frame));
            }
        }
        numbers
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_pauses_and_goes_on_where_the_stream_is_then() {
    let server = Server::start().await;
    let publisher = publisher(&server, 100).await;
    server.live("cam", 1).await;
    let mut player = player(&server).await;
    player.play().await;
    let mut shown = Shown::new(100);
    let mut numbers = Vec::new();
    while numbers.len() < 20 {
        let (channel, data) = player.block().await.expect("media");
        if channel == 0 {
            numbers.extend(shown.packet(RtpPacket::parse(data).expect("RTP")));
        }
    }
    player.must(Method::Pause, "", &[]).await;
    // What was on its way came before the response.
    player
        .blocks_until_silence(Duration::from_millis(100))
        .await;
    assert_eq!(
        player
            .blocks_until_silence(Duration::from_millis(200))
            .await,
        0,
        "nothing is sent while it pauses"
    );
    // Again, as a keepalive would come.
    player.must(Method::Pause, "", &[]).await;
    let response = player.must(Method::Play, "", &[]).await;
    let info = response
        .headers
        .get(name::RTP_INFO)
        .expect("where it goes on");
    let mut shown = Shown::new(100);
    let mut later = Vec::new();
    let mut first = None;
    while later.len() < 20 {
        let (channel, data) = player.block().await.expect("media");
        if channel == 0 {
            let packet = RtpPacket::parse(data).expect("RTP");
            first.get_or_insert(packet.header.sequence);
            later.extend(shown.packet(packet));
        }
    }
    let told = format!("seq={}", first.expect("media"));
    assert!(info.contains(&told), "{told} in {info}");
    assert!(
        later[0] % 12 == 0 && later[0] > numbers[19],
        "a new keyframe"
    );
    assert!(later.windows(2).all(|two| two[1] == two[0] + 1));
    publisher.abort();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_that_is_slow_goes_on_at_a_keyframe_and_one_that_is_stuck_is_let_go() {
    const BYTES: usize = 40_000;
    let losses = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&losses);
    let observer = move |event: &Event| {
        if let EventKind::ViewerLost { loss, .. } = event.kind {
            told.lock().expect("no panic").push(loss);
        }
    };
    let mut config = Config::default();
    config.shed_after = Duration::from_millis(200);
    config.skip_after = Duration::from_millis(800);
    config.limits.write_timeout = Duration::from_secs(3);
    let server = Server::with(
        |engine| engine.observer(observer),
        |server| server.config(config),
    )
    .await;
    let publisher = publisher(&server, BYTES).await;
    server.live("cam", 1).await;
    let connect = || Peer::with_buffer(server.address, server.url("cam"), Some(4_096));
    let (mut slow, mut stuck) = (connect().await, connect().await);
    slow.play().await;
    stuck.play().await;
    let mut shown = Shown::new(BYTES);
    let mut numbers = Vec::new();
    // 40 kB each 5 ms, of which it takes a fifth.
    let reading = async {
        while numbers.len() < 60
            || numbers[numbers.len() - 1] - numbers[0] < 2 * numbers.len() as u32
        {
            let (channel, data) = slow.block().await.expect("it is not closed");
            if channel == 0 {
                let whole = shown.packet(RtpPacket::parse(data).expect("RTP"));
                if !whole.is_empty() {
                    sleep(PICTURE * 5).await;
                }
                numbers.extend(whole);
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("in time");
    for two in numbers.windows(2) {
        assert!(
            two[1] == two[0] + 1 || two[1] > two[0] && two[1].is_multiple_of(12),
            "{two:?}: gaps end at keyframes"
        );
    }
    let stuck_told = async {
        loop {
            let losses = losses.lock().expect("no panic").clone();
            if losses.contains(&ViewerLoss::EvictedForStuckSocket)
                || losses.contains(&ViewerLoss::EvictedForLag)
            {
                return losses;
            }
            sleep(PICTURE).await;
        }
    };
    let losses = timeout(PATIENCE, stuck_told).await.expect("it is let go");
    assert!(
        losses.contains(&ViewerLoss::SkippedToKeyframe),
        "{losses:?}"
    );
    publisher.abort();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn players_go_on_with_a_publisher_that_comes_back_in_time() {
    let spec = AppSpec::new("live").publisher_grace(Duration::from_secs(20));
    let server = Server::with(|engine| engine.application(spec), |server| server).await;
    let first = publisher(&server, 100).await;
    server.live("cam", 1).await;
    let mut player = player(&server).await;
    player.play().await;
    let mut timestamps = Vec::new();
    let mut next = async |player: &mut Peer, count: usize| {
        for _ in 0..count {
            let (channel, data) = player.block().await.expect("it is not closed");
            if channel == 0 {
                let packet = RtpPacket::parse(data).expect("RTP");
                timestamps.push((packet.header.timestamp, packet.header.sequence));
            } else {
                let packets: Vec<_> = rtcp::read(&data)
                    .map(|packet| packet.expect("RTCP"))
                    .collect();
                let bye = |packet: &RtcpPacket| matches!(packet, RtcpPacket::Bye(_));
                assert!(!packets.iter().any(bye), "no goodbye in between");
            }
        }
    };
    next(&mut player, 30).await;
    let mut events = server.engine.subscribe_events();
    // Aborted, its connection is closed without a word.
    first.abort();
    let interrupted = async {
        while let Some(event) = events.recv().await {
            if matches!(event.kind, EventKind::PublishInterrupted { .. }) {
                return;
            }
        }
    };
    timeout(PATIENCE, interrupted).await.expect("it is seen");
    let second = publisher(&server, 100).await;
    next(&mut player, 200).await;
    let later = |two: &[(u32, u16)]| {
        let ((t0, s0), (t1, s1)) = (two[0], two[1]);
        s1 == s0.wrapping_add(1) && (t1.wrapping_sub(t0) as i32) > 0
    };
    // One picture a packet.
    assert!(timestamps.windows(2).all(later), "{timestamps:?}");
    second.abort();
    server.stop().await;
}

/// Viewers ask for keyframes: the publisher, which answers PLI, is asked in turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_keyframe_that_a_player_asks_for_is_asked_of_the_publisher() {
    let server = Server::start().await;
    let mut publisher = player(&server).await;
    publisher.record(DESCRIPTION, TCP).await;
    let mut pictures = Pictures::of_bytes(100);
    publisher.send(&pictures.next_interleaved(0)).await;
    publisher.send(&pictures.next_interleaved(0)).await;
    server.live("cam", 1).await;
    let mut player = player(&server).await;
    player.play().await;
    let (channel, data) = player.block().await.expect("its report");
    assert_eq!(channel, 1);
    let Some(Ok(RtcpPacket::SenderReport(report))) = rtcp::read(&data).next() else {
        panic!("no report first");
    };
    let mut request = bytes::BytesMut::new();
    let pli = PictureLoss {
        sender: 5,
        media: report.ssrc,
    };
    rtcp::ReceiverReport::new(5, Vec::new()).write(&mut request);
    pli.write(&mut request);
    player.send_block(1, &request).await;
    let (channel, data) = publisher.block().await.expect("it is asked");
    assert_eq!(channel, 1);
    let asked = rtcp::read(&data).flatten();
    let asked: Vec<_> = asked
        .filter_map(|packet| match packet {
            RtcpPacket::PictureLoss(pli) => Some(pli.media),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [7], "of its own source");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_ports_gives_each_track_its_own() {
    // Free a moment ago, all of them.
    let first = (20_000..60_000_u16).step_by(6).find(|first| {
        let bound = (*first..first + 4)
            .map(|port| std::net::UdpSocket::bind(("127.0.0.1", port)).map(drop));
        bound.into_iter().all(|bound| bound.is_ok())
    });
    let first = first.expect("four free ports");
    let ports = UdpPorts::Range(first..=first + 3);
    let server = Server::with(|engine| engine, |server| server.udp(ports)).await;
    let publisher = publisher(&server, 100).await;
    server.live("cam", 1).await;
    let mut agreed = Vec::new();
    let mut players = Vec::new();
    for _ in 0..2 {
        let rtp = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let port = rtp.local_addr().expect("bound").port();
        let mut player = player(&server).await;
        player.must(Method::Describe, "", &[]).await;
        // Behind a NAT: the port that is named is another one than that which sends.
        let transport = format!("RTP/AVP;unicast;client_port={}-{}", 2, 3);
        let transport = [(name::TRANSPORT, transport.as_str())];
        let response = player.must(Method::Setup, "/trackID=0", &transport).await;
        let offered = response.headers.get(name::TRANSPORT).expect("agreed");
        let offered = Transport::parse_all(offered).expect("read");
        let server_port = offered[0].server_port.expect("its ports");
        assert_eq!(server_port.rtcp, server_port.rtp + 1);
        let to = SocketAddr::new(server.address.ip(), server_port.rtp);
        rtp.send_to(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], to)
            .await
            .expect("sent");
        // It has been taken notice of once the next request is answered, or a little later.
        sleep(Duration::from_millis(50)).await;
        player.must(Method::Play, "", &[]).await;
        agreed.push(server_port.rtp);
        players.push((player, rtp, port, to));
    }
    agreed.sort_unstable();
    assert_eq!(agreed, [first, first + 2]);
    for (_, rtp, _, server) in &players {
        let mut datagram = [0; 2_000];
        let (_, from) = timeout(PATIENCE, rtp.recv_from(&mut datagram))
            .await
            .expect("media in time")
            .expect("media");
        assert_eq!(from, *server, "from its own port");
    }
    // There are no more: by UDP it is refused, over the connection it is not.
    let mut third = player(&server).await;
    third.must(Method::Describe, "", &[]).await;
    let udp = "RTP/AVP;unicast;client_port=5000-5001";
    let refused = third
        .ask(Method::Setup, "/trackID=0", &[(name::TRANSPORT, udp)], "")
        .await;
    assert_eq!(refused.status.code(), 461);
    let either = format!("{udp},RTP/AVP/TCP;unicast;interleaved=0-1");
    third
        .must(Method::Setup, "/trackID=0", &[(name::TRANSPORT, &either)])
        .await;
    // Those of one that goes are free again.
    drop(players.pop());
    let mut fourth = player(&server).await;
    fourth.must(Method::Describe, "", &[]).await;
    let again = async {
        while !fourth
            .ask(Method::Setup, "/trackID=0", &[(name::TRANSPORT, udp)], "")
            .await
            .status
            .is_success()
        {
            sleep(PICTURE).await;
        }
    };
    timeout(PATIENCE, again).await.expect("free again");
    publisher.abort();
    server.stop().await;
}

/// 5 % of a publisher's datagrams are lost, others come late or twice.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_publisher_loses_on_the_way_is_left_out_up_to_the_next_keyframe() {
    const BYTES: usize = 4_500;
    const PICTURES: u32 = 600;
    let server = Server::start().await;
    let mut publisher = player(&server).await;
    let transport = "RTP/AVP;unicast;client_port=5000-5001;mode=record";
    let agreed = publisher.record(DESCRIPTION, transport).await;
    let agreed = agreed.headers.get(name::TRANSPORT).expect("agreed");
    let ports = Transport::parse_all(agreed).expect("read")[0].server_port;
    let to = SocketAddr::new(server.address.ip(), ports.expect("its ports").rtp);
    let lossy = LinkConfig {
        jitter: Duration::from_millis(3),
        loss_per_million: 50_000,
        duplicates_per_million: 5_000,
        reorder_per_million: 10_000,
        reorder_by: Duration::from_millis(20),
        ..LinkConfig::default()
    };
    let proxy = UdpProxy::start(to, lossy, LinkConfig::default(), 11).await;
    let proxy = proxy.expect("ports");
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let mut pictures = Pictures::of_bytes(BYTES);
    let mut frames = handle(&server).subscribe_from(StartAt::LatestKeyframe);
    let reading = tokio::spawn(async move {
        let mut numbers: Vec<u32> = Vec::new();
        while let Some(frame) = frames.recv().await {
            if frame.is_config() {
                continue;
            }
            let number = number(&frame, BYTES);
            if numbers.last().is_some_and(|last| number != last + 1) {
                assert!(frame.is_keyframe() && frame.flags.contains(FrameFlags::DISCONTINUITY));
                assert!(number > numbers[numbers.len() - 1], "none twice");
            }
            numbers.push(number);
        }
        numbers
    });
    for _ in 0..PICTURES {
        for packet in pictures.next_packets() {
            socket
                .send_to(&packet, proxy.address())
                .await
                .expect("sent");
        }
        sleep(PICTURE).await;
    }
    let (counters, _) = proxy.counters();
    assert!(counters.lost > 50, "{counters:?}");
    publisher.must(Method::Teardown, "", &[]).await;
    let numbers = timeout(PATIENCE, reading).await.expect("it ends");
    let numbers = numbers.expect("no panic");
    // Five packets a picture: a GOP of twelve is cut short somewhere nearly each time, and 23 in 100 pictures can be decoded.
    let share = numbers.len() as f64 / f64::from(PICTURES);
    assert!((0.1..0.6).contains(&share), "{share} of all");
    server.stop().await;
}

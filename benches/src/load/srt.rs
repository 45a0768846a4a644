//! SRT callers that publish and play, over the sans-IO connection of `arcly-srt`.

use arcly_core::mux::Muxer;
use arcly_core::{CodecId, MediaFrame};
use arcly_mux_ts::TsMuxer;
use arcly_srt::proto::connection::{Connection, Event, Options};
use arcly_srt::proto::handshake::caller::Call;
use arcly_srt::proto::handshake::{self, Caller, Progress};
use arcly_srt::proto::packet::{Control, Packet, SocketId};
use arcly_srt::proto::sequence::SequenceNumber;
use bytes::{Bytes, BytesMut};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::time::sleep_until;

/// Seven packets of MPEG-TS.
const PAYLOAD_BYTES: usize = 1_316;
/// Pictures a second, and from keyframe to keyframe.
const PICTURES_PER_SECOND: i64 = 30;
const GOP: i64 = 60;
/// With these, 4 Mbit/s.
const KEYFRAME_BYTES: usize = 80_000;
const PICTURE_BYTES: usize = 14_500;

/// Frames of sound at 48 kHz; with these, 128 kbit/s.
const SAMPLE_RATE: i64 = 48_000;
const SOUND_SAMPLES: i64 = 1_024;
const SOUND_BYTES: usize = 341;

const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\
        \x00\x03\x00\x32\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

fn now() -> Instant {
    Instant::now()
}

/// What players got.
#[derive(Debug, Default)]
pub struct Played {
    /// Payload bytes.
    pub bytes: AtomicU64,
    /// Packets.
    pub packets: AtomicU64,
    /// Packets that did not come.
    pub lost: AtomicU64,
}

/// One caller.
#[derive(Debug)]
pub struct Peer {
    socket: UdpSocket,
    connection: Connection,
    buffer: Vec<u8>,
}

impl Peer {
    /// Calls `server` with a stream id; `number` tells callers apart.
    ///
    /// # Errors
    /// Where the server refuses, or does not answer within five seconds.
    pub async fn call(server: SocketAddr, stream_id: &str, number: u32) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        socket.connect(server).await?;
        let call = Call {
            options: handshake::Options::default(),
            stream_id: (!stream_id.is_empty()).then(|| stream_id.to_owned()),
            passphrase: None,
            local_id: SocketId(1_000 + number),
            isn: SequenceNumber::new(number * 1_000),
            peer: server.ip(),
            timeout: Duration::from_secs(5),
        };
        let mut caller = Caller::new(call, now()).map_err(io::Error::other)?;
        let mut buffer = vec![0; 2_048];
        loop {
            while let Some(datagram) = caller.poll(now()) {
                socket.send(&datagram.to_bytes()).await?;
            }
            if caller.has_timed_out(now()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let deadline = caller.deadline().unwrap_or_else(now);
            let length = tokio::select! {
                length = socket.recv(&mut buffer) => length?,
                () = sleep_until(deadline.into()) => continue,
            };
            let datagram = Bytes::copy_from_slice(&buffer[..length]);
            let Ok(Packet::Control(packet)) = Packet::parse(datagram) else {
                continue;
            };
            let Control::Handshake(body) = packet.control else {
                continue;
            };
            match caller.handle(body, packet.time, now()) {
                Progress::Going => {}
                Progress::Rejected(reason) => {
                    return Err(io::Error::other(format!("refused: {reason:?}")));
                }
                Progress::Connected(negotiated) => {
                    let connection = Connection::new(*negotiated, Options::default(), now());
                    return Ok(Self {
                        socket,
                        connection,
                        buffer,
                    });
                }
            }
        }
    }

    /// Plays until the connection ends, counting what comes.
    ///
    /// # Errors
    /// What the socket reports.
    pub async fn play(mut self, played: &Played) -> io::Result<()> {
        loop {
            if self.turn(None, played).await? {
                return Ok(());
            }
        }
    }

    /// Publishes the stream until the connection ends.
    ///
    /// # Errors
    /// What the socket reports.
    pub async fn publish(mut self) -> io::Result<()> {
        let (ignored, start) = (Played::default(), now());
        let mut stream = Stream::default();
        for picture in 0.. {
            let due = start + Duration::from_secs(1) * picture / PICTURES_PER_SECOND as u32;
            while now() < due {
                if self.turn(Some(due), &ignored).await? {
                    return Ok(());
                }
            }
            for payload in stream.picture(picture.into()) {
                self.connection
                    .send(payload, now())
                    .map_err(io::Error::other)?;
            }
        }
        Ok(())
    }

    /// Does what is due and waits for what comes; whether the connection has ended.
    async fn turn(&mut self, deadline: Option<Instant>, played: &Played) -> io::Result<bool> {
        self.connection.handle_timeout(now());
        while let Some(event) = self.connection.poll_event(now()) {
            match event {
                Event::Data(data) => {
                    let bytes = data.payload.len() as u64;
                    played.bytes.fetch_add(bytes, Ordering::Relaxed);
                    played.packets.fetch_add(1, Ordering::Relaxed);
                }
                Event::Lost { packets } => {
                    played.lost.fetch_add(packets, Ordering::Relaxed);
                }
                Event::Closed(_) => return Ok(true),
                _ => {}
            }
        }
        while let Some(datagram) = self.connection.poll_transmit(now()) {
            self.socket.send(&datagram.to_bytes()).await?;
        }
        let timeout = self.connection.next_timeout(now());
        let wake = [deadline, timeout].into_iter().flatten().min();
        let wake = wake.unwrap_or_else(|| now() + Duration::from_secs(1));
        tokio::select! {
            () = sleep_until(wake.into()) => {}
            length = self.socket.recv(&mut self.buffer) => {
                let mut length = Ok(length?);
                while let Ok(read) = length {
                    let datagram = Bytes::copy_from_slice(&self.buffer[..read]);
                    self.connection.handle_datagram(datagram, now());
                    length = self.socket.try_recv(&mut self.buffer);
                }
            }
        }
        Ok(false)
    }
}

/// 720p30 of 4 Mbit/s and AAC of 128 kbit/s, in payloads of MPEG-TS.
#[derive(Default)]
struct Stream {
    muxer: TsMuxer,
    waiting: BytesMut,
    /// Frames of sound that were sent.
    sounds: i64,
}

impl Stream {
    fn picture(&mut self, number: i64) -> Vec<Bytes> {
        let is_key = number % GOP == 0;
        let milliseconds = number * 1_000 / PICTURES_PER_SECOND;
        let mut muxed = Vec::new();
        let mut write = |frame: &MediaFrame| {
            self.muxer
                .write(frame, &mut muxed)
                .expect("MPEG-TS carries H.264");
        };
        if is_key {
            let config = Bytes::from_static(AVCC);
            write(
                &MediaFrame::new_video(milliseconds, milliseconds, config, CodecId::H264, false)
                    .into_config(),
            );
        }
        let bytes = if is_key {
            KEYFRAME_BYTES
        } else {
            PICTURE_BYTES
        };
        if self.sounds == 0 {
            let config = Bytes::from_static(&[0x11, 0x90]);
            write(&MediaFrame::new_audio(0, config, CodecId::Aac).into_config());
        }
        while self.sounds * SOUND_SAMPLES * 1_000 / SAMPLE_RATE <= milliseconds {
            let at = self.sounds * SOUND_SAMPLES * 1_000 / SAMPLE_RATE;
            let sound = Bytes::from(vec![0x21; SOUND_BYTES]);
            write(&MediaFrame::new_audio(at, sound, CodecId::Aac));
            self.sounds += 1;
        }
        let mut unit = vec![0xab; bytes];
        let length = u32::try_from(bytes - 4).unwrap_or(0);
        unit[..4].copy_from_slice(&length.to_be_bytes());
        unit[4..6].copy_from_slice(if is_key { &[0x65, 0x88] } else { &[0x41, 0x9a] });
        write(&MediaFrame::new_video(
            milliseconds,
            milliseconds,
            unit.into(),
            CodecId::H264,
            is_key,
        ));
        for bytes in muxed {
            self.waiting.extend_from_slice(&bytes);
        }
        let mut payloads = Vec::new();
        while self.waiting.len() >= PAYLOAD_BYTES {
            payloads.push(self.waiting.split_to(PAYLOAD_BYTES).freeze());
        }
        payloads
    }
}

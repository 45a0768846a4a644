//! A mock camera on a socket of loopback: it answers as it is told, and sends media.

use super::camera::plain;
use arcly_core::bytes::{BufMut, Bytes, BytesMut};
use arcly_core::rtp::PayloadFormat;
use arcly_core::rtp::packet::RtpHeader;
use arcly_core::rtp::payload::Packetizer;
use arcly_core::{CodecId, MediaFrame};
use arcly_rtsp::proto::message::{Message, MessageReader, Method, Request};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One H.264 track, as the media of [`Pictures`] are.
pub(crate) const DESCRIPTION: &str = "v=0\r\ns=mock\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;\
sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==\r\na=control:trackID=0\r\n";

/// What is said to a request, on which connection (counted from 0); `None` hangs up.
pub(crate) type Answers = dyn FnMut(usize, &Request) -> Option<Vec<u8>> + Send;

#[derive(Debug)]
pub(crate) struct MockCamera {
    address: SocketAddr,
    /// Methods and URIs, with the connection.
    pub(crate) requests: Arc<Mutex<Vec<(usize, String, String)>>>,
    task: JoinHandle<()>,
}

impl Drop for MockCamera {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a camera with one track of H.264 says.
pub(crate) fn honest(request: &Request) -> Vec<u8> {
    match request.method {
        Method::Describe => plain(request)
            .body("application/sdp", DESCRIPTION)
            .to_bytes(),
        _ => plain(request).to_bytes(),
    }
}

impl MockCamera {
    /// Answers by `answers`, and sends pictures on channel 0 once it has said 200 to PLAY, `pictures` of them at most on each connection before it hangs up.
    pub(crate) async fn start(
        answers: impl FnMut(usize, &Request) -> Option<Vec<u8>> + Send + 'static,
        pictures: usize,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let answers: Arc<Mutex<Box<Answers>>> = Arc::new(Mutex::new(Box::new(answers)));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
                tokio::spawn(serve(stream, connection, answers, seen, pictures));
            }
        });
        Self {
            address,
            requests,
            task,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("rtsp://{}/{path}", self.address)
    }

    pub(crate) fn methods(&self) -> Vec<(usize, String)> {
        let requests = self.requests.lock().expect("one writer");
        requests
            .iter()
            .map(|(connection, method, _)| (*connection, method.clone()))
            .collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    answers: Arc<Mutex<Box<Answers>>>,
    seen: Arc<Mutex<Vec<(usize, String, String)>>>,
    pictures: usize,
) {
    let mut reader = MessageReader::new(Default::default());
    let mut buffer = [0; 4_096];
    let mut media = Pictures::new();
    let (mut playing, mut sent) = (false, 0);
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) => reader.push(&buffer[..length]),
            },
            () = tokio::time::sleep(Duration::from_millis(5)), if playing => {
                if sent == pictures {
                    return;
                }
                let interleaved = media.next_interleaved(0);
                sent += 1;
                // Its last words may still be there to be read.
                playing = stream.write_all(&interleaved).await.is_ok();
            }
        }
        while let Some(message) = reader.next().expect("well-formed requests") {
            let Message::Request(request) = message else {
                continue;
            };
            let request_line = (connection, request.method.to_string(), request.uri.clone());
            seen.lock().expect("one writer").push(request_line);
            let answer = (answers.lock().expect("no panic"))(connection, &request);
            let Some(answer) = answer else {
                return;
            };
            let is_success = answer.starts_with(b"RTSP/1.0 200");
            if stream.write_all(&answer).await.is_err() {
                return;
            }
            playing |= request.method == Method::Play && is_success;
            playing &= request.method != Method::Teardown;
        }
    }
}

/// Pictures of H.264, 25 a second, a keyframe each half second; no decoder sees them.
pub(crate) struct Pictures {
    packetizer: Box<dyn Packetizer>,
    index: u32,
    sequence: u16,
    bytes: usize,
}

impl Pictures {
    pub(crate) fn new() -> Self {
        Self::of_bytes(100)
    }

    /// Of so many bytes each.
    pub(crate) fn of_bytes(bytes: usize) -> Self {
        let format = PayloadFormat::H264 {
            packetization_mode: 1,
            config: None,
        };
        let packetizer = format.packetizer(1_000).expect("H.264 is written");
        Self {
            packetizer,
            index: 0,
            sequence: 65_500,
            bytes,
        }
    }

    /// The picture of this index, as it is to come out.
    pub(crate) fn picture(index: u32, bytes: usize) -> MediaFrame {
        let key = index.is_multiple_of(12);
        let mut nal = vec![if key { 0x65 } else { 0x41 }, 0x9a];
        let number = format!("{index:08x}");
        nal.extend(number.bytes().cycle().take(bytes));
        nal.push(0x80);
        let mut payload = (nal.len() as u32).to_be_bytes().to_vec();
        payload.extend(nal);
        let millis = i64::from(index) * 40;
        MediaFrame::new_video(millis, millis, payload.into(), CodecId::H264, key)
    }

    /// The packets of the next picture.
    pub(crate) fn next_packets(&mut self) -> Vec<Bytes> {
        let picture = Self::picture(self.index, self.bytes);
        let mut payloads = Vec::new();
        let key = picture.is_keyframe();
        self.packetizer
            .packetize(&picture.payload, key, &mut payloads)
            .expect("a picture of H.264");
        let timestamp = 0xffff_0000_u32.wrapping_add(self.index * 3_600);
        self.index += 1;
        let packet = |payload: &arcly_core::rtp::payload::Payload| {
            let header = RtpHeader {
                payload_type: 96,
                marker: payload.marker,
                sequence: self.sequence,
                timestamp,
                ssrc: 7,
            };
            self.sequence = self.sequence.wrapping_add(1);
            [&header.to_bytes()[..], payload.head(), &payload.body]
                .concat()
                .into()
        };
        payloads.iter().map(packet).collect()
    }

    pub(crate) fn next_interleaved(&mut self, channel: u8) -> BytesMut {
        let mut out = BytesMut::new();
        for packet in self.next_packets() {
            out.put_slice(&[b'$', channel]);
            out.put_u16(packet.len() as u16);
            out.put_slice(&packet);
        }
        out
    }
}

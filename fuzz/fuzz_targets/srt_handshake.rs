//! Handshakes: what was read is read the same after it was written; a listener, a caller and both sides of a rendezvous take any sequence
//! of packets, of which some have the cookie that they should have.

#![no_main]

use arcly_srt::proto::crypto::Passphrase;
use arcly_srt::proto::handshake::caller::Call;
use arcly_srt::proto::handshake::{Caller, Cookies, Handshake, Options, Progress, Rendezvous};
use arcly_srt::proto::listener::{Listener, ListenerLimits, Path};
use arcly_srt::proto::packet::{Control, ControlPacket, SocketId};
use arcly_srt::proto::sequence::SequenceNumber;
use arcly_srt::proto::time::PacketTime;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

const LIMITS: (usize, usize) = (4, 8);

fn call(encrypted: bool) -> Call {
    Call {
        options: Options::default(),
        stream_id: Some("read:live/x".into()),
        passphrase: encrypted.then(secret),
        local_id: SocketId(7),
        isn: SequenceNumber::new(1),
        peer: [127, 0, 0, 1].into(),
        timeout: Duration::from_secs(3),
    }
}

fn secret() -> Passphrase {
    Passphrase::new("a secret of fuzzing").expect("long enough")
}

fuzz_target!(|data: &[u8]| {
    let Some((&mode, data)) = data.split_first() else {
        return;
    };
    let now = *START;
    let pieces = data.split(|&byte| byte == 0xa5).take(24);
    if mode & 1 == 0 {
        listen(pieces, now);
        return;
    }
    let mut caller = Caller::new(call(false), now).expect("a valid call");
    let mut meeting = Rendezvous::new(call(false), 5, now).expect("a valid call");
    for (count, piece) in pieces.enumerate() {
        let at = now + Duration::from_millis(100 * count as u64);
        let _ = (caller.poll(at), meeting.poll(at));
        let body = Bytes::copy_from_slice(piece);
        if let Ok(handshake) = Handshake::read(body.clone()) {
            let again =
                Handshake::read(handshake.to_bytes()).expect("what was read can be written");
            assert_eq!(again.extensions, handshake.extensions);
        }
        if let Progress::Connected(it) = caller.handle(body.clone(), PacketTime::default(), at) {
            assert!(it.max_packet_bytes >= 548 && it.max_packet_bytes <= 1472);
        }
        let _ = meeting.handle(body, PacketTime::default(), at);
    }
});

fn listen<'a>(pieces: impl Iterator<Item = &'a [u8]>, now: Instant) {
    let mut limits = ListenerLimits::default();
    (limits.connections, limits.pending) = LIMITS;
    let cookies = Cookies::with_secret([9; 32], now);
    let mut listener: Listener<()> =
        Listener::with_cookies(cookies.clone(), Options::default(), limits);
    let from = Path {
        peer: SocketAddr::from(([127, 0, 0, 1], 5000)),
        local: None,
    };
    for (count, piece) in pieces.enumerate() {
        let at = now + Duration::from_millis(100 * count as u64);
        let body = Bytes::copy_from_slice(piece);
        // Half of them have the right cookie.
        let body = match Handshake::read(body.clone()) {
            Ok(mut handshake) if handshake.isn.value() & 1 == 0 => {
                handshake.cookie = cookies.make(from.peer, handshake.socket.0, at);
                handshake.to_bytes()
            }
            _ => body,
        };
        let packet = ControlPacket {
            time: PacketTime::default(),
            destination: SocketId::LISTENER,
            control: Control::Handshake(body),
        };
        let _ = listener.handle(from, packet.to_datagram().to_bytes(), at);
        while let Some(request) = listener.poll_request() {
            let (peer, local) = (request.peer, request.path.local);
            match request.check(&Options::default(), None, at) {
                Ok(admission) => drop(listener.accept(admission, (), at)),
                Err(reason) => listener.reject(peer, local, reason, at),
            }
        }
        while listener.poll_transmit().is_some() {}
        assert!(listener.connections() <= LIMITS.0 && listener.pending() <= LIMITS.1);
    }
}

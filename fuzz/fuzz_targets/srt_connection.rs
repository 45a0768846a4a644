//! An established connection against a peer that sends whatever it likes, as a sequence of operations: raw datagrams, data and control packets
//! with any numbers, time passing, messages to send. It never panics; packets are delivered in order and once; both buffers keep to
//! their limits; after each round there is nothing left that is due, and no answer is longer than a packet; after the end comes nothing.

#![no_main]

use arcly_srt::proto::connection::{Connection, Event, Options};
use arcly_srt::proto::handshake::{
    self, Capabilities, Extensions, Flags, Handshake, Responder, SrtExtension, Stage, Version,
};
use arcly_srt::proto::packet::{
    Ack, AckDetails, AckRates, Control, ControlPacket, DataPacket, KeyFlag, KeyMaterialKind,
    LossRange, MAX_PACKET_BYTES, Packet, Position, SocketId,
};
use arcly_srt::proto::sequence::{MessageNumber, SequenceNumber};
use arcly_srt::proto::time::PacketTime;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

const LOCAL: SocketId = SocketId(7);
/// The last numbers before the wrap.
const ISN: SequenceNumber = SequenceNumber::new(0x7fff_ffc0);

fn connect(now: Instant) -> Connection {
    let capabilities = Capabilities {
        version: Version::OURS,
        flags: Flags::live(),
        receive_latency_ms: 120,
        send_latency_ms: 120,
    };
    let request = Handshake {
        version: 5,
        key_length: None,
        extension_field: 0,
        isn: ISN,
        mtu: 1500,
        flow_window: 8192,
        stage: Stage::Conclusion,
        socket: SocketId(8),
        cookie: 1,
        peer_address: [0; 16],
        extensions: Extensions {
            srt: Some(SrtExtension::Request(capabilities)),
            ..Extensions::default()
        },
    };
    let options = handshake::Options::default();
    let responder = Responder {
        options: &options,
        passphrase: None,
        local_id: LOCAL,
        epoch: now,
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    // The peer's clock is about to wrap.
    let received = (now, PacketTime::from_micros(u32::MAX - 1_000_000));
    let Ok((_, negotiated)) = handshake::respond(&request, received, responder) else {
        panic!("the request is in order");
    };
    let mut options = Options::default();
    options.limits.receive_packets = 512;
    options.limits.receive_bytes = 100_000;
    options.limits.send_packets = 256;
    options.limits.send_bytes = 100_000;
    Connection::new(negotiated, options, now)
}

struct World {
    connection: Connection,
    now: Instant,
    delivered: Option<SequenceNumber>,
    closed: bool,
}

impl World {
    /// Does all that is due.
    fn pump(&mut self) {
        self.connection.handle_timeout(self.now);
        while let Some(event) = self.connection.poll_event(self.now) {
            assert!(!self.closed);
            match event {
                Event::Data(data) => {
                    if let Some(last) = self.delivered {
                        assert!(data.sequence.is_after(last));
                    }
                    self.delivered = Some(data.sequence);
                }
                Event::Closed(_) => self.closed = true,
                _ => {}
            }
        }
        let mut sent = 0;
        while let Some(datagram) = self.connection.poll_transmit(self.now) {
            assert!(datagram.len() <= MAX_PACKET_BYTES);
            assert!(Packet::parse(datagram.to_bytes()).is_ok());
            sent += 1;
            assert!(sent < 1_000);
        }
        match self.connection.next_timeout(self.now) {
            Some(next) => assert!(!self.closed && next > self.now),
            None => assert!(self.closed),
        }
        let statistics = self.connection.statistics(self.now);
        assert!(statistics.received.buffered <= 512);
        assert!(statistics.received.buffered_bytes <= 100_000);
        assert!(statistics.received.awaited <= 512);
        assert!(statistics.sent.buffered <= 256 && statistics.sent.in_flight <= 256);
    }

    fn receive(&mut self, control: Control) {
        let packet = Packet::Control(ControlPacket {
            time: PacketTime::from_micros(0),
            destination: LOCAL,
            control,
        });
        // Over the wire, as it would come.
        let datagram = packet.to_datagram().to_bytes();
        self.connection.handle_datagram(datagram, self.now);
    }
}

/// The input, as numbers; 0 behind its end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn u8(&mut self) -> u8 {
        let (&first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        first
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    /// Mostly near the start of the connection, now and then anywhere.
    fn sequence(&mut self) -> SequenceNumber {
        let near = self.u16();
        if near == u16::MAX {
            return SequenceNumber::new(u32::from(self.u16()) << 16 | u32::from(self.u16()));
        }
        ISN.minus(64).plus(u32::from(near % 1_024))
    }

    fn range(&mut self) -> LossRange {
        let first = self.sequence();
        let last = self.sequence();
        LossRange::new(first, last).unwrap_or(LossRange::one(first))
    }

    fn bytes(&mut self) -> Bytes {
        let length = usize::from(self.u8()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        Bytes::copy_from_slice(bytes)
    }
}

fuzz_target!(|data: &[u8]| {
    #[expect(clippy::disallowed_methods, reason = "time starts anywhere")]
    let now = Instant::now();
    let mut world = World {
        connection: connect(now),
        now,
        delivered: None,
        closed: false,
    };
    let mut input = Input(data);
    while !input.0.is_empty() {
        match input.u8() % 13 {
            0 => {
                let mut datagram = input.bytes().to_vec();
                // To the right socket, else nothing is read.
                if let Some(id) = datagram.get_mut(12..16) {
                    id.copy_from_slice(&LOCAL.0.to_be_bytes());
                }
                world.connection.handle_datagram(datagram.into(), world.now);
            }
            1 | 2 => {
                let flags = input.u8();
                let micros = u32::from(input.u16()) << 16;
                let packet = Packet::Data(DataPacket {
                    sequence: input.sequence(),
                    position: Position::Solo,
                    in_order: false,
                    key: if flags & 0b111 == 0 {
                        KeyFlag::Even
                    } else {
                        KeyFlag::Clear
                    },
                    retransmitted: flags & 0b1000 != 0,
                    message: MessageNumber::FIRST,
                    time: PacketTime::from_micros(micros),
                    destination: LOCAL,
                    payload: Bytes::from(vec![0x47; 188 * usize::from(1 + flags % 7)]),
                });
                world.connection.handle_packet(packet, world.now);
            }
            3 => {
                let ack = Ack {
                    number: u32::from(input.u8() % 32),
                    next: input.sequence(),
                    details: Some(AckDetails {
                        rtt: u32::from(input.u16()) << 8,
                        rtt_variance: u32::from(input.u16()) << 8,
                        available_packets: u32::from(input.u8()),
                        rates: Some(AckRates {
                            packets_per_second: 1,
                            link_packets_per_second: 2,
                            bytes_per_second: 3,
                        }),
                    }),
                };
                world.receive(Control::Ack(ack));
            }
            4 => {
                let next = input.sequence();
                world.receive(Control::Ack(Ack {
                    number: 0,
                    next,
                    details: None,
                }));
            }
            5 => {
                let losses = (0..=input.u8() % 64).map(|_| input.range()).collect();
                world.receive(Control::Nak(losses));
            }
            6 => {
                let number = u32::from(input.u8());
                world.receive(Control::AckAck { number });
            }
            7 => {
                let range = input.range();
                let message = MessageNumber::NONE;
                world.receive(Control::DropRequest { message, range });
            }
            8 => {
                let message = input.bytes();
                let kind = if message.len() % 2 == 0 {
                    KeyMaterialKind::Request
                } else {
                    KeyMaterialKind::Response
                };
                world.receive(Control::KeyMaterial { kind, message });
            }
            9 => {
                for _ in 0..input.u8() % 64 {
                    let payload = Bytes::from_static(&[0x47; 1316]);
                    let _ = world.connection.send(payload, world.now);
                }
            }
            10 => world.now += Duration::from_micros(u64::from(input.u16()) * 100),
            11 => match input.u8() {
                0 => world.receive(Control::Shutdown),
                1 => world.connection.finish(world.now),
                2 => world.connection.close(),
                _ => world.receive(Control::KeepAlive),
            },
            // Time as the connection wants it.
            _ => {
                if let Some(next) = world.connection.next_timeout(world.now) {
                    world.now = world.now.max(next);
                }
            }
        }
        world.pump();
    }
});

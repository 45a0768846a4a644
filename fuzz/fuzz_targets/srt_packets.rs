//! SRT packets and stream ids: whatever was read can be written, and is read the same again.

#![no_main]

use arcly_srt::proto::packet::{Control, Packet, destination_of};
use arcly_srt::proto::stream_id::Target;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(target) = Target::parse(text)
    {
        let plain = Target::parse(&target.to_string()).expect("the plain form is one");
        assert_eq!((plain.key, plain.action), (target.key, target.action));
    }
    let Ok(packet) = Packet::parse(Bytes::copy_from_slice(data)) else {
        return;
    };
    assert_eq!(destination_of(data), Some(packet.destination()));
    if let Packet::Control(control) = &packet
        && let Control::Nak(losses) = &control.control
    {
        // One entry a word at most, whatever the ranges say.
        assert!(losses.len() <= data.len() / 4);
        if losses.len() > 180 {
            return;
        }
    }
    let written = packet.to_datagram().to_bytes();
    assert_eq!(Packet::parse(written), Ok(packet));
});

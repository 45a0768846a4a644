//! RTSP messages: whatever the pieces, the same is read, and what is read is written and read again.

#![no_main]

use arcly_rtsp::MessageLimits;
use arcly_rtsp::proto::message::{Message, MessageReader};
use libfuzzer_sys::fuzz_target;

fn read(pieces: impl Iterator<Item = Vec<u8>>) -> (Vec<Message>, bool) {
    let mut reader = MessageReader::new(MessageLimits::default());
    let mut messages = Vec::new();
    for piece in pieces {
        reader.push(&piece);
        loop {
            match reader.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => return (messages, true),
            }
        }
    }
    (messages, false)
}

fuzz_target!(|data: &[u8]| {
    let (whole, failed) = read(std::iter::once(data.to_vec()));
    let (pieces, failed_in_pieces) = read(data.chunks(3).map(<[u8]>::to_vec));
    assert_eq!((&whole, failed), (&pieces, failed_in_pieces));
    for message in whole {
        let written = match &message {
            Message::Request(request) if request.is_version_1_0 => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
            _ => continue,
        };
        let (again, _) = read(std::iter::once(written.clone()));
        // What was no UTF-8 got longer, maybe past a limit.
        assert!(again == [message] || written.len() > data.len());
    }
});

//! Chunks: however the input is cut, the same messages and the same error come out, all bytes are accounted for, and
//! what was read can be written and reads the same. The first two bytes choose the cut and the chunk size.

#![no_main]

use arcly_rtmp::proto::chunk::{ChunkReader, ChunkWriter, ReaderLimits};
use arcly_rtmp::proto::message::Message;
use arcly_rtmp::{Error, Limits};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;

fn read(bytes: &[u8], piece: usize, chunk_size: u32) -> (Vec<Message>, Result<u64, Error>) {
    let mut reader = ChunkReader::new(ReaderLimits::from(&Limits::default()), 0);
    reader.set_chunk_size(chunk_size).expect("in range");
    let mut messages = Vec::new();
    for mut input in bytes.chunks(piece) {
        loop {
            match reader.read(&mut input) {
                Ok(Some(received)) => messages.push(received.message),
                Ok(None) => break,
                Err(error) => return (messages, Err(error)),
            }
        }
        assert!(input.is_empty());
    }
    (messages, Ok(reader.offset()))
}

fuzz_target!(|data: &[u8]| {
    let [piece, chunk_size, bytes @ ..] = data else {
        return;
    };
    let (piece, chunk_size) = (usize::from(*piece) + 1, u32::from(*chunk_size) + 1);
    let (messages, end) = read(bytes, bytes.len().max(1), chunk_size);
    assert_eq!(
        read(bytes, piece, chunk_size),
        (messages.clone(), end.clone())
    );
    if let Ok(offset) = end {
        assert!(offset <= bytes.len() as u64);
        // All but a header that is not complete: at most 17 bytes.
        assert!(offset + 17 >= bytes.len() as u64);
    }
    let mut writer = ChunkWriter::default();
    writer.set_chunk_size(chunk_size);
    let mut written = BytesMut::new();
    for message in &messages {
        writer.write(&mut written, 3, message);
    }
    assert_eq!(
        read(&written, piece, chunk_size),
        (messages, Ok(written.len() as u64))
    );
});

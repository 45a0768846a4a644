//! Inputs that once broke or slowed parsers are parsed or refused. They are fuzz seeds of gortsplib (MIT), in the format of Go's corpora.

use arcly_rtsp::MessageLimits;
use arcly_rtsp::proto::auth::{Authorization, Challenge};
use arcly_rtsp::proto::message::MessageReader;
use arcly_rtsp::proto::range::Range;
use arcly_rtsp::proto::rtp_info::RtpInfo;
use arcly_rtsp::proto::session_header::SessionHeader;
use arcly_rtsp::proto::transport::Transport;
use std::path::Path;

/// All inputs: as they stand in the files, which are text with escapes.
fn inputs() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => inputs.push(std::fs::read(path).expect("a file")),
            }
        }
    }
    inputs
}

#[test]
fn each_is_parsed_or_refused() {
    let inputs = inputs();
    assert!(inputs.len() > 50, "{} inputs", inputs.len());
    for input in inputs {
        let mut reader = MessageReader::new(MessageLimits::default());
        reader.push(&input);
        while let Ok(Some(_)) = reader.next() {}
        assert!(reader.buffered() <= input.len());
        let text = String::from_utf8_lossy(&input);
        let _ = Transport::parse_all(&text);
        let _ = Challenge::parse_all([&*text]);
        let _ = Authorization::parse(&text);
        let _ = Range::parse(&text);
        let _ = RtpInfo::parse_all(&text);
        let _ = SessionHeader::parse(&text);
    }
}

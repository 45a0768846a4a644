//! Inputs that broke other parsers (see `tests/README.md`) are read or refused.

use arcly_rtp::rtcp;
use arcly_rtp::sdp::SessionDescription;
use std::fs;
use std::path::Path;

fn inputs(kind: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/hostile")
        .join(kind);
    let entries = fs::read_dir(path).expect("the folder is part of the repository");
    let read = |entry: std::io::Result<fs::DirEntry>| fs::read(entry.expect("readable").path());
    entries
        .map(|entry| read(entry).expect("readable"))
        .collect()
}

#[test]
fn session_descriptions() {
    let inputs = inputs("sdp");
    assert!(inputs.len() > 30, "{}", inputs.len());
    for input in inputs {
        if let Ok(session) = SessionDescription::parse(&input) {
            assert!(SessionDescription::parse(session.to_string().as_bytes()).is_ok());
        }
    }
}

#[test]
fn rtcp_datagrams() {
    for input in inputs("rtcp") {
        assert!(rtcp::read(&input).all(|packet| packet.is_err()));
    }
}

/// Thousands of sections, formats and attributes cost no more than their bytes, and not their square.
#[test]
fn large_descriptions_are_refused_or_cheap() {
    let sections = "m=video 0 RTP/AVP 96\r\n".repeat(100);
    assert!(SessionDescription::parse(sections.as_bytes()).is_err());
    assert!(SessionDescription::parse(&vec![b'a'; 1 << 20]).is_err());
    let types: Vec<String> = (0..128).map(|number| number.to_string()).collect();
    let types = types.join(" ").repeat(40);
    let maps = "a=rtpmap:96 H264/90000\r\n".repeat(1_000);
    let session = format!("m=video 0 RTP/AVP {types}\r\n{maps}");
    let session = SessionDescription::parse(session.as_bytes()).expect("within the limits");
    assert_eq!(session.media[0].formats.len(), arcly_rtp::sdp::MAX_FORMATS);
}

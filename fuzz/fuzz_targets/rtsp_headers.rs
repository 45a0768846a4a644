//! The values of RTSP's headers, and its URLs: what is read is written, and read the same.

#![no_main]

use arcly_rtsp::proto::auth::{Authorization, Challenge};
use arcly_rtsp::proto::range::Range;
use arcly_rtsp::proto::rtp_info::RtpInfo;
use arcly_rtsp::proto::session_header::SessionHeader;
use arcly_rtsp::proto::target::Target;
use arcly_rtsp::proto::transport::Transport;
use arcly_rtsp::proto::url::RtspUrl;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for transport in Transport::parse_all(text).unwrap_or_default() {
        let _ = transport.to_string();
    }
    for challenge in Challenge::parse_all([text]).unwrap_or_default() {
        assert_eq!(
            Challenge::parse_all([&*challenge.to_string()]),
            Ok(vec![challenge])
        );
    }
    if let Ok(authorization) = Authorization::parse(text) {
        assert_eq!(
            Authorization::parse(&authorization.to_string()),
            Ok(authorization)
        );
    }
    if let Ok(range) = Range::parse(text) {
        let written = range.to_string();
        // Less than a millisecond is not written.
        assert_eq!(
            Range::parse(&written).map(|range| range.to_string()),
            Ok(written)
        );
    }
    let _ = RtpInfo::parse_all(text);
    if let Ok(session) = SessionHeader::parse(text) {
        assert_eq!(SessionHeader::parse(&session.to_string()), Ok(session));
    }
    let _ = (RtspUrl::parse(text), Target::parse(text));
});

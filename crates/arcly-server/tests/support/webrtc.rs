//! WebRTC in a page of a real browser.

use super::page::Page;
use super::{Process, Server, tool};
use serde_json::Value;

/// What pages can do.
const CLIENT: &str = include_str!("webrtc.js");

/// A page that does nothing by itself, of the server's own origin: the server's page would play what is live beside the test.
pub(crate) fn open(server: &Server) -> Page {
    let mut page = Page::open(&server.url("/api/v1/server"));
    page.wait("document.readyState === 'complete'");
    page.evaluate(CLIENT);
    page
}

pub(crate) fn number(page: &mut Page, expression: &str) -> f64 {
    let value = page.evaluate(expression);
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{expression} is {value}"))
}

/// Runs something that may throw, and tells what.
pub(crate) fn run(page: &mut Page, call: &str) {
    let result = page.evaluate(&format!("{call}.catch((error) => String(error))"));
    assert_eq!(result, Value::Bool(true), "{call}");
}

/// 25 pictures a second without B-frames, a keyframe each second, and AAC: what an encoder for low latency sends by RTMP.
pub(crate) fn encoder(url: &str) -> Process {
    Process::spawn(
        tool("ffmpeg")
            .args("-v error -re -f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine=sample_rate=48000 -t 120".split(' '))
            .args("-c:v libx264 -profile:v baseline -preset ultrafast -tune zerolatency -g 25 -pix_fmt yuv420p -c:a aac -f flv".split(' '))
            .arg(url),
    )
}

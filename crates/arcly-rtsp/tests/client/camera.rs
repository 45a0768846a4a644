//! A camera that answers with what a real one once said.

use arcly_rtsp::proto::message::{Method, Request, Response, StatusCode, name};
use std::path::Path;

/// In place of a file: what a server without quirks says.
pub(crate) const PLAIN: &str = "";

/// The replies of one device, by their files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Camera {
    pub(crate) options: Option<&'static str>,
    pub(crate) describe: &'static str,
    /// For one SETUP after the other; the last goes on.
    pub(crate) setup: &'static [&'static str],
    pub(crate) play: Option<&'static str>,
    set_up: usize,
}

impl Camera {
    pub(crate) const fn new(
        describe: &'static str,
        setup: &'static [&'static str],
        play: Option<&'static str>,
    ) -> Self {
        Self {
            options: None,
            describe,
            setup,
            play,
            set_up: 0,
        }
    }

    /// What it says to a request.
    pub(crate) fn answer(&mut self, request: &Request) -> Vec<u8> {
        let file = match request.method {
            Method::Options => self.options,
            Method::Describe => Some(self.describe),
            Method::Setup => {
                let file = self.setup.get(self.set_up).or(self.setup.last()).copied();
                self.set_up += 1;
                file
            }
            Method::Play => self.play,
            Method::Teardown => Some("reolink_teardown"),
            _ => None,
        };
        match file {
            Some(file) if file != PLAIN => reply(file, request),
            _ => plain(request).to_bytes(),
        }
    }
}

/// What a server without quirks says.
pub(crate) fn plain(request: &Request) -> Response {
    let response = Response::to(request, StatusCode::OK);
    match request.method {
        Method::Options => {
            response.header(name::PUBLIC, "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        }
        Method::Setup => {
            let transport = request.headers.get(name::TRANSPORT).unwrap_or_default();
            response
                .header(name::TRANSPORT, transport)
                .header(name::SESSION, "1234;timeout=60")
        }
        _ => response,
    }
}

/// A reply of the corpus, with the number of the request in place of its own. What is a description alone becomes the body of a plain response.
pub(crate) fn reply(file: &str, request: &Request) -> Vec<u8> {
    let bytes = read(file);
    let cseq = request.cseq().expect("a numbered request");
    if !bytes.starts_with(b"RTSP/") {
        let response = plain(request).body("application/sdp", bytes);
        return response.to_bytes();
    }
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = bytes.split_at(end.map_or(bytes.len(), |end| end + 4));
    let head = String::from_utf8(head.to_vec()).expect("headers in ASCII");
    let renumbered: String = head
        .split_inclusive("\r\n")
        .map(|line| match line.split_once(':') {
            Some((name, _)) if name.eq_ignore_ascii_case("cseq") => format!("{name}: {cseq}\r\n"),
            _ => line.to_owned(),
        })
        .collect();
    [renumbered.as_bytes(), body].concat()
}

pub(crate) fn read(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cameras/{file}.txt"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

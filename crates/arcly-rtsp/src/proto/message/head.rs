//! The lines before a message's body.

use super::headers::name;
use super::{Headers, Method, Request, Response, StatusCode};
use crate::{Fault, MessageLimits};
use bytes::Bytes;

/// A message but for its body.
#[derive(Debug)]
pub(super) enum Head {
    Request(Request),
    Response(Response),
}

impl Head {
    /// Reads the lines of a message, the empty one that ends them included. What is not UTF-8 is replaced.
    pub(super) fn parse(lines: &[u8], limits: &MessageLimits) -> Result<Self, Fault> {
        let text = String::from_utf8_lossy(lines);
        let mut lines = text
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        let start = lines.next().unwrap_or_default();
        let headers = read_headers(lines, limits)?;
        if let Some(rest) = start.strip_prefix("RTSP/") {
            let (_, rest) = rest
                .split_once(' ')
                .ok_or(Fault::Malformed("a status line without status"))?;
            let (code, reason) = rest
                .trim_start()
                .split_once(' ')
                .unwrap_or((rest.trim_start(), ""));
            let status = code
                .parse()
                .ok()
                .filter(|_| code.len() == 3)
                .and_then(StatusCode::new)
                .ok_or(Fault::Malformed(
                    "a status that is no number of three digits",
                ))?;
            let mut response = Response::new(status).reason(reason);
            response.headers = headers;
            return Ok(Self::Response(response));
        }
        let mut words = start.split_ascii_whitespace();
        let (Some(method), Some(uri), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Fault::Malformed("a request line of other than three words"));
        };
        let version = version
            .strip_prefix("RTSP/")
            .ok_or(Fault::Malformed("a request that is not RTSP"))?;
        if !method.bytes().all(is_token) {
            return Err(Fault::Malformed("a method that is no token"));
        }
        if uri.chars().any(char::is_control) {
            return Err(Fault::Malformed("a URL with control characters"));
        }
        let mut request = Request::new(Method::from(method), uri);
        request.is_version_1_0 = version == "1.0";
        request.headers = headers;
        Ok(Self::Request(request))
    }

    /// The length of the body, in bytes. One that is missing or empty is 0.
    pub(super) fn content_length(&self, limits: &MessageLimits) -> Result<usize, Fault> {
        let headers = match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        };
        let mut lengths = headers.all(name::CONTENT_LENGTH).map(str::trim);
        let Some(length) = lengths.next().filter(|length| !length.is_empty()) else {
            return Ok(0);
        };
        // Two that differ would let two readers see different messages.
        if lengths.any(|other| other != length) {
            return Err(Fault::Malformed("two lengths of one body"));
        }
        if !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Fault::Malformed("a Content-Length that is no number"));
        }
        let length = length.parse().unwrap_or(usize::MAX);
        if length > limits.body_bytes {
            return Err(Fault::LimitExceeded {
                what: "body_bytes",
                max: limits.body_bytes as u64,
            });
        }
        Ok(length)
    }
}

/// What a token is made of (RFC 2326, section 15.1).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte)
}

fn read_headers<'a>(
    lines: impl Iterator<Item = &'a str>,
    limits: &MessageLimits,
) -> Result<Headers, Fault> {
    let mut read: Vec<(&str, String)> = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            // A value goes on in the next line (RFC 2326, section 4.2, as HTTP/1.1 does).
            let (_, value) = read
                .last_mut()
                .ok_or(Fault::Malformed("a header that goes on before it starts"))?;
            if !line.trim().is_empty() {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        if read.len() >= limits.headers {
            return Err(Fault::LimitExceeded {
                what: "headers",
                max: limits.headers as u64,
            });
        }
        let (name, value) = line
            .split_once(':')
            .ok_or(Fault::Malformed("a header line without colon"))?;
        let name = name.trim_end();
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(Fault::Malformed("a header's name that is no token"));
        }
        read.push((name, value.trim().to_owned()));
    }
    let mut headers = Headers::new();
    for (name, value) in read {
        headers.push(name, value);
    }
    Ok(headers)
}

/// Ends the headers and appends the body.
pub(super) fn end(out: &mut Vec<u8>, headers: &Headers, body: &Bytes) {
    // Written here alone, so that it cannot differ from what follows.
    if !body.is_empty() && headers.get(name::CONTENT_LENGTH).is_none() {
        out.extend_from_slice(format!("{}: {}\r\n", name::CONTENT_LENGTH, body.len()).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

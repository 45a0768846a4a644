//! Splitting a connection's bytes into messages: whatever the pieces they come in, and whatever is wrong with them.

use arcly_rtsp::proto::message::{
    Interleaved, Message, MessageReader, Method, Request, Response, StatusCode, interleaved_head,
    name,
};
use arcly_rtsp::{Error, MessageLimits};
use proptest::prelude::*;

fn read_all(reader: &mut MessageReader, bytes: &[u8]) -> Result<Vec<Message>, Error> {
    reader.push(bytes);
    let mut read = Vec::new();
    while let Some(message) = reader.next()? {
        read.push(message);
    }
    Ok(read)
}

fn read(bytes: &[u8]) -> Result<Vec<Message>, Error> {
    read_all(&mut MessageReader::new(MessageLimits::default()), bytes)
}

#[derive(Debug, Clone)]
enum Sent {
    Request(Request),
    Response(Response),
    Block(u8, Vec<u8>),
}

impl Sent {
    fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Request(request) => request.write_to(out),
            Self::Response(response) => response.write_to(out),
            Self::Block(channel, data) => {
                out.extend(interleaved_head(*channel, data.len() as u16));
                out.extend(data);
            }
        }
    }

    fn is(&self, message: &Message) -> bool {
        // The length is written by itself, and read as a header.
        match (self, message) {
            (Self::Request(sent), Message::Request(read)) => {
                let headers: Vec<_> = read
                    .headers
                    .iter()
                    .filter(|(name, _)| *name != "Content-Length")
                    .collect();
                sent.method == read.method
                    && sent.uri == read.uri
                    && sent.body == read.body
                    && sent.headers.iter().collect::<Vec<_>>() == headers
            }
            (Self::Response(sent), Message::Response(read)) => {
                let headers: Vec<_> = read
                    .headers
                    .iter()
                    .filter(|(name, _)| *name != "Content-Length")
                    .collect();
                sent.status == read.status
                    && sent.reason == read.reason
                    && sent.body == read.body
                    && sent.headers.iter().collect::<Vec<_>>() == headers
            }
            (
                Self::Block(channel, data),
                Message::Interleaved(Interleaved {
                    channel: read,
                    data: block,
                    ..
                }),
            ) => channel == read && data[..] == block[..],
            _ => false,
        }
    }
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec(("X-[A-Za-z-]{1,8}", "([!-~]([ -~]{0,16}[!-~])?)?"), 0..6)
}

fn sent() -> impl Strategy<Value = Sent> {
    let body = proptest::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        ("[A-Z_]{1,12}", "[!-~]{1,30}", headers(), body.clone()).prop_map(
            |(method, uri, headers, body)| {
                let mut request = Request::new(Method::from(&*method), uri);
                headers
                    .into_iter()
                    .for_each(|(name, value)| request.headers.push(name, value));
                request.body = body.into();
                Sent::Request(request)
            }
        ),
        (
            100_u16..600,
            "([!-~]([ -~]{0,16}[!-~])?)?",
            headers(),
            body.clone()
        )
            .prop_map(|(status, reason, headers, body)| {
                let mut response =
                    Response::new(StatusCode::new(status).expect("in range")).reason(reason);
                headers
                    .into_iter()
                    .for_each(|(name, value)| response.headers.push(name, value));
                response.body = body.into();
                Sent::Response(response)
            }),
        (any::<u8>(), body).prop_map(|(channel, data)| Sent::Block(channel, data)),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_whatever_the_pieces(
        sent in proptest::collection::vec(sent(), 0..8),
        pieces in proptest::collection::vec(1_usize..80, 1..20),
    ) {
        let mut bytes = Vec::new();
        sent.iter().for_each(|message| message.write_to(&mut bytes));
        let mut reader = MessageReader::new(MessageLimits::default());
        let (mut read, mut rest, mut pieces) = (Vec::new(), &bytes[..], pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at((*pieces.next().unwrap()).min(rest.len()));
            read.extend(read_all(&mut reader, piece).unwrap());
            rest = more;
        }
        prop_assert_eq!(read.len(), sent.len());
        for (sent, read) in sent.iter().zip(&read) {
            prop_assert!(sent.is(read), "{:?} {:?}", sent, read);
        }
        prop_assert_eq!(reader.buffered(), 0);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }
}

#[test]
fn peers_take_liberties() {
    // Lines that end with LF, a value over two lines, blanks around names, empty lines before a message.
    let bytes = b"\r\n\nDESCRIBE  rtsp://h/a  RTSP/1.0\nCseq : 7\nAccept: a,\n\tb\n\nRTSP/1.0 200\r\nCSeq:7\r\n\r\n";
    let read = read(bytes).unwrap();
    let [Message::Request(request), Message::Response(response)] = &read[..] else {
        panic!("{read:?}");
    };
    assert_eq!((request.cseq(), response.cseq()), (Some(7), Some(7)));
    assert_eq!(request.headers.get(name::ACCEPT), Some("a, b"));
    assert_eq!(response.status, StatusCode::OK);
}

#[test]
fn another_version_is_for_the_server_to_refuse() {
    let read = read(b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n").unwrap();
    assert!(matches!(&read[..], [Message::Request(request)] if !request.is_version_1_0));
}

#[test]
fn what_is_no_message_is_refused_where_it_starts() {
    for (bytes, offset) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], 0),
        (b"OPTIONS * RTSP/1.0\r\n\r\nOPTIONS\r\n\r\n", 22),
        (b"$\0\0\x01xOPTIONS * RTSP/1.0\r\nno colon\r\n\r\n", 5),
        (b"OPT(ONS * RTSP/1.0\r\n\r\n", 0),
        (b"OPTIONS * RTSP/1.0\r\n goes on\r\n\r\n", 0),
        (b"OPTIONS * RTSP/1.0\r\na b: c\r\n\r\n", 0),
        (b"OPTIONS * RTSP/1.0\r\nContent-Length: -1\r\n\r\n", 0),
        (
            b"OPTIONS * RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            0,
        ),
        (b"RTSP/1.0 20 OK\r\n\r\n", 0),
        (b"RTSP/1.0 0 0\r\n\r\n", 0),
        (b"\x16\x03\x01\x02\n\n", 0),
    ] {
        let mut reader = MessageReader::new(MessageLimits::default());
        let error = read_all(&mut reader, bytes).unwrap_err();
        let Error::PeerMisbehaved { at, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(at.offset, offset, "{error}");
        assert_eq!(reader.next().unwrap_err(), error, "there is no way on");
        assert_eq!(
            read_all(&mut reader, b"OPTIONS * RTSP/1.0\r\n\r\n").unwrap_err(),
            error
        );
    }
}

#[test]
fn a_huge_content_length_is_refused_before_the_body_comes() {
    for length in ["65537", "99999999999999999999999999"] {
        let head = format!("ANNOUNCE rtsp://h/a RTSP/1.0\r\nContent-Length: {length}\r\n\r\n");
        let error = read(head.as_bytes()).unwrap_err();
        assert!(
            matches!(
                error,
                Error::LimitExceeded {
                    what: "body_bytes",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn headers_without_end_are_refused_at_the_limit() {
    let limits = MessageLimits::default();
    let mut reader = MessageReader::new(limits);
    let mut sent = 0;
    let error = loop {
        match read_all(&mut reader, b"x") {
            Ok(read) => assert!(read.is_empty()),
            Err(error) => break error,
        }
        sent += 1;
        assert!(reader.buffered() <= limits.header_bytes);
    };
    assert_eq!(sent, limits.header_bytes);
    assert!(
        matches!(
            error,
            Error::LimitExceeded {
                what: "header_bytes",
                ..
            }
        ),
        "{error}"
    );

    let many = format!(
        "OPTIONS * RTSP/1.0\r\n{}\r\n",
        "a: b\r\n".repeat(limits.headers + 1)
    );
    let error = read(many.as_bytes()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::LimitExceeded {
                what: "headers",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn what_is_read_is_written_so_that_it_is_read_again() {
    let folded = b"DESCRIBE rtsp://a/x RTSP/1.0\nCSeq: 7\nAccept: a,\n\tb\n \n\n";
    let messages = read(folded).unwrap();
    let [Message::Request(request)] = &messages[..] else {
        panic!("{messages:?}");
    };
    assert_eq!(request.headers.get("accept"), Some("a, b"));
    assert_eq!(read(&request.to_bytes()).unwrap(), messages);

    let controls = b"DESCRIBE rtsp://a/\0x RTSP/1.0\r\nCSeq: 7\r\n\r\n";
    let error = read(controls).unwrap_err();
    assert!(error.to_string().contains("control"), "{error}");
}

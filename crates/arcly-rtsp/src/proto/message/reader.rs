//! Splitting a connection's bytes into messages.

use super::head::Head;
use super::{Request, Response};
use crate::{Error, Fault, Location, MessageLimits, Result};
use bytes::Bytes;

/// What stands before an interleaved block: `$`, the channel, the length (RFC 2326, section 10.12).
#[must_use]
pub const fn interleaved_head(channel: u8, length: u16) -> [u8; 4] {
    let [high, low] = length.to_be_bytes();
    [b'$', channel, high, low]
}

/// A block of binary data between messages: an RTP or RTCP packet (RFC 2326, section 10.12).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interleaved {
    /// The channel, as SETUP has agreed on it.
    pub channel: u8,
    /// The block, in memory of its own: who keeps it keeps nothing else alive.
    pub data: Bytes,
}

/// One thing that a peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// A request; servers get these, and clients from servers that redirect.
    Request(Request),
    /// A response.
    Response(Response),
    /// Media.
    Interleaved(Interleaved),
}

/// Splits what a peer sends into messages. Holds at most one that is not whole: [`header_bytes`](MessageLimits::header_bytes) and
/// [`body_bytes`](MessageLimits::body_bytes) of a message, or 65 539 bytes of an interleaved block, and what [`push`](Self::push) put behind.
///
/// ```
/// use arcly_rtsp::proto::message::{Message, MessageReader, Method};
///
/// let mut reader = MessageReader::new(Default::default());
/// reader.push(b"OPTIONS rtsp://host/live/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n$\0\0\x02hi");
/// let Some(Message::Request(request)) = reader.next()? else { panic!() };
/// assert_eq!((request.method.clone(), request.cseq()), (Method::Options, Some(1)));
/// let Some(Message::Interleaved(block)) = reader.next()? else { panic!() };
/// assert_eq!((block.channel, &block.data[..]), (0, &b"hi"[..]));
/// assert_eq!(reader.next()?, None);
/// # Ok::<(), arcly_rtsp::Error>(())
/// ```
#[derive(Debug)]
pub struct MessageReader {
    limits: MessageLimits,
    buffer: Vec<u8>,
    /// What of `buffer` is done with.
    taken: usize,
    /// What of the head that comes next was searched for its end.
    searched: usize,
    /// A message that waits for its body: so long.
    waiting: Option<(Head, usize)>,
    /// Where in the connection `buffer` starts.
    offset: u64,
    /// Where in the connection the message starts that was read last, or is being read.
    at: u64,
    failed: Option<Error>,
}

/// A buffer of more than this is given back once it is empty, so that a connection that is silent holds little.
const KEPT_BYTES: usize = 4 << 10;

impl MessageReader {
    /// A reader that nothing was sent to.
    #[must_use]
    pub const fn new(limits: MessageLimits) -> Self {
        Self {
            limits,
            buffer: Vec::new(),
            taken: 0,
            searched: 0,
            waiting: None,
            offset: 0,
            at: 0,
            failed: None,
        }
    }

    /// Takes what the peer sent. To be followed by [`next`](Self::next) until that has nothing more.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.drain(..self.taken.min(self.buffer.len()));
            self.offset += self.taken as u64;
            self.taken = 0;
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// How many bytes wait for more to make a message.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// Where the message starts that [`next`](Self::next) handed out last.
    #[must_use]
    pub const fn location(&self) -> Location {
        Location::byte(self.at)
    }

    /// The next message that is whole; `None` until more is pushed.
    ///
    /// # Errors
    /// Where the peer breaks the protocol or a limit: for good, as nobody knows where the next message would start.
    #[expect(clippy::should_implement_trait, reason = "it can go on after `None`")]
    pub fn next(&mut self) -> Result<Option<Message>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.read() {
            Ok(message) => {
                if message.is_none() && self.taken == self.buffer.len() {
                    self.offset += self.taken as u64;
                    self.taken = 0;
                    self.buffer.clear();
                    if self.buffer.capacity() > KEPT_BYTES {
                        self.buffer = Vec::new();
                    }
                }
                Ok(message)
            }
            Err(fault) => {
                let error = fault.at(self.location());
                self.failed = Some(error.clone());
                (self.buffer, self.taken) = (Vec::new(), 0);
                Err(error)
            }
        }
    }

    fn read(&mut self) -> Result<Option<Message>, Fault> {
        if self.waiting.is_none() {
            self.skip_empty_lines();
            self.at = self.offset + self.taken as u64;
            if self.rest().first() == Some(&b'$') {
                return Ok(self.interleaved());
            }
            let Some(length) = self.find_head()? else {
                return Ok(None);
            };
            let head = Head::parse(self.rest().get(..length).unwrap_or_default(), &self.limits)?;
            self.taken += length;
            let body = head.content_length(&self.limits)?;
            self.waiting = Some((head, body));
        }
        let ready = |(_, length): &mut (Head, usize)| self.buffer.len() - self.taken >= *length;
        let Some((head, length)) = self.waiting.take_if(ready) else {
            return Ok(None);
        };
        let body = Bytes::copy_from_slice(self.rest().get(..length).unwrap_or_default());
        self.taken += length;
        Ok(Some(match head {
            Head::Request(request) => Message::Request(Request { body, ..request }),
            Head::Response(response) => Message::Response(Response { body, ..response }),
        }))
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    /// Empty lines before a message mean nothing: some clients send them as keepalives.
    fn skip_empty_lines(&mut self) {
        if self.searched == 0 {
            let rest = self.rest();
            self.taken += rest
                .iter()
                .take_while(|byte| b"\r\n".contains(byte))
                .count();
        }
    }

    fn interleaved(&mut self) -> Option<Message> {
        let &[_, channel, high, low] = self.rest().first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let data = Bytes::copy_from_slice(self.rest().get(4..4 + length)?);
        self.taken += 4 + length;
        Some(Message::Interleaved(Interleaved { channel, data }))
    }

    /// The length of the head, with the empty line that ends it. Lines may end with LF alone.
    fn find_head(&mut self) -> Result<Option<usize>, Fault> {
        let too_long = Fault::LimitExceeded {
            what: "header_bytes",
            max: self.limits.header_bytes as u64,
        };
        // Up to two bytes before may belong to the end.
        let from = self.searched.saturating_sub(2);
        let rest = self.rest();
        let found = rest
            .iter()
            .enumerate()
            .skip(from)
            .filter(|(_, byte)| **byte == b'\n')
            .find_map(|(at, _)| match rest.get(at + 1..) {
                Some([b'\n', ..]) => Some(at + 2),
                Some([b'\r', b'\n', ..]) => Some(at + 3),
                _ => None,
            });
        match found {
            Some(length) if length > self.limits.header_bytes => Err(too_long),
            Some(length) => {
                self.searched = 0;
                Ok(Some(length))
            }
            None if rest.len() > self.limits.header_bytes => Err(too_long),
            None => {
                self.searched = rest.len();
                Ok(None)
            }
        }
    }
}

//! From chunks to messages.

use super::header::{Fields, Header, MAX_HEADER_BYTES};
use super::{INITIAL_CHUNK_SIZE, MAX_MESSAGE_BYTES};
use crate::proto::message::Message;
use crate::{Error, Fault, Location};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Reads messages from the bytes of a connection after the handshake, cut anywhere.
///
/// Each chunk stream has a buffer of its own, so that interleaved messages never mix. Memory is taken for bytes that
/// arrived, never on the word of a length field; a message's buffer is at most twice what arrived of it.
///
/// Where real peers differ from the specification:
/// * The extended timestamp of a continuation chunk, which RTMP 1.0 (5.3.1.3) asks for and some senders leave out, is
///   taken only where it repeats the value of the message's header. A payload that begins like that value and ends before it differs waits
///   for the next chunk.
/// * Type 1 may open a chunk stream: librtmp answers pings so. The time and the message stream count from 0.
/// * A continuation chunk with a full header is taken as one where the header repeats that of the message.
#[derive(Debug)]
pub struct ChunkReader {
    limits: ReaderLimits,
    chunk_size: usize,
    streams: BTreeMap<u32, ChunkStream>,
    /// The chunk whose payload is being read.
    current: Option<Current>,
    /// The start of a header that was cut off.
    carry: Carry,
    /// Bytes of partial messages over all chunk streams.
    buffered: usize,
    /// Bytes consumed, the handshake included.
    offset: u64,
}

/// The bounds of a [`ChunkReader`], from [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderLimits {
    /// See [`Limits::message_bytes`](crate::Limits::message_bytes).
    pub message_bytes: u32,
    /// See [`Limits::command_bytes`](crate::Limits::command_bytes).
    pub command_bytes: u32,
    /// See [`Limits::chunk_bytes`](crate::Limits::chunk_bytes).
    pub chunk_bytes: u32,
    /// See [`Limits::chunk_streams`](crate::Limits::chunk_streams).
    pub chunk_streams: usize,
    /// See [`Limits::buffered_bytes`](crate::Limits::buffered_bytes).
    pub buffered_bytes: usize,
}

impl From<&crate::Limits> for ReaderLimits {
    fn from(limits: &crate::Limits) -> Self {
        Self {
            message_bytes: limits.message_bytes,
            command_bytes: limits.command_bytes,
            chunk_bytes: limits.chunk_bytes,
            chunk_streams: limits.chunk_streams,
            buffered_bytes: limits.buffered_bytes,
        }
    }
}

/// A message with the place it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// The message.
    pub message: Message,
    /// Where its first chunk began.
    pub at: Location,
}

/// The state that a chunk stream keeps between chunks.
#[derive(Debug, Default)]
struct ChunkStream {
    timestamp: u32,
    /// The timestamp field of the last header that had one: what a new message of type 3 advances by
    /// (RTMP 1.0, 5.3.1.2.4).
    time_field: u32,
    extended: bool,
    length: u32,
    type_id: u8,
    stream_id: u32,
    /// Whether a message has begun that is not complete.
    open: bool,
    payload: Vec<u8>,
    /// Where the first chunk of the message began.
    offset: u64,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    chunk_stream: u32,
    /// Payload bytes of the chunk that have not come.
    remaining: usize,
}

/// Fewer bytes than a header, kept between two calls.
#[derive(Debug, Default)]
struct Carry {
    bytes: [u8; MAX_HEADER_BYTES],
    len: usize,
}

impl Carry {
    /// The first bytes of `bytes`, as many as a header can have.
    fn of(bytes: &[u8]) -> Self {
        Self::default().joined(bytes)
    }

    /// These bytes and the first of `more`.
    fn joined(&self, more: &[u8]) -> Self {
        let mut joined = Self {
            bytes: self.bytes,
            len: self.len,
        };
        for (to, from) in joined.bytes.iter_mut().skip(self.len).zip(more) {
            *to = *from;
            joined.len += 1;
        }
        joined
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl ChunkReader {
    /// A reader whose first byte is the byte `offset` of the connection.
    #[must_use]
    pub fn new(limits: ReaderLimits, offset: u64) -> Self {
        Self {
            limits,
            chunk_size: INITIAL_CHUNK_SIZE as usize,
            streams: BTreeMap::new(),
            current: None,
            carry: Carry::default(),
            buffered: 0,
            offset,
        }
    }

    /// Bytes consumed since the connection began, the handshake included.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Lets messages of media be as long as `message_bytes`, not only `command_bytes`.
    pub fn set_limits(&mut self, limits: ReaderLimits) {
        self.limits = limits;
    }

    /// Applies Set Chunk Size (RTMP 1.0, 5.4.1). Sizes above 16 777 215 mean just that.
    ///
    /// # Errors
    /// [`Fault::Malformed`] for 0 and where the first bit is set, [`Fault::LimitExceeded`] past `chunk_bytes`.
    pub fn set_chunk_size(&mut self, size: u32) -> Result<(), Fault> {
        if size == 0 || size > i32::MAX.cast_unsigned() {
            return Err(Fault::Malformed("chunk size out of range"));
        }
        let size = size.min(MAX_MESSAGE_BYTES);
        if size > self.limits.chunk_bytes {
            return Err(Fault::LimitExceeded {
                what: "chunk_bytes",
                max: self.limits.chunk_bytes.into(),
            });
        }
        self.chunk_size = size as usize;
        Ok(())
    }

    /// Applies Abort Message (RTMP 1.0, 5.4.2): forgets the partial message of a chunk stream, if there is one.
    pub fn abort(&mut self, chunk_stream: u32) {
        if let Some(stream) = self.streams.get_mut(&chunk_stream) {
            self.buffered -= stream.payload.len();
            stream.payload = Vec::new();
            stream.open = false;
        }
    }

    /// The next whole message in `input`, from which the bytes read are cut off; `None` once it is used up.
    ///
    /// Set Chunk Size and Abort take effect from the next chunk on, so the caller applies them before it calls again.
    ///
    /// # Errors
    /// Where the peer breaks the format or a limit. The reader is of no use afterwards.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Received>, Error> {
        loop {
            let current = match self.current {
                Some(current) => current,
                None => match self.read_header(input)? {
                    Some(current) => current,
                    None => return Ok(None),
                },
            };
            let message = if self.carry.len == 0 {
                self.read_payload(current, input)?
            } else {
                // What was taken for the extended timestamp of a continuation chunk is payload.
                let carry = std::mem::take(&mut self.carry);
                let mut payload = carry.as_slice();
                let message = self.read_payload(current, &mut payload)?;
                self.carry = Carry::of(payload);
                message
            };
            if message.is_some() || (self.current.is_some() && input.is_empty()) {
                return Ok(message);
            }
        }
    }

    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<Current>, Error> {
        let carried = self.carry.len;
        let joined;
        let bytes = if carried == 0 {
            *input
        } else {
            joined = self.carry.joined(input);
            joined.as_slice()
        };
        let Some((header, size)) = self.parse_header(bytes) else {
            self.carry = Carry::of(bytes);
            *input = &[];
            return Ok(None);
        };
        self.carry = Carry::of(bytes.get(size..carried).unwrap_or_default());
        *input = input
            .get(size.saturating_sub(carried)..)
            .unwrap_or_default();
        self.begin_chunk(&header, size).map(Some)
    }

    /// The header at the start of `bytes` and the bytes it takes, the extended timestamp of a type 3 chunk included.
    fn parse_header(&self, bytes: &[u8]) -> Option<(Header, usize)> {
        let header = Header::parse(bytes)?;
        let mut size = header.size;
        if header.fields == Fields::Type3
            && let Some(stream) = self.streams.get(&header.chunk_stream)
            && stream.extended
        {
            let rest = bytes.get(size..)?;
            let expected = stream.time_field.to_be_bytes();
            // The first byte that differs settles it: there may be fewer than four of a payload to come.
            let is_payload = stream.open && rest.iter().zip(expected).any(|(a, b)| *a != b);
            if !is_payload {
                let _extended_timestamp = rest.first_chunk::<4>()?;
                size += 4;
            }
        }
        Some((header, size))
    }

    fn begin_chunk(&mut self, header: &Header, size: usize) -> Result<Current, Error> {
        let id = header.chunk_stream;
        let mut at = Location {
            offset: self.offset,
            chunk_stream: Some(id),
            message_type: None,
        };
        let known = self.streams.contains_key(&id);
        if !known {
            if matches!(header.fields, Fields::Type2 { .. } | Fields::Type3) {
                return Err(Fault::Malformed("chunk stream opened without a full header").at(at));
            }
            if self.streams.len() >= self.limits.chunk_streams {
                let max = self.limits.chunk_streams as u64;
                return Err(Fault::LimitExceeded {
                    what: "chunk_streams",
                    max,
                }
                .at(at));
            }
        }
        let stream = self.streams.entry(id).or_default();
        if stream.open {
            at.message_type = Some(stream.type_id);
            if !stream.is_repeated_by(&header.fields) {
                return Err(Fault::Malformed(
                    "message begun inside another of the same chunk stream",
                )
                .at(at));
            }
        } else {
            stream.begin_message(&header.fields, self.offset);
            at.message_type = Some(stream.type_id);
            let (what, max) = if Message::is_media(stream.type_id) {
                ("message_bytes", self.limits.message_bytes)
            } else {
                ("command_bytes", self.limits.command_bytes)
            };
            if stream.length > max {
                return Err(Fault::LimitExceeded {
                    what,
                    max: max.into(),
                }
                .at(at));
            }
        }
        self.offset += size as u64;
        let remaining = (stream.length as usize - stream.payload.len()).min(self.chunk_size);
        Ok(Current {
            chunk_stream: id,
            remaining,
        })
    }

    /// Takes what `input` has of the current chunk's payload; the message, where that completes it.
    fn read_payload(
        &mut self,
        current: Current,
        input: &mut &[u8],
    ) -> Result<Option<Received>, Error> {
        let Some(stream) = self.streams.get_mut(&current.chunk_stream) else {
            return Err(Error::ApiMisuse {
                what: "chunk reader used after an error",
            });
        };
        let taken = current.remaining.min(input.len());
        let (head, tail) = input.split_at_checked(taken).unwrap_or((&[], input));
        self.buffered += taken;
        if self.buffered > self.limits.buffered_bytes {
            let max = self.limits.buffered_bytes as u64;
            return Err(Fault::LimitExceeded {
                what: "buffered_bytes",
                max,
            }
            .at(stream.location(current.chunk_stream)));
        }
        stream.append(head);
        *input = tail;
        self.offset += taken as u64;
        let remaining = current.remaining - taken;
        if remaining > 0 {
            self.current = Some(Current {
                remaining,
                ..current
            });
            return Ok(None);
        }
        self.current = None;
        if stream.payload.len() < stream.length as usize {
            return Ok(None);
        }
        self.buffered -= stream.payload.len();
        stream.open = false;
        Ok(Some(Received {
            at: stream.location(current.chunk_stream),
            message: Message {
                timestamp: stream.timestamp,
                type_id: stream.type_id,
                stream_id: stream.stream_id,
                payload: Bytes::from(std::mem::take(&mut stream.payload)),
            },
        }))
    }
}

impl ChunkStream {
    fn begin_message(&mut self, fields: &Fields, offset: u64) {
        match *fields {
            Fields::Type0 {
                time,
                length,
                type_id,
                stream_id,
            } => {
                self.timestamp = time.value;
                (self.time_field, self.extended) = (time.value, time.extended);
                (self.length, self.type_id, self.stream_id) = (length, type_id, stream_id);
            }
            Fields::Type1 {
                time,
                length,
                type_id,
            } => {
                self.timestamp = self.timestamp.wrapping_add(time.value);
                (self.time_field, self.extended) = (time.value, time.extended);
                (self.length, self.type_id) = (length, type_id);
            }
            Fields::Type2 { time } => {
                self.timestamp = self.timestamp.wrapping_add(time.value);
                (self.time_field, self.extended) = (time.value, time.extended);
            }
            Fields::Type3 => self.timestamp = self.timestamp.wrapping_add(self.time_field),
        }
        self.open = true;
        self.offset = offset;
    }

    /// Whether a chunk with these fields continues the open message.
    fn is_repeated_by(&self, fields: &Fields) -> bool {
        match *fields {
            Fields::Type0 {
                length,
                type_id,
                stream_id,
                ..
            } => (length, type_id, stream_id) == (self.length, self.type_id, self.stream_id),
            Fields::Type1 {
                length, type_id, ..
            } => (length, type_id) == (self.length, self.type_id),
            Fields::Type2 { .. } | Fields::Type3 => true,
        }
    }

    /// Appends, growing the buffer by at least its own size and never past the message's.
    fn append(&mut self, bytes: &[u8]) {
        let capacity = self.payload.capacity();
        if self.payload.len() + bytes.len() > capacity {
            let target = (self.payload.len() + bytes.len())
                .max(capacity * 2)
                .min(self.length as usize);
            self.payload.reserve_exact(target - self.payload.len());
        }
        self.payload.extend_from_slice(bytes);
    }

    fn location(&self, chunk_stream: u32) -> Location {
        Location {
            offset: self.offset,
            chunk_stream: Some(chunk_stream),
            message_type: Some(self.type_id),
        }
    }
}

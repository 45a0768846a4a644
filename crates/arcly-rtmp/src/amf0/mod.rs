//! AMF0, the notation of commands and metadata (Action Message Format AMF0, 2006), read within bounds.
//!
//! The [`Reader`] takes hostile input: depth, number of values and string lengths are bounded by [`Limits`], nothing
//! is allocated on the word of a count, and a value that is not needed can be [skipped](Reader::skip) without building it.
//!
//! ```
//! use arcly_rtmp::amf0::{Reader, Limits, Value, Writer};
//! use bytes::BytesMut;
//!
//! let mut bytes = BytesMut::new();
//! Writer::new(&mut bytes).string("onStatus").number(0.0).null();
//! let mut reader = Reader::new(&bytes, &Limits::default());
//! assert_eq!(reader.read()?, Value::from("onStatus"));
//! assert_eq!(reader.read()?, Value::Number(0.0));
//! assert_eq!(reader.read()?, Value::Null);
//! assert!(reader.is_empty());
//! # Ok::<(), arcly_rtmp::Fault>(())
//! ```

mod reader;
mod value;
mod writer;

pub use reader::{Limits, Reader};
pub use value::Value;
pub use writer::Writer;

/// Type markers (AMF0, 2.1).
mod marker {
    pub(super) const NUMBER: u8 = 0x00;
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const STRING: u8 = 0x02;
    pub(super) const OBJECT: u8 = 0x03;
    pub(super) const NULL: u8 = 0x05;
    pub(super) const UNDEFINED: u8 = 0x06;
    pub(super) const REFERENCE: u8 = 0x07;
    pub(super) const ECMA_ARRAY: u8 = 0x08;
    pub(super) const OBJECT_END: u8 = 0x09;
    pub(super) const STRICT_ARRAY: u8 = 0x0A;
    pub(super) const DATE: u8 = 0x0B;
    pub(super) const LONG_STRING: u8 = 0x0C;
    pub(super) const UNSUPPORTED: u8 = 0x0D;
    pub(super) const XML_DOCUMENT: u8 = 0x0F;
    pub(super) const TYPED_OBJECT: u8 = 0x10;
    pub(super) const AVMPLUS: u8 = 0x11;
}

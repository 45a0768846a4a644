//! Writing AMF0.

use super::{Value, marker};
use bytes::{BufMut, BytesMut};

/// Appends values to a buffer. Calls chain.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut BytesMut,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out`.
    #[must_use]
    pub fn new(out: &'a mut BytesMut) -> Self {
        Self { out }
    }

    /// A number.
    pub fn number(&mut self, number: f64) -> &mut Self {
        self.out.put_u8(marker::NUMBER);
        self.out.put_f64(number);
        self
    }

    /// A boolean.
    pub fn boolean(&mut self, boolean: bool) -> &mut Self {
        self.out.put_slice(&[marker::BOOLEAN, u8::from(boolean)]);
        self
    }

    /// A string; a long string from 65 536 bytes on.
    pub fn string(&mut self, text: &str) -> &mut Self {
        if let Ok(length) = u16::try_from(text.len()) {
            self.out.put_u8(marker::STRING);
            self.out.put_u16(length);
            self.out.put_slice(text.as_bytes());
        } else {
            self.long_string(marker::LONG_STRING, text);
        }
        self
    }

    /// Null.
    pub fn null(&mut self) -> &mut Self {
        self.out.put_u8(marker::NULL);
        self
    }

    /// An object of these properties.
    pub fn object<'p>(
        &mut self,
        properties: impl IntoIterator<Item = (&'p str, Value)>,
    ) -> &mut Self {
        self.out.put_u8(marker::OBJECT);
        for (name, value) in properties {
            self.name(name);
            self.value(&value);
        }
        self.end()
    }

    /// Any value. Property and class names are cut at 65 535 bytes.
    pub fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Number(number) => return self.number(*number),
            Value::Boolean(boolean) => return self.boolean(*boolean),
            Value::String(text) => return self.string(text),
            Value::Object(properties) => {
                self.out.put_u8(marker::OBJECT);
                return self.properties(properties);
            }
            Value::Null => return self.null(),
            Value::Undefined => self.out.put_u8(marker::UNDEFINED),
            Value::Reference(index) => {
                self.out.put_u8(marker::REFERENCE);
                self.out.put_u16(*index);
            }
            Value::EcmaArray(properties) => {
                self.out.put_u8(marker::ECMA_ARRAY);
                self.out
                    .put_u32(u32::try_from(properties.len()).unwrap_or(u32::MAX));
                return self.properties(properties);
            }
            Value::StrictArray(elements) => {
                self.out.put_u8(marker::STRICT_ARRAY);
                self.out
                    .put_u32(u32::try_from(elements.len()).unwrap_or(u32::MAX));
                for element in elements {
                    self.value(element);
                }
            }
            Value::Date { millis, zone } => {
                self.out.put_u8(marker::DATE);
                self.out.put_f64(*millis);
                self.out.put_i16(*zone);
            }
            Value::Unsupported => self.out.put_u8(marker::UNSUPPORTED),
            Value::Xml(text) => self.long_string(marker::XML_DOCUMENT, text),
            Value::Typed(class, properties) => {
                self.out.put_u8(marker::TYPED_OBJECT);
                self.name(class);
                return self.properties(properties);
            }
        }
        self
    }

    fn properties(&mut self, properties: &[(String, Value)]) -> &mut Self {
        for (name, value) in properties {
            self.name(name);
            self.value(value);
        }
        self.end()
    }

    fn name(&mut self, name: &str) {
        let mut end = name.len().min(usize::from(u16::MAX));
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let name = name.get(..end).unwrap_or_default();
        self.out
            .put_u16(u16::try_from(name.len()).unwrap_or_default());
        self.out.put_slice(name.as_bytes());
    }

    fn end(&mut self) -> &mut Self {
        self.out.put_slice(&[0, 0, marker::OBJECT_END]);
        self
    }

    fn long_string(&mut self, marker: u8, text: &str) {
        // Nobody writes 4 GiB of text here; were it so, the tail would be cut at a valid place.
        let length = u32::try_from(text.len()).unwrap_or_default();
        self.out.put_u8(marker);
        self.out.put_u32(length);
        self.out
            .put_slice(text.as_bytes().get(..length as usize).unwrap_or_default());
    }
}

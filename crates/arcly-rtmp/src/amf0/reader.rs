//! Reading AMF0 within bounds.

use super::{Value, marker};
use crate::Fault;

/// The bounds of one [`Reader`], that is of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The nesting of objects and arrays, see [`Limits::amf_depth`](crate::Limits::amf_depth).
    pub depth: usize,
    /// The values read or skipped, nested ones included, see [`Limits::amf_values`](crate::Limits::amf_values).
    pub values: usize,
    /// The bytes of a string, see [`Limits::amf_string_bytes`](crate::Limits::amf_string_bytes).
    pub string_bytes: usize,
}

impl From<&crate::Limits> for Limits {
    fn from(limits: &crate::Limits) -> Self {
        Self {
            depth: limits.amf_depth,
            values: limits.amf_values,
            string_bytes: limits.amf_string_bytes,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::from(&crate::Limits::default())
    }
}

/// Reads the values of one message, one after another.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    limits: Limits,
    values: usize,
}

impl<'a> Reader<'a> {
    /// A reader of the values in `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        Self {
            rest: bytes,
            limits: *limits,
            values: 0,
        }
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes that were not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next value.
    ///
    /// # Errors
    /// [`Fault::Malformed`] where the value is cut short or breaks the format, [`Fault::LimitExceeded`] past a limit,
    /// [`Fault::Unsupported`] for the switch to AMF3 (marker 0x11) and the markers that the specification reserves.
    pub fn read(&mut self) -> Result<Value, Fault> {
        self.value(self.limits.depth)
    }

    /// Passes over the next value without building it; it is checked as by [`read`](Self::read).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn skip(&mut self) -> Result<(), Fault> {
        self.skip_value(self.limits.depth)
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        let marker = self.begin_value()?;
        Ok(match marker {
            marker::NUMBER => Value::Number(self.f64()?),
            marker::BOOLEAN => Value::Boolean(self.u8()? != 0),
            marker::STRING => Value::String(self.text()?),
            marker::OBJECT => Value::Object(self.properties(depth)?),
            marker::NULL => Value::Null,
            marker::UNDEFINED => Value::Undefined,
            marker::REFERENCE => Value::Reference(self.u16()?),
            marker::ECMA_ARRAY => {
                // The count is a hint that writers get wrong; the end marker decides (AMF0, 2.10).
                self.u32()?;
                Value::EcmaArray(self.properties(depth)?)
            }
            marker::STRICT_ARRAY => {
                let count = self.u32()?;
                let inner = self.nest(depth)?;
                let mut elements = Vec::new();
                for _ in 0..count {
                    elements.push(self.value(inner)?);
                }
                Value::StrictArray(elements)
            }
            marker::DATE => Value::Date {
                millis: self.f64()?,
                zone: self.u16()?.cast_signed(),
            },
            marker::LONG_STRING => Value::String(self.long_text()?),
            marker::UNSUPPORTED => Value::Unsupported,
            marker::XML_DOCUMENT => Value::Xml(self.long_text()?),
            marker::TYPED_OBJECT => {
                let class = self.text()?;
                Value::Typed(class, self.properties(depth)?)
            }
            other => return Err(unknown(other)),
        })
    }

    fn skip_value(&mut self, depth: usize) -> Result<(), Fault> {
        let marker = self.begin_value()?;
        match marker {
            marker::NUMBER => self.take(8).map(drop),
            marker::BOOLEAN => self.take(1).map(drop),
            marker::STRING => self.string().map(drop),
            marker::OBJECT => self.skip_properties(depth),
            marker::NULL | marker::UNDEFINED | marker::UNSUPPORTED => Ok(()),
            marker::REFERENCE => self.take(2).map(drop),
            marker::ECMA_ARRAY => {
                self.u32()?;
                self.skip_properties(depth)
            }
            marker::STRICT_ARRAY => {
                let count = self.u32()?;
                let inner = self.nest(depth)?;
                for _ in 0..count {
                    self.skip_value(inner)?;
                }
                Ok(())
            }
            marker::DATE => self.take(10).map(drop),
            marker::LONG_STRING | marker::XML_DOCUMENT => self.long_string().map(drop),
            marker::TYPED_OBJECT => {
                self.string()?;
                self.skip_properties(depth)
            }
            other => Err(unknown(other)),
        }
    }

    /// Counts a value and takes its marker.
    fn begin_value(&mut self) -> Result<u8, Fault> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(Fault::LimitExceeded {
                what: "amf_values",
                max: self.limits.values as u64,
            });
        }
        self.u8()
    }

    /// The depth that is left inside an object or array.
    fn nest(&self, depth: usize) -> Result<usize, Fault> {
        depth.checked_sub(1).ok_or(Fault::LimitExceeded {
            what: "amf_depth",
            max: self.limits.depth as u64,
        })
    }

    fn properties(&mut self, depth: usize) -> Result<Vec<(String, Value)>, Fault> {
        let inner = self.nest(depth)?;
        let mut properties = Vec::new();
        while let Some(name) = self.property_name()? {
            properties.push((lossy(name), self.value(inner)?));
        }
        Ok(properties)
    }

    fn skip_properties(&mut self, depth: usize) -> Result<(), Fault> {
        let inner = self.nest(depth)?;
        while self.property_name()?.is_some() {
            self.skip_value(inner)?;
        }
        Ok(())
    }

    /// The next property name; `None` at the end of the object: an empty name and the end marker.
    fn property_name(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        let name = self.string()?;
        if name.is_empty() && self.rest.first() == Some(&marker::OBJECT_END) {
            self.take(1)?;
            return Ok(None);
        }
        Ok(Some(name))
    }

    fn text(&mut self) -> Result<String, Fault> {
        self.string().map(lossy)
    }

    fn long_text(&mut self) -> Result<String, Fault> {
        self.long_string().map(lossy)
    }

    fn string(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::from(self.u16()?);
        self.string_of(length)
    }

    fn long_string(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.u32()? as usize;
        self.string_of(length)
    }

    fn string_of(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        if length > self.limits.string_bytes {
            return Err(Fault::LimitExceeded {
                what: "amf_string_bytes",
                max: self.limits.string_bytes as u64,
            });
        }
        self.take(length)
    }

    fn u8(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    fn f64(&mut self) -> Result<f64, Fault> {
        self.array().map(f64::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(head)
    }
}

const TRUNCATED: Fault = Fault::Malformed("AMF0 value is cut short");

fn unknown(marker: u8) -> Fault {
    match marker {
        marker::AVMPLUS => Fault::Unsupported("AMF3 value inside AMF0"),
        marker::OBJECT_END => Fault::Malformed("AMF0 object end without an object"),
        _ => Fault::Unsupported("AMF0 type marker that the specification reserves"),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf0::Writer;
    use bytes::BytesMut;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, Fault> {
        let mut reader = Reader::new(bytes, limits);
        let mut values = Vec::new();
        while !reader.is_empty() {
            values.push(reader.read()?);
        }
        Ok(values)
    }

    fn skip_all(bytes: &[u8], limits: &Limits) -> Result<(), Fault> {
        let mut reader = Reader::new(bytes, limits);
        while !reader.is_empty() {
            reader.skip()?;
        }
        Ok(())
    }

    #[test]
    fn nesting_past_the_limit_is_refused_without_recursing_further() {
        // A strict array of one element, which is a strict array of one element, and so on.
        let nested = [marker::STRICT_ARRAY, 0, 0, 0, 1].repeat(10_000);
        let limit = Fault::LimitExceeded {
            what: "amf_depth",
            max: 16,
        };
        assert_eq!(read_all(&nested, &Limits::default()), Err(limit));
        assert_eq!(skip_all(&nested, &Limits::default()), Err(limit));
        let objects = [marker::OBJECT, 0, 1, b'a'].repeat(10_000);
        assert_eq!(read_all(&objects, &Limits::default()), Err(limit));
        assert_eq!(skip_all(&objects, &Limits::default()), Err(limit));
    }

    #[test]
    fn a_huge_count_takes_no_memory_on_its_word() {
        let bytes = [marker::STRICT_ARRAY, 0xFF, 0xFF, 0xFF, 0xFF, marker::NULL];
        assert_eq!(read_all(&bytes, &Limits::default()), Err(TRUNCATED));
    }

    #[test]
    fn values_are_counted_through_all_levels() {
        let limits = Limits {
            values: 3,
            ..Limits::default()
        };
        let two = [marker::STRICT_ARRAY, 0, 0, 0, 2, marker::NULL, marker::NULL];
        assert!(read_all(&two, &limits).is_ok());
        let three = [
            marker::STRICT_ARRAY,
            0,
            0,
            0,
            3,
            marker::NULL,
            marker::NULL,
            marker::NULL,
        ];
        let limit = Fault::LimitExceeded {
            what: "amf_values",
            max: 3,
        };
        assert_eq!(read_all(&three, &limits), Err(limit));
        assert_eq!(skip_all(&three, &limits), Err(limit));
    }

    #[test]
    fn long_strings_are_refused_before_they_are_copied() {
        let limits = Limits {
            string_bytes: 4,
            ..Limits::default()
        };
        let limit = Fault::LimitExceeded {
            what: "amf_string_bytes",
            max: 4,
        };
        assert_eq!(
            read_all(&[marker::STRING, 0, 5, 1, 1, 1, 1, 1], &limits),
            Err(limit)
        );
        assert_eq!(
            read_all(&[marker::LONG_STRING, 0xFF, 0xFF, 0xFF, 0xFF], &limits),
            Err(limit)
        );
    }

    #[test]
    fn an_empty_property_name_is_a_name_unless_the_end_marker_follows() {
        let bytes = [marker::OBJECT, 0, 0, marker::NULL, 0, 0, marker::OBJECT_END];
        assert_eq!(
            read_all(&bytes, &Limits::default()),
            Ok(vec![Value::Object(vec![(String::new(), Value::Null)])])
        );
    }

    #[test]
    fn the_count_of_an_ecma_array_is_only_a_hint() {
        // ffmpeg and OBS write counts that differ from the number of properties.
        let bytes = [
            marker::ECMA_ARRAY,
            0,
            0,
            0,
            9,
            0,
            1,
            b'w',
            marker::BOOLEAN,
            1,
            0,
            0,
            marker::OBJECT_END,
        ];
        let expected = Value::EcmaArray(vec![("w".to_owned(), Value::Boolean(true))]);
        assert_eq!(read_all(&bytes, &Limits::default()), Ok(vec![expected]));
    }

    #[test]
    fn amf3_inside_amf0_is_named() {
        assert_eq!(
            read_all(&[marker::AVMPLUS, 1], &Limits::default()),
            Err(unknown(marker::AVMPLUS))
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(|n| Value::Number(f64::from(n) / 8.0)),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,20}".prop_map(Value::String),
            Just("long ".repeat(20_000)).prop_map(Value::String),
            Just(Value::Null),
            Just(Value::Undefined),
            any::<u16>().prop_map(Value::Reference),
            (any::<i32>(), any::<i16>()).prop_map(|(m, zone)| Value::Date {
                millis: f64::from(m),
                zone
            }),
            Just(Value::Unsupported),
            "<a>.{0,9}</a>".prop_map(Value::Xml),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let properties = || prop::collection::vec((".{0,8}", inner.clone()), 0..6);
            prop_oneof![
                properties().prop_map(Value::Object),
                properties().prop_map(Value::EcmaArray),
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::StrictArray),
                ("[a-z.]{1,8}", properties())
                    .prop_map(|(class, properties)| Value::Typed(class, properties)),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any_value()) {
            let mut bytes = BytesMut::new();
            Writer::new(&mut bytes).value(&value);
            prop_assert_eq!(read_all(&bytes, &Limits::default()), Ok(vec![value]));
            prop_assert_eq!(skip_all(&bytes, &Limits::default()), Ok(()));
        }

        #[test]
        fn skipping_agrees_with_reading(bytes in prop::collection::vec(prop_oneof![0_u8..0x12, any::<u8>()], 0..200)) {
            let limits = Limits { values: 50, string_bytes: 40, ..Limits::default() };
            prop_assert_eq!(read_all(&bytes, &limits).map(drop), skip_all(&bytes, &limits));
        }
    }
}

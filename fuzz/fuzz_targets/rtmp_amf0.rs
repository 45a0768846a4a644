//! AMF0: skipping a value takes what reading it takes and fails where reading fails, and what was read can be written
//! and reads the same.

#![no_main]

use arcly_rtmp::Fault;
use arcly_rtmp::amf0::{Limits, Reader, Value, Writer};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;

/// Whether the value equals itself after a round trip: NaN does not, and long names are cut.
fn is_ordinary(value: &Value) -> bool {
    let short = |name: &str| name.len() <= usize::from(u16::MAX);
    match value {
        Value::Number(number) | Value::Date { millis: number, .. } => !number.is_nan(),
        Value::StrictArray(elements) => elements.iter().all(is_ordinary),
        Value::Typed(class, properties) => {
            short(class)
                && properties
                    .iter()
                    .all(|(name, value)| short(name) && is_ordinary(value))
        }
        other => {
            let properties = other.properties().unwrap_or_default();
            properties
                .iter()
                .all(|(name, value)| short(name) && is_ordinary(value))
        }
    }
}

fn round_trip(value: &Value, limits: &Limits) {
    let mut bytes = BytesMut::new();
    Writer::new(&mut bytes).value(value);
    let mut reader = Reader::new(&bytes, limits);
    match reader.read() {
        Ok(read) => {
            assert_eq!(&read, value);
            assert!(reader.is_empty());
        }
        // U+FFFD for bytes that are no UTF-8 can make a text longer than its limit.
        Err(Fault::LimitExceeded {
            what: "amf_string_bytes",
            ..
        }) => {}
        Err(error) => panic!("{error}"),
    }
}

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let (mut reading, mut skipping) = (Reader::new(data, &limits), Reader::new(data, &limits));
    while !reading.is_empty() {
        let read = reading.read();
        assert_eq!(read.as_ref().map(drop), skipping.skip().as_ref().map(drop));
        let Ok(value) = read else { return };
        assert_eq!(reading.rest(), skipping.rest());
        if is_ordinary(&value) {
            round_trip(&value, &limits);
        }
    }
});

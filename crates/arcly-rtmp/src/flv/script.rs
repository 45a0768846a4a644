//! Script data: `onMetaData`, `onCuePoint`, `onTextData` and the like (FLV, E.4.4).

use crate::Fault;
use crate::amf0::{Limits, Reader, Value};
use bytes::Bytes;

/// What a script tag or a data message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// The name of a data message and its values, in AMF0.
    Data(Bytes),
    /// Nothing for the stream.
    Nothing,
}

/// The message that describes the stream.
pub(super) const ON_META_DATA: &[u8] = b"onMetaData";
/// What describes the colours of the video (Enhanced RTMP v2, "Metadata Frame").
pub(super) const COLOR_INFO: &[u8] = b"colorInfo";

/// Whether a data message has this name, which is an AMF0 string of less than 256 bytes.
pub(super) fn is_named(payload: &[u8], name: &[u8]) -> bool {
    let Some((&[2, 0, length], rest)) = payload.split_first_chunk::<3>() else {
        return false;
    };
    usize::from(length) == name.len() && rest.starts_with(name)
}

/// Checks the values of `body` and takes off the orders to the server around them.
///
/// Publishers wrap metadata as `@setDataFrame`, name, values: keep these values and give them to later players.
pub(super) fn read(body: &Bytes, limits: &Limits) -> Result<Script, Fault> {
    let mut reader = Reader::new(body, limits);
    let mut start = 0;
    let mut name = name(&mut reader)?;
    match name.as_str() {
        "@setDataFrame" => {
            start = body.len() - reader.rest().len();
            name = self::name(&mut reader)?;
        }
        // The order to forget metadata, and an access rule for players that only a server may set.
        "@clearDataFrame" | "|RtmpSampleAccess" => return Ok(Script::Nothing),
        _ => {}
    }
    if name.is_empty() {
        return Err(Fault::Malformed("data message without a name"));
    }
    while !reader.is_empty() {
        reader.skip()?;
    }
    Ok(Script::Data(body.slice(start..)))
}

fn name(reader: &mut Reader<'_>) -> Result<String, Fault> {
    match reader.read()? {
        Value::String(name) => Ok(name),
        _ => Err(Fault::Malformed("data message without a name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf0::Writer;
    use bytes::BytesMut;

    fn message(names: &[&str]) -> Bytes {
        let mut bytes = BytesMut::new();
        let mut writer = Writer::new(&mut bytes);
        for name in names {
            writer.string(name);
        }
        writer.object([("width", Value::Number(1280.0))]);
        bytes.freeze()
    }

    #[test]
    fn the_order_to_keep_it_is_taken_off() {
        let kept = Script::Data(message(&["onMetaData"]));
        assert_eq!(
            read(
                &message(&["@setDataFrame", "onMetaData"]),
                &Limits::default()
            ),
            Ok(kept)
        );
    }

    #[test]
    fn the_order_alone_is_refused() {
        let bare = message(&["@setDataFrame"]);
        assert_eq!(
            read(&bare, &Limits::default()),
            Err(Fault::Malformed("data message without a name"))
        );
        let mut bytes = BytesMut::new();
        Writer::new(&mut bytes).string("@setDataFrame");
        assert!(read(&bytes.freeze(), &Limits::default()).is_err());
    }

    #[test]
    fn values_that_are_cut_short_are_refused() {
        let whole = message(&["onMetaData"]);
        assert!(read(&whole, &Limits::default()).is_ok());
        assert!(read(&whole.slice(..whole.len() - 1), &Limits::default()).is_err());
    }
}

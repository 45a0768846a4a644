//! Commands: a name, a transaction id, an object and arguments in AMF0 (RTMP 1.0, 7.1.1 and 7.2).

use super::message::{Message, type_id};
use super::status::{Level, StatusCode};
use crate::Fault;
use crate::amf0::{Limits, Reader, Value, Writer};
use bytes::BytesMut;

/// A command.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Command {
    /// The name.
    pub name: String,
    /// The transaction id; 0 asks for no reply. Missing and odd ones count as 0.
    pub transaction: f64,
    /// The command object; null where missing.
    pub object: Value,
    /// What follows.
    pub arguments: Vec<Value>,
}

impl Command {
    /// Reads the command in `message`, of type 20 or 17.
    ///
    /// # Errors
    /// [`Fault::Malformed`] where it has no name or is cut short, [`Fault::LimitExceeded`] past a limit,
    /// [`Fault::Unsupported`] for AMF3 values.
    pub fn parse(message: &Message, limits: &Limits) -> Result<Self, Fault> {
        let bytes = if message.type_id == type_id::COMMAND_AMF3 {
            strip_amf3_prefix(&message.payload)?
        } else {
            &message.payload
        };
        let mut reader = Reader::new(bytes, limits);
        let Value::String(name) = reader.read()? else {
            return Err(Fault::Malformed("command without a name"));
        };
        let mut next = || {
            if reader.is_empty() {
                Ok(None)
            } else {
                reader.read().map(Some)
            }
        };
        let transaction = next()?
            .and_then(|value| value.as_number())
            .filter(|id| id.is_finite())
            .unwrap_or(0.0);
        let object = next()?.unwrap_or(Value::Null);
        let mut arguments = Vec::new();
        while let Some(argument) = next()? {
            arguments.push(argument);
        }
        Ok(Self {
            name,
            transaction,
            object,
            arguments,
        })
    }

    /// The text argument at `index`, where there is one.
    #[must_use]
    pub fn text(&self, index: usize) -> Option<&str> {
        self.arguments.get(index)?.as_str()
    }

    /// The number argument at `index`, where there is one.
    #[must_use]
    pub fn number(&self, index: usize) -> Option<f64> {
        self.arguments.get(index)?.as_number()
    }

    /// Whether the sender waits for a reply.
    #[must_use]
    pub fn wants_reply(&self) -> bool {
        self.transaction != 0.0
    }
}

/// Takes the byte 0 off the body of an AMF3 command or data message, which says that AMF0 follows.
///
/// # Errors
/// [`Fault::Unsupported`] where something else follows.
pub fn strip_amf3_prefix(payload: &[u8]) -> Result<&[u8], Fault> {
    match payload.split_first() {
        Some((0, rest)) => Ok(rest),
        None => Err(Fault::Malformed("AMF3 message is empty")),
        Some(_) => Err(Fault::Unsupported(
            "AMF3 message that does not switch to AMF0",
        )),
    }
}

/// A command message on `stream_id` with these values.
pub(crate) fn message(stream_id: u32, write: impl FnOnce(&mut Writer<'_>)) -> Message {
    let mut payload = BytesMut::with_capacity(256);
    write(&mut Writer::new(&mut payload));
    Message {
        timestamp: 0,
        type_id: type_id::COMMAND_AMF0,
        stream_id,
        payload: payload.freeze(),
    }
}

/// The `_result` of a transaction.
pub(crate) fn result(transaction: f64, object: &Value, information: &Value) -> Message {
    message(0, |writer| {
        writer
            .string("_result")
            .number(transaction)
            .value(object)
            .value(information);
    })
}

/// The `_error` of a transaction.
pub(crate) fn error(transaction: f64, code: StatusCode, description: &str) -> Message {
    message(0, |writer| {
        writer
            .string("_error")
            .number(transaction)
            .null()
            .value(&information(Level::Error, code, description));
    })
}

/// A status reply by the command `name`: `onStatus`, `onFCPublish` or `onFCUnpublish`.
pub(crate) fn status(
    name: &str,
    stream_id: u32,
    level: Level,
    code: StatusCode,
    description: &str,
) -> Message {
    message(stream_id, |writer| {
        writer
            .string(name)
            .number(0.0)
            .null()
            .value(&information(level, code, description));
    })
}

/// A data message: a name and values, without transaction (RTMP 1.0, 7.1.2).
pub(crate) fn data(stream_id: u32, name: &str, values: &[Value]) -> Message {
    let mut message = message(stream_id, |writer| {
        writer.string(name);
        for value in values {
            writer.value(value);
        }
    });
    message.type_id = type_id::DATA_AMF0;
    message
}

/// The information object of a status reply.
pub(crate) fn information(level: Level, code: StatusCode, description: &str) -> Value {
    Value::Object(vec![
        ("level".to_owned(), level.as_str().into()),
        ("code".to_owned(), code.as_str().into()),
        ("description".to_owned(), description.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn parse(type_id: u8, payload: &[u8]) -> Result<Command, Fault> {
        let payload = Bytes::copy_from_slice(payload);
        Command::parse(
            &Message {
                timestamp: 0,
                type_id,
                stream_id: 0,
                payload,
            },
            &Limits::default(),
        )
    }

    #[test]
    fn what_is_missing_counts_as_nothing() {
        let name = [2, 0, 4, b'p', b'i', b'n', b'g'];
        let command = parse(type_id::COMMAND_AMF0, &name).expect("a name is enough");
        assert_eq!(
            (command.name.as_str(), command.transaction, &command.object),
            ("ping", 0.0, &Value::Null)
        );
        assert!(!command.wants_reply() && command.arguments.is_empty());
        assert_eq!(
            parse(type_id::COMMAND_AMF0, &[5]),
            Err(Fault::Malformed("command without a name"))
        );
        assert!(parse(type_id::COMMAND_AMF0, &[]).is_err());
    }

    #[test]
    fn amf3_commands_switch_back_to_amf0() {
        let name = [0, 2, 0, 4, b'p', b'i', b'n', b'g'];
        assert_eq!(
            parse(type_id::COMMAND_AMF3, &name).map(|command| command.name),
            Ok("ping".to_owned())
        );
        assert!(matches!(
            parse(type_id::COMMAND_AMF3, &[6, 1]),
            Err(Fault::Unsupported(_))
        ));
        assert!(matches!(
            parse(type_id::COMMAND_AMF3, &[]),
            Err(Fault::Malformed(_))
        ));
    }
}

//! What all players of a stream share: its container, cut into messages.

mod message;
mod packager;

pub use message::Message;
pub use packager::{MessagePackager, MessageVariant};

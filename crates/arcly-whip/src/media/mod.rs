//! What stands between a stream and a peer's transport, sans-IO: packets made the peer's own on the way out, and made whole on the way in.

mod arrival;
mod extensions;
mod history;
mod nack;
mod outgoing;

pub(crate) use arrival::ArrivalLog;
pub(crate) use extensions::{ExtensionReader, ExtensionWriter};
pub(crate) use nack::NackGenerator;
pub(crate) use outgoing::OutgoingTrack;

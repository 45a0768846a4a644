//! WHIP and WHEP: browsers publish and watch by WebRTC, on one UDP port.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod extension_uri;
mod media;
pub mod sdp;
pub mod transport;

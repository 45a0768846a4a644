//! What load benches are made of: a stream of known shape, peers that publish and play it over real sockets, processes that are pinned to a core
//! and measured from outside, and the floor that no server gets below.
//!
//! The server under test runs in a process of its own, on a core of its own; publishers and players run in the bench's process, on another.
//! Times are those of the system's monotonic clock, which all processes share, so a stamp in a frame tells how long it took.

pub mod floor;
pub mod http;
pub mod media;
pub mod player;
pub mod process;
pub mod publisher;
pub mod quantiles;
pub mod rtsp;
pub mod srt;
pub mod webrtc;

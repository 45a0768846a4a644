//! What the tests of this workspace share: an emulated network, deterministic by seed, in process and as a UDP proxy; and the programs
//! that they check against; with feature `server`, a protocol's server and what is published to it.

mod link;
mod programs;
mod proxy;
mod random;
#[cfg(feature = "server")]
mod server;

pub use link::{Link, LinkConfig, LinkCounters};
pub use programs::{ffmpeg, ffmpeg_9, fresh_folder, path_of_ffmpeg_9, run_program};
pub use proxy::UdpProxy;
pub use random::Random;
#[cfg(feature = "server")]
pub use server::{PATIENCE, TestServer, collect};

//! What the tests of this workspace share: an emulated network, deterministic by seed, in process and as a UDP proxy.

mod link;
mod proxy;
mod random;

pub use link::{Link, LinkConfig, LinkCounters};
pub use proxy::UdpProxy;
pub use random::Random;

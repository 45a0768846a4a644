//! How much gets through to a receiver (draft-ietf-rmcat-gcc-02): what was sent, what the receiver tells of it, and what follows.

mod delay;
mod feedback;
mod rate;
mod sent;
mod throughput;

pub(crate) use feedback::Feedback;
pub(crate) use rate::BandwidthEstimate;
pub(crate) use sent::Purpose;

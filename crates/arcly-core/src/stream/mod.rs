//! A live stream: its log, tracks, quality of service and publish session.

mod end_reason;

pub use end_reason::EndReason;

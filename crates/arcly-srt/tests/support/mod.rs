//! A server on a free port, real peers, and clips to send through them.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod caller;
pub(crate) mod clip;
pub(crate) mod numbered;
pub(crate) mod own_process;
pub(crate) mod process;
pub(crate) mod server;

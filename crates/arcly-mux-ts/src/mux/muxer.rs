//! An endless transport stream, for files and byte streams.

use super::multiplex::{Multiplex, Output};
use crate::config::TsConfig;
use arcly_core::MediaFrame;
use arcly_core::mux::{ContainerFormat, MuxError, Muxer};
use bytes::Bytes;

/// Multiplexes the frames of one stream into one transport stream.
///
/// Each call of [`write`](Muxer::write) adds the packets of its frame, with PAT, PMT and PCR where
/// they are due; every piece that is added is a whole number of packets. The start is held back,
/// see [`TsConfig::start_wait`].
#[derive(Debug)]
pub struct TsMuxer {
    multiplex: Multiplex,
    output: Output,
}

impl TsMuxer {
    /// A muxer that has seen nothing yet.
    #[must_use]
    pub fn new(config: TsConfig) -> Self {
        Self {
            multiplex: Multiplex::new(config),
            output: Output::default(),
        }
    }
}

impl Default for TsMuxer {
    fn default() -> Self {
        Self::new(TsConfig::default())
    }
}

impl Muxer for TsMuxer {
    fn format(&self) -> ContainerFormat {
        crate::FORMAT
    }

    fn write(&mut self, frame: &MediaFrame, out: &mut Vec<Bytes>) -> Result<(), MuxError> {
        self.multiplex.write(frame, &mut self.output)?;
        self.output.take(out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), MuxError> {
        self.multiplex.start(&mut self.output);
        self.output.take(out);
        Ok(())
    }
}

//! MPEG-TS multiplexing for arcly-core.

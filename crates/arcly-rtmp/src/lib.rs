//! RTMP for arcly-core: ingest from ffmpeg, OBS and GStreamer.

//! HLS packaging for arcly-core: playlists and segments served from memory.

//! The multivariant playlist (RFC 8216 4.3.4).

use super::{Lines, Playlist};
use crate::packager::Rates;
use crate::tracks::Description;
use std::fmt::Write;

/// What is said about the one variant.
pub(crate) struct MultivariantPlaylist<'a> {
    pub(crate) rates: &'a Rates,
    pub(crate) tracks: &'a [&'a Description],
}

impl MultivariantPlaylist<'_> {
    /// Renders the playlist, with the media playlist at `uri`.
    pub(crate) fn render(&self, uri: &str) -> Playlist {
        let mut variant = format!(
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={}",
            self.rates.peak(),
            self.rates.average()
        );
        // Writing to a string cannot fail.
        let mut attribute = |text: std::fmt::Arguments<'_>| _ = variant.write_fmt(text);
        // Each format once, and none at all where one is unknown: a list must be complete (RFC 8216
        // 4.3.4.2).
        let mut codecs: Vec<&str> = self
            .tracks
            .iter()
            .filter_map(|track| track.codec.as_deref())
            .collect();
        if codecs.len() == self.tracks.len() && !codecs.is_empty() {
            codecs.dedup();
            attribute(format_args!(",CODECS=\"{}\"", codecs.join(",")));
        }
        if let Some((width, height)) = self.tracks.iter().find_map(|track| track.resolution) {
            attribute(format_args!(",RESOLUTION={width}x{height}"));
        }
        if let Some(rate) = self.rates.milli_frame_rate() {
            attribute(format_args!(
                ",FRAME-RATE={}.{:03}",
                rate / 1_000,
                rate % 1_000
            ));
        }
        let mut lines = Lines::new();
        lines.tag(&variant);
        lines.uri(uri);
        lines.finish()
    }
}

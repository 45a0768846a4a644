//! Playlists as text (RFC 8216 4).

mod date;
mod media;
mod multivariant;

pub(crate) use media::media_playlist;
pub(crate) use multivariant::MultivariantPlaylist;

use bytes::Bytes;

/// The media type of playlists (RFC 8216 4).
pub const MIME_TYPE: &str = "application/vnd.apple.mpegurl";

/// A rendered playlist. Rendered once a change; a viewer with a query of its own gets a copy with
/// that put after each URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playlist {
    text: Bytes,
    /// Where URIs end in the text.
    uri_ends: Vec<usize>,
}

impl Playlist {
    /// The playlist as it is.
    #[must_use]
    pub fn text(&self) -> Bytes {
        self.text.clone()
    }

    /// The playlist with `?` and `query` after each URI. The query has to be valid in a URI, see
    /// RFC 3986 3.4.
    #[must_use]
    pub fn with_query(&self, query: &str) -> Bytes {
        let mut text =
            Vec::with_capacity(self.text.len() + self.uri_ends.len() * (query.len() + 1));
        let mut from = 0;
        for &end in &self.uri_ends {
            text.extend_from_slice(self.text.get(from..end).unwrap_or_default());
            text.push(b'?');
            text.extend_from_slice(query.as_bytes());
            from = end;
        }
        text.extend_from_slice(self.text.get(from..).unwrap_or_default());
        text.into()
    }
}

/// Writes a playlist line by line.
#[derive(Debug)]
struct Lines {
    text: String,
    uri_ends: Vec<usize>,
}

impl Lines {
    /// Starts with the lines that every playlist has. Version 3 covers all that is written: decimal
    /// EXTINF (RFC 8216 7).
    fn new() -> Self {
        Self {
            text: String::from("#EXTM3U\n#EXT-X-VERSION:3\n"),
            uri_ends: Vec::new(),
        }
    }

    fn tag(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn uri(&mut self, uri: &str) {
        self.text.push_str(uri);
        self.uri_ends.push(self.text.len());
        self.text.push('\n');
    }

    fn finish(self) -> Playlist {
        Playlist {
            text: self.text.into(),
            uri_ends: self.uri_ends,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_put_after_each_uri_only() {
        let mut lines = Lines::new();
        lines.tag("#EXTINF:2.0,");
        lines.uri("a.ts");
        lines.uri("b.ts");
        lines.tag("#EXT-X-ENDLIST");
        let playlist = lines.finish();
        let head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:2.0,\n";
        assert_eq!(
            playlist.text(),
            format!("{head}a.ts\nb.ts\n#EXT-X-ENDLIST\n")
        );
        assert_eq!(
            playlist.with_query("token=x"),
            format!("{head}a.ts?token=x\nb.ts?token=x\n#EXT-X-ENDLIST\n")
        );
    }
}

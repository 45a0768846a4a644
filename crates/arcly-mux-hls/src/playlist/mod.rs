//! Playlists as text (RFC 8216bis 4).

mod date;
mod media;
mod multivariant;

pub(crate) use date::iso_8601;
pub(crate) use media::MediaPlaylist;
pub(crate) use multivariant::{AudioChoice, MultivariantPlaylist, Variant, Variants};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::hash::Hasher;
use std::io::Write as _;
use std::sync::OnceLock;

/// The media type of playlists (RFC 8216bis 4).
pub const MIME_TYPE: &str = "application/vnd.apple.mpegurl";

/// A rendered playlist: rendered once a version and compressed at most once, for all viewers. A
/// viewer with a query of its own gets a copy with that put after each URI.
#[derive(Debug)]
pub struct Rendered {
    text: Bytes,
    /// Where URIs end in the text.
    uri_ends: Vec<usize>,
    hash: u64,
    gzip: OnceLock<Bytes>,
}

impl Rendered {
    /// The playlist as it is.
    #[must_use]
    pub fn text(&self) -> Bytes {
        self.text.clone()
    }

    /// The playlist compressed as `Content-Encoding: gzip` has it.
    #[must_use]
    pub fn gzip(&self) -> Bytes {
        let compressed = self.gzip.get_or_init(|| {
            // Higher levels cost several times as much and save little on text like this.
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            let written = encoder
                .write_all(&self.text)
                .and_then(|()| encoder.finish());
            // Writing to memory does not fail; if it did, an empty body would be told by its length.
            written.unwrap_or_default().into()
        });
        compressed.clone()
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

    /// A number that two different texts do not share but by bad luck, for `ETag`.
    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }
}

/// Writes a playlist line by line.
#[derive(Debug)]
struct Lines {
    text: String,
    uri_ends: Vec<usize>,
}

/// Writes formatted text, which cannot fail on a string.
macro_rules! put {
    ($lines:expr, $($format:tt)*) => {
        _ = std::fmt::Write::write_fmt(&mut $lines.text, format_args!($($format)*))
    };
}
use put;

impl Lines {
    fn new(version: u32) -> Self {
        let mut lines = Self {
            text: String::with_capacity(2_048),
            uri_ends: Vec::new(),
        };
        put!(lines, "#EXTM3U\n#EXT-X-VERSION:{version}\n");
        lines
    }

    /// Lines that are to be appended to others.
    fn empty() -> Self {
        Self {
            text: String::new(),
            uri_ends: Vec::new(),
        }
    }

    fn append(&mut self, lines: Self) {
        let offset = self.text.len();
        self.text.push_str(&lines.text);
        self.uri_ends
            .extend(lines.uri_ends.iter().map(|end| end + offset));
    }

    /// The URI that has just been written ends here.
    fn end_uri(&mut self) {
        self.uri_ends.push(self.text.len());
    }

    fn finish(self) -> Rendered {
        #[expect(
            deprecated,
            reason = "the default hasher is seeded at random: an ETag must survive a restart and be the same on two servers"
        )]
        let mut hasher = std::hash::SipHasher::new();
        hasher.write(self.text.as_bytes());
        Rendered {
            text: self.text.into(),
            uri_ends: self.uri_ends,
            hash: hasher.finish(),
            gzip: OnceLock::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_put_after_each_uri_only() {
        let mut lines = Lines::new(9);
        put!(lines, "#EXT-X-MAP:URI=\"i.mp4");
        lines.end_uri();
        put!(lines, "\"\na.ts");
        lines.end_uri();
        put!(lines, "\n#EXT-X-ENDLIST\n");
        let playlist = lines.finish();
        let head = "#EXTM3U\n#EXT-X-VERSION:9\n";
        assert_eq!(
            playlist.text(),
            format!("{head}#EXT-X-MAP:URI=\"i.mp4\"\na.ts\n#EXT-X-ENDLIST\n")
        );
        assert_eq!(
            playlist.with_query("token=x"),
            format!("{head}#EXT-X-MAP:URI=\"i.mp4?token=x\"\na.ts?token=x\n#EXT-X-ENDLIST\n")
        );
    }

    #[test]
    fn gzip_is_made_once_and_inflates_to_the_text() {
        use std::io::Read as _;
        let playlist = Lines::new(3).finish();
        let compressed = playlist.gzip();
        assert_eq!(compressed.as_ptr(), playlist.gzip().as_ptr());
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&compressed[..])
            .read_to_end(&mut text)
            .expect("gzip");
        assert_eq!(text, playlist.text());
    }
}

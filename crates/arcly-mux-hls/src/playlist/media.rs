//! The media playlist (RFC 8216 4.3.2, 4.3.3).

use super::{Lines, Playlist, date};
use crate::window::Window;

/// Renders the playlist of what `window` lists; segments have `extension`.
pub(crate) fn media_playlist(window: &Window, ended: bool, extension: &str) -> Playlist {
    let mut lines = Lines::new();
    lines.tag(&format!(
        "#EXT-X-TARGETDURATION:{}",
        window.target_seconds()
    ));
    lines.tag(&format!(
        "#EXT-X-MEDIA-SEQUENCE:{}",
        window.media_sequence()
    ));
    lines.tag(&format!(
        "#EXT-X-DISCONTINUITY-SEQUENCE:{}",
        window.discontinuity_sequence()
    ));
    if window.is_independent() {
        lines.tag("#EXT-X-INDEPENDENT-SEGMENTS");
    }
    for segment in window.listed() {
        if segment.discontinuity {
            lines.tag("#EXT-X-DISCONTINUITY");
        }
        lines.tag(&format!(
            "#EXT-X-PROGRAM-DATE-TIME:{}",
            date::iso_8601(segment.program_date_time)
        ));
        let micros = segment.extinf_micros;
        lines.tag(&format!(
            "#EXTINF:{}.{:06},",
            micros / 1_000_000,
            micros % 1_000_000
        ));
        lines.uri(&format!("seg-{}.{extension}", segment.sequence));
    }
    if ended {
        lines.tag("#EXT-X-ENDLIST");
    }
    lines.finish()
}

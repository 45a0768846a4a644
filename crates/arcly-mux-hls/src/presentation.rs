//! All that is served of a stream at one moment: immutable, shared by all requests.

use crate::packager::Rates;
use crate::playlist::{MultivariantPlaylist, Playlist, media_playlist};
use crate::segment::Segment;
use crate::tracks::Description;
use crate::window::Window;
use std::sync::Arc;

/// The playlists of a stream and the segments that can be asked for.
#[derive(Debug)]
pub struct Presentation {
    media: Playlist,
    /// As it stands beside the media playlist.
    multivariant: Playlist,
    /// As it stands one folder above.
    multivariant_above: Playlist,
    segments: Vec<Arc<Segment>>,
    mime_type: &'static str,
}

impl Presentation {
    pub(crate) fn new(
        window: &Window,
        rates: &Rates,
        tracks: &[&Description],
        ended: bool,
        extension: &'static str,
        mime_type: &'static str,
    ) -> Self {
        let multivariant = MultivariantPlaylist { rates, tracks };
        Self {
            media: media_playlist(window, ended, extension),
            multivariant: multivariant.render(crate::origin::MEDIA_PLAYLIST),
            multivariant_above: multivariant
                .render(&format!("{extension}/{}", crate::origin::MEDIA_PLAYLIST)),
            segments: window.kept().cloned().collect(),
            mime_type,
        }
    }

    /// The media playlist.
    #[must_use]
    pub fn media(&self) -> &Playlist {
        &self.media
    }

    /// The multivariant playlist, for a URL beside the media playlist.
    #[must_use]
    pub fn multivariant(&self) -> &Playlist {
        &self.multivariant
    }

    /// The multivariant playlist, for a URL one folder above the media playlist, whose folder is
    /// named like the segments' extension.
    #[must_use]
    pub fn multivariant_above(&self) -> &Playlist {
        &self.multivariant_above
    }

    /// The segment with this number, while it can be asked for.
    #[must_use]
    pub fn segment(&self, sequence: u64) -> Option<&Arc<Segment>> {
        let first = self.segments.first()?.sequence;
        let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
        self.segments.get(index)
    }

    /// All segments that can be asked for, oldest first.
    #[must_use]
    pub fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The media type of the segments.
    #[must_use]
    pub fn mime_type(&self) -> &'static str {
        self.mime_type
    }
}

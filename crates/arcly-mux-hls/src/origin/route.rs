//! Which resource a path names.

/// The first folder of a path that carries a session: `s-` and the session's name.
const SESSION_FOLDER: &str = "s-";

/// What a path names, as far as that can be told from it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    /// The session that the path carries.
    pub(crate) session: Option<&'a str>,
    pub(crate) resource: Resource<'a>,
}

/// A resource of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    /// `index.m3u8`: the multivariant playlist of the first container, above its folder.
    Index,
    /// `ts/index.m3u8`: the multivariant playlist, beside the media playlists.
    FolderIndex { folder: &'a str },
    /// `ts/media.m3u8`: a rendition's media playlist.
    Playlist { folder: &'a str, name: &'a str },
    /// A file of a rendition.
    Media {
        folder: &'a str,
        /// The name of the rendition's playlist.
        rendition: &'a str,
        media: Media,
        extension: &'a str,
    },
}

/// A file of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// `v0-<sequence>.m4s`
    Segment(u64),
    /// `v0-<sequence>.<part>.m4s`
    Part(u64, u64),
    /// `v0-init-<sequence>.mp4`
    Init(u64),
}

impl<'a> Route<'a> {
    /// Reads a path below `/<app>/<stream>/`; none where it names nothing.
    pub(crate) fn read(path: &'a str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix(SESSION_FOLDER)
            && let Some((session, rest)) = rest.split_once('/')
        {
            let resource = Resource::read(rest)?;
            return Some(Self {
                session: Some(session),
                resource,
            });
        }
        Some(Self {
            session: None,
            resource: Resource::read(path)?,
        })
    }

    /// The folder that carries `session`, slash included.
    pub(crate) fn session_folder(session: &str) -> String {
        format!("{SESSION_FOLDER}{session}/")
    }
}

impl<'a> Resource<'a> {
    fn read(path: &'a str) -> Option<Self> {
        if path == "index.m3u8" {
            return Some(Self::Index);
        }
        let (folder, file) = path.split_once('/')?;
        if file.contains('/') {
            return None;
        }
        let (stem, extension) = file.rsplit_once('.')?;
        if extension == "m3u8" {
            return Some(match stem {
                "index" => Self::FolderIndex { folder },
                name => Self::Playlist { folder, name },
            });
        }
        let (prefix, number) = stem.rsplit_once('-')?;
        let (prefix, media) = match prefix.strip_suffix("-init") {
            Some(prefix) => (prefix, Media::Init(canonical(number)?)),
            None => match number.split_once('.') {
                Some((sequence, part)) => {
                    (prefix, Media::Part(canonical(sequence)?, canonical(part)?))
                }
                None => (prefix, Media::Segment(canonical(number)?)),
            },
        };
        let rendition = if prefix == "seg" { "media" } else { prefix };
        Some(Self::Media {
            folder,
            rendition,
            media,
            extension,
        })
    }

    /// The container's folder; none for the first one's multivariant playlist.
    pub(crate) const fn folder(&self) -> Option<&'a str> {
        match self {
            Self::Index => None,
            Self::FolderIndex { folder }
            | Self::Playlist { folder, .. }
            | Self::Media { folder, .. } => Some(folder),
        }
    }
}

/// One URL a segment: no sign, no leading zeros.
fn canonical(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    (text.len() == digits && !text.starts_with('+')).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media<'a>(
        folder: &'a str,
        rendition: &'a str,
        media: Media,
        extension: &'a str,
    ) -> Option<Resource<'a>> {
        Some(Resource::Media {
            folder,
            rendition,
            media,
            extension,
        })
    }

    #[test]
    fn paths() {
        for (path, resource) in [
            ("index.m3u8", Some(Resource::Index)),
            (
                "ts/index.m3u8",
                Some(Resource::FolderIndex { folder: "ts" }),
            ),
            (
                "ts/media.m3u8",
                Some(Resource::Playlist {
                    folder: "ts",
                    name: "media",
                }),
            ),
            ("ts/seg-0.ts", media("ts", "media", Media::Segment(0), "ts")),
            (
                "cmaf/v0-12.3.m4s",
                media("cmaf", "v0", Media::Part(12, 3), "m4s"),
            ),
            (
                "cmaf/a1-init-12.mp4",
                media("cmaf", "a1", Media::Init(12), "mp4"),
            ),
            (
                "ts/seg-18446744073709551615.ts",
                media("ts", "media", Media::Segment(u64::MAX), "ts"),
            ),
            ("ts/seg-18446744073709551616.ts", None),
            ("ts/seg-01.ts", None),
            ("ts/seg-+1.ts", None),
            ("ts/seg-.ts", None),
            ("ts/seg-1.2.3.ts", None),
            ("seg-1.ts", None),
            ("ts/../index.m3u8", None),
            ("", None),
        ] {
            let found = Route::read(path);
            assert_eq!(found.map(|route| route.resource), resource, "{path}");
            assert_eq!(found.and_then(|route| route.session), None);
            let with_session = format!("{}{path}", Route::session_folder("abc"));
            let found = Route::read(&with_session);
            assert_eq!(
                found.map(|route| route.resource),
                resource,
                "{with_session}"
            );
            assert_eq!(
                found.and_then(|route| route.session),
                resource.map(|_| "abc")
            );
        }
    }
}

//! Which resource a path names.

use super::MEDIA_PLAYLIST;

/// A resource of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    /// `index.m3u8`: the multivariant playlist, above the folder of the segments.
    Index,
    /// `ts/index.m3u8`: the multivariant playlist, beside the media playlist.
    FolderIndex,
    /// `ts/media.m3u8`.
    Media,
    /// `ts/seg-<n>.ts`.
    Segment(u64),
}

impl Resource {
    /// The resource at `path`, where the segments' folder and extension are `extension`.
    pub(super) fn at(path: &str, extension: &str) -> Option<Self> {
        if path == "index.m3u8" {
            return Some(Self::Index);
        }
        let name = path.strip_prefix(extension)?.strip_prefix('/')?;
        match name {
            "index.m3u8" => Some(Self::FolderIndex),
            MEDIA_PLAYLIST => Some(Self::Media),
            _ => {
                let number = name
                    .strip_prefix("seg-")?
                    .strip_suffix(extension)?
                    .strip_suffix('.')?;
                // One URL a segment: no sign, no leading zeros.
                let sequence: u64 = number.parse().ok()?;
                (sequence.to_string() == number).then_some(Self::Segment(sequence))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (path, resource) in [
            ("index.m3u8", Some(Resource::Index)),
            ("ts/index.m3u8", Some(Resource::FolderIndex)),
            ("ts/media.m3u8", Some(Resource::Media)),
            ("ts/seg-0.ts", Some(Resource::Segment(0))),
            (
                "ts/seg-18446744073709551615.ts",
                Some(Resource::Segment(u64::MAX)),
            ),
            ("ts/seg-18446744073709551616.ts", None),
            ("ts/seg-01.ts", None),
            ("ts/seg-+1.ts", None),
            ("ts/seg-.ts", None),
            ("seg-1.ts", None),
            ("ts/../index.m3u8", None),
            ("", None),
        ] {
            assert_eq!(Resource::at(path, "ts"), resource, "{path}");
        }
    }
}

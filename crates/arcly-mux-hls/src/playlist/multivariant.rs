//! The multivariant playlist (RFC 8216bis 4.4.6).

use super::{Lines, Rendered, put};
use std::sync::Arc;

/// What a multivariant playlist says of one stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Variants {
    pub(crate) variants: Vec<Variant>,
    /// Sound in playlists of its own, for all variants.
    pub(crate) audio: Vec<AudioChoice>,
    /// EXT-X-INDEPENDENT-SEGMENTS holds for all renditions.
    pub(crate) independent: bool,
}

/// A variant stream (EXT-X-STREAM-INF), without the sound that is chosen beside it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// The name of its media playlist, without extension.
    pub(crate) name: Arc<str>,
    /// Bits a second.
    pub(crate) peak: u64,
    pub(crate) average: u64,
    /// For CODECS (RFC 6381); none where the codec of a track has no string.
    pub(crate) codecs: Option<Vec<String>>,
    /// Width and height in pixels.
    pub(crate) resolution: Option<(u32, u32)>,
    /// In thousandths of a frame a second.
    pub(crate) milli_frame_rate: Option<u64>,
}

/// An alternative rendition of sound (EXT-X-MEDIA).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AudioChoice {
    /// The name of its media playlist, without extension.
    pub(crate) name: Arc<str>,
    /// The codec by which choices are grouped: a player takes all of a group, or none.
    pub(crate) group: &'static str,
    pub(crate) codec: Option<String>,
    pub(crate) channels: Option<u16>,
    /// Bits a second.
    pub(crate) peak: u64,
    pub(crate) average: u64,
}

/// Collects streams, each a variant of the same content.
#[derive(Debug)]
pub(crate) struct MultivariantPlaylist {
    media: Lines,
    variants: Lines,
    independent: bool,
}

impl Default for MultivariantPlaylist {
    fn default() -> Self {
        Self {
            media: Lines::empty(),
            variants: Lines::empty(),
            independent: true,
        }
    }
}

impl MultivariantPlaylist {
    /// Adds a stream whose media playlists are at `path`, a relative URL with a slash at its end, or nothing. `tag` tells its audio groups from those of
    /// other streams.
    pub(crate) fn with(mut self, path: &str, tag: &str, stream: &Variants) -> Self {
        self.independent &= stream.independent;
        let mut groups: Vec<&'static str> = Vec::new();
        for choice in &stream.audio {
            if !groups.contains(&choice.group) {
                groups.push(choice.group);
            }
        }
        for group in &groups {
            let choices = stream.audio.iter().filter(|choice| choice.group == *group);
            for (index, choice) in choices.enumerate() {
                self.choice(path, tag, index, choice);
            }
        }
        for variant in &stream.variants {
            if groups.is_empty() {
                self.variant(path, variant, None);
            }
            for group in &groups {
                let choices: Vec<_> = stream
                    .audio
                    .iter()
                    .filter(|choice| choice.group == *group)
                    .collect();
                self.variant(path, variant, Some((tag, group, &choices)));
            }
        }
        self
    }

    fn choice(&mut self, path: &str, tag: &str, index: usize, choice: &AudioChoice) {
        let default = if index == 0 { "YES" } else { "NO" };
        put!(
            self.media,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{}{tag}\",NAME=\"Audio {}\",DEFAULT={default},AUTOSELECT={default}",
            choice.group,
            index + 1
        );
        if let Some(channels) = choice.channels {
            put!(self.media, ",CHANNELS=\"{channels}\"");
        }
        put!(self.media, ",URI=\"{path}{}.m3u8", choice.name);
        self.media.end_uri();
        put!(self.media, "\"\n");
    }

    fn variant(
        &mut self,
        path: &str,
        variant: &Variant,
        audio: Option<(&str, &str, &[&AudioChoice])>,
    ) {
        let choices = audio.map_or(&[][..], |(_, _, choices)| choices);
        // The variant's own playlist may be one of the choices, where there is no video.
        let others = || choices.iter().filter(|choice| choice.name != variant.name);
        // RFC 8216bis 4.4.6.2: with the heaviest of the renditions that can be chosen.
        let peak = variant.peak + others().map(|choice| choice.peak).max().unwrap_or(0);
        let average = variant.average + others().map(|choice| choice.average).max().unwrap_or(0);
        put!(
            self.variants,
            "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average}"
        );
        // Each format once, and none at all where one is unknown: a list must be complete.
        let known = others().all(|choice| choice.codec.is_some());
        if let Some(codecs) = variant.codecs.as_ref().filter(|_| known) {
            let mut list: Vec<&str> = Vec::new();
            let choices = others().filter_map(|choice| choice.codec.as_deref());
            for codec in codecs.iter().map(String::as_str).chain(choices) {
                if !list.contains(&codec) {
                    list.push(codec);
                }
            }
            if !list.is_empty() {
                put!(self.variants, ",CODECS=\"{}\"", list.join(","));
            }
        }
        if let Some((width, height)) = variant.resolution {
            put!(self.variants, ",RESOLUTION={width}x{height}");
        }
        if let Some(rate) = variant.milli_frame_rate {
            put!(
                self.variants,
                ",FRAME-RATE={}.{:03}",
                rate / 1_000,
                rate % 1_000
            );
        }
        if let Some((tag, group, _)) = audio {
            put!(self.variants, ",AUDIO=\"{group}{tag}\"");
        }
        put!(self.variants, "\n{path}{}.m3u8", variant.name);
        self.variants.end_uri();
        put!(self.variants, "\n");
    }

    /// The playlist of all that was added.
    pub(crate) fn render(self) -> Rendered {
        // RFC 8216bis 7: alternative renditions take version 4, and EXT-X-INDEPENDENT-SEGMENTS any.
        let mut lines = Lines::new(if self.media.text.is_empty() { 3 } else { 6 });
        if self.independent {
            put!(lines, "#EXT-X-INDEPENDENT-SEGMENTS\n");
        }
        lines.append(self.media);
        lines.append(self.variants);
        lines.finish()
    }
}

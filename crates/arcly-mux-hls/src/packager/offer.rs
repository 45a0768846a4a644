//! What is served of what has been made.

use super::HlsPackager;
use super::rendition::{Content, RenditionMaker, Scene};
use crate::config::PlaylistType;
use crate::playlist::{AudioChoice, Variant, Variants};
use crate::presentation::Presentation;
use crate::tracks::Track;
use arcly_core::{MediaKind, Timestamp, WallClock};
use std::sync::Arc;

impl HlsPackager {
    /// As [`poll_presentation`](Self::poll_presentation), where there may be news.
    pub(super) fn offer(&mut self) -> Option<Option<Arc<Presentation>>> {
        let is_running = self.publish.is_some();
        let least = if is_running {
            self.config.start_segments.max(1)
        } else {
            1
        };
        let has_enough = |made: &RenditionMaker| made.window.listed_count() >= least;
        let mut active = self
            .renditions
            .iter()
            .filter(|made| made.is_active)
            .peekable();
        if is_running && !self.is_served && (active.peek().is_none() || !active.all(has_enough)) {
            return None;
        }
        for made in &mut self.renditions {
            made.is_offered = made.window.listed_count() > 0
                && made.is_active
                && (made.is_offered || has_enough(made));
        }
        self.is_served = self.renditions.iter().any(|made| made.is_offered);
        if !self.is_served {
            self.targets.unsettle();
            return Some(None);
        }
        self.targets.settle();
        Some(Some(self.presentation()))
    }

    pub(super) fn presentation(&mut self) -> Arc<Presentation> {
        let variants = self.describe();
        if variants != *self.variants {
            self.variants = Arc::new(variants);
        }
        let offered = self.renditions.iter().filter(|made| made.is_offered);
        let reports: Vec<_> = offered.filter_map(RenditionMaker::report).collect();
        let clock = self.publish.as_ref().map(|publish| &publish.clock);
        let date = |pts: Timestamp| {
            clock
                .and_then(|clock| clock.estimate(pts))
                .unwrap_or(WallClock(0))
        };
        let scene = Scene {
            targets: &self.targets,
            parted: self.packaging.low_latency,
            ended: self.ended,
            is_event: self.config.playlist_type == PlaylistType::Event,
            discontinuity_sequence: self.discontinuities,
            date: &date,
            date_ranges: self.date_ranges.tags(),
            reports: &reports,
        };
        let offered = self.renditions.iter_mut().filter(|made| made.is_offered);
        let renditions = offered.map(|made| made.serve(&scene)).collect();
        Arc::new(Presentation::new(renditions, Arc::clone(&self.variants)))
    }

    /// What the multivariant playlist says of the offered renditions.
    fn describe(&self) -> Variants {
        let tracks: Vec<&Track> = self.tracks.told().collect();
        let mut variants = Variants {
            independent: true,
            ..Variants::default()
        };
        let has_video = tracks
            .iter()
            .any(|track| track.info.kind == MediaKind::Video);
        for made in self.renditions.iter().filter(|made| made.is_offered) {
            let own = tracks.iter().filter(|track| made.has(track.info.id));
            let own: Vec<&Track> = own.copied().collect();
            if own.is_empty() && !tracks.is_empty() {
                // It is still there for those who play it, with gaps.
                continue;
            }
            variants.independent &= made.window.is_independent();
            match made.content {
                Content::Track(_, MediaKind::Audio) if has_video => {
                    variants
                        .audio
                        .extend(own.first().map(|track| choice(made, track)));
                }
                Content::Track(_, MediaKind::Audio) => {
                    if variants.variants.is_empty() {
                        variants.variants.push(variant(made, &own));
                    }
                    variants
                        .audio
                        .extend(own.first().map(|track| choice(made, track)));
                }
                _ => variants.variants.push(variant(made, &own)),
            }
        }
        if !has_video && variants.audio.len() == 1 {
            // Nothing to choose from: the variant is all there is.
            variants.audio.clear();
        }
        variants
    }
}

fn variant(made: &RenditionMaker, tracks: &[&Track]) -> Variant {
    let codecs = tracks.iter().map(|track| track.info.codec_string.clone());
    Variant {
        name: Arc::clone(made.name()),
        peak: made.rates.peak(),
        average: made.rates.average(),
        codecs: codecs.collect(),
        resolution: tracks
            .iter()
            .find_map(|track| Some((track.info.width?, track.info.height?))),
        milli_frame_rate: made.rates.milli_frame_rate(),
    }
}

fn choice(made: &RenditionMaker, track: &Track) -> AudioChoice {
    AudioChoice {
        name: Arc::clone(made.name()),
        group: track.info.codec.name(),
        codec: track.info.codec_string.clone(),
        channels: track.info.channels,
        peak: made.rates.peak(),
        average: made.rates.average(),
    }
}

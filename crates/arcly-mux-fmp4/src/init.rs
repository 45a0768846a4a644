//! The init segment: `ftyp` and `moov` (ISO/IEC 14496-12 4.3, 8.2; ISO/IEC 23000-19 7.3.1).

use crate::boxes::{BoxWriter, FourCc};
use crate::sample_entry::Media;
use crate::track::Track;
use arcly_core::{CodecId, MediaKind};

/// Ticks a second in `mvhd`: nothing but durations is measured by it.
pub(crate) const MOVIE_TIMESCALE: u32 = 1_000;

/// `und`: the language is not told (8.4.2).
const UNDETERMINED: u16 = 0x55c4;

/// What boxes with a table say where the file is fragmented: it has no entries.
const EMPTY_TABLES: [&FourCc; 3] = [b"stts", b"stsc", b"stco"];

/// Writes `ftyp` and `moov` for these tracks. `duration` is in ticks of [`MOVIE_TIMESCALE`], where it is known.
pub(crate) fn write_init(tracks: &[Track], duration: Option<u64>, out: &mut BoxWriter) {
    write_file_type(tracks, out);
    out.plain(b"moov", |out| {
        write_movie_header(tracks, out);
        // Where there are several of a kind, the first is on and a player offers the others instead of it (8.3.2).
        for (index, track) in tracks.iter().enumerate() {
            let is_first = tracks.iter().position(|other| other.kind == track.kind) == Some(index);
            write_track(track, is_first, out);
        }
        out.plain(b"mvex", |out| {
            // With a duration of 0 it is as long as the fragments say. The box is there either way, so that the header keeps its
            // size when the duration gets known.
            if let Some(duration) = duration {
                out.full(b"mehd", 1, 0, |out| out.u64(duration));
            }
            for track in tracks {
                out.full(b"trex", 0, 0, |out| {
                    out.u32(track.number());
                    out.u32(1); // default_sample_description_index
                    out.zeros(12); // duration, size and flags stand in each fragment
                });
            }
        });
    });
}

/// The brands: `iso6` has `tfdt` and negative composition offsets, `cmfc` says that the file is a CMAF track.
fn write_file_type(tracks: &[Track], out: &mut BoxWriter) {
    out.plain(b"ftyp", |out| {
        out.bytes(b"iso6");
        out.u32(0);
        for brand in [b"iso6", b"mp41", b"dash"] {
            out.bytes(brand);
        }
        if tracks.len() == 1 {
            out.bytes(b"cmfc");
        }
        if tracks
            .iter()
            .any(|track| track.description.codec == CodecId::Av1)
        {
            out.bytes(b"av01");
        }
    });
}

fn write_movie_header(tracks: &[Track], out: &mut BoxWriter) {
    out.full(b"mvhd", 0, 0, |out| {
        out.zeros(8); // creation and modification: no clock is read here
        out.u32(MOVIE_TIMESCALE);
        out.u32(0); // duration: in the fragments
        out.u32(0x0001_0000); // rate 1
        out.u16(0x0100); // volume 1
        out.zeros(10);
        out.identity_matrix();
        out.zeros(24);
        let last = tracks.iter().map(Track::number).max().unwrap_or(0);
        out.u32(last + 1); // next_track_ID
    });
}

fn write_track(track: &Track, enabled: bool, out: &mut BoxWriter) {
    const ENABLED: u32 = 1;
    const IN_MOVIE: u32 = 2;
    let is_audio = track.kind == MediaKind::Audio;
    out.plain(b"trak", |out| {
        let flags = IN_MOVIE | if enabled { ENABLED } else { 0 };
        out.full(b"tkhd", 0, flags, |out| {
            out.zeros(8);
            out.u32(track.number());
            out.zeros(4);
            out.u32(0); // duration
            out.zeros(8);
            out.u16(0); // layer
            out.u16(u16::from(is_audio)); // alternate_group
            out.u16(if is_audio { 0x0100 } else { 0 }); // volume
            out.zeros(2);
            out.identity_matrix();
            let (width, height) = match &track.description.media {
                Media::Video(picture) => picture.shown(),
                Media::Audio(_) => (0, 0),
            };
            out.u32(width);
            out.u32(height);
        });
        out.plain(b"mdia", |out| {
            out.full(b"mdhd", 0, 0, |out| {
                out.zeros(8);
                out.u32(track.description.timescale);
                out.u32(0);
                out.u16(UNDETERMINED);
                out.zeros(2);
            });
            let (handler, name): (&FourCc, _) = match track.description.media {
                Media::Video(_) => (b"vide", "Video"),
                Media::Audio(_) => (b"soun", "Sound"),
            };
            out.full(b"hdlr", 0, 0, |out| {
                out.zeros(4);
                out.bytes(handler);
                out.zeros(12);
                out.text(name);
            });
            out.plain(b"minf", |out| write_media_information(track, out));
        });
    });
}

fn write_media_information(track: &Track, out: &mut BoxWriter) {
    match track.description.media {
        Media::Video(_) => out.full(b"vmhd", 0, 1, |out| out.zeros(8)),
        Media::Audio(_) => out.full(b"smhd", 0, 0, |out| out.zeros(4)),
    }
    out.plain(b"dinf", |out| {
        out.full(b"dref", 0, 0, |out| {
            out.u32(1);
            out.full(b"url ", 0, 1, |_| ()); // the media is in this file
        });
    });
    out.plain(b"stbl", |out| {
        out.full(b"stsd", 0, 0, |out| {
            out.u32(1);
            out.bytes(&track.description.entry);
        });
        for kind in EMPTY_TABLES {
            out.full(kind, 0, 0, |out| out.u32(0));
        }
        out.full(b"stsz", 0, 0, |out| out.zeros(8));
    });
}

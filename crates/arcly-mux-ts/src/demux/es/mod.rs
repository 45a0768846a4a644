//! From the bytes of elementary streams to access units.

mod audio;
mod data;
mod decoding_times;
mod nal;
mod opus;
mod video;

use super::timeline::Times;
use super::track::Track;
use crate::carriage::Carriage;
use arcly_core::{CodecId, MediaFrame};
use audio::AudioReader;
use data::{DataReader, Wrapping};
use opus::OpusReader;
use video::VideoReader;

/// Reads the payloads of one stream's PES packets.
///
/// For each packet [`start`](Self::start) is called, [`push`](Self::push) with each piece of its payload, and
/// [`end`](Self::end) where its end is known, be it only by the start of the next.
#[derive(Debug)]
pub(crate) enum Reader {
    Video(Box<VideoReader>),
    Audio(Box<AudioReader>),
    Opus(OpusReader),
    Data(DataReader),
}

impl Reader {
    /// The reader for what PES packets carry this way, and the codec of its frames; `None` where it
    /// is not PES packets.
    pub(crate) fn of(carriage: &Carriage) -> Option<(Self, CodecId)> {
        let video = |codec| (Self::Video(Box::new(VideoReader::new(codec))), codec);
        let audio = |reader, codec| (Self::Audio(Box::new(reader)), codec);
        let data = |wrapping, codec| (Self::Data(DataReader::new(wrapping)), codec);
        Some(match carriage {
            Carriage::H264 => video(CodecId::H264),
            Carriage::H265 => video(CodecId::H265),
            Carriage::AacAdts => audio(AudioReader::adts(), CodecId::Aac),
            Carriage::AacLatm => audio(AudioReader::latm(), CodecId::Aac),
            Carriage::MpegAudio => audio(AudioReader::mpeg(), CodecId::Mp3),
            Carriage::Ac3 => audio(AudioReader::ac3(), CodecId::Ac3),
            Carriage::Eac3 => audio(AudioReader::ac3(), CodecId::Eac3),
            Carriage::Opus(descriptor) => (Self::Opus(OpusReader::new(descriptor)?), CodecId::Opus),
            Carriage::Id3 => data(Wrapping::None, CodecId::Id3),
            Carriage::KlvAsynchronous => data(Wrapping::None, CodecId::Klv),
            Carriage::KlvSynchronous => data(Wrapping::Cells, CodecId::Klv),
            Carriage::Scte35 => return None,
        })
    }

    /// A PES packet starts, with these times and these first bytes of its payload.
    pub(crate) fn start(
        &mut self,
        times: Option<Times>,
        first: &[u8],
        track: &mut Track,
        out: &mut Vec<MediaFrame>,
    ) {
        match self {
            Self::Video(reader) => reader.start(first, track, out),
            Self::Audio(_) => {}
            Self::Opus(reader) => reader.start(times),
            Self::Data(reader) => reader.start(times),
        }
    }

    /// The times of the PES packet that has started, once what came before it is out, and whether it has a DTS of its own.
    pub(crate) fn stamp(&mut self, times: Times, has_dts: bool) {
        match self {
            Self::Video(reader) => reader.stamp(times, has_dts),
            Self::Audio(reader) => reader.stamp(times),
            Self::Opus(_) | Self::Data(_) => {}
        }
    }

    /// Takes the next piece of the payload.
    pub(crate) fn push(&mut self, payload: &[u8]) {
        match self {
            Self::Video(reader) => reader.push(payload),
            Self::Audio(reader) => reader.push(payload),
            Self::Opus(reader) => reader.push(payload),
            Self::Data(reader) => reader.push(payload),
        }
    }

    /// The PES packet ends here.
    pub(crate) fn end(&mut self, track: &mut Track, out: &mut Vec<MediaFrame>) {
        match self {
            Self::Video(reader) => reader.end(),
            Self::Audio(reader) => reader.end(track, out),
            Self::Opus(reader) => reader.end(track, out),
            Self::Data(reader) => reader.end(track, out),
        }
    }

    /// Packets are missing: what is not whole is dropped, what is goes out.
    pub(crate) fn lose(&mut self, track: &mut Track, out: &mut Vec<MediaFrame>) {
        match self {
            Self::Video(reader) => reader.lose(track, out),
            Self::Audio(reader) => reader.lose(),
            Self::Opus(reader) => reader.lose(),
            Self::Data(reader) => reader.lose(),
        }
    }

    /// The stream ends.
    pub(crate) fn finish(&mut self, track: &mut Track, out: &mut Vec<MediaFrame>) {
        match self {
            Self::Video(reader) => reader.finish(track, out),
            Self::Audio(reader) => reader.finish(track, out),
            Self::Opus(reader) => reader.end(track, out),
            Self::Data(reader) => reader.end(track, out),
        }
    }

    /// How many bytes wait.
    pub(crate) fn buffered(&self) -> usize {
        match self {
            Self::Video(reader) => reader.buffered(),
            Self::Audio(reader) => reader.buffered(),
            Self::Opus(reader) => reader.buffered(),
            Self::Data(reader) => reader.buffered(),
        }
    }
}

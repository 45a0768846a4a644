//! How the PMT says what a stream is: stream types and descriptors (ISO/IEC 13818-1 2.4.4.10, 2.6).

/// `stream_type` (Table 2-34; past 0x7f as ATSC and SCTE assign them).
pub(crate) mod stream_type {
    /// ISO/IEC 11172-3 audio (MPEG-1).
    pub(crate) const MPEG1_AUDIO: u8 = 0x03;
    /// ISO/IEC 13818-3 audio (MPEG-2, halved rates).
    pub(crate) const MPEG2_AUDIO: u8 = 0x04;
    /// Private PES data: the descriptors say what it is.
    pub(crate) const PRIVATE: u8 = 0x06;
    /// ISO/IEC 13818-7 audio with ADTS.
    pub(crate) const AAC_ADTS: u8 = 0x0f;
    /// ISO/IEC 14496-3 audio with LATM, in LOAS.
    pub(crate) const AAC_LATM: u8 = 0x11;
    /// Metadata in PES packets: the metadata descriptor says which.
    pub(crate) const METADATA: u8 = 0x15;
    /// ISO/IEC 14496-10 video.
    pub(crate) const H264: u8 = 0x1b;
    /// ISO/IEC 23008-2 video.
    pub(crate) const H265: u8 = 0x24;
    /// AC-3 (ATSC A/53-3 5.9).
    pub(crate) const AC3: u8 = 0x81;
    /// Splice information sections (SCTE 35 8.1), in programs that register `CUEI`. Blu-ray has DTS-HD here.
    pub(crate) const SCTE35: u8 = 0x86;
    /// E-AC-3 (ATSC A/52 G.3.1).
    pub(crate) const EAC3: u8 = 0x87;
}

/// `descriptor_tag` (Table 2-45; past 0x3f as DVB assigns them, ETSI EN 300 468).
pub(crate) mod tag {
    /// `registration_descriptor` (2.6.8).
    pub(crate) const REGISTRATION: u8 = 0x05;
    /// `metadata_pointer_descriptor` (2.6.58).
    pub(crate) const METADATA_POINTER: u8 = 0x25;
    /// `metadata_descriptor` (2.6.60).
    pub(crate) const METADATA: u8 = 0x26;
    /// DVB's AC-3 descriptor.
    pub(crate) const DVB_AC3: u8 = 0x6a;
    /// DVB's enhanced AC-3 descriptor.
    pub(crate) const DVB_EAC3: u8 = 0x7a;
    /// DVB's extension descriptor, in which the Opus descriptor comes.
    pub(crate) const EXTENSION: u8 = 0x7f;
}

/// Format identifiers, as registration and metadata descriptors carry them.
pub(crate) mod format {
    pub(crate) const AC3: [u8; 4] = *b"AC-3";
    pub(crate) const EAC3: [u8; 4] = *b"EAC3";
    pub(crate) const OPUS: [u8; 4] = *b"Opus";
    pub(crate) const HEVC: [u8; 4] = *b"HEVC";
    pub(crate) const ID3: [u8; 4] = *b"ID3 ";
    pub(crate) const KLV: [u8; 4] = *b"KLVA";
    pub(crate) const SCTE35: [u8; 4] = *b"CUEI";
}

/// The descriptors of a loop, as tag and content. Ends at the first that is cut off.
pub(crate) fn descriptors(mut data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[tag, length], rest) = data.split_first_chunk()?;
        let (content, rest) = rest.split_at_checked(length.into())?;
        data = rest;
        Some((tag, content))
    })
}

/// Appends a descriptor. The content is this crate's own and short.
pub(crate) fn push_descriptor(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    debug_assert!(content.len() < 256, "one byte of length");
    out.extend_from_slice(&[tag, content.len() as u8]);
    out.extend_from_slice(content);
}

/// The format identifiers that a descriptor loop registers.
pub(crate) fn registrations(data: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    descriptors(data)
        .filter(|(tag, _)| *tag == tag::REGISTRATION)
        .filter_map(|(_, content)| content.first_chunk().copied())
}

/// The `metadata_format_identifier` of a metadata descriptor's content, where it has one.
fn metadata_format(content: &[u8]) -> Option<[u8; 4]> {
    // metadata_application_format 0xffff is followed by its identifier, metadata_format 0xff likewise.
    let (application, rest) = content.split_first_chunk::<2>()?;
    let rest = if *application == [0xff; 2] {
        rest.get(4..)?
    } else {
        rest
    };
    match rest.split_first()? {
        (0xff, rest) => rest.first_chunk().copied(),
        _ => None,
    }
}

/// How a stream of the PMT carries what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carriage {
    /// A byte stream of NAL units.
    H264,
    /// A byte stream of NAL units.
    H265,
    /// AAC in ADTS.
    AacAdts,
    /// AAC in LATM, in LOAS.
    AacLatm,
    /// MPEG audio of any layer; the bus has layer III.
    MpegAudio,
    /// Sync frames.
    Ac3,
    /// Sync frames.
    Eac3,
    /// Packets with control headers, and the Opus descriptor's content behind its tag extension.
    Opus(Vec<u8>),
    /// ID3 tags in PES packets.
    Id3,
    /// Splice information sections.
    Scte35,
    /// KLV units in PES packets.
    KlvAsynchronous,
    /// KLV units in metadata access unit cells.
    KlvSynchronous,
}

impl Carriage {
    /// What a PMT entry with this stream type and these descriptors is, in a program with these
    /// descriptors; `None` where it is nothing that is read here.
    pub(crate) fn of(stream_type: u8, program: &[u8], own: &[u8]) -> Option<Self> {
        let registered = |format| registrations(own).any(|registered| registered == format);
        match stream_type {
            stream_type::H264 => Some(Self::H264),
            stream_type::H265 => Some(Self::H265),
            stream_type::AAC_ADTS => Some(Self::AacAdts),
            stream_type::AAC_LATM => Some(Self::AacLatm),
            stream_type::MPEG1_AUDIO | stream_type::MPEG2_AUDIO => Some(Self::MpegAudio),
            stream_type::AC3 => Some(Self::Ac3),
            stream_type::EAC3 => Some(Self::Eac3),
            stream_type::SCTE35 => {
                let in_program = registrations(program).any(|format| format == format::SCTE35);
                (in_program || registered(format::SCTE35)).then_some(Self::Scte35)
            }
            stream_type::METADATA => {
                let formats = descriptors(own).filter(|(tag, _)| *tag == tag::METADATA);
                let mut formats = formats.filter_map(|(_, content)| metadata_format(content));
                formats.find_map(|format| match format {
                    format::ID3 => Some(Self::Id3),
                    format::KLV => Some(Self::KlvSynchronous),
                    _ => None,
                })
            }
            stream_type::PRIVATE => {
                let by_format = registrations(own).find_map(|format| match format {
                    format::AC3 => Some(Self::Ac3),
                    format::EAC3 => Some(Self::Eac3),
                    format::HEVC => Some(Self::H265),
                    format::ID3 => Some(Self::Id3),
                    format::KLV => Some(Self::KlvAsynchronous),
                    format::OPUS => {
                        let mut content = descriptors(own).filter_map(|(tag, content)| {
                            let (&extension, rest) = content.split_first()?;
                            (tag == tag::EXTENSION && extension == OPUS_EXTENSION).then_some(rest)
                        });
                        // Without it there are two channels, as ffmpeg takes it, too.
                        Some(Self::Opus(content.next().unwrap_or(&[2]).to_vec()))
                    }
                    _ => None,
                });
                by_format.or_else(|| {
                    descriptors(own).find_map(|(tag, _)| match tag {
                        tag::DVB_AC3 => Some(Self::Ac3),
                        tag::DVB_EAC3 => Some(Self::Eac3),
                        _ => None,
                    })
                })
            }
            _ => None,
        }
    }
}

/// `descriptor_tag_extension` of the Opus descriptor (ETSI draft TS "Opus Interactive Audio Codec", V0.1.3).
pub(crate) const OPUS_EXTENSION: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_end_where_they_are_cut_off() {
        let data = [5, 4, b'C', b'U', b'E', b'I', 9, 0, 7, 3, 1];
        let list: Vec<_> = descriptors(&data).collect();
        assert_eq!(list, [(5, &b"CUEI"[..]), (9, &[][..])]);
        assert_eq!(registrations(&data).next(), Some(format::SCTE35));
    }

    #[test]
    fn private_streams_are_told_by_their_descriptors() {
        let of = |own: &[u8]| Carriage::of(stream_type::PRIVATE, &[], own);
        assert_eq!(of(&[0x6a, 1, 0]), Some(Carriage::Ac3));
        assert_eq!(of(&[0x7a, 1, 0]), Some(Carriage::Eac3));
        assert_eq!(
            of(b"\x05\x04Opus\x7f\x02\x80\x06"),
            Some(Carriage::Opus(vec![6]))
        );
        assert_eq!(of(b"\x05\x04Opus"), Some(Carriage::Opus(vec![2])));
        assert_eq!(of(b"\x05\x04KLVA"), Some(Carriage::KlvAsynchronous));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn splices_need_their_registration() {
        let cuei = b"\x05\x04CUEI";
        assert_eq!(Carriage::of(0x86, cuei, &[]), Some(Carriage::Scte35));
        assert_eq!(Carriage::of(0x86, &[], cuei), Some(Carriage::Scte35));
        assert_eq!(Carriage::of(0x86, &[], &[]), None, "DTS-HD, on Blu-ray");
    }

    #[test]
    fn metadata_is_told_by_its_format() {
        let of = |own: &[u8]| Carriage::of(stream_type::METADATA, &[], own);
        assert_eq!(
            of(b"\x26\x0d\xff\xffID3 \xffID3 \x00\x0f"),
            Some(Carriage::Id3)
        );
        assert_eq!(
            of(b"\x26\x09\x01\x00\xffKLVA\x00\x0f"),
            Some(Carriage::KlvSynchronous)
        );
        assert_eq!(of(b"\x26\x05\x01\x00\x10\x00\x0f"), None);
    }
}

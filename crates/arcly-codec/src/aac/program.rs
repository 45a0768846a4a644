//! program_config_element: a channel layout spelt out (ISO/IEC 14496-3 4.4.1.1, Table 4.2).

use crate::bits::{Bits, BitsMut};
use crate::{CodecError, Result};

/// A channel layout that no `channelConfiguration` stands for. Field names follow the specification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProgramConfig {
    /// `element_instance_tag`, 0 to 15.
    pub tag: u8,
    /// `object_type`: the audio object type minus 1, 0 to 3.
    pub object_type: u8,
    /// `sampling_frequency_index`, 0 to 12.
    pub sample_rate_index: u8,
    /// Elements before the listener, centre outwards; at most 15.
    pub front: Vec<ChannelElement>,
    /// Elements beside the listener, front to back; at most 15.
    pub side: Vec<ChannelElement>,
    /// Elements behind the listener, outside to centre; at most 15.
    pub back: Vec<ChannelElement>,
    /// Instance tags of the low frequency elements; at most 3.
    pub lfe: Vec<u8>,
    /// Instance tags of the associated data elements; at most 7.
    pub associated_data: Vec<u8>,
    /// Coupling channel elements: whether switched independently (in `is_pair`), and their tags; at most 15.
    pub coupling: Vec<ChannelElement>,
    /// `mono_mixdown_element_number`.
    pub mono_mixdown: Option<u8>,
    /// `stereo_mixdown_element_number`.
    pub stereo_mixdown: Option<u8>,
    /// `matrix_mixdown_idx` (two bits) and `pseudo_surround_enable` (the third, lowest).
    pub matrix_mixdown: Option<u8>,
    /// `comment_field_data`; at most 255 bytes.
    pub comment: Vec<u8>,
}

/// One element of a channel layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the element has these two fields"
)]
pub struct ChannelElement {
    /// Whether it carries two channels.
    pub is_pair: bool,
    /// Its instance tag, 0 to 15.
    pub tag: u8,
}

impl ProgramConfig {
    /// How many channels the layout has, low frequency ones included; coupling channels are mixed into these.
    #[must_use]
    pub fn channels(&self) -> u8 {
        let pairs = |elements: &[ChannelElement]| {
            elements.iter().map(|e| 1 + u8::from(e.is_pair)).sum::<u8>()
        };
        // At most 3 × 15 × 2 + 3, as far as it was read.
        pairs(&self.front)
            .saturating_add(pairs(&self.side))
            .saturating_add(pairs(&self.back))
            .saturating_add(u8::try_from(self.lfe.len()).unwrap_or(u8::MAX))
    }

    /// Reads the element from its `element_instance_tag` on. Its `byte_alignment` counts from the start of `bits`.
    pub(super) fn read(bits: &mut Bits<'_>) -> Result<Self> {
        let tag = bits.read::<4>("element_instance_tag")? as u8;
        let object_type = bits.read::<2>("object_type")? as u8;
        let sample_rate_index = bits.read::<4>("sampling_frequency_index")? as u8;
        let front_count = bits.read::<4>("num_front_channel_elements")?;
        let side_count = bits.read::<4>("num_side_channel_elements")?;
        let back_count = bits.read::<4>("num_back_channel_elements")?;
        let lfe_count = bits.read::<2>("num_lfe_channel_elements")?;
        let data_count = bits.read::<3>("num_assoc_data_elements")?;
        let coupling_count = bits.read::<4>("num_valid_cc_elements")?;
        let mono_mixdown = optional::<4>(bits, "mono_mixdown_element_number")?;
        let stereo_mixdown = optional::<4>(bits, "stereo_mixdown_element_number")?;
        let matrix_mixdown = optional::<3>(bits, "matrix_mixdown_idx")?;
        let front = elements(bits, front_count, "front_element_tag_select")?;
        let side = elements(bits, side_count, "side_element_tag_select")?;
        let back = elements(bits, back_count, "back_element_tag_select")?;
        let lfe = tags(bits, lfe_count, "lfe_element_tag_select")?;
        let associated_data = tags(bits, data_count, "assoc_data_element_tag_select")?;
        let coupling = elements(bits, coupling_count, "valid_cc_element_tag_select")?;
        bits.align()?;
        let comment_length = bits.read::<8>("comment_field_bytes")?;
        let comment = (0..comment_length)
            .map(|_| Ok(bits.read::<8>("comment_field_data")? as u8))
            .collect::<Result<_>>()?;
        Ok(Self {
            tag,
            object_type,
            sample_rate_index,
            front,
            side,
            back,
            lfe,
            associated_data,
            coupling,
            mono_mixdown,
            stereo_mixdown,
            matrix_mixdown,
            comment,
        })
    }

    /// Writes what [`read`](Self::read) reads.
    pub(super) fn write(&self, bits: &mut BitsMut) -> Result<()> {
        bits.write::<4>(self.tag.into())?;
        bits.write::<2>(self.object_type.into())?;
        bits.write::<4>(self.sample_rate_index.into())?;
        for list in [&self.front, &self.side, &self.back] {
            bits.write::<4>(count(list)?)?;
        }
        bits.write::<2>(count(&self.lfe)?)?;
        bits.write::<3>(count(&self.associated_data)?)?;
        bits.write::<4>(count(&self.coupling)?)?;
        write_optional::<4>(bits, self.mono_mixdown)?;
        write_optional::<4>(bits, self.stereo_mixdown)?;
        write_optional::<3>(bits, self.matrix_mixdown)?;
        for list in [&self.front, &self.side, &self.back] {
            write_elements(bits, list)?;
        }
        for &tag in self.lfe.iter().chain(&self.associated_data) {
            bits.write::<4>(tag.into())?;
        }
        write_elements(bits, &self.coupling)?;
        bits.align()?;
        bits.write::<8>(count(&self.comment)?)?;
        self.comment
            .iter()
            .try_for_each(|&byte| bits.write::<8>(byte.into()))
    }
}

fn optional<const N: u32>(bits: &mut Bits<'_>, element: &'static str) -> Result<Option<u8>> {
    bits.flag(element)?
        .then(|| Ok(bits.read::<N>(element)? as u8))
        .transpose()
}

fn elements(bits: &mut Bits<'_>, count: u32, element: &'static str) -> Result<Vec<ChannelElement>> {
    let mut read = || {
        Ok(ChannelElement {
            is_pair: bits.flag(element)?,
            tag: bits.read::<4>(element)? as u8,
        })
    };
    (0..count).map(|_| read()).collect()
}

fn tags(bits: &mut Bits<'_>, count: u32, element: &'static str) -> Result<Vec<u8>> {
    (0..count)
        .map(|_| Ok(bits.read::<4>(element)? as u8))
        .collect()
}

fn write_optional<const N: u32>(bits: &mut BitsMut, value: Option<u8>) -> Result<()> {
    bits.write::<1>(value.is_some().into())?;
    value.map_or(Ok(()), |value| bits.write::<N>(value.into()))
}

fn write_elements(bits: &mut BitsMut, list: &[ChannelElement]) -> Result<()> {
    list.iter().try_for_each(|element| {
        bits.write::<1>(element.is_pair.into())?;
        bits.write::<4>(element.tag.into())
    })
}

/// The length of `list` as a field value; a list too long for its field is refused when it is written.
fn count<T>(list: &[T]) -> Result<u32> {
    let refused = CodecError::Unwritable {
        what: "program_config_element",
        reason: "a list is too long",
    };
    u32::try_from(list.len()).map_err(|_| refused)
}

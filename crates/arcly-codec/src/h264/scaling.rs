//! Scaling matrices of SPS and PPS (H.264 7.3.2.1.1.1, 7.4.2.1.1.1).

use h264_reader::nal::sps::{ChromaInfo, ScalingLists8x8Resolved};

/// Scaling lists as a decoder uses them: absent lists are filled in by the fall-back rules of Table 7-2.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScalingMatrix {
    /// Intra Y, Cb, Cr, then inter Y, Cb, Cr; each in zig-zag order.
    pub lists_4x4: [[u8; 16]; 6],
    /// Intra and inter Y; for 4:4:4 then also of Cb and of Cr. Empty in a PPS without 8×8 transform.
    pub lists_8x8: Vec<[u8; 64]>,
}

impl ScalingMatrix {
    /// The matrix of an SPS, where it has one.
    pub(super) fn of_sps(chroma: &ChromaInfo) -> Option<Box<Self>> {
        chroma.scaling_matrix.as_ref()?;
        Some(Box::new(Self::new(
            chroma.scaling_lists_4x4(),
            Some(&chroma.scaling_lists_8x8()),
        )))
    }

    pub(super) fn new(
        lists_4x4: [[u8; 16]; 6],
        lists_8x8: Option<&ScalingLists8x8Resolved>,
    ) -> Self {
        Self {
            lists_4x4,
            lists_8x8: lists_8x8
                .map(|lists| lists.as_slice().to_vec())
                .unwrap_or_default(),
        }
    }
}

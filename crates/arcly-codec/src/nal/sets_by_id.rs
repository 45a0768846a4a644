//! The parameter sets of one type that are in force.

use crate::Result;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Parameter sets of one type by their identifiers: the NAL units, and what was read from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetsById<T>(BTreeMap<u8, (Bytes, T)>);

impl<T> Default for SetsById<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> SetsById<T> {
    /// Takes a set in the place of the one with its identifier, which `parse` returns with what it read. The unit is copied, so that it
    /// pins no network buffer. Returns whether anything changed: streams repeat their sets at each keyframe, and the same bytes
    /// are not even parsed.
    pub(crate) fn insert(
        &mut self,
        nal: &[u8],
        parse: impl FnOnce(&[u8]) -> Result<(u8, T)>,
    ) -> Result<bool> {
        if self.0.values().any(|(known, _)| known == nal) {
            return Ok(false);
        }
        let (id, parsed) = parse(nal)?;
        self.0.insert(id, (Bytes::copy_from_slice(nal), parsed));
        Ok(true)
    }

    /// What was read from the set with this identifier.
    pub(crate) fn get(&self, id: u8) -> Option<&T> {
        self.0.get(&id).map(|(_, parsed)| parsed)
    }

    /// What was read from the set with the lowest identifier.
    pub(crate) fn first(&self) -> Option<&T> {
        self.0.values().next().map(|(_, parsed)| parsed)
    }

    /// The NAL units, in the order of their identifiers.
    pub(crate) fn nal_units(&self) -> impl Iterator<Item = Bytes> {
        self.0.values().map(|(nal, _)| nal.clone())
    }
}

//! Which unfinished objects belong to this process.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whose an unfinished object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// A writer of this storage, or a recovery under way.
    Busy,
    /// Nobody: the writer was dropped.
    Dropped,
}

/// The unfinished objects of this storage and its clones.
#[derive(Debug, Default)]
pub(super) struct Writers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    owners: HashMap<u64, Owner>,
    /// The names that are being given away.
    names: HashSet<String>,
}

impl Writers {
    pub(super) fn set(&self, id: u64, owner: Owner) {
        self.lock().owners.insert(id, owner);
    }

    pub(super) fn forget(&self, id: u64) {
        self.lock().owners.remove(&id);
    }

    pub(super) fn owner(&self, id: u64) -> Option<Owner> {
        self.lock().owners.get(&id).copied()
    }

    /// Takes `id` for a recovery, unless somebody has it.
    pub(super) fn take(&self, id: u64) -> bool {
        let mut state = self.lock();
        let free = state.owners.get(&id) != Some(&Owner::Busy);
        if free {
            state.owners.insert(id, Owner::Busy);
        }
        free
    }

    /// Keeps others of this process from giving `name` away; `None` where one is doing so.
    pub(super) fn reserve(&self, name: &str) -> Option<Reserved<'_>> {
        self.lock().names.insert(name.to_owned()).then(|| Reserved {
            writers: self,
            name: name.to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Sound between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name that is reserved until this is dropped.
pub(super) struct Reserved<'a> {
    writers: &'a Writers,
    name: String,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.writers.lock().names.remove(&self.name);
    }
}

//! The shared-memory primitives of the bus, in two versions: the real ones, and loom's, under `--cfg arcly_loom`, where the
//! model checker explores every interleaving of them (`tests/loom.rs`).
//!
//! A name of our own for the flag, because tokio changes its public API under the customary `cfg(loom)`.

pub(crate) use imp::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, AtomicWaker, Mutex, SwapCell,
    WriteOnce, fence,
};
pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::Ordering;

#[cfg(not(arcly_loom))]
mod imp {
    use super::Arc;
    use arc_swap::{ArcSwapOption, Guard};
    pub(crate) use atomic_waker::AtomicWaker;
    pub(crate) use std::sync::OnceLock as WriteOnce;
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, fence,
    };

    /// A mutex that outlives a panic of its holder: every critical section of the bus leaves its data whole.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, T> {
            self.0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    /// A place for a shared pointer that is read and replaced without locks.
    #[derive(Debug)]
    pub(crate) struct SwapCell<T>(ArcSwapOption<T>);

    impl<T> SwapCell<T> {
        pub(crate) fn new(value: Option<Arc<T>>) -> Self {
            Self(ArcSwapOption::new(value))
        }

        /// Borrows the pointer without touching its count.
        pub(crate) fn peek(&self) -> Guard<Option<Arc<T>>> {
            self.0.load()
        }

        pub(crate) fn load(&self) -> Option<Arc<T>> {
            self.0.load_full()
        }

        /// Puts `new` in place of `current`; false where the cell holds something else by now.
        pub(crate) fn replace(&self, current: Option<&Arc<T>>, new: Option<Arc<T>>) -> bool {
            let current: *const T = current.map_or(std::ptr::null(), Arc::as_ptr);
            let previous = self.0.compare_and_swap(current, new);
            let previous = previous.as_ref().map_or(std::ptr::null(), Arc::as_ptr);
            std::ptr::eq(previous, current)
        }
    }
}

#[cfg(arcly_loom)]
mod imp {
    use super::Arc;
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, fence,
    };
    use std::task::Waker;

    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    /// `AtomicWaker` as a mutex: the same operations, each indivisible.
    pub(crate) struct AtomicWaker(Mutex<Option<Waker>>);

    impl AtomicWaker {
        pub(crate) fn new() -> Self {
            Self(Mutex::new(None))
        }

        pub(crate) fn register(&self, waker: &Waker) {
            *self.0.lock() = Some(waker.clone());
        }

        pub(crate) fn take(&self) -> Option<Waker> {
            self.0.lock().take()
        }

        pub(crate) fn wake(&self) {
            if let Some(waker) = self.take() {
                waker.wake();
            }
        }
    }

    /// `OnceLock` with its flag known to the model; the value behind the flag is not.
    pub(crate) struct WriteOnce<T> {
        ready: AtomicBool,
        value: std::sync::OnceLock<T>,
    }

    impl<T> WriteOnce<T> {
        pub(crate) fn new() -> Self {
            Self {
                ready: AtomicBool::new(false),
                value: std::sync::OnceLock::new(),
            }
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            self.value.set(value)?;
            self.ready.store(true, super::Ordering::Release);
            Ok(())
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.ready.load(super::Ordering::Acquire) {
                self.value.get()
            } else {
                None
            }
        }
    }

    /// `ArcSwap` as a mutex: the same operations, each indivisible.
    pub(crate) struct SwapCell<T>(Mutex<Option<Arc<T>>>);

    impl<T> SwapCell<T> {
        pub(crate) fn new(value: Option<Arc<T>>) -> Self {
            Self(Mutex::new(value))
        }

        pub(crate) fn peek(&self) -> Option<Arc<T>> {
            self.load()
        }

        pub(crate) fn load(&self) -> Option<Arc<T>> {
            self.0.lock().clone()
        }

        pub(crate) fn replace(&self, current: Option<&Arc<T>>, new: Option<Arc<T>>) -> bool {
            let mut held = self.0.lock();
            let same = held.as_ref().map(Arc::as_ptr) == current.map(Arc::as_ptr);
            if same {
                *held = new;
            }
            same
        }
    }
}

//! Waiting for what hardly ever happens, at no cost while it does not.

use atomic_waker::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// Tells whether one of the futures that were polled with its waker wants to be polled again. A viewer's task runs at every
/// picture; asking each time whether the host ends it would cost a tenth of all it does.
#[derive(Debug)]
pub(super) struct Rare(Arc<Signal>);

#[derive(Debug)]
struct Signal {
    raised: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raised.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl Rare {
    /// One that wants its futures polled: none has been yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(Signal {
            raised: AtomicBool::new(true),
            task: AtomicWaker::new(),
        }))
    }

    /// The waker to poll the futures with, all of them, where one wants it; `None` where none does, and the task is woken
    /// once one does.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Option<Waker> {
        // In this order: what is raised in between wakes the task.
        self.0.task.register(cx.waker());
        self.0
            .raised
            .swap(false, Ordering::AcqRel)
            .then(|| Waker::from(Arc::clone(&self.0)))
    }

    /// Has all futures polled at the next turn: there is a new one, or not all were.
    pub(super) fn raise(&self) {
        self.0.raised.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count(std::sync::atomic::AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_asks_once_for_each_wake() {
        let count = Arc::new(Count(0.into()));
        let task = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&task);
        let rare = Rare::new();
        let waker = rare.poll(&cx).expect("new futures are polled");
        assert!(rare.poll(&cx).is_none());
        waker.wake_by_ref();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(rare.poll(&cx).is_some() && rare.poll(&cx).is_none());
        rare.raise();
        assert!(rare.poll(&cx).is_some());
    }
}

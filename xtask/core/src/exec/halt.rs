//! Stops a command from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Stops a streamed command from another thread, as an interrupt would: its caller has no more use for it.
#[derive(Clone, Default)]
pub struct Halt(Arc<HaltState>);

#[derive(Default)]
struct HaltState {
    wanted: AtomicBool,
    /// Stops the command while it runs.
    stop: Mutex<Option<HaltAction>>,
}

pub(super) type HaltAction = Box<dyn Fn() + Send + Sync>;

impl Halt {
    /// Stops the command, now or when it starts. Returns at once.
    pub fn halt(&self) {
        self.0.wanted.store(true, Ordering::SeqCst);
        if let Some(stop) = self.running().take() {
            std::thread::spawn(stop);
        }
    }

    /// Returns true after [`Halt::halt`].
    pub fn wanted(&self) -> bool {
        self.0.wanted.load(Ordering::SeqCst)
    }

    pub(super) fn running(&self) -> MutexGuard<'_, Option<HaltAction>> {
        self.0.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

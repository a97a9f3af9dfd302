//! The signals INT, TERM and HUP: they stop what runs; every guard cleans up; xtask exits with 130.

use crate::failure::Code;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Number of signals received.
static RECEIVED: AtomicUsize = AtomicUsize::new(0);
static STOPPERS: Mutex<Vec<(usize, Stopper)>> = Mutex::new(Vec::new());
static NEXT_ID: AtomicUsize = AtomicUsize::new(0);

type Stopper = Box<dyn Fn() + Send>;

/// Starts to listen. The first signal runs `tell`, and each one the stoppers. The third one exits at
/// once, without the rest of the clean-up.
pub fn install(tell: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            let nth = RECEIVED.fetch_add(1, Ordering::SeqCst) + 1;
            if nth >= 3 {
                std::process::exit(Code::Interrupted as i32);
            }
            if nth == 1 {
                tell();
            }
            for (_, stop) in stoppers().iter() {
                stop();
            }
        }
    })?;
    Ok(())
}

fn stoppers() -> MutexGuard<'static, Vec<(usize, Stopper)>> {
    STOPPERS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn received() -> bool {
    RECEIVED.load(Ordering::SeqCst) > 0
}

/// Returns an error if a signal was received. Call it between steps, and before you report the failure
/// of a step: the signal may have caused it.
pub fn check() -> anyhow::Result<()> {
    if received() { Err(Code::Interrupted.error("interrupted")) } else { Ok(()) }
}

/// Makes every signal run `stop`, on the signal thread, until the guard is dropped.
pub fn on_interrupt(stop: impl Fn() + Send + 'static) -> StopperGuard {
    let id = NEXT_ID.fetch_add(1, Ordering::SeqCst);
    stoppers().push((id, Box::new(stop)));
    StopperGuard(id)
}

#[must_use]
pub struct StopperGuard(usize);

impl Drop for StopperGuard {
    fn drop(&mut self) {
        stoppers().retain(|(id, _)| *id != self.0);
    }
}

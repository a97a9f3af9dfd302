//! INT, TERM and HUP: stop what runs, let every guard clean up, exit 130.

use crate::failure::Code;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often one of the three signals came.
static RECEIVED: AtomicUsize = AtomicUsize::new(0);
static STOPPERS: Mutex<Vec<(usize, Stopper)>> = Mutex::new(Vec::new());
static NEXT_ID: AtomicUsize = AtomicUsize::new(0);

type Stopper = Box<dyn Fn() + Send>;

/// Starts listening. A first signal runs the stoppers; a third gives up waiting for the clean-up.
pub fn install() -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            let nth = RECEIVED.fetch_add(1, Ordering::SeqCst) + 1;
            if nth >= 3 {
                std::process::exit(Code::Interrupted as i32);
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

/// An error once a signal came: called between steps, and before a step's own failure is believed.
pub fn check() -> anyhow::Result<()> {
    if received() { Err(Code::Interrupted.error("interrupted")) } else { Ok(()) }
}

/// While the guard lives, a signal runs `stop` (from the signal thread, each time one comes).
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

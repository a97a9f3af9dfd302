//! The signals INT, TERM and HUP: they stop what runs; every guard cleans up; xtask exits with 130.
//!
//! A thread that hangs in a read (a dead network file system) sees no signal. Then xtask leaves without the
//! clean-up, and the next run sweeps what is left, as after a SIGKILL.

use crate::failure::Code;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Number of signals received.
static RECEIVED: AtomicUsize = AtomicUsize::new(0);
static STOPPERS: Mutex<Vec<(usize, Stopper)>> = Mutex::new(Vec::new());
static NEXT_ID: AtomicUsize = AtomicUsize::new(0);

type Stopper = Box<dyn Fn() + Send + Sync>;

/// True as soon as the program is known to go on after a signal: see [`notice`].
static NOTICED: AtomicBool = AtomicBool::new(false);

/// Time until somebody notices a signal; without and with a child that was told to end.
const PATIENCE: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(20)];

/// Runs `work` on a second thread, while the first one waits. The kernel gives a signal to the first thread,
/// which would not see it while it hangs in a read.
pub fn beside_the_signals<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    /// The usual limit of a first thread's stack.
    const STACK: usize = 8 << 20;
    std::thread::scope(|threads| {
        let builder = std::thread::Builder::new().name("main".into()).stack_size(STACK);
        let worker = builder.spawn_scoped(threads, work)?;
        Ok(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Starts to listen. The first signal runs `tell`, and each one the stoppers. The third one exits at
/// once, without the rest of the clean-up. If nobody notices the first one, `give_up` runs, and xtask exits.
pub fn install(
    tell: impl Fn() + Send + 'static,
    give_up: impl Fn() + Send + 'static,
) -> std::io::Result<()> {
    let mut give_up = Some(give_up);
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            let nth = RECEIVED.fetch_add(1, Ordering::SeqCst) + 1;
            if nth >= 3 {
                std::process::exit(Code::Interrupted as i32);
            }
            if nth == 1 {
                tell();
                if let Some(give_up) = give_up.take() {
                    std::thread::spawn(move || leave_if_nobody_notices(&give_up));
                }
            }
            // on threads of their own: one that takes long must not delay the next signal, or the others
            std::thread::spawn(|| {
                let stoppers = stoppers();
                std::thread::scope(|threads| {
                    stoppers.iter().for_each(|(_, stop)| drop(threads.spawn(stop)));
                });
            });
        }
    })?;
    Ok(())
}

fn leave_if_nobody_notices(give_up: &dyn Fn()) {
    const STEP: Duration = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    while !NOTICED.load(Ordering::SeqCst) {
        let children = STOPPERS.try_lock().map_or(true, |stoppers| !stoppers.is_empty());
        if waited >= PATIENCE[usize::from(children)] {
            give_up();
            std::process::exit(Code::Interrupted as i32);
        }
        std::thread::sleep(STEP);
        waited += STEP;
    }
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
    if !received() {
        return Ok(());
    }
    notice();
    Err(Code::Interrupted.error("interrupted"))
}

/// Says that the caller goes on to the clean-up if a signal was received, and that it does not hang.
pub fn notice() {
    if received() {
        NOTICED.store(true, Ordering::SeqCst);
    }
}

/// Makes every signal run `stop`, on another thread, until the guard is dropped.
pub fn on_interrupt(stop: impl Fn() + Send + Sync + 'static) -> StopperGuard {
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

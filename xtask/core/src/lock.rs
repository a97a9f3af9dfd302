//! Locks that another run may hold.

use crate::interrupt;
use crate::ui::Ui;
use anyhow::{Context as _, Result};
use std::fs::{File, TryLockError};
use std::time::Duration;

/// Locks an open file. Waits for the run that holds it, and says so; a signal ends the wait.
/// `holder` says what that run does: "another xtask builds the image".
pub fn lock(file: &File, holder: &str) -> Result<()> {
    wait(holder, || file.try_lock())
}

/// The same for a lock that several may hold.
pub fn lock_shared(file: &File, holder: &str) -> Result<()> {
    wait(holder, || file.try_lock_shared())
}

fn wait(holder: &str, attempt: impl Fn() -> Result<(), TryLockError>) -> Result<()> {
    /// Most locks are held for a moment, and nobody needs to know.
    const SILENT: u32 = 10;
    for n in 0_u32.. {
        match attempt() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => interrupt::check()?,
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock"),
        }
        if n == SILENT {
            Ui::new(false).notice(&format!("{holder}: waiting for it"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_waited_for() {
        let path = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        let [first, second] = [(); 2].map(|()| File::create(&path).unwrap());
        lock_shared(&first, "x").unwrap();
        lock_shared(&second, "x").unwrap();
        second.unlock().unwrap();
        let holder = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            drop(first);
        });
        lock(&second, "x").unwrap();
        holder.join().unwrap();
        assert!(File::create(&path).unwrap().try_lock().is_err(), "it is held now");
        std::fs::remove_file(path).unwrap();
    }
}

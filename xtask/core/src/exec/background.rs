//! Processes that run beside us.

use super::exit::Exit;
use crate::signal::{self, Signal};
use anyhow::{Context as _, Result};

/// A process that runs beside us (dockerd, QEMU). Dropping it kills it and its process group.
pub struct Background {
    pub(super) handle: duct::Handle,
    pub(super) name: String,
}

impl Background {
    pub fn pid(&self) -> u32 {
        self.handle.pids().first().copied().unwrap_or_default()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&self) -> Result<Option<Exit>> {
        let output =
            self.handle.try_wait().with_context(|| format!("cannot wait for {}", self.name))?;
        Ok(output.map(|output| Exit::of(output.status)))
    }

    /// Lets it run on after us. Somebody else ends it by its pid.
    pub fn leave(self) {
        std::mem::forget(self);
    }

    /// Kills it and its process group, and waits until it has ended.
    pub fn kill(&self) {
        signal::send_to_group(Signal::KILL, self.pid());
        drop(self.handle.wait());
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !matches!(self.ended(), Ok(Some(_))) {
            self.kill();
        }
    }
}

//! Signals to other processes.

pub use rustix::process::Signal;

use rustix::process::{Pid, kill_process, kill_process_group};

/// Sends a signal to one process. A process that has ended already is not an error.
pub fn send(signal: Signal, pid: u32) {
    if let Some(pid) = raw(pid) {
        // ESRCH: it has ended; EPERM: it is not ours, and the caller sees that it lives on
        let _ = kill_process(pid, signal);
    }
}

/// Sends a signal to every process of a group, which is named by the pid of its leader. A group
/// without processes is not an error.
pub fn send_to_group(signal: Signal, leader: u32) {
    if let Some(leader) = raw(leader) {
        let _ = kill_process_group(leader, signal);
    }
}

/// `None` for 0, which kill(2) would take for our own group.
fn raw(pid: u32) -> Option<Pid> {
    Pid::from_raw(pid.try_into().ok()?)
}

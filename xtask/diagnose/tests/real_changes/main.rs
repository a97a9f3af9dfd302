//! A real change must never be explained away: kinds of changes that were made by hand (kinds.rs,
//! layers.rs, decisions.rs, hostile/), and changes of random bytes (mutations.rs).
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start the programs that make images"
)]

mod answer;
mod contents;
mod decisions;
mod formats;
mod headers;
mod hostile;
mod images;
mod kinds;
mod layers;
mod lines;
mod mutation;
mod mutations;
mod node;
mod oracle;
mod proofs;
mod random;
mod structured;
mod tools;

/// Writes to the terminal, also where the test passes: a skip must not look like a pass.
fn say(text: &str) {
    use std::io::Write as _;
    // not eprintln, which the test harness catches
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

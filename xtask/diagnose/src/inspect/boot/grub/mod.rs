//! GRUB: every command line that its configurations can give to Linux. A script is not run; each of
//! its ways is followed, and what a variable cannot be known to hold stays unknown.

mod commands;
mod expansion;
mod file_names;
mod frame;
mod interpreter;
mod lexer;
mod parser;
mod state;
mod syntax;

use super::reader::ConfigReader;
use crate::inspect::volumes::Volumes;
use file_names::{is_config, is_start};
use interpreter::{Grub, STEPS};
use state::GrubState;

/// Reads every configuration of GRUB's, and names the files that it read.
pub(super) fn read(volumes: &Volumes, reader: &mut ConfigReader) {
    let mut grub = Grub::new(volumes, reader);
    for (name, text) in &volumes.embedded {
        // GRUB's core goes on to its usual configuration afterwards
        let text = format!("{text}\nnormal\n");
        let block = grub.parse(name, &text);
        grub.context(GrubState::default(), |grub, state, frame| {
            grub.script(name, &block, state, frame)
        });
    }
    for number in volumes.files_where(|path| is_start(&path.to_lowercase())) {
        grub.context(GrubState::default(), |grub, state, frame| grub.file(number, state, frame));
    }
    // what no other file names may still be read by somebody; any value that is ever set may be set
    let left = volumes.files_where(|path| is_config(&path.to_lowercase()));
    for number in left {
        if !grub.reader.was_read(number) {
            let state = grub.ends.clone();
            grub.context(state, |grub, state, frame| grub.file(number, state, frame));
        }
    }
    for number in volumes.files_where(|_| true) {
        if !grub.reader.was_read(number) && grub.is_menu(number) {
            let state = grub.ends.clone();
            grub.context(state, |grub, state, frame| grub.file(number, state, frame));
        }
    }
    if grub.steps == 0 {
        grub.reader
            .findings
            .unclear(format!("the configurations of GRUB take more than {STEPS} steps to read"));
    }
}

//! The parts of a script in GRUB's language.

use std::rc::Rc;

/// One piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WordPiece {
    /// Text. A quoted one may be empty and still make a word.
    Text(String),
    Variable {
        name: String,
        /// In double quotes; outside of them the value may become several words.
        quoted: bool,
    },
}

/// Pieces without a blank between them.
pub(super) type ScriptWord = Vec<WordPiece>;

/// Commands in their order.
pub(super) type ScriptBlock = Rc<Vec<ScriptCommand>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ScriptCommand {
    /// `words…`, and the block in braces behind them.
    Simple {
        words: Vec<ScriptWord>,
        block: Option<ScriptBlock>,
    },
    /// `if condition; then yes; else no; fi`. An `elif` is an `if` in `no`.
    If {
        condition: ScriptBlock,
        yes: ScriptBlock,
        no: ScriptBlock,
    },
    /// `while` or `until`.
    While {
        condition: ScriptBlock,
        body: ScriptBlock,
    },
    For {
        variable: String,
        words: Vec<ScriptWord>,
        body: ScriptBlock,
    },
    Function {
        name: String,
        body: ScriptBlock,
    },
}

/// A script, and every place at which it is none.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) commands: ScriptBlock,
    /// Number of the line, and why.
    pub(super) faults: Vec<(usize, String)>,
}

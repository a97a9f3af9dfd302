//! Follows every way through scripts and menus.

use super::expansion;
use super::frame::{Frame, MenuEntry};
use super::parser::parse;
use super::state::{GrubState, Values, wild};
use super::syntax::{ScriptBlock, ScriptCommand, ScriptWord, WordPiece};
use crate::inspect::boot::reader::ConfigReader;
use crate::inspect::volumes::{FileNumber, Volumes};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Commands of all scripts together, each copy of the state counted in. A live image needs some
/// thousand.
pub(super) const STEPS: usize = 5_000_000;

/// Scripts and functions that call each other.
pub(super) const DEPTH: usize = 24;

/// Ways to define one function.
pub(super) const DEFINITIONS: usize = 8;

/// Entries of one menu.
const MENU: usize = 10_000;

/// Rounds until the entries of a menu change no variable any more.
const ROUNDS: usize = 12;

pub(super) struct Grub<'a> {
    pub(super) volumes: &'a Volumes,
    pub(super) functions: HashMap<String, Vec<ScriptBlock>>,
    pub(super) scripts: HashMap<FileNumber, ScriptBlock>,
    /// State and menu entries after a file was read. The key is a hash of the file and of the state
    /// before it; `None` while the file is being read.
    pub(super) outcomes: HashMap<u64, Option<(GrubState, Vec<MenuEntry>)>>,
    /// Configurations that were read with a menu of their own, and the state before.
    pub(super) contexts: HashSet<u64>,
    pub(super) steps: usize,
    pub(super) depth: usize,
    /// All states in which a script ended.
    pub(super) ends: GrubState,
    pub(super) reader: &'a mut ConfigReader,
}

impl<'a> Grub<'a> {
    pub(super) fn new(volumes: &'a Volumes, reader: &'a mut ConfigReader) -> Grub<'a> {
        Grub {
            volumes,
            functions: HashMap::new(),
            scripts: HashMap::new(),
            outcomes: HashMap::new(),
            contexts: HashSet::new(),
            steps: STEPS,
            depth: 0,
            ends: GrubState::default(),
            reader,
        }
    }

    pub(super) fn step(&mut self, count: usize) -> bool {
        self.steps = self.steps.saturating_sub(count);
        self.steps > 0
    }

    pub(super) fn unclear(&mut self, frame: &Frame, what: impl std::fmt::Display) {
        self.reader.findings.unclear(format!("{}: {what}", frame.file));
    }

    /// Reads scripts with a menu of their own, then everything in that menu.
    pub(super) fn context(
        &mut self,
        mut state: GrubState,
        read: impl FnOnce(&mut Self, &mut GrubState, &mut Frame),
    ) {
        let mut frame = Frame::default();
        read(self, &mut state, &mut frame);
        self.menu(frame.menu, &mut state);
        let mut ends = std::mem::take(&mut self.ends);
        self.merge(&mut ends, &state);
        self.ends = ends;
    }

    /// Either state.
    pub(super) fn merge(&mut self, state: &mut GrubState, other: &GrubState) {
        // a merge that cannot be paid for is left out: nothing is read any more, and that is told
        if self.step(state.weight() + other.weight()) {
            state.or(other);
        }
    }

    /// Chooses every entry of a menu, in any order.
    fn menu(&mut self, mut menu: Vec<MenuEntry>, state: &mut GrubState) {
        if self.depth >= DEPTH {
            return;
        }
        self.depth += 1;
        for round in 0..ROUNDS {
            let before = state.clone();
            let mut more = Vec::new();
            for entry in &menu {
                if !self.step(before.weight()) {
                    break;
                }
                let mut inner = if entry.submenu { before.inherited() } else { before.clone() };
                let mut frame = Frame {
                    file: entry.file.clone(),
                    title: entry.arguments.first().cloned().unwrap_or_default(),
                    arguments: entry.arguments.clone(),
                    ..Frame::default()
                };
                self.run(&entry.body, &mut inner, &mut frame);
                if entry.submenu {
                    if round == 0 || before != *state {
                        self.menu(frame.menu, &mut inner);
                    }
                } else {
                    inner.doubtful = before.doubtful;
                    self.merge(state, &inner);
                    more.extend(frame.menu.into_iter().filter(|entry| !entry.is_in(&menu)));
                }
            }
            let settled = *state == before && more.is_empty();
            // entries that an entry adds are there the next time
            let known = menu.len();
            menu.extend(more.into_iter().take(MENU.saturating_sub(known)));
            if settled || self.steps == 0 {
                break;
            }
            if round + 2 == ROUNDS {
                state.forget();
            }
        }
        self.depth -= 1;
    }

    /// Puts an entry into the menu, once.
    pub(super) fn add(&mut self, entry: MenuEntry, frame: &mut Frame) {
        self.step(1 + frame.menu.len() / 64);
        if entry.is_in(&frame.menu) {
            return;
        }
        if frame.menu.len() >= MENU {
            return self.unclear(frame, format!("a menu of more than {MENU} entries"));
        }
        frame.menu.push(entry);
    }

    /// Reads one file in the menu of `frame`. Files may include each other in a circle; it ends where
    /// a file would be read again with the same state.
    pub(super) fn file(&mut self, number: FileNumber, state: &mut GrubState, frame: &mut Frame) {
        let mut key = DefaultHasher::new();
        (number, &*state, &frame.arguments).hash(&mut key);
        let key = key.finish();
        let (after, menu) = match self.outcomes.get(&key) {
            Some(Some(outcome)) => outcome.clone(),
            Some(None) => return,
            None => {
                self.outcomes.insert(key, None);
                let (mut after, outer) = (state.clone(), std::mem::take(&mut frame.menu));
                self.step(after.weight());
                let block = self.commands_of(number);
                self.script(&self.volumes.name(number), &block, &mut after, frame);
                let outcome = (after, std::mem::replace(&mut frame.menu, outer));
                self.outcomes.insert(key, Some(outcome.clone()));
                outcome
            }
        };
        *state = after;
        for entry in menu {
            self.add(entry, frame);
        }
    }

    /// The commands in a file, which is read once.
    fn commands_of(&mut self, number: FileNumber) -> ScriptBlock {
        if let Some(block) = self.scripts.get(&number) {
            return block.clone();
        }
        let name = self.volumes.name(number);
        let block = match self.reader.text(self.volumes, number) {
            Ok(text) => self.parse(&name, &text),
            Err(why) => {
                self.reader.findings.unclear(format!("{name}: {why}"));
                ScriptBlock::default()
            }
        };
        self.scripts.insert(number, block.clone());
        block
    }

    pub(super) fn parse(&mut self, file: &str, text: &str) -> ScriptBlock {
        self.step(1 + text.len() / 64);
        let script = parse(text);
        for (line, why) in script.faults.iter().take(3) {
            self.reader.findings.unclear(format!("{file}:{line}: {why}"));
        }
        script.commands
    }

    pub(super) fn script(
        &mut self,
        file: &str,
        block: &ScriptBlock,
        state: &mut GrubState,
        frame: &mut Frame,
    ) {
        let outer = std::mem::replace(&mut frame.file, file.to_owned());
        self.run(block, state, frame);
        frame.file = outer;
    }

    /// True if a file whose name says nothing is a menu with an entry for Linux.
    pub(super) fn is_menu(&mut self, number: FileNumber) -> bool {
        let Some(text) = self.volumes.plain_text(number).filter(|text| text.contains("menuentry"))
        else {
            return false;
        };
        self.step(1 + text.len() / 64);
        let script = parse(&text);
        let is_entry = |command: &ScriptCommand| match command {
            ScriptCommand::Simple { words, block: Some(_) } => {
                matches!(words.first().map(|word| &word[..]), Some([WordPiece::Text(t)]) if t == "menuentry")
            }
            _ => false,
        };
        script.faults.is_empty() && script.commands.iter().any(is_entry)
    }

    pub(super) fn run(&mut self, block: &ScriptBlock, state: &mut GrubState, frame: &mut Frame) {
        if self.depth >= DEPTH {
            self.unclear(frame, format!("scripts call each other more than {DEPTH} deep"));
            return;
        }
        self.depth += 1;
        for command in block.iter() {
            if !self.step(1) {
                break;
            }
            self.command(command, state, frame);
        }
        self.depth -= 1;
    }

    fn command(&mut self, command: &ScriptCommand, state: &mut GrubState, frame: &mut Frame) {
        match command {
            ScriptCommand::Simple { words, block } => {
                let mut ways = self.expand(words, state, frame);
                if ways.len() == 1 {
                    let words = ways.pop().unwrap_or_default();
                    return self.simple(&words, block.as_ref(), state, frame);
                }
                let before = state.clone();
                let mut after: Option<GrubState> = None;
                for words in ways {
                    if !self.step(before.weight()) {
                        break;
                    }
                    let mut state = before.clone();
                    self.simple(&words, block.as_ref(), &mut state, frame);
                    match &mut after {
                        Some(after) => self.merge(after, &state),
                        None => after = Some(state),
                    }
                }
                *state = after.unwrap_or(before);
            }
            ScriptCommand::If { condition, yes, no } => {
                self.run(condition, state, frame);
                self.step(state.weight());
                let mut other = state.clone();
                self.run(yes, state, frame);
                self.run(no, &mut other, frame);
                self.merge(state, &other);
            }
            ScriptCommand::While { condition, body } => {
                let doubtful = state.doubtful;
                self.rounds(state, frame, |grub, state, frame| {
                    grub.run(condition, state, frame);
                    grub.run(body, state, frame);
                });
                state.doubtful = doubtful;
            }
            ScriptCommand::For { variable, words, body } => {
                let doubtful = state.doubtful;
                let ways = self.expand(words, state, frame);
                let values: Values = ways.into_iter().flatten().map(|word| wild(&word)).collect();
                self.rounds(state, frame, |grub, state, frame| {
                    state.set(variable, values.clone());
                    grub.run(body, state, frame);
                });
                state.doubtful = doubtful;
            }
            ScriptCommand::Function { name, body } => {
                let bodies = self.functions.entry(name.clone()).or_default();
                if !bodies.contains(body) {
                    bodies.push(body.clone());
                }
                if bodies.len() > DEFINITIONS {
                    self.unclear(frame, format!("function `{name}` has many definitions"));
                }
            }
        }
    }

    /// Follows a loop until another round changes nothing.
    fn rounds(
        &mut self,
        state: &mut GrubState,
        frame: &mut Frame,
        mut body: impl FnMut(&mut Self, &mut GrubState, &mut Frame),
    ) {
        for round in 0..ROUNDS {
            let before = state.clone();
            self.step(before.weight());
            body(self, state, frame);
            self.merge(state, &before);
            if *state == before || self.steps == 0 {
                break;
            }
            if round + 2 == ROUNDS {
                state.forget();
            }
        }
    }

    fn expand(
        &mut self,
        words: &[ScriptWord],
        state: &GrubState,
        frame: &Frame,
    ) -> Vec<Vec<String>> {
        let ways = expansion::expand(words, state, frame);
        let length: usize = ways.iter().flatten().map(String::len).sum();
        self.step(ways.len() + length / 64);
        ways.into_iter().collect()
    }
}

//! GRUB: every command line that its configurations can give to Linux. A script is not run; each of
//! its ways is followed, and what a variable cannot be known to hold stays unknown.

mod script;
mod state;

use super::{BootEntry, Reader};
use crate::inspect::volumes::{FileNumber, Volumes};
use script::{Block, Command, Piece, Word};
use state::{State, UNKNOWN, Values, unknown};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

/// Commands of all scripts together, each copy of the state counted in. A live image needs some
/// thousand.
const STEPS: usize = 5_000_000;

/// Scripts and functions that call each other.
const DEPTH: usize = 24;

/// Ways to expand one command's variables.
const WAYS: usize = 64;

/// Ways to define one function.
const DEFINITIONS: usize = 8;

/// Entries of one menu.
const MENU: usize = 10_000;

/// Rounds until the entries of a menu change no variable any more.
const ROUNDS: usize = 12;

/// Commands of GRUB that put what they find into variables.
const SETTERS: [&str; 21] = [
    "search",
    "search.file",
    "search.fs_uuid",
    "search.fs_label",
    "search_fs_file",
    "search_fs_uuid",
    "search_label",
    "regexp",
    "probe",
    "smbios",
    "getenv",
    "setpci",
    "rdmsr",
    "inb",
    "inw",
    "inl",
    "net_get_dhcp_option",
    "net_bootp",
    "read_byte",
    "read_word",
    "read_dword",
];

/// Commands of GRUB that start nothing and set no variable that a script may choose.
const HARMLESS: &str = " [ test true false echo sleep insmod rmmod lsmod loadfont lsfonts \
    terminal_input terminal_output terminal_info terminfo serial keymap play background_image \
    background_color gptsync hdparm parttool videoinfo videotest clear cls date help ls cat cmp \
    crc md5sum sha1sum sha256sum sha512sum hashsum hexdump list_env save_env lspci lsapm lsmmap \
    lsacpi lssal lsefi lsefimmap lsefisystab pcidump acpi cutmem badram all_functional_test \
    functional_test password password_pbkdf2 authenticate clear_menu_entries usb cbmemc \
    coreboot_boottime cpuid drivemap fakebios loadbios fix_video efi-watchdog fwsetup \
    efifwsetup nativedisk net_add_addr net_add_dns net_add_route net_bootp6 net_dhcp \
    net_del_addr net_del_dns net_del_route net_ipv6_autoconf net_ls_addr \
    net_ls_cards net_ls_dns net_ls_routes net_nslookup outb outl outw write_byte \
    write_word write_dword wrmsr random stress trust \
    trust_certificate distrust verify_detached list_trusted list_certificates distrust_certificate \
    boot suspend devicetree zfsinfo zfskey cryptomount luks gettext increment_timeout menu_color \
    getdate \
    file loopback hiddenentry ";

/// Reads every configuration of GRUB's, and names the files that it read.
pub(super) fn read(volumes: &Volumes, reader: &mut Reader) {
    let mut grub = Grub {
        volumes,
        functions: HashMap::new(),
        scripts: HashMap::new(),
        outcomes: HashMap::new(),
        contexts: HashSet::new(),
        steps: STEPS,
        depth: 0,
        ends: State::default(),
        reader,
    };
    for (name, text) in &volumes.embedded {
        // GRUB's core goes on to its usual configuration afterwards
        let text = format!("{text}\nnormal\n");
        let block = grub.parse(name, &text);
        grub.context(State::default(), |grub, state, frame| {
            grub.script(name, &block, state, frame)
        });
    }
    for number in volumes.files_where(|path| is_start(&path.to_lowercase())) {
        grub.context(State::default(), |grub, state, frame| grub.file(number, state, frame));
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

/// True for the files that GRUB looks for by itself, and for those that another GRUB looks for.
fn is_start(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    matches!(name, "grub.cfg" | "loopback.cfg" | "grub.conf" | "custom.cfg")
        || (name.starts_with("grub.cfg-") && !name.ends_with('~'))
}

fn is_config(path: &str) -> bool {
    path.ends_with(".cfg")
        && (path.contains("grub") || path.split('/').any(|part| part == "efi"))
        && !path.contains("syslinux")
        && !path.contains("isolinux")
}

/// The scripts and entries of one menu.
#[derive(Default)]
struct Frame {
    file: String,
    title: String,
    /// `$1` and so on.
    arguments: Vec<String>,
    menu: Vec<MenuEntry>,
}

#[derive(Clone)]
struct MenuEntry {
    file: String,
    arguments: Vec<String>,
    body: Block,
    submenu: bool,
}

impl MenuEntry {
    fn is_in(&self, menu: &[MenuEntry]) -> bool {
        menu.iter()
            .any(|other| Rc::ptr_eq(&other.body, &self.body) && other.arguments == self.arguments)
    }
}

struct Grub<'a> {
    volumes: &'a Volumes,
    functions: HashMap<String, Vec<Block>>,
    scripts: HashMap<FileNumber, Block>,
    /// State and menu entries after a file was read. The key is a hash of the file and of the state
    /// before it; `None` while the file is being read.
    outcomes: HashMap<u64, Option<(State, Vec<MenuEntry>)>>,
    /// Configurations that were read with a menu of their own, and the state before.
    contexts: HashSet<u64>,
    steps: usize,
    depth: usize,
    /// All states in which a script ended.
    ends: State,
    reader: &'a mut Reader,
}

impl Grub<'_> {
    fn step(&mut self, count: usize) -> bool {
        self.steps = self.steps.saturating_sub(count);
        self.steps > 0
    }

    fn unclear(&mut self, frame: &Frame, what: impl std::fmt::Display) {
        self.reader.findings.unclear(format!("{}: {what}", frame.file));
    }

    /// Reads scripts with a menu of their own, then everything in that menu.
    fn context(&mut self, mut state: State, read: impl FnOnce(&mut Self, &mut State, &mut Frame)) {
        let mut frame = Frame::default();
        read(self, &mut state, &mut frame);
        self.menu(frame.menu, &mut state);
        let mut ends = std::mem::take(&mut self.ends);
        self.merge(&mut ends, &state);
        self.ends = ends;
    }

    /// Either state.
    fn merge(&mut self, state: &mut State, other: &State) {
        // a merge that cannot be paid for is left out: nothing is read any more, and that is told
        if self.step(state.weight() + other.weight()) {
            state.or(other);
        }
    }

    /// Chooses every entry of a menu, in any order.
    fn menu(&mut self, mut menu: Vec<MenuEntry>, state: &mut State) {
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

    /// Reads one file in the menu of `frame`. Files may include each other in a circle; it ends where
    /// a file would be read again with the same state.
    fn file(&mut self, number: FileNumber, state: &mut State, frame: &mut Frame) {
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
    fn commands_of(&mut self, number: FileNumber) -> Block {
        if let Some(block) = self.scripts.get(&number) {
            return block.clone();
        }
        let name = self.volumes.name(number);
        let block = match self.reader.text(self.volumes, number) {
            Ok(text) => self.parse(&name, &text),
            Err(why) => {
                self.reader.findings.unclear(format!("{name}: {why}"));
                Block::default()
            }
        };
        self.scripts.insert(number, block.clone());
        block
    }

    fn parse(&mut self, file: &str, text: &str) -> Block {
        self.step(1 + text.len() / 64);
        let script = script::parse(text);
        for (line, why) in script.faults.iter().take(3) {
            self.reader.findings.unclear(format!("{file}:{line}: {why}"));
        }
        script.commands
    }

    fn script(&mut self, file: &str, block: &Block, state: &mut State, frame: &mut Frame) {
        let outer = std::mem::replace(&mut frame.file, file.to_owned());
        self.run(block, state, frame);
        frame.file = outer;
    }

    /// True if a file whose name says nothing is a menu with an entry for Linux.
    fn is_menu(&mut self, number: FileNumber) -> bool {
        let Some(text) = self.volumes.plain_text(number).filter(|text| text.contains("menuentry"))
        else {
            return false;
        };
        self.step(1 + text.len() / 64);
        let script = script::parse(&text);
        let is_entry = |command: &Command| match command {
            Command::Simple { words, block: Some(_) } => {
                matches!(words.first().map(|word| &word[..]), Some([Piece::Text(t)]) if t == "menuentry")
            }
            _ => false,
        };
        script.faults.is_empty() && script.commands.iter().any(is_entry)
    }

    fn run(&mut self, block: &Block, state: &mut State, frame: &mut Frame) {
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

    fn command(&mut self, command: &Command, state: &mut State, frame: &mut Frame) {
        match command {
            Command::Simple { words, block } => {
                let mut ways = self.expand(words, state, frame);
                if ways.len() == 1 {
                    let words = ways.pop().unwrap_or_default();
                    return self.simple(&words, block.as_ref(), state, frame);
                }
                let before = state.clone();
                let mut after: Option<State> = None;
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
            Command::If { condition, yes, no } => {
                self.run(condition, state, frame);
                self.step(state.weight());
                let mut other = state.clone();
                self.run(yes, state, frame);
                self.run(no, &mut other, frame);
                self.merge(state, &other);
            }
            Command::While { condition, body } => {
                let doubtful = state.doubtful;
                self.rounds(state, frame, |grub, state, frame| {
                    grub.run(condition, state, frame);
                    grub.run(body, state, frame);
                });
                state.doubtful = doubtful;
            }
            Command::For { variable, words, body } => {
                let doubtful = state.doubtful;
                let ways = self.expand(words, state, frame);
                let values: Values = ways.into_iter().flatten().map(|word| wild(&word)).collect();
                self.rounds(state, frame, |grub, state, frame| {
                    state.set(variable, values.clone());
                    grub.run(body, state, frame);
                });
                state.doubtful = doubtful;
            }
            Command::Function { name, body } => {
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
        state: &mut State,
        frame: &mut Frame,
        mut body: impl FnMut(&mut Self, &mut State, &mut Frame),
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

    /// All ways in which the variables of a command may turn into words.
    fn expand(&mut self, words: &[Word], state: &State, frame: &Frame) -> Vec<Vec<String>> {
        let mut variables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for piece in words.iter().flatten() {
            if let Piece::Variable { name, .. } = piece {
                variables.entry(name).or_insert_with(|| values(name, state, frame));
            }
        }
        // too many ways: the variables with the most values count as unknown
        let ways = |variables: &BTreeMap<&str, Vec<String>>| {
            variables.values().fold(1_usize, |ways, values| ways.saturating_mul(values.len()))
        };
        while ways(&variables) > WAYS {
            if let Some(most) = variables.values_mut().max_by_key(|values| values.len()) {
                *most = unknown().into_iter().collect();
            }
        }
        let mut ways: Vec<BTreeMap<&str, &str>> = vec![BTreeMap::new()];
        for (name, values) in &variables {
            ways = values
                .iter()
                .flat_map(|value| {
                    ways.iter().map(|way| {
                        let mut way = way.clone();
                        way.insert(name, value);
                        way
                    })
                })
                .collect();
        }
        let ways: BTreeSet<Vec<String>> = ways.iter().map(|way| expanded(words, way)).collect();
        let length: usize = ways.iter().flatten().map(String::len).sum();
        self.step(ways.len() + length / 64);
        ways.into_iter().collect()
    }

    /// One command whose words are known.
    fn simple(
        &mut self,
        words: &[String],
        block: Option<&Block>,
        state: &mut State,
        frame: &mut Frame,
    ) {
        let Some((name, arguments)) = words.split_first() else { return };
        if name == "!" || name == "time" {
            return self.simple(arguments, block, state, frame);
        }
        if let Some((variable, value)) = name.split_once('=').filter(|(v, _)| is_name(v)) {
            return self.assign(variable, value, state, frame);
        }
        if name.contains(UNKNOWN) {
            return self.unclear(frame, "a command whose name is a variable that is not known");
        }
        let is_function = self.functions.contains_key(name.as_str());
        if is_function {
            self.call(name, arguments, state, frame);
        }
        match name.as_str() {
            "set" => {
                if let Some((name, value)) = arguments.first().and_then(|word| word.split_once('='))
                {
                    self.assign(name, value, state, frame);
                }
            }
            "unset" => {
                if let Some(name) = arguments.first() {
                    self.assign(name, "", state, frame);
                }
            }
            "export" => arguments.iter().for_each(|name| state.export(name)),
            "setparams" | "shift" => frame.arguments = vec![UNKNOWN.to_string(); 10],
            "read" => arguments.iter().for_each(|name| state.set(name, unknown())),
            "return" | "break" | "continue" | "exit" | "halt" | "reboot" | "normal_exit" => {
                state.doubtful = true;
            }
            "menuentry" | "submenu" => self.entry(name, arguments, block, state, frame),
            "source" | "." | "extract_entries_source" => {
                self.include(name, arguments, state, frame);
            }
            "configfile" | "extract_entries_configfile" | "normal" => {
                self.other_menu(name, arguments, state, frame);
            }
            "eval" => match arguments.join(" ") {
                text if text.contains(UNKNOWN) => {
                    self.unclear(frame, "`eval` of a text that is not known");
                }
                text => {
                    let block = self.parse(&frame.file, &text);
                    self.run(&block, state, frame);
                }
            },
            "load_env" | "loadenv" => self.load_env(arguments, state, frame),
            "linux" | "linux16" | "linuxefi" | "linux32" | "linux64" => {
                self.linux(name, arguments, frame);
            }
            "initrd" | "initrd16" | "initrdefi" => self.initrd(arguments, frame),
            "chainloader" => self.chainloader(arguments, frame),
            "blscfg" if arguments.is_empty() => {}
            "syslinux_configfile"
            | "syslinux_source"
            | "extract_syslinux_entries_configfile"
            | "extract_syslinux_entries_source" => {
                for number in self.paths(name, arguments, frame) {
                    super::isolinux::file(self.volumes, number, self.reader);
                }
            }
            "legacy_configfile"
            | "legacy_source"
            | "extract_legacy_entries_configfile"
            | "extract_legacy_entries_source" => {
                for number in self.paths(name, arguments, frame) {
                    let other = self.volumes.name(number);
                    self.unclear(
                        frame,
                        format!("`{name}` reads {other} as GRUB's old version did"),
                    );
                }
            }
            _ => {
                if SETTERS.contains(&name.as_str()) {
                    state.set("root", unknown());
                    set_by(arguments).for_each(|variable| state.set(variable, unknown()));
                } else if HARMLESS.contains(&format!(" {name} ")) {
                    // it starts nothing
                } else if !is_function {
                    let what = format!("command `{name}`, which inspect does not know");
                    self.unclear(frame, what);
                }
            }
        }
    }

    fn assign(&mut self, name: &str, value: &str, state: &mut State, frame: &Frame) {
        if let Some((variable, value)) = name.split_once('=').filter(|(v, _)| is_name(v)) {
            return self.assign(variable, value, state, frame);
        }
        if name.contains(UNKNOWN) {
            return self.unclear(frame, "a variable is set whose name is not known");
        }
        state.set(name, Values::from([value.to_owned()]));
    }

    fn call(&mut self, name: &str, arguments: &[String], state: &mut State, frame: &mut Frame) {
        let bodies = self.functions.get(name).cloned().unwrap_or_default();
        let doubtful = state.doubtful;
        let outer = std::mem::replace(&mut frame.arguments, arguments.to_vec());
        let before = state.clone();
        for (index, body) in bodies.iter().take(DEFINITIONS).enumerate() {
            self.step(before.weight());
            let mut inner = before.clone();
            self.run(body, &mut inner, frame);
            frame.arguments = arguments.to_vec();
            if index == 0 {
                *state = inner;
            } else {
                self.merge(state, &inner);
            }
        }
        frame.arguments = outer;
        // `return` ends the function alone
        state.doubtful = doubtful;
    }

    fn entry(
        &mut self,
        name: &str,
        arguments: &[String],
        block: Option<&Block>,
        state: &State,
        frame: &mut Frame,
    ) {
        self.step(state.weight());
        let mut kept = Vec::new();
        let mut source = None;
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let Some(option) = argument.strip_prefix("--") else {
                kept.push(argument.clone());
                continue;
            };
            let (option, value) = match option.split_once('=') {
                Some((option, value)) => (option, Some(value.to_owned())),
                None if option == "unrestricted" => (option, None),
                None => (option, arguments.next().cloned()),
            };
            if option == "source" {
                source = value;
            }
        }
        let mut body = block.cloned();
        if let Some(text) = source {
            let script = script::parse(&text);
            if text.contains(UNKNOWN) || !script.faults.is_empty() {
                self.unclear(frame, "an entry whose commands are in a text that is not understood");
            }
            body = Some(script.commands);
        }
        let Some(body) = body else { return };
        let file = frame.file.clone();
        self.add(MenuEntry { file, arguments: kept, body, submenu: name == "submenu" }, frame);
    }

    /// Puts an entry into the menu, once.
    fn add(&mut self, entry: MenuEntry, frame: &mut Frame) {
        self.step(1 + frame.menu.len() / 64);
        if entry.is_in(&frame.menu) {
            return;
        }
        if frame.menu.len() >= MENU {
            return self.unclear(frame, format!("a menu of more than {MENU} entries"));
        }
        frame.menu.push(entry);
    }

    /// The files that a command names. It is no fault if there is none: GRUB goes on, too.
    fn paths(&mut self, name: &str, arguments: &[String], frame: &Frame) -> Vec<FileNumber> {
        let Some(path) = arguments.iter().find(|word| !word.starts_with('-')) else {
            return Vec::new();
        };
        match self.volumes.grub_path(&wild(path)) {
            Ok(files) => files,
            Err(why) => {
                self.unclear(frame, format!("`{name} {}`: {why}", shown(path)));
                Vec::new()
            }
        }
    }

    fn include(&mut self, name: &str, arguments: &[String], state: &mut State, frame: &mut Frame) {
        let before = state.clone();
        for (index, number) in self.paths(name, arguments, frame).into_iter().enumerate() {
            self.step(before.weight());
            let mut inner = before.clone();
            self.file(number, &mut inner, frame);
            if index == 0 {
                *state = inner;
            } else {
                self.merge(state, &inner);
            }
        }
    }

    fn other_menu(&mut self, name: &str, arguments: &[String], state: &mut State, frame: &Frame) {
        let files = if name == "normal" && arguments.is_empty() {
            self.volumes.files_where(|path| is_start(&path.to_lowercase()))
        } else {
            self.paths(name, arguments, frame)
        };
        let inner = if name == "normal" { state.clone() } else { state.inherited() };
        for number in files {
            let mut key = DefaultHasher::new();
            (number, &inner).hash(&mut key);
            if self.contexts.insert(key.finish()) && self.depth < DEPTH {
                self.depth += 1;
                self.context(inner.clone(), |grub, state, frame| grub.file(number, state, frame));
                self.depth -= 1;
            }
        }
        state.doubtful = true;
    }

    /// Variables that an environment block holds (GRUB manual, 16.3.45).
    fn load_env(&mut self, arguments: &[String], state: &mut State, frame: &Frame) {
        let named = arguments.iter().position(|word| word == "-f" || word == "--file");
        let path = named.and_then(|index| arguments.get(index + 1)).cloned();
        let path = path
            .or_else(|| {
                arguments.iter().find_map(|word| Some(word.strip_prefix("--file=")?.into()))
            })
            .unwrap_or_else(|| format!("{UNKNOWN}/grubenv"));
        for number in self.paths("load_env", &[path], frame) {
            let text = self.reader.text(self.volumes, number).unwrap_or_default();
            for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
                let mut values = state.get(name);
                values.insert(value.to_owned());
                state.set(name, values);
            }
        }
    }

    fn linux(&mut self, name: &str, arguments: &[String], frame: &Frame) {
        let Some((kernel, parameters)) = arguments.split_first() else { return };
        if parameters.iter().any(|parameter| parameter.contains(UNKNOWN)) {
            let what = format!(
                "entry `{}`: `{name} {}`: the command line has a variable that is not known",
                shown(&frame.title),
                shown(&arguments.join(" "))
            );
            self.unclear(frame, what);
        }
        match self.volumes.grub_path(&wild(kernel)) {
            Ok(files) => {
                if super::is_memory_test(self.volumes, kernel, &files) {
                    return;
                }
            }
            Err(why) => {
                let what = format!("entry `{}`: {}: {why}", shown(&frame.title), shown(kernel));
                self.unclear(frame, what);
            }
        }
        let title = if frame.title.is_empty() { "outside of entries" } else { &frame.title };
        let entry = BootEntry::new(
            &frame.file,
            &shown(title),
            &shown(kernel),
            &shown(&super::kernel_parameters::from_grub(parameters)),
        );
        self.reader.findings.entry(entry);
    }

    fn initrd(&mut self, arguments: &[String], frame: &Frame) {
        for path in arguments {
            // newc:NAME:PATH puts a file into an initramfs that GRUB makes
            let (in_one, path) = match path.strip_prefix("newc:") {
                Some(rest) => (true, rest.split_once(':').map_or(rest, |(_, path)| path)),
                None => (false, path.as_str()),
            };
            if in_one {
                self.unclear(frame, format!("`initrd newc:…{}` makes an initramfs", shown(path)));
            }
            match self.volumes.grub_path(&wild(path)) {
                Ok(files) => self.reader.findings.initrds.extend(files),
                Err(why) => self.unclear(frame, format!("`initrd {}`: {why}", shown(path))),
            }
        }
    }

    /// Starts a program of the firmware's, which may be Linux.
    fn chainloader(&mut self, arguments: &[String], frame: &Frame) {
        let arguments: Vec<String> =
            arguments.iter().filter(|word| !word.starts_with("--")).cloned().collect();
        let Some(program) = arguments.first() else { return };
        let files = self.volumes.grub_path(&wild(program)).unwrap_or_default();
        if files.iter().any(|file| self.volumes.is_kernel(*file))
            && !super::is_memory_test(self.volumes, program, &files)
        {
            self.linux("chainloader", &arguments, frame);
        }
    }
}

/// True for what can name a variable.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Possible values of a variable: a parameter of the function or entry, or a variable of the state.
fn values(name: &str, state: &State, frame: &Frame) -> Vec<String> {
    match name.parse::<usize>() {
        Ok(0) => vec![String::new()],
        Ok(n) => vec![frame.arguments.get(n - 1).cloned().unwrap_or_default()],
        Err(_) if name == "@" || name == "*" => vec![frame.arguments.join(" ")],
        Err(_) if name == "#" => vec![frame.arguments.len().to_string()],
        Err(_) => state.get(name).into_iter().collect(),
    }
}

/// The words with the variables as one way has them.
fn expanded(words: &[Word], way: &BTreeMap<&str, &str>) -> Vec<String> {
    let mut all = Vec::new();
    for word in words {
        let mut text: Option<String> = None;
        for piece in word {
            match piece {
                Piece::Text(more) => text.get_or_insert_default().push_str(more),
                Piece::Variable { name, quoted: true } => {
                    text.get_or_insert_default().push_str(way.get(&name[..]).unwrap_or(&""));
                }
                Piece::Variable { name, quoted: false } => {
                    let value = way.get(&name[..]).copied().unwrap_or_default();
                    for (index, part) in value.split_ascii_whitespace().enumerate() {
                        if index > 0 {
                            all.extend(text.take());
                        }
                        text.get_or_insert_default().push_str(part);
                    }
                }
            }
        }
        all.extend(text);
    }
    all
}

/// Variables that a command may set: whatever among its words can be a name, also behind `--set=`
/// and behind the number that `regexp` wants.
fn set_by(arguments: &[String]) -> impl Iterator<Item = &str> {
    let last = |word: &'_ String| word.rfind(['=', ':']).map_or(0, |at| at + 1);
    arguments.iter().map(move |word| &word[last(word)..]).filter(|name| is_name(name))
}

/// A path in which GRUB's wildcards are unknown text.
fn wild(path: &str) -> String {
    path.replace(['*', '?'], &UNKNOWN.to_string())
}

/// Text for messages, with its unknown parts as `…`.
fn shown(text: &str) -> String {
    text.replace(UNKNOWN, "…")
}

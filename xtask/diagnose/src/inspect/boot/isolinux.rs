//! isolinux, syslinux, extlinux and pxelinux: entries of their configurations (syslinux wiki,
//! "Config").

use super::entry::BootEntry;
use super::reader::{ConfigReader, is_memory_test};
use crate::inspect::volumes::{FileNumber, Volumes};
use std::collections::HashSet;

/// Files that include each other.
const DEPTH: usize = 16;

/// Files and entries that are read in all.
const FILES: usize = 2000;

/// Endings of what is no Linux for these loaders: modules, boot sectors and disk images.
const OTHER: [&str; 8] = [".c32", ".com", ".cbt", ".bin", ".bs", ".bss", ".img", ".0"];

/// Modules that start nothing with a command line of their own.
const HARMLESS: [&str; 20] = [
    "hdt",
    "reboot",
    "poweroff",
    "chain",
    "ifcpu",
    "ifcpu64",
    "ifmemdsk",
    "cpuid",
    "cpuidtest",
    "dir",
    "ls",
    "pwd",
    "cat",
    "meminfo",
    "dmitest",
    "pcitest",
    "vesainfo",
    "sysdump",
    "disk",
    "host",
];

/// Modules whose arguments are configurations.
const MENUS: [&str; 5] = ["menu", "vesamenu", "gfxboot", "config", "kbdmap"];

pub(super) fn read(volumes: &Volumes, reader: &mut ConfigReader) {
    for number in volumes.files_where(|path| is_config(&path.to_lowercase())) {
        if !reader.was_read(number) {
            file(volumes, number, reader);
        }
    }
    // a menu under another name that nothing is known to read
    for number in volumes.files_where(|_| true) {
        if !reader.was_read(number) && volumes.plain_text(number).is_some_and(|text| is_menu(&text))
        {
            file(volumes, number, reader);
        }
    }
}

fn is_config(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    (name.ends_with(".cfg") && path.contains("linux"))
        || name == "extlinux.conf"
        || path.contains("pxelinux.cfg/")
}

/// True for a text with a label, a kernel and its parameters, each at the start of a line.
fn is_menu(text: &str) -> bool {
    let starts = |wanted: &[&str]| {
        text.lines().any(|line| {
            let word = line.split_whitespace().next().unwrap_or_default();
            wanted.iter().any(|wanted| word.eq_ignore_ascii_case(wanted))
        })
    };
    starts(&["label"]) && starts(&["kernel", "linux"]) && starts(&["append"])
}

/// Reads a configuration, all that it includes, and the menus that it leads to.
pub(super) fn file(volumes: &Volumes, number: FileNumber, reader: &mut ConfigReader) {
    let mut open = vec![number];
    let mut menus = HashSet::from([number]);
    while let Some(number) = open.pop() {
        let mut menu = Menu {
            volumes,
            reader,
            seen: HashSet::new(),
            labels: Vec::new(),
            says: Says::default(),
            leads_to: Vec::new(),
        };
        menu.file(number, 0);
        menu.finish();
        open.extend(menu.leads_to.into_iter().filter(|number| menus.insert(*number)));
    }
}

/// One label of a menu.
#[derive(Clone, Default)]
struct Label {
    /// The configuration that has it.
    number: FileNumber,
    file: String,
    name: String,
    title: String,
    /// Keyword and path: `KERNEL`, `LINUX`, `COM32`.
    kernel: Option<(String, String)>,
    append: String,
    initrds: Vec<String>,
}

/// Settings outside of labels.
#[derive(Clone, Default)]
struct Says {
    append: String,
    /// Configuration and command of `DEFAULT`, `ONTIMEOUT`, `ONERROR` and `UI`.
    commands: Vec<(FileNumber, String)>,
}

struct Menu<'a> {
    volumes: &'a Volumes,
    reader: &'a mut ConfigReader,
    seen: HashSet<FileNumber>,
    labels: Vec<Label>,
    says: Says,
    /// Other menus that labels of this one open.
    leads_to: Vec<FileNumber>,
}

impl Menu<'_> {
    fn file(&mut self, number: FileNumber, depth: usize) {
        let name = self.volumes.name(number);
        if depth > DEPTH || self.seen.len() > FILES {
            self.reader
                .findings
                .unclear(format!("{name}: configurations include each other too deep"));
            return;
        }
        if !self.seen.insert(number) {
            return;
        }
        let text = match self.reader.text(self.volumes, number) {
            Ok(text) => text,
            Err(why) => return self.reader.findings.unclear(format!("{name}: {why}")),
        };
        // the keyword's line ends the label before, also in an included file
        let mut inside = false;
        for line in text.lines() {
            let line = line.trim_matches([' ', '\t', '\r']);
            let (keyword, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let rest = rest.trim_matches([' ', '\t']);
            let keyword = keyword.to_lowercase();
            match keyword.as_str() {
                "label" => {
                    inside = true;
                    self.labels.push(Label {
                        number,
                        file: name.clone(),
                        name: rest.to_owned(),
                        title: rest.to_owned(),
                        append: self.says.append.clone(),
                        ..Label::default()
                    });
                }
                "menu" => self.menu_command(rest, number, inside, depth),
                "include" => self.include(rest, number, depth),
                "append" if !inside => {
                    self.says.append = if rest == "-" { String::new() } else { rest.to_owned() };
                }
                "default" | "ontimeout" | "onerror" | "ui" => {
                    self.says.commands.push((number, rest.to_owned()));
                }
                _ => {
                    let Some(label) = self.labels.last_mut().filter(|_| inside) else { continue };
                    match keyword.as_str() {
                        "kernel" | "linux" | "com32" | "config" | "boot" | "bss" | "pxe"
                        | "fdimage" | "comboot" => label.kernel = Some((keyword, rest.to_owned())),
                        "append" => {
                            label.append =
                                if rest == "-" { String::new() } else { rest.to_owned() };
                        }
                        "initrd" => label.initrds.extend(rest.split(',').map(str::to_owned)),
                        _ => {}
                    }
                }
            }
        }
    }

    fn menu_command(&mut self, rest: &str, number: FileNumber, inside: bool, depth: usize) {
        let (command, rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        match command.to_lowercase().as_str() {
            "include" => self.include(rest, number, depth),
            "label" | "title" if inside && command.eq_ignore_ascii_case("label") => {
                if let Some(label) = self.labels.last_mut() {
                    label.title = rest.trim().replace('^', "");
                }
            }
            _ => {}
        }
    }

    fn include(&mut self, rest: &str, from: FileNumber, depth: usize) {
        let path = rest.split_whitespace().next().unwrap_or_default();
        for number in self.volumes.find_from(from, path) {
            self.file(number, depth + 1);
        }
    }

    /// Takes down what each label, and each command outside of labels, starts.
    fn finish(&mut self) {
        let labels = std::mem::take(&mut self.labels);
        let says = std::mem::take(&mut self.says);
        for label in &labels {
            self.label(label, "");
        }
        for (number, command) in &says.commands {
            let (first, more) = command.split_once([' ', '\t']).unwrap_or((command, ""));
            let named: Vec<&Label> =
                labels.iter().filter(|label| label.name.eq_ignore_ascii_case(first)).collect();
            for label in &named {
                if !more.trim().is_empty() {
                    self.label(label, more);
                }
            }
            if named.is_empty() && !first.is_empty() {
                let label = Label {
                    number: *number,
                    file: self.volumes.name(*number),
                    title: command.clone(),
                    kernel: Some(("kernel".to_owned(), command.clone())),
                    append: says.append.clone(),
                    ..Label::default()
                };
                self.label(&label, "");
            }
        }
    }

    fn label(&mut self, label: &Label, more: &str) {
        // without a kernel, the label's name is one
        let implied = ("kernel".to_owned(), label.name.clone());
        let (keyword, command) = label.kernel.as_ref().unwrap_or(&implied);
        let (path, options) = command.split_once([' ', '\t']).unwrap_or((command, ""));
        let line = [options, &label.append, more].map(str::trim).join(" ").trim().to_owned();
        let lower = path.to_lowercase();
        let module = lower.rsplit('/').next().and_then(|name| name.strip_suffix(".c32"));
        if label.kernel.is_none() && self.volumes.find_from(label.number, path).is_empty() {
            return;
        }
        match (keyword.as_str(), module) {
            ("config", _) => self.leads_to.extend(self.volumes.find_from(label.number, path)),
            (_, Some(module)) => self.module(label, module, &line),
            ("linux", _) => self.linux(label, path, &line),
            ("kernel", _) => {
                let kernel = self.volumes.find_from(label.number, path);
                if !OTHER.iter().any(|ending| lower.ends_with(ending))
                    || kernel.iter().any(|file| self.volumes.is_kernel(*file))
                {
                    self.linux(label, path, &line);
                }
            }
            _ => {}
        }
    }

    fn module(&mut self, label: &Label, module: &str, line: &str) {
        if MENUS.contains(&module) {
            for path in line.split_whitespace() {
                self.leads_to.extend(self.volumes.find_from(label.number, path));
            }
        } else if module == "linux" {
            let (path, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            self.linux(label, path, rest);
        } else if !HARMLESS.contains(&module) {
            let what = format!("label `{}` starts module {module}.c32", label.title);
            self.reader
                .findings
                .unclear(format!("{}: {what}, which inspect does not know", label.file));
        }
    }

    fn linux(&mut self, label: &Label, path: &str, line: &str) {
        let files = self.volumes.find_from(label.number, path);
        if is_memory_test(self.volumes, path, &files) {
            return;
        }
        let entry = BootEntry::new(&label.file, &label.title, path, line);
        let named = entry.parameters();
        let initrds: Vec<String> = named
            .all("initrd")
            .flat_map(|list| list.split(','))
            .chain(label.initrds.iter().map(String::as_str))
            .map(str::to_owned)
            .collect();
        self.reader.findings.entry(entry);
        for initrd in initrds {
            let files = self.volumes.find_from(label.number, &initrd);
            self.reader.findings.initrds.extend(files);
        }
    }
}

//! The commands of GRUB: each changes the variables, the menu or the findings.

use super::file_names::is_start;
use super::frame::{Frame, MenuEntry};
use super::interpreter::{DEFINITIONS, DEPTH, Grub};
use super::parser::parse;
use super::state::{GrubState, UNKNOWN, Values, shown, unknown, wild};
use super::syntax::ScriptBlock;
use crate::inspect::boot::entry::BootEntry;
use crate::inspect::boot::reader::is_memory_test;
use crate::inspect::boot::{isolinux, kernel_parameters};
use crate::inspect::volumes::FileNumber;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

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

impl Grub<'_> {
    /// One command whose words are known.
    pub(super) fn simple(
        &mut self,
        words: &[String],
        block: Option<&ScriptBlock>,
        state: &mut GrubState,
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
                    isolinux::file(self.volumes, number, self.reader);
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

    fn assign(&mut self, name: &str, value: &str, state: &mut GrubState, frame: &Frame) {
        if let Some((variable, value)) = name.split_once('=').filter(|(v, _)| is_name(v)) {
            return self.assign(variable, value, state, frame);
        }
        if name.contains(UNKNOWN) {
            return self.unclear(frame, "a variable is set whose name is not known");
        }
        state.set(name, Values::from([value.to_owned()]));
    }

    fn call(&mut self, name: &str, arguments: &[String], state: &mut GrubState, frame: &mut Frame) {
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
        block: Option<&ScriptBlock>,
        state: &GrubState,
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
            let script = parse(&text);
            if text.contains(UNKNOWN) || !script.faults.is_empty() {
                self.unclear(frame, "an entry whose commands are in a text that is not understood");
            }
            body = Some(script.commands);
        }
        let Some(body) = body else { return };
        let file = frame.file.clone();
        self.add(MenuEntry { file, arguments: kept, body, submenu: name == "submenu" }, frame);
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

    fn include(
        &mut self,
        name: &str,
        arguments: &[String],
        state: &mut GrubState,
        frame: &mut Frame,
    ) {
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

    fn other_menu(
        &mut self,
        name: &str,
        arguments: &[String],
        state: &mut GrubState,
        frame: &Frame,
    ) {
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
    fn load_env(&mut self, arguments: &[String], state: &mut GrubState, frame: &Frame) {
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
                if is_memory_test(self.volumes, kernel, &files) {
                    return;
                }
            }
            Err(why) => {
                let what = format!("entry `{}`: {}: {why}", shown(&frame.title), shown(kernel));
                self.unclear(frame, what);
            }
        }
        let title = if frame.title.is_empty() { "outside of entries" } else { &frame.title };
        for (line, lost) in kernel_parameters::cut_by_grub(kernel, parameters) {
            let title = match lost {
                0 => shown(title),
                _ => format!("{} (its last {lost} words do not fit)", shown(title)),
            };
            let entry = BootEntry::new(&frame.file, &title, &shown(kernel), &shown(&line));
            self.reader.findings.entries.insert(entry);
        }
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
            && !is_memory_test(self.volumes, program, &files)
        {
            self.linux("chainloader", &arguments, frame);
        }
    }
}

/// True for what can name a variable.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Variables that a command may set: whatever among its words can be a name, also behind `--set=`
/// and behind the number that `regexp` wants.
fn set_by(arguments: &[String]) -> impl Iterator<Item = &str> {
    let last = |word: &'_ String| word.rfind(['=', ':']).map_or(0, |at| at + 1);
    arguments.iter().map(move |word| &word[last(word)..]).filter(|name| is_name(name))
}

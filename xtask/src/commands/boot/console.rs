//! What a guest says over its serial line, as lines that people read, and what they mean.

use std::collections::VecDeque;

/// Lines that a failure shows.
const TAIL: usize = 20;
/// A line longer than this is broken: noise must not fill the memory.
const LONGEST: usize = 2000;

/// Ends of a boot that no waiting will mend, wherever they stand in a line.
const DEAD: [&str; 13] = [
    "Kernel panic - not syncing",
    // initramfs-tools, live-boot, dracut
    "Unable to find a medium containing a live file system",
    "Gave up waiting for root file system device",
    "dracut: FATAL",
    // systemd: emergency and rescue mode
    "You are in emergency mode",
    "Press Enter for maintenance",
    "Cannot open access to console, the root account is locked",
    // GRUB
    "you need to load the kernel first",
    // SeaBIOS
    "No bootable device",
    "Could not read from CDROM",
    // OVMF
    "No bootable option or device was found",
    "UEFI Interactive Shell",
    // EDK2's own crash handler
    "X64 Exception Type",
];

/// Prompts of something that should have gone on by itself, at a line's beginning.
const DEAD_PROMPTS: [&str; 4] = ["(initramfs)", "grub>", "grub rescue>", "Shell>"];

/// What the guest's words mean for the boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The prompt, e.g. `silvermetal-canary login:`.
    Login(String),
    /// The line that says why there will never be one.
    Dead(String),
}

/// Follows a serial line byte by byte: escape sequences go, lines and signs come.
#[derive(Debug, Default)]
pub(crate) struct Console {
    state: State,
    line: Vec<u8>,
    tail: VecDeque<String>,
    sign: Option<Sign>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After CR: LF ends the line, anything else writes over it.
    Return,
    Escape,
    /// `ESC (` and its like: one more byte.
    Charset,
    /// `ESC [` …, up to a letter.
    Control,
    /// `ESC ]` or `ESC P` …, up to BEL or `ESC \`.
    Quoted,
    /// An escape within such a string.
    QuotedEscape,
}

impl Console {
    /// Takes what came and returns the lines that it completed.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            self.byte(byte, &mut lines);
        }
        lines
    }

    /// The first sign that was seen.
    pub(crate) fn sign(&self) -> Option<&Sign> {
        self.sign.as_ref()
    }

    /// The last lines that say something, newest last, the unfinished one among them.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.tail.iter().cloned().chain((!self.text().is_empty()).then(|| self.text())).collect()
    }

    fn byte(&mut self, byte: u8, lines: &mut Vec<String>) {
        match (self.state, byte) {
            (State::Escape, b'[') => self.state = State::Control,
            (State::Escape, b']' | b'P' | b'^' | b'_' | b'X') => self.state = State::Quoted,
            (State::Escape, b'(' | b')' | b'#' | b'%' | b' ') => self.state = State::Charset,
            (State::Escape | State::Charset, _) => self.state = State::Text,
            (State::Control, 0x40..=0x7e) => {
                self.state = State::Text;
                // the cursor goes elsewhere, or the screen is cleared: what follows is another line
                if matches!(byte, b'H' | b'f' | b'J') {
                    self.end_line(lines);
                }
            }
            (State::Control, _) => {}
            (State::Quoted, 0x07) | (State::QuotedEscape, b'\\') => self.state = State::Text,
            (State::Quoted, 0x1b) => self.state = State::QuotedEscape,
            (State::QuotedEscape, _) => self.state = State::Quoted,
            (State::Quoted, _) => {}
            (State::Text | State::Return, 0x1b) => self.state = State::Escape,
            (State::Text | State::Return, b'\n') => {
                self.state = State::Text;
                self.end_line(lines);
            }
            (State::Text | State::Return, b'\r') => self.state = State::Return,
            (State::Text | State::Return, 0x08) => drop(self.line.pop()),
            (State::Text | State::Return, 0..0x20 | 0x7f) if byte != b'\t' => {}
            (State::Text | State::Return, _) => {
                if self.state == State::Return {
                    self.line.clear();
                    self.state = State::Text;
                }
                self.line.push(byte);
                // a prompt is the only line that nobody ends: it is looked at while it grows
                if matches!(byte, b':' | b'>' | b')') {
                    self.look(prompt);
                }
                if self.line.len() >= LONGEST {
                    self.end_line(lines);
                }
            }
        }
    }

    fn end_line(&mut self, lines: &mut Vec<String>) {
        self.look(last_word);
        let mut line = self.text();
        self.line.clear();
        // the kernel breaks into other people's lines: its message ends, their line goes on
        if let Some(at) = kernel_message(&line).filter(|at| *at > 0) {
            let message = line.split_off(at);
            self.line.extend(line.as_bytes());
            line = message;
        }
        if !line.contains(char::is_alphanumeric) {
            return; // a boot menu's frame
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.clone());
        lines.push(line);
    }

    fn look(&mut self, meaning: fn(&str) -> Option<Sign>) {
        if self.sign.is_none() {
            self.sign = meaning(&self.text());
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).trim_end().to_owned()
    }
}

/// What a line that has just come to its `:`, `>` or `)` asks for.
fn prompt(line: &str) -> Option<Sign> {
    if DEAD_PROMPTS.iter().any(|dead| line.starts_with(dead)) {
        return Some(Sign::Dead(line.to_owned()));
    }
    // agetty: the host's name, and nothing else before it; `Last login:` is a shell's greeting
    let host = line.strip_suffix(" login:")?;
    let is_name = !host.is_empty() && !host.contains(' ') && !host.ends_with(':') && host != "Last";
    is_name.then(|| Sign::Login(line.to_owned()))
}

/// Where in a line a message of the kernel begins: `[   97.674811] `.
fn kernel_message(line: &str) -> Option<usize> {
    line.match_indices('[').map(|(at, _)| at).find(|at| {
        let time = line[at + 1..].split_once("] ").map(|(time, _)| time.trim_start());
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let parts = time.and_then(|time| time.split_once('.'));
        parts.is_some_and(|(s, us)| digits(s) && digits(us) && us.len() == 6)
    })
}

/// What a whole line says of the boot.
fn last_word(line: &str) -> Option<Sign> {
    DEAD.iter().any(|dead| line.contains(dead)).then(|| Sign::Dead(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(bytes: &[u8]) -> Console {
        let mut console = Console::default();
        console.feed(bytes);
        console
    }

    fn login(text: &str) -> Option<Sign> {
        Some(Sign::Login(text.into()))
    }

    #[test]
    fn a_login_prompt_is_seen_while_the_line_is_open() {
        let text =
            b"\r\nDebian GNU/Linux 13 silvermetal-canary ttyS0\r\n\r\nsilvermetal-canary login: ";
        assert_eq!(after(text).sign().cloned(), login("silvermetal-canary login:"));
        // a kernel message may follow it on the same line at once
        assert_eq!(
            after(b"host login: [   31.4] random: x\r\n").sign().cloned(),
            login("host login:")
        );
        assert_eq!(
            after(b"(none) login: root (automatic login)\n").sign().cloned(),
            login("(none) login:")
        );
    }

    #[test]
    fn the_kernel_may_break_into_the_prompt() {
        let mut console = Console::default();
        let lines = console.feed(
            b"\nsilvermetal-can[   97.674811] i801_smbus: x\r\nary log[   98.000001] y\nin: ",
        );
        assert_eq!(lines, ["[   97.674811] i801_smbus: x", "[   98.000001] y"]);
        assert_eq!(console.sign().cloned(), login("silvermetal-canary login:"));
        assert_eq!(
            after(b"[  OK  ] a\n[    0.000000] b\n").last_lines(),
            ["[  OK  ] a", "[    0.000000] b"]
        );
    }

    #[test]
    fn however_the_bytes_arrive() {
        let text = b"\x1b[!p\x1b]104\x07\x1b[?7h\x1bP+q544e\x1b\\\x1b[0m\x1b(Bhost\x1b[1m login: ";
        let mut console = Console::default();
        for byte in text {
            console.feed(&[*byte]);
        }
        assert_eq!(console.sign().cloned(), login("host login:"));
        assert_eq!(console.last_lines(), ["host login:"]);
    }

    #[test]
    fn what_only_mentions_a_login_is_none() {
        for line in [
            "systemd[1]: Started getty@tty1 login: x",
            "[  12.1] audit: login: pid=1",
            "Last login: Sat Nov 22 01:00:00",
            "login:",
            "pam: login:",
            "host login",
        ] {
            assert_eq!(after(format!("{line}\r\n").as_bytes()).sign(), None, "{line}");
        }
    }

    #[test]
    fn a_boot_that_ended_is_known_at_once() {
        let lines = [
            "[    2.1] Kernel panic - not syncing: VFS: Unable to mount root fs",
            "(initramfs) ",
            "grub rescue> ",
            "grub> ",
            "You are in emergency mode. After logging in, type \"journalctl -xb\"",
            "BdsDxe: No bootable option or device was found.",
            "Shell> ",
            "No bootable device.  Retrying in 60 seconds.",
        ];
        for line in lines {
            let console = after(format!("{line}\r\n").as_bytes());
            assert_eq!(console.sign(), Some(&Sign::Dead(line.trim_end().into())), "{line}");
        }
        // nobody ends a prompt's line
        assert_eq!(after(b"\x1b[25;1Hgrub> ").sign(), Some(&Sign::Dead("grub>".into())));
        assert_eq!(after(b"use the grub> prompt\n").sign(), None);
    }

    #[test]
    fn the_first_sign_counts() {
        assert_eq!(after(b"host login: \n(initramfs) ").sign().cloned(), login("host login:"));
    }

    #[test]
    fn lines_are_what_a_person_would_have_read() {
        let mut console = Console::default();
        let lines = console.feed(b"\x1b[2J\x1b[1;1HGNU GRUB\x1b[2;2H+--+\x1b[3;2H*Live\r\n[ *** ] job\r[ OK ] job\x1b[K\r\r\n\n\xffa\n");
        assert_eq!(lines, ["GNU GRUB", "*Live", "[ OK ] job", "\u{fffd}a"]);
        assert_eq!(console.last_lines(), lines);
    }

    #[test]
    fn noise_is_bounded() {
        let mut console = Console::default();
        let lines = console.feed(&vec![b'x'; 10 * LONGEST]);
        assert!(lines.iter().all(|line| line.len() <= LONGEST));
        console.feed("y\n".repeat(100).as_bytes());
        assert_eq!(console.last_lines().len(), TAIL);
    }
}

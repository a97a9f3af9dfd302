//! Reads a guest's serial console: splits it into lines, and recognizes login prompts and failures.

use std::collections::VecDeque;

/// Number of last lines that a failure report shows.
const TAIL: usize = 20;
/// Most bytes of a line. A longer one is broken up, so that noise cannot fill the memory.
const LONGEST: usize = 2000;

/// Messages after which a boot can no longer succeed, anywhere in a line.
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

/// Prompts, at the beginning of a line, that a boot must not stop at.
const DEAD_PROMPTS: [&str; 4] = ["(initramfs)", "grub>", "grub rescue>", "Shell>"];

/// The result of a boot, as the console shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A login prompt, e.g. `silvermetal-canary login:`.
    Login(String),
    /// The line that shows that no login prompt will come.
    Dead(String),
}

/// Parser of the serial console, byte by byte. It drops escape sequences.
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
    /// After CR. LF ends the line, any other byte overwrites it.
    Return,
    Escape,
    /// After `ESC (` or a similar sequence, which one more byte ends.
    Charset,
    /// In `ESC [` …, which a letter ends.
    Control,
    /// In `ESC ]` or `ESC P` …, which BEL or `ESC \` ends.
    Quoted,
    /// After an ESC within such a string.
    QuotedEscape,
}

impl Console {
    /// Parses `bytes`, and returns the lines that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            self.byte(byte, &mut lines);
        }
        lines
    }

    /// The first sign found.
    pub(crate) fn sign(&self) -> Option<&Sign> {
        self.sign.as_ref()
    }

    /// The last lines with text, newest last. The unfinished line counts.
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
                // the cursor moves or the screen is cleared: a new line begins
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
                // only a prompt is never ended by a newline: check the unfinished line
                if matches!(byte, b':' | b'>' | b')') {
                    self.search(prompt);
                }
                if self.line.len() >= LONGEST {
                    self.end_line(lines);
                }
            }
        }
    }

    fn end_line(&mut self, lines: &mut Vec<String>) {
        self.search(failure);
        let mut line = self.text();
        self.line.clear();
        // a kernel message may interrupt a line: the message ends here, the line goes on
        if let Some(at) = kernel_message(&line).filter(|at| *at > 0) {
            let message = line.split_off(at);
            self.line.extend(line.as_bytes());
            line = message;
        }
        if !line.contains(char::is_alphanumeric) {
            return; // the frame of a boot menu
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.clone());
        lines.push(line);
    }

    fn search(&mut self, recognize: fn(&str) -> Option<Sign>) {
        if self.sign.is_none() {
            self.sign = recognize(&self.text());
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).trim_end().to_owned()
    }
}

/// Recognizes a prompt in an unfinished line that ends with `:`, `>` or `)`.
fn prompt(line: &str) -> Option<Sign> {
    if DEAD_PROMPTS.iter().any(|dead| line.starts_with(dead)) {
        return Some(Sign::Dead(line.to_owned()));
    }
    // agetty prints the host name and ` login:`; `Last login:` comes from a shell
    let host = line.strip_suffix(" login:")?;
    let is_name = !host.is_empty() && !host.contains(' ') && !host.ends_with(':') && host != "Last";
    is_name.then(|| Sign::Login(line.to_owned()))
}

/// Offset of a kernel message in a line. It begins with a time, as in `[   97.674811] `.
fn kernel_message(line: &str) -> Option<usize> {
    line.match_indices('[').map(|(at, _)| at).find(|at| {
        let time = line[at + 1..].split_once("] ").map(|(time, _)| time.trim_start());
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let parts = time.and_then(|time| time.split_once('.'));
        parts.is_some_and(|(s, us)| digits(s) && digits(us) && us.len() == 6)
    })
}

/// Returns `true` for a line of a kernel (`[    0.000000] Linux version …`), or of systemd (`[  OK  ] Started …`,
/// `         Starting …`).
pub(crate) fn is_of_a_system(line: &str) -> bool {
    line.starts_with('[') || line.starts_with("         Starting ")
}

/// Recognizes a failure in a complete line.
fn failure(line: &str) -> Option<Sign> {
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
    fn a_login_prompt_is_recognized_before_its_line_ends() {
        let text =
            b"\r\nDebian GNU/Linux 13 silvermetal-canary ttyS0\r\n\r\nsilvermetal-canary login: ";
        assert_eq!(after(text).sign().cloned(), login("silvermetal-canary login:"));
        // a kernel message may follow at once, on the same line
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
    fn a_kernel_message_in_the_middle_of_a_prompt_is_cut_out() {
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
    fn a_line_that_only_mentions_a_login_is_no_prompt() {
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
    fn a_failed_boot_is_recognized_at_once() {
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
        // no newline follows a prompt
        assert_eq!(after(b"\x1b[25;1Hgrub> ").sign(), Some(&Sign::Dead("grub>".into())));
        assert_eq!(after(b"use the grub> prompt\n").sign(), None);
    }

    #[test]
    fn firmware_and_boot_loader_are_no_system() {
        for line in [
            "BdsDxe: starting Boot0001 \"UEFI QEMU DVD-ROM QM00011 \" from PciRoot(0x0)",
            "  Booting `SilverMetal canary (live)'",
            "EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID device path",
            "GNU GRUB  version 2.12-9",
        ] {
            assert!(!is_of_a_system(line), "{line}");
        }
        assert!(is_of_a_system("[    0.000000] Linux version 6.12.118+deb13-amd64"));
        assert!(is_of_a_system("[  OK  ] Reached target multi-user.target"));
    }

    #[test]
    fn the_first_sign_counts() {
        assert_eq!(after(b"host login: \n(initramfs) ").sign().cloned(), login("host login:"));
    }

    #[test]
    fn lines_are_the_text_that_a_terminal_would_show() {
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

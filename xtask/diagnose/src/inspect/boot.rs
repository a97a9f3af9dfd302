//! Boot entries: what GRUB and isolinux offer, each with the kernel's command line.

/// One entry that starts Linux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BootEntry {
    /// Path of the configuration in the ISO.
    pub(crate) file: String,
    pub(crate) title: String,
    /// Path of the kernel, as the entry names it.
    pub(crate) kernel: String,
    /// Parameters, in their order.
    pub(crate) parameters: Vec<String>,
}

/// Whether a file of the ISO is a boot loader's configuration.
pub(super) fn is_config(path: &str) -> bool {
    let path = path.to_lowercase();
    let name = path.rsplit('/').next().unwrap_or_default();
    let of_grub = name.ends_with(".cfg") && (path.contains("grub") || path.starts_with("efi/"));
    let of_isolinux = name.ends_with(".cfg") && (path.contains("linux/") || name.contains("linux"));
    let of_systemd = path.contains("loader/entries/") && name.ends_with(".conf");
    of_grub || of_isolinux || of_systemd
}

/// The entries of one configuration file.
pub(super) fn entries(file: &str, text: &str) -> Vec<BootEntry> {
    let joined = text.replace("\\\n", " ");
    let mut found: Vec<BootEntry> = Vec::new();
    let mut title = String::new();
    // isolinux names the kernel first, its parameters later
    let mut kernel: Option<String> = None;
    for line in joined.lines() {
        let words = words(line);
        let Some((command, rest)) = words.split_first() else { continue };
        let entry = |kernel: &str, parameters: &[String]| BootEntry {
            file: file.to_owned(),
            title: title.clone(),
            kernel: kernel.to_owned(),
            parameters: parameters.to_vec(),
        };
        match (command.to_lowercase().as_str(), rest) {
            ("menuentry" | "label" | "title", [name, ..]) => {
                found.extend(kernel.take().map(|kernel| entry(&kernel, &[])));
                title.clone_from(name);
            }
            ("menu", [label, name @ ..]) if label.eq_ignore_ascii_case("label") => {
                title = name.join(" ").replace('^', "");
            }
            ("linux" | "linux16" | "linuxefi" | "$linux" | "kernel", [path, parameters @ ..]) => {
                found.extend(kernel.take().map(|kernel| entry(&kernel, &[])));
                let loads = command.eq_ignore_ascii_case("kernel")
                    || (command.eq_ignore_ascii_case("linux") && parameters.is_empty());
                if loads && parameters.is_empty() {
                    // a module of isolinux's (menu.c32) is no kernel
                    kernel = (!path.ends_with(".c32")).then(|| path.clone());
                } else {
                    found.push(entry(path, parameters));
                }
            }
            ("append" | "options", parameters) => {
                if let Some(kernel) = kernel.take() {
                    found.push(entry(&kernel, parameters));
                }
            }
            _ => {}
        }
    }
    if let Some(kernel) = kernel {
        found.push(BootEntry { file: file.to_owned(), title, kernel, parameters: Vec::new() });
    }
    // memtest and the like take no parameters of Linux's
    found.retain(|entry| !entry.kernel.contains("memtest") && !entry.kernel.ends_with(".mod"));
    found
}

/// Words as GRUB's shell takes them apart: quotes hold blanks, a comment ends the line.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut begun = false;
    for sign in line.chars() {
        match (quote, sign) {
            (Some(q), s) if s == q => quote = None,
            (Some(_), s) => word.push(s),
            (None, '"' | '\'') => {
                quote = Some(sign);
                begun = true;
            }
            (None, '#') if !begun => break,
            (None, s) if s.is_whitespace() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                    begun = false;
                }
            }
            (None, s) => {
                word.push(s);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grub_isolinux_and_systemd_boot_are_read() {
        let grub = "# linux /no\nmenuentry \"Live system\" --hotkey=l {\n\tlinux\t/live/vmlinuz boot=live 'a b' \\\n\
                    quiet\n initrd /live/initrd.img\n}\nmenuentry 'mem' {\n linux16 /memtest\n}\n";
        let found = entries("boot/grub/grub.cfg", grub);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].title, "Live system");
        assert_eq!(found[0].parameters, ["boot=live", "a b", "quiet"]);

        let isolinux = "label live\n menu label ^Live\n kernel /live/vmlinuz\n append initrd=/i boot=live\n\
                        label hw\n kernel hdt.c32\n";
        let found = entries("isolinux/live.cfg", isolinux);
        assert_eq!((found.len(), found[0].title.as_str()), (1, "Live"));
        assert_eq!(found[0].parameters, ["initrd=/i", "boot=live"]);

        let systemd = "title Debian\nlinux /vmlinuz\noptions root=x quiet\n";
        assert_eq!(entries("loader/entries/a.conf", systemd)[0].parameters, ["root=x", "quiet"]);
    }
}

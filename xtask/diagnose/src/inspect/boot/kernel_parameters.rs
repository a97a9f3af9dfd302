//! Parameters as Linux reads them from its command line (lib/cmdline.c, kernel/params.c): quotes
//! hold blanks, a dash equals an underscore, what stands behind `--` goes to init, and of one that is
//! given twice the last counts.

/// Bytes of a command line that Linux on x86 reads (COMMAND_LINE_SIZE with its final zero).
const LONGEST: usize = 2047;

/// Parameters that take back what another one asks for. All of them may stand before or after it;
/// `on` stands for every value that Linux reads as true. Poisoned pages are not zeroed
/// (mem_debugging_and_hardening_init in mm/mm_init.c).
const TAKEN_BACK: [(&str, &[&str]); 4] = [
    ("slab_nomerge", &["slab_merge", "slub_merge"]),
    ("init_on_alloc", &["page_poison=on"]),
    ("init_on_free", &["page_poison=on"]),
    (
        "mitigations",
        &[
            "nopti",
            "pti=off",
            "nospectre_v1",
            "nospectre_v2",
            "spectre_v2=off",
            "spectre_v2_user=off",
            "spectre_bhi=off",
            "nospec_store_bypass_disable",
            "spec_store_bypass_disable=off",
            "l1tf=off",
            "mds=off",
            "tsx_async_abort=off",
            "mmio_stale_data=off",
            "srbds=off",
            "retbleed=off",
            "spec_rstack_overflow=off",
            "gather_data_sampling=off",
            "reg_file_data_sampling=off",
            "indirect_target_selection=off",
            "tsa=off",
            "vmscape=off",
            "kvm.nx_huge_pages=off",
        ],
    ),
];

/// A command line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// Name with underscores, and value.
    list: Vec<(String, Option<String>)>,
}

impl Parameters {
    pub(crate) fn parse(text: &str) -> Parameters {
        let mut list = Vec::new();
        let mut rest = text.trim_start_matches(is_space);
        while !rest.is_empty() {
            let (name, value, left) = next(rest);
            if name == "--" && value.is_none() {
                break;
            }
            list.push((name.replace('-', "_"), value));
            rest = left.trim_start_matches(is_space);
        }
        Parameters { list }
    }

    /// Why `wanted` has no effect; `None`: it has.
    pub(crate) fn lack(&self, wanted: &str) -> Option<String> {
        let (name, value) = split(wanted);
        let last = self.list.iter().rev().find(|(other, _)| *other == name);
        if last.is_none_or(|(_, other)| *other != value) {
            return Some(wanted.to_owned());
        }
        let against =
            TAKEN_BACK.iter().find(|(other, _)| *other == name).map_or(&[][..], |(_, a)| a);
        let against = against.iter().map(|against| split(against)).find_map(|(name, value)| {
            let is_value = |other: &Option<String>| {
                *other == value
                    || (value.as_deref() == Some("on") && other.as_deref().is_some_and(is_true))
            };
            self.list.iter().find(|(other, given)| *other == name && is_value(given))
        });
        against.map(|parameter| format!("{wanted} (which {} takes back)", word(parameter)))
    }

    /// Values of all parameters called `name`; an empty one if it has none.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.list
            .iter()
            .filter(move |(other, _)| other == name)
            .map(|(_, value)| value.as_deref().unwrap_or_default())
    }

    pub(crate) fn words(&self) -> impl Iterator<Item = String> {
        self.list.iter().map(word)
    }
}

/// A parameter as it is written.
fn word((name, value): &(String, Option<String>)) -> String {
    match value {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    }
}

/// True for a value that kstrtobool takes for true.
fn is_true(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value.starts_with(['1', 'y', 't']) || value.starts_with("on")
}

/// True if Linux cuts the end of the line off.
pub(super) fn is_too_long(kernel: &str, line: &str) -> bool {
    "BOOT_IMAGE= ".len() + kernel.len() + line.len() > LONGEST
}

/// The command lines that Linux may get of the words behind GRUB's `linux`, with the number of words that
/// are lost: one line, unless it is longer than Linux reads. Then GRUB leaves out every word from the first
/// one on that does not fit (grub-core/lib/cmdline.c); so does the kernel's EFI stub (efi_convert_cmdline in
/// drivers/firmware/efi/libstub). What they count beside the words differs by a few bytes, so each line
/// that one of them may make is listed.
pub(super) fn cut_by_grub(kernel: &str, words: &[String]) -> Vec<(String, usize)> {
    let whole = from_grub(words);
    if !is_too_long(kernel, &whole) {
        return vec![(whole, 0)];
    }
    let beside = "BOOT_IMAGE= ".len() + kernel.len() + 1;
    let lines = (0..words.len()).map(|n| (from_grub(&words[..n]), words.len() - n));
    let fits = |line: &str| line.len() <= LONGEST;
    let next_does_not = |lost: usize| {
        let next = from_grub(&words[..words.len() - lost + 1]);
        next.len() + beside > LONGEST
    };
    lines.filter(|(line, lost)| fits(line) && next_does_not(*lost)).collect()
}

/// The command line that GRUB makes of the words behind `linux` (grub-core/lib/cmdline.c).
pub(super) fn from_grub(words: &[String]) -> String {
    let quoted = |word: &String| {
        let mut text = String::new();
        for c in word.chars() {
            if matches!(c, '\\' | '\'' | '"') {
                text.push('\\');
            }
            text.push(c);
        }
        if word.contains(' ') { format!("\"{text}\"") } else { text }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r' | '\u{a0}')
}

fn split(parameter: &str) -> (String, Option<String>) {
    match parameter.split_once('=') {
        Some((name, value)) => (name.replace('-', "_"), Some(value.to_owned())),
        None => (parameter.replace('-', "_"), None),
    }
}

/// The first parameter of `text`, its value, and what is left.
fn next(text: &str) -> (String, Option<String>, &str) {
    let (text, quoted) = match text.strip_prefix('"') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut inside = quoted;
    let mut equals = None;
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        match c {
            '"' => inside = !inside,
            '=' if equals.is_none() && at > 0 => equals = Some(at),
            c if is_space(c) && !inside => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let (parameter, rest) = text.split_at(end);
    let parameter = match parameter.strip_suffix('"') {
        Some(inner) if quoted => inner,
        _ => parameter,
    };
    let Some(equals) = equals else { return (parameter.to_owned(), None, rest) };
    let (name, value) = parameter.split_at(equals.min(parameter.len()));
    let value = value.strip_prefix('=').unwrap_or(value);
    let value = match value.strip_prefix('"') {
        Some(inner) => inner.strip_suffix('"').unwrap_or(inner),
        None => value,
    };
    (name.to_owned(), Some(value.to_owned()), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(line: &str, wanted: &str) -> bool {
        Parameters::parse(line).lack(wanted).is_none()
    }

    #[test]
    fn the_last_of_two_parameters_counts_and_a_dash_is_an_underscore() {
        assert!(has("a init_on_alloc=1 slab_nomerge", "init_on_alloc=1"));
        assert!(has("a init-on-alloc=1 slab_nomerge", "slab_nomerge"));
        assert!(has("init-on-alloc=1", "init_on_alloc=1"));
        assert!(!has("init_on_alloc=1 init-on-alloc=0", "init_on_alloc=1"));
        assert!(!has("init_on_alloc=1 b init_on_alloc", "init_on_alloc=1"));
        assert!(!has("slab_nomerge=x", "slab_nomerge"));
    }

    #[test]
    fn what_is_behind_two_dashes_goes_to_init() {
        assert!(!has("quiet -- slab_nomerge", "slab_nomerge"));
        assert!(has("quiet --- slab_nomerge", "slab_nomerge"));
    }

    #[test]
    fn quotes_hold_blanks_and_are_taken_off() {
        assert!(!has("\"a slab_nomerge b\"", "slab_nomerge"));
        assert!(!has("dyndbg=\"x slab_nomerge\"", "slab_nomerge"));
        assert!(has("\"slab_nomerge\" init_on_free=\"1\"", "slab_nomerge"));
        assert!(has("\"slab_nomerge\" init_on_free=\"1\"", "init_on_free=1"));
        assert!(!has("init_on_free=1 \"init_on_free=0\"", "init_on_free=1"));
    }

    #[test]
    fn some_parameters_take_others_back() {
        assert!(!has("slab_merge slab_nomerge", "slab_nomerge"));
        assert!(!has("mitigations=auto,nosmt spectre-v2=off", "mitigations=auto,nosmt"));
        for on in ["1", "on", "Y", "true"] {
            assert!(!has(&format!("page_poison={on} init_on_free=1"), "init_on_free=1"), "{on}");
        }
        assert!(has("init_on_free=1 page_poison=0", "init_on_free=1"));
        assert!(has("mitigations=auto,nosmt spectre_v2=on tsx=off", "mitigations=auto,nosmt"));
    }

    #[test]
    fn grub_puts_words_with_blanks_into_quotes() {
        let words = ["a".to_owned(), "b c".to_owned(), "d\"e".to_owned()];
        assert_eq!(from_grub(&words), "a \"b c\" d\\\"e");
    }
}

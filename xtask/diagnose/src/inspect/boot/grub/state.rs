//! The possible values of GRUB's variables at one place of a script. There may be several, since
//! inspect follows both ways of every `if`.

use std::collections::{BTreeMap, BTreeSet};

/// Stands for text that nobody knows. No configuration with a zero byte is read.
pub(super) const UNKNOWN: char = '\0';

/// Values that one variable may have before it counts as unknown.
const VALUES: usize = 8;

/// Bytes of a value. GRUB has no limit, hostile scripts double a value line by line.
const LONGEST: usize = 16 << 10;

/// All values that a variable may have. An unset variable is empty, as GRUB expands it.
pub(super) type Values = BTreeSet<String>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct GrubState {
    variables: BTreeMap<String, Values>,
    exported: BTreeSet<String>,
    /// True behind a command that may have ended the script: what follows may not happen.
    pub(super) doubtful: bool,
}

pub(super) fn unknown() -> Values {
    Values::from([UNKNOWN.to_string()])
}

impl GrubState {
    pub(super) fn get(&self, name: &str) -> Values {
        self.variables.get(name).cloned().unwrap_or_else(|| initial(name))
    }

    pub(super) fn set(&mut self, name: &str, values: Values) {
        let mut values: Values =
            if values.iter().any(|value| value.len() > LONGEST) { unknown() } else { values };
        if self.doubtful {
            values.extend(self.get(name));
        }
        self.variables.insert(name.to_owned(), limited(values));
    }

    pub(super) fn export(&mut self, name: &str) {
        self.exported.insert(name.to_owned());
    }

    /// This state or that one.
    pub(super) fn or(&mut self, other: &GrubState) {
        let names: BTreeSet<&String> =
            self.variables.keys().chain(other.variables.keys()).collect();
        let both = names.into_iter().map(|name| {
            let mut values = self.get(name);
            values.extend(other.get(name));
            (name.clone(), limited(values))
        });
        self.variables = both.collect();
        // a variable that is exported on one way only may be there or not
        for name in self.exported.symmetric_difference(&other.exported) {
            self.variables.entry(name.clone()).or_default().insert(String::new());
        }
        self.exported.extend(other.exported.iter().cloned());
        self.doubtful |= other.doubtful;
    }

    /// The state that a submenu or another configuration starts with: it gets the exported variables.
    pub(super) fn inherited(&self) -> GrubState {
        let kept = self.variables.iter().filter(|(name, _)| {
            self.exported.contains(*name) || initial(name).iter().any(|value| !value.is_empty())
        });
        GrubState {
            variables: kept.map(|(name, values)| (name.clone(), values.clone())).collect(),
            exported: self.exported.clone(),
            doubtful: false,
        }
    }

    /// Nothing that was ever set is known.
    pub(super) fn forget(&mut self) {
        self.variables.values_mut().for_each(|values| *values = unknown());
    }

    /// Steps that a copy takes.
    pub(super) fn weight(&self) -> usize {
        let bytes: usize = self.variables.values().flatten().map(String::len).sum();
        1 + self.variables.len() + bytes / 64
    }
}

fn limited(values: Values) -> Values {
    if values.len() > VALUES || values.is_superset(&unknown()) { unknown() } else { values }
}

/// Values that variables have before any script runs (GRUB manual, 15.1).
fn initial(name: &str) -> Values {
    let known: &[&str] = match name {
        "grub_platform" => &["pc", "efi"],
        "grub_cpu" => &["i386", "x86_64"],
        "?" => &["0", "1"],
        _ if name.starts_with("feature_") => &["y"],
        "root"
        | "prefix"
        | "cmdpath"
        | "config_directory"
        | "config_file"
        | "fw_path"
        | "chosen"
        | "biosnum"
        | "theme"
        | "lang"
        | "locale_dir"
        | "secondary_locale_dir"
        | "timeout_style"
        | "shim_lock"
        | "superusers"
        | "check_signatures"
        | "lockdown"
        | "debug"
        | "pager"
        | "root_device"
        | "sysid" => return unknown(),
        _ if name.starts_with("net_") || name.starts_with("pxe_") => return unknown(),
        _ => &[""],
    };
    known.iter().map(|value| (*value).to_owned()).collect()
}

/// A path in which GRUB's wildcards are unknown text.
pub(super) fn wild(path: &str) -> String {
    path.replace(['*', '?'], &UNKNOWN.to_string())
}

/// Text for messages, with its unknown parts as `…`.
pub(super) fn shown(text: &str) -> String {
    text.replace(UNKNOWN, "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(list: &[&str]) -> Values {
        list.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn two_ways_give_both_values_and_too_many_are_unknown() {
        let mut state = GrubState::default();
        state.set("a", values(&["x"]));
        let mut other = GrubState::default();
        other.set("b", values(&["y"]));
        state.or(&other);
        assert_eq!((state.get("a"), state.get("b")), (values(&["", "x"]), values(&["", "y"])));
        state.doubtful = true;
        state.set("a", values(&["z"]));
        assert_eq!(state.get("a"), values(&["", "x", "z"]));
        for n in 0..9 {
            state.set("c", values(&[&n.to_string()]));
        }
        assert_eq!(state.get("c"), unknown());
    }

    #[test]
    fn only_exported_variables_reach_a_submenu() {
        let mut state = GrubState::default();
        state.set("a", values(&["x"]));
        state.set("b", values(&["y"]));
        state.export("b");
        let inner = state.inherited();
        assert_eq!((inner.get("a"), inner.get("b")), (values(&[""]), values(&["y"])));
    }
}

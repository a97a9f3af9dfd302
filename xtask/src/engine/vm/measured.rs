//! Facts that were measured inside a machine. Reports say these, and not what the machine was asked for.

use serde_json::{Value, json};
use std::path::Path;
use xtask_core::record_file;

/// Name of the file in the folder of a run.
const FILE: &str = "measured";
/// Most bytes of a value.
const LONGEST: usize = 300;

/// Facts of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Date and time at the start, as `YYYY-MM-DDTHH:MM:SSZ`.
    pub(crate) date: String,
    /// `uname -r`.
    pub(crate) kernel: String,
    /// Model of the CPU.
    pub(crate) cpu: String,
    pub(crate) cpus: u64,
}

impl Measured {
    /// Reads what `enter.sh` wrote; `None` if it did not come so far.
    pub(crate) fn read(control: &Path) -> Option<Measured> {
        Measured::parse(&record_file::text(&control.join(FILE)).ok()?)
    }

    fn parse(text: &str) -> Option<Measured> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let [date, kernel, cpu, cpus] = lines[..] else { return None };
        let plain =
            lines.iter().all(|line| line.len() <= LONGEST && !line.contains(char::is_control));
        let own = |text: &str| text.to_owned();
        let cpus = cpus.parse().ok()?;
        plain.then(|| Measured { date: own(date), kernel: own(kernel), cpu: own(cpu), cpus })
    }

    /// The object in build.json.
    pub(crate) fn value(&self) -> Value {
        json!({ "date": self.date, "kernel": self.kernel, "cpu": self.cpu, "cpus": self.cpus })
    }

    /// Reads that object.
    pub(crate) fn of(value: &Value) -> Option<Measured> {
        let text = |key: &str| Some(value[key].as_str()?.to_owned());
        let cpus = value["cpus"].as_u64()?;
        Some(Measured { date: text("date")?, kernel: text("kernel")?, cpu: text("cpu")?, cpus })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_lines_are_the_facts_and_anything_else_is_none() {
        let text = "2027-12-31T20:00:00Z\n6.1.0-56-amd64\nIntel Core i7\n1\n";
        let measured = Measured::parse(text).unwrap();
        assert_eq!(Measured::of(&measured.value()), Some(measured));
        assert_eq!(Measured::parse("2027-12-31T20:00:00Z\n6.1\nx\n"), None);
        assert_eq!(Measured::parse(&text.replace('1', "\u{1b}")), None);
    }
}

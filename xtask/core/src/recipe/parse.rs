//! The text of a recipe.toml, read into a [`Recipe`]: all faults at once, each with its line.

use super::contents::{BootNeeds, Needs, Policy, Recipe, Stage};
use super::engine_kind::EngineKind;
use crate::failure::Fault;
use crate::toml_reader::{TomlReader, TomlSection};
use std::collections::BTreeMap;
use std::path::Path;
use toml_edit::Item;

/// Reads the text of a recipe.toml, or returns all its faults in the order of their lines.
pub(super) fn recipe(name: &str, dir: &Path, text: &str) -> Result<Recipe, Vec<Fault>> {
    TomlReader::whole(text, |reader, root| reader.recipe(name, dir, root))
}

impl TomlReader<'_> {
    fn recipe(&mut self, name: &str, dir: &Path, root: TomlSection<'_>) -> Recipe {
        self.known(
            root,
            &[
                "description",
                "entry",
                "iso",
                "released",
                "flavors",
                "needs",
                "policy",
                "boot",
                "stage",
            ],
        );
        let flavors = self.optional(root, "flavors", Self::strings);
        Recipe {
            name: name.to_owned(),
            dir: dir.to_owned(),
            description: self.string(root, "description"),
            entry: self.file_name(root, "entry"),
            iso: self.file_name(root, "iso"),
            released: self.boolean(root, "released"),
            needs: self.needs(root),
            policy: root.table.get("policy").map(|_| self.policy(root, &flavors)),
            boot: match root.table.get("boot") {
                Some(_) => self.boot(root, &flavors),
                None => BTreeMap::new(),
            },
            flavors,
            stages: self.stages(root),
        }
    }

    fn needs(&mut self, root: TomlSection<'_>) -> Needs {
        let Some(needs) = self.section(root, "needs") else { return Needs::default() };
        self.known(
            needs,
            &["submodule", "engines", "disk_gib", "ram_gib", "scratch_gib", "host_packages"],
        );
        Needs {
            submodule: self.boolean(needs, "submodule"),
            engines: self.engines(needs),
            disk_gib: self.number(needs, "disk_gib"),
            ram_gib: self.number(needs, "ram_gib"),
            scratch_gib: self.optional(needs, "scratch_gib", Self::number),
            host_packages: self.strings(needs, "host_packages"),
        }
    }

    fn policy(&mut self, root: TomlSection<'_>, flavors: &[String]) -> Policy {
        let Some(policy) = self.section(root, "policy") else { return Policy::default() };
        self.known(
            policy,
            &["enforced", "package_hosts", "suites", "kernel_parameters", "firmware", "packages"],
        );
        Policy {
            packages: match policy.table.get("packages") {
                Some(_) => self.packages(policy, flavors),
                None => BTreeMap::new(),
            },
            enforced: self.boolean(policy, "enforced"),
            package_hosts: self.strings(policy, "package_hosts"),
            suites: self.strings(policy, "suites"),
            kernel_parameters: self.strings(policy, "kernel_parameters"),
            firmware: self.strings(policy, "firmware"),
        }
    }

    /// A list for each flavor.
    fn packages(
        &mut self,
        policy: TomlSection<'_>,
        flavors: &[String],
    ) -> BTreeMap<String, Vec<String>> {
        let Some(packages) = self.section(policy, "packages") else { return BTreeMap::new() };
        if flavors.is_empty() {
            self.faults.push((packages.line, "[policy.packages] needs `flavors`".to_owned()));
        }
        self.known(packages, &flavors.iter().map(String::as_str).collect::<Vec<_>>());
        flavors.iter().map(|name| (name.clone(), self.strings(packages, name))).collect()
    }

    fn boot(&mut self, root: TomlSection<'_>, flavors: &[String]) -> BTreeMap<String, BootNeeds> {
        let Some(boot) = self.section(root, "boot") else { return BTreeMap::new() };
        self.known(boot, &flavors.iter().map(String::as_str).collect::<Vec<_>>());
        let named = flavors.iter().filter(|name| boot.table.contains_key(name));
        let named: Vec<(&String, Option<TomlSection<'_>>)> =
            named.map(|name| (name, self.section(boot, name))).collect();
        let mut found = BTreeMap::new();
        for (name, section) in named {
            let Some(flavor) = section else { continue };
            self.known(flavor, &["desktop", "timeout_s", "memory_mib"]);
            let needs = BootNeeds {
                desktop: self.boolean(flavor, "desktop"),
                timeout: self.count(flavor, "timeout_s", "a number of seconds"),
                memory: self.count(flavor, "memory_mib", "a number of MiB"),
            };
            found.insert(name.clone(), needs);
        }
        found
    }

    fn stages(&mut self, root: TomlSection<'_>) -> Vec<Stage> {
        let Some(stages) = root.table.get("stage").and_then(Item::as_array_of_tables) else {
            self.faults.push((root.line, "expected at least one [[stage]]".into()));
            return Vec::new();
        };
        let mut found = Vec::new();
        for table in stages {
            let stage = TomlSection { table, line: self.line(table.span(), root.line) };
            self.known(stage, &["name", "produces"]);
            found.push(Stage {
                name: self.string(stage, "name"),
                produces: self.strings(stage, "produces"),
            });
        }
        found
    }

    fn number(&mut self, section: TomlSection<'_>, key: &str) -> u64 {
        self.count(section, key, "a number of GiB")
    }

    fn count(&mut self, section: TomlSection<'_>, key: &str, kind: &str) -> u64 {
        self.read(section, key, kind, |item| item.as_integer()?.try_into().ok())
    }

    fn engines(&mut self, section: TomlSection<'_>) -> Vec<EngineKind> {
        let names = EngineKind::ALL.map(EngineKind::name).join(", ");
        self.read(section, "engines", &format!("a list out of {names}"), |item| {
            let named = |name: &str| EngineKind::ALL.into_iter().find(|kind| kind.name() == name);
            item.as_array()?.iter().map(|value| named(value.as_str()?)).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
description = "d"
entry = "build"
iso = "x.iso"
released = false
[needs]
submodule = true
engines = ["docker", "private"]
disk_gib = 6
ram_gib = 2
host_packages = ["mmdebstrap"]
[policy]
enforced = true
package_hosts = ["deb.debian.org"]
suites = []
kernel_parameters = []
firmware = ["BIOS"]
[[stage]]
name = "rootfs"
produces = ["rootfs.tar"]
"#;

    fn read(text: &str) -> Result<Recipe, Vec<Fault>> {
        recipe("x", Path::new("/r/x"), text)
    }

    /// The faults of `text`, one a line, as `:LINE: what`.
    fn faults(text: &str) -> String {
        let faults = read(text).unwrap_err();
        faults.iter().map(|(line, what)| format!(":{line}: {what}\n")).collect()
    }

    #[test]
    fn a_recipe_is_read() {
        let recipe = read(GOOD).unwrap();
        assert_eq!(recipe.needs.engines, [EngineKind::Docker, EngineKind::Private]);
        assert_eq!(recipe.stages[0].produces, ["rootfs.tar"]);
        let policy = recipe.policy.unwrap();
        assert!(policy.enforced);
        assert_eq!(policy.package_hosts, ["deb.debian.org"]);
        let head = GOOD.split("[policy]").next().unwrap();
        let without = format!("{head}[[stage]]\nname = \"a\"\nproduces = []\n");
        assert_eq!(read(&without).unwrap().policy, None);
    }

    #[test]
    fn every_fault_has_its_line() {
        let bad = GOOD
            .replace("\"build\"", "7")
            .replace("x.iso", "out/x.iso")
            .replace("\"private\"", "\"k8s\"")
            .replace("disk_gib", "disk")
            .replace("suites = []", "suites = 7")
            .replace("kernel", "kernal");
        let expected = "\
:3: `entry`: expected a string
:4: `iso` is a file name, without folders: found `out/x.iso`
:6: `disk_gib`: expected a number of GiB
:8: `engines`: expected a list out of docker, podman, private, host, vm
:9: unknown key `disk`: expected submodule, engines, disk_gib, ram_gib, scratch_gib, host_packages
:12: `kernel_parameters`: expected a list of strings
:15: `suites`: expected a list of strings
:16: unknown key `kernal_parameters`: expected enforced, package_hosts, suites, kernel_parameters, firmware, packages
";
        assert_eq!(faults(&bad), expected);
    }

    #[test]
    fn each_flavor_has_its_packages() {
        let with = |flavors: &str, packages: &str| {
            let text = GOOD.replace("[needs]", &format!("{flavors}\n[needs]"));
            text.replace("[[stage]]", &format!("[policy.packages]\n{packages}\n[[stage]]"))
        };
        let flavors = "flavors = [\"big\", \"small\"]";
        let recipe = read(&with(flavors, "big = [\"desktop\"]\nsmall = []")).unwrap();
        let packages = recipe.policy.unwrap().packages;
        assert_eq!(packages["big"], ["desktop"]);
        assert_eq!(packages["small"], [""; 0]);
        let expected = ":19: `small`: expected a list of strings\n:20: `big`: expected a list of strings\n\
                        :21: unknown key `bigger`: expected big, small\n";
        assert_eq!(faults(&with(flavors, "big = 1\nbigger = []")), expected);
        assert!(faults(&with("", "x = []")).contains("[policy.packages] needs `flavors`"));
    }

    #[test]
    fn a_flavor_says_how_it_boots() {
        let with = |boot: &str| {
            let text = GOOD.replace("[needs]", "flavors = [\"big\", \"small\"]\n[needs]");
            text.replace("[[stage]]", &format!("{boot}\n[[stage]]"))
        };
        let big = "[boot.big]\ndesktop = true\ntimeout_s = 5\nmemory_mib = 7";
        let boot = read(&with(big)).unwrap().boot;
        let needs = BootNeeds { desktop: true, timeout: 5, memory: 7 };
        assert_eq!(boot, BTreeMap::from([("big".to_owned(), needs)]));
        let bad = big.replace("true", "1").replace("timeout_s", "timeout").replace(".big", ".huge");
        assert_eq!(faults(&with(&bad)), ":19: unknown key `huge`: expected big, small\n");
        let bad = big.replace("true", "1").replace("timeout_s", "timeout");
        let expected = ":19: `timeout_s`: expected a number of seconds\n:20: `desktop`: expected true or false\n\
                        :21: unknown key `timeout`: expected desktop, timeout_s, memory_mib\n";
        assert_eq!(faults(&with(&bad)), expected);
    }

    #[test]
    fn missing_tables_are_faults() {
        let expected = ":1: `description`: expected a string
:1: `entry`: expected a string
:1: `iso`: expected a string
:1: `released`: expected true or false
:1: expected a table [needs]
:1: expected at least one [[stage]]
:2: expected a table [policy]
";
        assert_eq!(faults("\npolicy = 7"), expected);
        assert_eq!(faults("a = \n").split(": ").next(), Some(":1"));
    }
}

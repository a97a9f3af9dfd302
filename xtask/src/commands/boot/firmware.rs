//! Firmware of the virtual machine: SeaBIOS, which comes with QEMU, or OVMF, searched on the host.

use std::path::{Path, PathBuf};

/// Value of `--firmware`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FirmwareChoice {
    Bios,
    Uefi,
    Both,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Firmware {
    Bios,
    Uefi(Ovmf),
}

/// UEFI firmware without secure boot: read-only code, and a template for its variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ovmf {
    pub(crate) code: PathBuf,
    pub(crate) vars: PathBuf,
}

/// Folder, code and variables of known OVMF packages, the best first. The sizes in a pair match.
const PLACES: [(&str, &str, &str); 6] = [
    ("usr/share/OVMF", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"), // Debian 11 and later, Ubuntu
    ("usr/share/OVMF", "OVMF_CODE.fd", "OVMF_VARS.fd"),       // Debian 12 and older
    ("usr/share/edk2/ovmf", "OVMF_CODE.fd", "OVMF_VARS.fd"),  // Fedora
    ("usr/share/edk2/x64", "OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"), // Arch
    ("usr/share/edk2-ovmf/x64", "OVMF_CODE.fd", "OVMF_VARS.fd"), // Arch, formerly
    ("usr/share/qemu", "ovmf-x86_64-code.bin", "ovmf-x86_64-vars.bin"), // openSUSE
];

impl Firmware {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Firmware::Bios => "bios",
            Firmware::Uefi(_) => "uefi",
        }
    }
}

impl Ovmf {
    /// Returns the first pair that exists below `root`, which is `/` except in tests.
    pub(crate) fn find(root: &Path) -> Option<Ovmf> {
        places(root).find(|ovmf| ovmf.code.is_file() && ovmf.vars.is_file())
    }

    /// The paths of Debian's package `ovmf`.
    pub(crate) fn of_debian() -> Ovmf {
        let (dir, code, vars) = PLACES[0];
        let dir = Path::new("/").join(dir);
        Ovmf { code: dir.join(code), vars: dir.join(vars) }
    }
}

fn places(root: &Path) -> impl Iterator<Item = Ovmf> {
    PLACES.iter().map(move |(dir, code, vars)| {
        let dir = root.join(dir);
        Ovmf { code: dir.join(code), vars: dir.join(vars) }
    })
}

/// Returns the chosen firmwares in the order of their boots, and `true` if OVMF is needed but
/// missing.
pub(crate) fn choose(choice: FirmwareChoice, root: &Path) -> (Vec<Firmware>, bool) {
    if choice == FirmwareChoice::Bios {
        return (vec![Firmware::Bios], false);
    }
    let found = Ovmf::find(root);
    let missing = found.is_none();
    // a dry run shows the paths that --setup would install
    let uefi = Firmware::Uefi(found.unwrap_or_else(Ovmf::of_debian));
    match choice {
        FirmwareChoice::Both => (vec![Firmware::Bios, uefi], missing),
        FirmwareChoice::Uefi | FirmwareChoice::Bios => (vec![uefi], missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Root(PathBuf);

    impl Root {
        fn with(name: &str, files: &[&str]) -> Root {
            let root =
                std::env::temp_dir().join(format!("xtask-ovmf-{name}-{}", std::process::id()));
            for file in files {
                let path = root.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            Root(root)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn the_4m_build_comes_before_the_older_one() {
        let root = Root::with(
            "both",
            &[
                "usr/share/OVMF/OVMF_CODE.fd",
                "usr/share/OVMF/OVMF_VARS.fd",
                "usr/share/OVMF/OVMF_CODE_4M.fd",
                "usr/share/OVMF/OVMF_VARS_4M.fd",
            ],
        );
        let found = Ovmf::find(&root.0).unwrap();
        assert_eq!(found.code, root.0.join("usr/share/OVMF/OVMF_CODE_4M.fd"));
        assert_eq!(found.vars, root.0.join("usr/share/OVMF/OVMF_VARS_4M.fd"));
    }

    #[test]
    fn half_a_pair_is_none() {
        let root = Root::with(
            "half",
            &[
                "usr/share/OVMF/OVMF_CODE_4M.fd",
                "usr/share/edk2/x64/OVMF_CODE.4m.fd",
                "usr/share/edk2/x64/OVMF_VARS.4m.fd",
            ],
        );
        assert_eq!(
            Ovmf::find(&root.0).unwrap().code,
            root.0.join("usr/share/edk2/x64/OVMF_CODE.4m.fd")
        );
    }

    #[test]
    fn a_missing_ovmf_gets_the_paths_of_debians_package() {
        let root = Root::with("none", &[]);
        let debian = Firmware::Uefi(Ovmf::of_debian());
        assert_eq!(choose(FirmwareChoice::Bios, &root.0), (vec![Firmware::Bios], false));
        assert_eq!(choose(FirmwareChoice::Uefi, &root.0), (vec![debian.clone()], true));
        assert_eq!(choose(FirmwareChoice::Both, &root.0), (vec![Firmware::Bios, debian], true));
    }
}

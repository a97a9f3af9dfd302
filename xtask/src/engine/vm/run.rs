//! One build in a machine as data: the QEMU command line, and the folder that tells the machine what to do.

use super::{Kernel, MIB, Measured};
use crate::engine::container::{Mode, Network};
use crate::engine::variations::BuildConditions;
use crate::qemu::accel::{Accel, QEMU};
use crate::qemu::option;
use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use xtask_core::calendar;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, Exit, quoted};
use xtask_core::record_file;

/// The kernel's messages go to the serial line. Its guards against other guests only cost time here.
const KERNEL_LINE: &str = "console=ttyS0 panic=-1 quiet mitigations=off";
const ENTER: &str = include_str!("enter.sh");
/// Address under which QEMU's user network reaches this machine's loopback, and its resolver (QEMU's manual,
/// "Network emulation").
const HOST_LOOPBACK: &str = "10.0.2.2";
const RESOLVER: &str = "10.0.2.3";
/// CPU model of `--vary cpu-model`.
const OTHER_CPU: &str = "Nehalem";
/// Exit code if the machine ended without one: the same as docker's for a container that did not run.
const LOST: i32 = 125;

/// A folder of this machine that the builder sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
    pub(crate) mode: Mode,
}

/// One run of an entry in a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VmRun {
    /// Part of the machine's name.
    pub(crate) id: String,
    pub(crate) accel: Accel,
    pub(crate) cpus: usize,
    /// Bytes.
    pub(crate) memory: u64,
    pub(crate) kernel: Kernel,
    /// Disk image of the builder's tree. Nothing is written to it.
    pub(crate) tree: PathBuf,
    /// Folder for what this run writes to the machine's disk, until it ends.
    pub(crate) scratch: PathBuf,
    /// Folder that tells the machine what to do, and in which it leaves its answer.
    pub(crate) control: PathBuf,
    pub(crate) shares: Vec<Share>,
    /// Single files that are copied into the builder: path here, path there.
    pub(crate) files: Vec<(PathBuf, String)>,
    pub(crate) network: Network,
    /// Seconds since 1970-01-01 UTC that the machine's clock begins with; `None` for this machine's time.
    pub(crate) clock: Option<u64>,
    pub(crate) other_cpu: bool,
    pub(crate) conditions: BuildConditions,
    pub(crate) env: Vec<(String, String)>,
    /// Folder in the builder that gets a place on the machine's own disk: a shared folder is slow, and has no
    /// devices.
    pub(crate) own_disk: Option<String>,
    pub(crate) command: Vec<String>,
}

impl VmRun {
    /// The QEMU command line. It prints what the entry prints.
    pub(crate) fn run(&self) -> Cmd {
        let [accel, kind, cpu, model] = self.accel.args();
        let mut cmd = Cmd::new(QEMU)
            .args(["-no-user-config", "-nodefaults", "-no-reboot"])
            .args(["-name", &format!("silvermetal-{}", self.id)])
            .args(["-machine", "q35", accel, kind, cpu])
            .arg(if self.other_cpu { OTHER_CPU } else { model })
            .args(["-smp", &self.cpus.to_string(), "-m", &(self.memory / MIB).to_string()])
            .args(["-rtc", &self.clock.map_or("base=utc".to_owned(), clock)])
            .args(["-display", "none", "-device", "virtio-rng-pci"])
            .arg("-kernel")
            .arg(self.kernel.image())
            .arg("-initrd")
            .arg(self.kernel.initramfs())
            // the kernel's messages go to a file, and the entry's lines to our stdout
            .args(["-append", KERNEL_LINE, "-chardev"])
            .arg(option("file,id=kernel,path=", &self.kernel_log(), ""))
            .args(["-serial", "chardev:kernel", "-chardev", "stdio,id=lines,signal=off"])
            .args(["-device", "virtio-serial-pci", "-device", "virtconsole,chardev=lines"])
            .arg("-drive")
            .arg(option(
                "if=none,id=tree,format=raw,snapshot=on,cache=unsafe,file=",
                &self.tree,
                "",
            ))
            .args(["-device", "virtio-blk-pci,drive=tree"]);
        cmd = match self.network {
            Network::None => cmd.args(["-nic", "none"]),
            Network::Bridge | Network::Host => {
                cmd.args(["-nic", "user,ipv6=off,model=virtio-net-pci"])
            }
        };
        let control =
            Share { host: self.control.clone(), guest: String::new(), mode: Mode::ReadWrite };
        let tags = std::iter::once("vm".to_owned()).chain((0..self.shares.len()).map(tag));
        for (share, tag) in std::iter::once(&control).chain(&self.shares).zip(tags) {
            let readonly = if share.mode == Mode::ReadOnly { ",readonly=on" } else { "" };
            let rest = format!(",security_model=passthrough,multidevs=remap{readonly}");
            cmd = cmd
                .arg("-fsdev")
                .arg(option(&format!("local,id={tag},path="), &share.host, &rest))
                .args(["-device", &format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}")]);
        }
        for (key, value) in self.conditions.outside() {
            cmd = cmd.env(key, value);
        }
        // the disk's changes are in a temporary file there
        cmd.env("TMPDIR", &self.scratch).bound_to_us()
    }

    fn kernel_log(&self) -> PathBuf {
        self.control.join("kernel.log")
    }

    /// Makes the folders of the run, and writes its plan.
    pub(crate) fn set_up(&self) -> Result<()> {
        let write = |name: &str, text: &[u8]| {
            let path = self.control.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.shown()))
        };
        for dir in [&self.control, &self.scratch] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.shown()))?;
        }
        write("enter", ENTER.as_bytes())?;
        write("run", self.plan().as_bytes())?;
        for (number, (file, _)) in self.files.iter().enumerate() {
            let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.shown()))?;
            write(&copy(number), &bytes)?;
        }
        Ok(())
    }

    /// The variables that `enter.sh` reads.
    fn plan(&self) -> String {
        let resolver = if self.network == Network::None { "" } else { RESOLVER };
        let mount = |(number, share): (usize, &Share)| {
            let mode = if share.mode == Mode::ReadOnly { "ro" } else { "rw" };
            format!("{} {mode} {}", tag(number), share.guest)
        };
        let file =
            |(number, (_, guest)): (usize, &(PathBuf, String))| format!("{} {guest}", copy(number));
        let variable = |(key, value): &(String, String)| format!("{key}={value}");
        let mut text = String::new();
        let mut single = |name: &str, value: &str| {
            let _ = writeln!(text, "{name}={}", quoted(value));
        };
        single("host_name", self.conditions.host_name());
        single("dns", resolver);
        single("scratch", self.own_disk.as_deref().unwrap_or_default());
        let lists: [(&str, Vec<String>); 4] = [
            ("mounts", self.shares.iter().enumerate().map(mount).collect()),
            ("files", self.files.iter().enumerate().map(file).collect()),
            ("variables", self.env.iter().map(variable).collect()),
            ("command", self.command.clone()),
        ];
        for (name, words) in lists {
            let words: Vec<String> = words.iter().map(|word| quoted(word).to_string()).collect();
            let _ = writeln!(text, "{name}=({})", words.join(" "));
        }
        text
    }

    /// How the entry ended, if QEMU ended with `exit`.
    pub(crate) fn ended(&self, exit: Exit) -> Exit {
        if !exit.ok() {
            return exit;
        }
        let code = record_file::text(&self.control.join("exit")).ok();
        Exit::Code(code.and_then(|code| code.trim().parse().ok()).unwrap_or(LOST))
    }

    /// The last lines of the kernel, if the machine ended without an answer.
    pub(crate) fn last_words(&self) -> Option<String> {
        if self.control.join("exit").exists() {
            return None;
        }
        let log = fs::read(self.kernel_log()).ok()?;
        let text = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(5)..];
        (!last.is_empty()).then(|| last.join("\n"))
    }

    pub(crate) fn measured(&self) -> Option<Measured> {
        Measured::read(&self.control)
    }
}

fn tag(number: usize) -> String {
    format!("share{number}")
}

fn copy(number: usize) -> String {
    format!("file{number}")
}

/// Value of `-rtc` for a clock that begins then.
fn clock(seconds: u64) -> String {
    let text = calendar::utc(i64::try_from(seconds).unwrap_or_default());
    format!("base={}", text.replace(' ', "T"))
}

/// An address of this machine's loopback, as the machine reaches it.
pub(crate) fn seen_from_inside(url: &str) -> String {
    let own = ["127.0.0.1", "localhost", "[::1]"];
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = |host: &str| {
        rest.strip_prefix(host).filter(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    };
    match own.into_iter().find_map(end) {
        Some(rest) => format!("{scheme}://{HOST_LOOPBACK}{rest}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::variations::Variation;

    fn run() -> VmRun {
        let share = |host: &str, guest: &str, mode| Share {
            host: host.into(),
            guest: guest.to_owned(),
            mode,
        };
        VmRun {
            id: "canary-1234567-89abcdef".to_owned(),
            accel: Accel::Tcg,
            cpus: 1,
            memory: 4 << 30,
            kernel: Kernel { dir: "/k/first".into(), package: "linux-image 6.12".to_owned() },
            tree: "/trees/a,b.ext4".into(),
            scratch: "/work/disk".into(),
            control: "/work/vm".into(),
            shares: vec![
                share("/work/checkout/recipe", "/home/user/recipe", Mode::ReadOnly),
                share("/work/out", "/home/user/out", Mode::ReadWrite),
            ],
            files: vec![("/keys/ca.pem".into(), "/etc/silvermetal/extra-ca.crt".to_owned())],
            network: Network::Bridge,
            clock: None,
            other_cpu: false,
            conditions: BuildConditions::default(),
            env: vec![("MKSQUASHFS_OPTIONS".to_owned(), "-a 'b".to_owned())],
            own_disk: Some("/home/user/out/tmp".to_owned()),
            command: vec!["/home/user/recipe/build".to_owned(), "root fs".to_owned()],
        }
    }

    #[test]
    fn the_command_line() {
        assert_eq!(
            run().run().to_string(),
            "TMPDIR=/work/disk setpriv --pdeathsig KILL -- qemu-system-x86_64 -no-user-config -nodefaults \
             -no-reboot -name silvermetal-canary-1234567-89abcdef -machine q35 -accel tcg -cpu max -smp 1 \
             -m 4096 -rtc base=utc -display none -device virtio-rng-pci -kernel /k/first/vmlinuz \
             -initrd /k/first/initramfs -append 'console=ttyS0 panic=-1 quiet mitigations=off' \
             -chardev file,id=kernel,path=/work/vm/kernel.log -serial chardev:kernel \
             -chardev stdio,id=lines,signal=off -device virtio-serial-pci \
             -device virtconsole,chardev=lines \
             -drive if=none,id=tree,format=raw,snapshot=on,cache=unsafe,file=/trees/a,,b.ext4 \
             -device virtio-blk-pci,drive=tree -nic user,ipv6=off,model=virtio-net-pci \
             -fsdev local,id=vm,path=/work/vm,security_model=passthrough,multidevs=remap \
             -device virtio-9p-pci,fsdev=vm,mount_tag=vm \
             -fsdev local,id=share0,path=/work/checkout/recipe,security_model=passthrough,multidevs=remap,readonly=on \
             -device virtio-9p-pci,fsdev=share0,mount_tag=share0 \
             -fsdev local,id=share1,path=/work/out,security_model=passthrough,multidevs=remap \
             -device virtio-9p-pci,fsdev=share1,mount_tag=share1"
        );
    }

    #[test]
    fn what_is_varied_is_another_option_or_another_word() {
        let varied = VmRun {
            clock: Some(1_830_297_600),
            other_cpu: true,
            network: Network::None,
            accel: Accel::Kvm,
            conditions: BuildConditions::of([Variation::HostName]),
            ..run()
        };
        let shown = varied.run().to_string();
        for option in ["-accel kvm -cpu Nehalem ", "-rtc base=2028-01-01T00:00:00 ", "-nic none "] {
            assert!(shown.contains(option), "{option} is not in {shown}");
        }
        let plan = varied.plan();
        assert!(plan.starts_with("host_name=another-host\ndns=''\n"), "{plan}");
    }

    #[test]
    fn the_plan_is_quoted_for_the_shell() {
        assert_eq!(
            run().plan(),
            "host_name=silvermetal-builder\n\
             dns=10.0.2.3\n\
             scratch=/home/user/out/tmp\n\
             mounts=('share0 ro /home/user/recipe' 'share1 rw /home/user/out')\n\
             files=('file0 /etc/silvermetal/extra-ca.crt')\n\
             variables=('MKSQUASHFS_OPTIONS=-a '\\''b')\n\
             command=(/home/user/recipe/build 'root fs')\n"
        );
    }

    #[test]
    fn the_exit_code_is_the_one_that_the_machine_left() {
        let dir = std::env::temp_dir().join(format!("silvermetal-vm-{}", std::process::id()));
        let run = VmRun {
            control: dir.join("vm"),
            scratch: dir.join("disk"),
            files: Vec::new(),
            ..run()
        };
        run.set_up().unwrap();
        assert!(dir.join("vm/run").is_file() && dir.join("vm/enter").is_file());
        fs::write(dir.join("vm/kernel.log"), "a\n\nKernel panic - not syncing\n").unwrap();
        assert_eq!(run.ended(Exit::Code(0)), Exit::Code(LOST), "it powered off without an answer");
        assert!(run.last_words().unwrap().ends_with("Kernel panic - not syncing"));
        fs::write(dir.join("vm/exit"), "7\n").unwrap();
        assert_eq!(run.ended(Exit::Code(0)), Exit::Code(7));
        assert_eq!(run.ended(Exit::Signal(9)), Exit::Signal(9), "QEMU was killed");
        assert_eq!((run.last_words(), run.measured()), (None, None));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_mirror_on_loopback_has_another_address_inside() {
        assert_eq!(seen_from_inside("http://127.0.0.1:9/debian"), "http://10.0.2.2:9/debian");
        assert_eq!(seen_from_inside("http://localhost/debian"), "http://10.0.2.2/debian");
        for other in ["http://127.0.0.10/debian", "https://deb.debian.org/debian", ""] {
            assert_eq!(seen_from_inside(other), other);
        }
    }
}

//! One boot: starts the machine, watches it until it succeeds or fails, takes a screenshot.

use super::console::{self, Console, Sign};
use super::desktop::{self, PLACES};
use super::monitor::{MachineStatus, Monitor, PictureFormat};
use super::qemu::{self, Machine};
use super::screen::Picture;
use crate::qemu::accel::Accel;
use anyhow::{Context as _, Result};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Background, Exit};
use xtask_core::failure::Code;
use xtask_core::interrupt::{self, StopperGuard};
use xtask_core::signal::{self, Signal};
use xtask_core::ui::{Ui, span};

const POLL: Duration = Duration::from_millis(100);
/// Interval between questions to QEMU, which cost more than reading a file.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Interval between checks of the screen, which cost more than a question.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Login prompts that are recognized on the screen, for images without a serial console: that of
/// Kicksecure's CLI (and of any image without a host name), and that of Debian's live images.
const KNOWN_BY_SIGHT: [&str; 2] = ["localhost login:", "debian login:"];
/// Time that QEMU may take to open its monitor.
const START_WITHIN: Duration = Duration::from_secs(20);
/// Time from the login prompt on the serial console to the one on the screen.
const SCREEN_WITHIN: Duration = Duration::from_secs(60);
/// Time until a pointer has followed the mouse. An emulated desktop draws slowly.
const POINTER_WITHIN: Duration = Duration::from_secs(5);
/// Time to keep reading after a failure, for the trace of a panic and for the screen.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Interval at which Enter is pressed, because kernel messages may have overwritten the prompt.
const ENTER_EVERY: Duration = Duration::from_secs(10);
/// Time after which a machine under KVM is stuck if it has read less than [`BOOT_LOADER`].
const KVM_MOVES_WITHIN: Duration = Duration::from_secs(45);
/// More bytes than a boot loader has.
const BOOT_LOADER: u64 = 2 << 20;

/// The result of a boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BootOutcome {
    /// It reached a login prompt, on the serial console and on the screen. An image that opens no
    /// serial console needs only the screen.
    LoginPrompt,
    /// It reached a desktop: a panel along the edge of the screen that is named here, and a pointer that follows the
    /// mouse.
    Desktop(&'static str),
    /// It reached neither, or not the one that its recipe promises; with the reason.
    Failed(String),
    /// It showed no sign of success or of failure; with what is known.
    CannotTell(String),
}

/// A boot that ended.
#[derive(Debug)]
pub(crate) struct Boot {
    pub(crate) outcome: BootOutcome,
    /// Time from power-on to the login prompt, the desktop or the failure.
    pub(crate) took: Duration,
    /// Last lines of the serial console.
    pub(crate) last_lines: Vec<String>,
    /// Reason if there is no screenshot.
    pub(crate) no_screenshot: Option<String>,
}

/// Boots the machine. An error means that QEMU failed, not the image: exit 4.
pub(crate) fn boot(machine: &Machine, deadline: Instant, ui: &Ui) -> Result<Boot> {
    let qemu = machine.cmd().start(&machine.files.qemu_log())?;
    let pid = qemu.pid();
    let mut guest = Guest {
        machine,
        ui,
        deadline,
        begun: Instant::now(),
        serial: Stream::default(),
        firmware: Stream::default(),
        prompt: None,
        // a signal ends QEMU at once, even while we wait for its answer
        _stopper: interrupt::on_interrupt(move || signal::send(Signal::KILL, pid)),
        qemu,
    };
    guest.run().map_err(|error| guest.explain(error))
}

struct Guest<'a> {
    machine: &'a Machine,
    ui: &'a Ui,
    deadline: Instant,
    begun: Instant,
    serial: Stream,
    /// Log of SeaBIOS.
    firmware: Stream,
    /// A login prompt of an image that must have a desktop.
    prompt: Option<String>,
    /// Dropped before the stopper, so that a signal still reaches a QEMU that is slow to end.
    qemu: Background,
    _stopper: StopperGuard,
}

impl Guest<'_> {
    fn run(&mut self) -> Result<Boot> {
        let mut monitor = self.connect()?;
        let sign = self.watch(&mut monitor)?;
        let took = self.begun.elapsed();
        let outcome = match sign {
            Ending::Prompt(prompt) if self.screen_shows(&prompt, &mut monitor)? => {
                BootOutcome::LoginPrompt
            }
            Ending::Prompt(prompt) => BootOutcome::Failed(format!(
                "`{}` appeared on the serial console after {}, but not on the screen",
                prompt.shown(),
                span(took)
            )),
            Ending::Seen => BootOutcome::LoginPrompt,
            Ending::Desktop(edge) => BootOutcome::Desktop(edge),
            Ending::No(why) => {
                self.rest(LAST_WORDS)?;
                BootOutcome::Failed(why)
            }
            Ending::Unclear(why) => BootOutcome::CannotTell(why),
        };
        let picture = monitor.screendump(&self.machine.files.screenshot(), PictureFormat::Png);
        interrupt::check()?;
        Ok(Boot {
            outcome,
            took,
            last_lines: self.serial.console.last_lines(),
            no_screenshot: picture.err().map(|error| format!("{error:#}")),
        })
    }

    fn connect(&self) -> Result<Monitor> {
        loop {
            self.alive()?;
            match Monitor::connect(&self.machine.files.monitor()) {
                Err(_) if self.begun.elapsed() < START_WITHIN => sleep(POLL),
                other => return other,
            }
        }
    }

    /// Watches the machine until a login prompt, a desktop, a failure, or the deadline. Where the recipe promises a
    /// desktop, a login prompt is no end.
    fn watch(&mut self, monitor: &mut Monitor) -> Result<Ending> {
        let mut asked = Instant::now();
        let mut looked = Instant::now();
        let mut shots = qemu::SHOTS.iter().peekable();
        loop {
            let alive = self.alive();
            self.listen()?; // before the error of a QEMU that ended: its last output counts
            match (self.serial.console.sign(), self.firmware.console.sign()) {
                (Some(Sign::Login(prompt)), _) if self.machine.desktop => {
                    self.prompt = Some(prompt.clone());
                }
                (Some(Sign::Login(prompt)), _) => return Ok(Ending::Prompt(prompt.clone())),
                (Some(Sign::Dead(line)), _) | (None, Some(Sign::Dead(line))) => {
                    return Ok(Ending::No(line.clone()));
                }
                (None, _) => {}
            }
            alive?;
            if asked.elapsed() >= ASK_EVERY {
                asked = Instant::now();
                if let Some(why) = self.standstill(monitor)? {
                    return Ok(Ending::No(why));
                }
            }
            if looked.elapsed() >= LOOK_EVERY {
                if let Some(ending) = self.look(monitor)? {
                    return Ok(ending);
                }
                looked = Instant::now();
            }
            if let Some(after) = shots.next_if(|after| self.begun.elapsed().as_secs() >= **after) {
                // one that fails is missed by nobody but the one at the end, which is reported
                drop(monitor.screendump(&self.machine.files.shot(*after), PictureFormat::Png));
            }
            if Instant::now() >= self.deadline {
                return self.late(monitor);
            }
            sleep(POLL);
        }
    }

    /// Looks for a login prompt or a desktop on the screen.
    fn look(&mut self, monitor: &mut Monitor) -> Result<Option<Ending>> {
        let ppm = self.pixels(monitor)?;
        let Some(picture) = Picture::parse(&ppm) else { return Ok(None) };
        if let Some(prompt) = KNOWN_BY_SIGHT.iter().find(|prompt| picture.shows(prompt)) {
            if !self.machine.desktop {
                return Ok(Some(Ending::Seen));
            }
            self.prompt = Some((*prompt).to_owned());
        }
        match desktop::panel(&picture) {
            Some(edge) if self.pointer_follows(monitor)? => Ok(Some(Ending::Desktop(edge))),
            _ => Ok(None),
        }
    }

    /// Moves the mouse to [`PLACES`], and returns `true` if a pointer was at each.
    fn pointer_follows(&mut self, monitor: &mut Monitor) -> Result<bool> {
        let mut ppms = PLACES.map(|_| Vec::new());
        for (place, ppm) in PLACES.iter().zip(&mut ppms) {
            monitor.move_mouse(*place)?;
            self.rest(POINTER_WITHIN)?;
            *ppm = self.pixels(monitor)?;
        }
        let pictures = ppms.each_ref().map(|ppm| Picture::parse(ppm));
        Ok(matches!(pictures, [Some(a), Some(b), Some(c)] if desktop::pointer_follows(&[a, b, c])))
    }

    /// The outcome at the deadline. An image that opens no serial console, and reads its system, may have
    /// started a desktop that nobody recognizes.
    fn late(&mut self, monitor: &mut Monitor) -> Result<Ending> {
        let within = span(self.begun.elapsed());
        if let Some(prompt) = &self.prompt {
            let prompt = prompt.shown();
            return Ok(Ending::No(format!("`{prompt}` appeared, but no desktop within {within}")));
        }
        if self.serial.system_spoke && !self.machine.desktop {
            return Ok(Ending::No(format!(
                "no login prompt on the serial console within {within}, and no known one on the screen"
            )));
        }
        if monitor.bytes_read()? < BOOT_LOADER {
            return Ok(Ending::No(format!(
                "the guest read less than a boot loader of the image within {within}"
            )));
        }
        let screen = match self.screen(monitor, |picture| picture.is_one_colour())? {
            true => "the screen is all of one colour".to_owned(),
            false => {
                let panel =
                    match self.screen(monitor, |picture| desktop::panel(picture).is_some())? {
                        true => "a panel",
                        false => "no panel",
                    };
                let pointer = match self.pointer_follows(monitor)? {
                    true => "a pointer that follows the mouse",
                    false => "no pointer that follows the mouse",
                };
                format!("the screen shows no known login prompt, {panel} and {pointer}")
            }
        };
        Ok(Ending::Unclear(format!(
            "no login prompt on the serial console within {within}; {screen}: look at the screenshots"
        )))
    }

    fn standstill(&mut self, monitor: &mut Monitor) -> Result<Option<String>> {
        match monitor.status()? {
            MachineStatus::Running => {}
            MachineStatus::InternalError => {
                return Err(
                    Code::Failed.error("QEMU: internal error: it cannot run the guest's code")
                );
            }
            MachineStatus::Shutdown(reason) => {
                return Ok(Some(format!("the guest stopped the machine ({reason})")));
            }
            MachineStatus::Stopped(status) => {
                return Ok(Some(format!("QEMU stopped the machine ({status})")));
            }
        }
        let late = self.begun.elapsed() >= KVM_MOVES_WITHIN;
        if self.machine.accel == Accel::Kvm && late && monitor.bytes_read()? < BOOT_LOADER {
            let what = format!(
                "under KVM the guest read less than a boot loader of the image within {}",
                span(self.begun.elapsed())
            );
            return Err(Code::Failed.error(what));
        }
        Ok(None)
    }

    /// Waits until the screen shows the prompt as well. Its getty may start a little later.
    fn screen_shows(&mut self, prompt: &str, monitor: &mut Monitor) -> Result<bool> {
        let until = Instant::now() + SCREEN_WITHIN;
        let mut asked = Instant::now();
        loop {
            self.alive()?;
            self.listen()?;
            if self.screen(monitor, |picture| picture.shows(prompt))? {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            if asked.elapsed() >= ENTER_EVERY {
                asked = Instant::now();
                monitor.press_enter()?;
            }
            sleep(ASK_EVERY);
        }
    }

    fn screen(&self, monitor: &mut Monitor, what: impl Fn(&Picture<'_>) -> bool) -> Result<bool> {
        Ok(Picture::parse(&self.pixels(monitor)?).is_some_and(|picture| what(&picture)))
    }

    /// The screen as a PPM.
    fn pixels(&self, monitor: &mut Monitor) -> Result<Vec<u8>> {
        let pixels = self.machine.files.pixels();
        monitor.screendump(&pixels, PictureFormat::Ppm)?;
        fs::read(&pixels).with_context(|| format!("cannot read {}", pixels.shown()))
    }

    /// Lets the machine run, and keeps reading what it says.
    fn rest(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            sleep(POLL);
            self.alive()?;
            self.listen()?;
        }
        Ok(())
    }

    fn listen(&mut self) -> Result<()> {
        let files = &self.machine.files;
        self.firmware.read(&files.firmware_log())?;
        let lines = self.serial.read(&files.serial())?;
        for line in &lines {
            self.ui.line(&format!("{}: {line}", self.machine.firmware.name()));
        }
        Ok(())
    }

    fn alive(&self) -> Result<()> {
        interrupt::check()?;
        match self.qemu.ended()? {
            None => Ok(()),
            Some(exit) => Err(self.died(exit)),
        }
    }

    fn died(&self, exit: Exit) -> anyhow::Error {
        let log = fs::read_to_string(self.machine.files.qemu_log()).unwrap_or_default();
        let words: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        let words = words[words.len().saturating_sub(5)..].join("\n  ");
        let words = if words.is_empty() { "it printed nothing".to_owned() } else { words };
        Code::Failed.error(format!("QEMU ended ({exit}): {words}"))
    }

    /// Replaces an error of the monitor by its cause, if QEMU has ended or was interrupted.
    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        sleep(POLL); // the sockets close before the process ends
        self.alive().err().unwrap_or(error)
    }
}

enum Ending {
    /// The login prompt on the serial console.
    Prompt(String),
    /// A known login prompt on the screen.
    Seen,
    /// A desktop, with its panel along this edge.
    Desktop(&'static str),
    No(String),
    /// The deadline, with neither.
    Unclear(String),
}

/// A file that QEMU writes while we read it.
#[derive(Default)]
struct Stream {
    file: Option<File>,
    console: Console,
    /// True if a kernel or systemd spoke, and not only firmware and boot loader, which speak on their own.
    system_spoke: bool,
}

impl Stream {
    /// Returns the lines that were completed since the last call.
    fn read(&mut self, path: &Path) -> Result<Vec<String>> {
        if self.file.is_none() {
            // not created yet, or never for this firmware
            self.file = File::open(path).ok();
        }
        let Some(file) = &mut self.file else { return Ok(Vec::new()) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.shown()))?;
        let lines = self.console.feed(&bytes);
        self.system_spoke |= lines.iter().any(|line| console::is_of_a_system(line));
        Ok(lines)
    }
}

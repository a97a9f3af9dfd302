//! The live rows at the bottom of the terminal: what runs, for how long, and its last line.
//!
//! All of a process shares one screen. A thread redraws the rows every second, also while no output
//! arrives. The cursor stays at the beginning of the first row: a terminal that becomes narrower wraps
//! the rows, and the next redraw erases everything below the cursor.

use super::span::clock;
use crate::escape::steers;
use crate::interrupt;
use crate::secret::redacted;
use rustix::termios::tcgetwinsize;
use std::io::{Write as _, stderr};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthChar as _;

/// Interval at which the rows are formatted. They are drawn again only if they have changed.
const TICK: Duration = Duration::from_millis(200);

static SCREEN: Mutex<Screen> =
    Mutex::new(Screen { rows: Vec::new(), drawn: None, next: 0, ticking: false });
static OPENED: Condvar = Condvar::new();

struct Screen {
    rows: Vec<Row>,
    /// The size of the terminal and the rows, as they were drawn last.
    drawn: Option<(Size, Vec<String>)>,
    next: usize,
    ticking: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Size {
    columns: usize,
    rows: usize,
}

struct Row {
    id: usize,
    /// Empty if only one build runs.
    build: String,
    title: String,
    since: Instant,
    /// Expected duration.
    about: Option<Duration>,
    last: String,
    /// True if no interruption had come when it began: then an interruption ends it.
    can_stop: bool,
}

/// A row. It disappears when this is dropped.
pub(super) struct LiveRow(usize);

impl LiveRow {
    /// `build` begins the row. The rows of two builds keep their order, whichever begins a stage first.
    pub(super) fn open(build: &str, title: &str, about: Option<Duration>) -> LiveRow {
        let mut screen = lock();
        let id = screen.next;
        screen.next += 1;
        let at = screen.rows.partition_point(|row| *row.build <= *build);
        let row = Row {
            id,
            build: build.to_owned(),
            title: title.to_owned(),
            since: Instant::now(),
            about,
            last: String::new(),
            can_stop: !interrupt::received(),
        };
        screen.rows.insert(at, row);
        screen.draw();
        if !screen.ticking {
            // without the thread, the rows change only when something is printed
            screen.ticking = std::thread::Builder::new().name("screen".into()).spawn(tick).is_ok();
        }
        OPENED.notify_all();
        LiveRow(id)
    }

    /// Sets the text behind the clock. It is drawn at the next tick.
    pub(super) fn say(&self, text: &str) {
        if let Some(row) = lock().rows.iter_mut().find(|row| row.id == self.0) {
            text.clone_into(&mut row.last);
        }
    }
}

impl Drop for LiveRow {
    fn drop(&mut self) {
        let mut screen = lock();
        screen.rows.retain(|row| row.id != self.0);
        screen.draw();
    }
}

/// Runs `write`, which writes whole lines to the terminal, above the rows.
pub(super) fn above<T>(write: impl FnOnce() -> T) -> T {
    let mut screen = lock();
    screen.erase();
    let written = write();
    screen.draw();
    written
}

fn lock() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tick() {
    let mut screen = lock();
    loop {
        screen = if screen.rows.is_empty() {
            OPENED.wait(screen).unwrap_or_else(PoisonError::into_inner)
        } else {
            drop(screen);
            std::thread::sleep(TICK);
            lock()
        };
        screen.draw();
    }
}

impl Screen {
    fn draw(&mut self) {
        if self.rows.is_empty() {
            return self.erase();
        }
        let size = Size::of_terminal();
        // a row that scrolls away could never be erased
        let visible = self.rows.iter().take(size.rows.saturating_sub(1).max(1));
        let rows: Vec<String> = visible.map(|row| cut(&row.text(), size.columns)).collect();
        if self.drawn.as_ref().is_some_and(|(then, drawn)| *then == size && *drawn == rows) {
            return;
        }
        put_rows(&rows);
        self.drawn = Some((size, rows));
    }

    fn erase(&mut self) {
        if let Some((_, rows)) = self.drawn.take() {
            put_rows(&vec![String::new(); rows.len()]);
        }
    }
}

/// Replaces the rows that were drawn last. Each row is erased by itself: a terminal may keep what it
/// erases from the first line to the end of the screen as something to scroll back to.
fn put_rows(rows: &[String]) {
    let up = match rows.len() {
        1 => String::new(),
        n => format!("\x1b[{}A", n - 1),
    };
    let text = format!("\r{}\x1b[K\x1b[J\r{up}", rows.join("\x1b[K\r\n"));
    let mut stderr = stderr().lock();
    // a terminal that is gone is no reason to stop
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}

impl Row {
    fn text(&self) -> String {
        let about = self.about.map(|about| format!(" of about {}", clock(about)));
        let about = about.unwrap_or_default();
        let stops = self.can_stop && interrupt::received();
        let last = if stops { "stopping".into() } else { redacted(&self.last) };
        let time = clock(self.since.elapsed());
        format!("{}{}  {time}{about}  {}", self.build, self.title, last.trim())
    }
}

impl Size {
    fn of_terminal() -> Size {
        let found = tcgetwinsize(stderr()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        let (columns, rows) = found.map_or((80, 24), |size| (size.ws_col, size.ws_row));
        Size { columns: columns.into(), rows: rows.into() }
    }
}

/// Cuts a text to less than `columns`, without characters that would steer the terminal. The last column
/// stays free, because terminals differ in what they do behind it.
fn cut(text: &str, columns: usize) -> String {
    let mut free = columns.saturating_sub(1);
    let mut kept = String::new();
    for c in text.chars().map(|c| if c == '\t' { ' ' } else { c }) {
        let Some(width) = c.width().filter(|_| !steers(c)) else { continue };
        if width > free {
            break;
        }
        free -= width;
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_cut_to_the_columns_that_it_takes() {
        assert_eq!(cut("[2/5] rootfs  0:41  ", 80), "[2/5] rootfs  0:41");
        assert_eq!(cut("0123456789", 10), "012345678");
        assert_eq!(cut("一二三四五", 10), "一二三四");
        assert_eq!(cut("a\u{301}bcdef", 4), "a\u{301}bc", "an accent takes no column");
        assert_eq!(cut("x", 0), "");
    }

    #[test]
    fn a_row_cannot_steer_the_terminal() {
        assert_eq!(cut("a\tb\x1b[2Jc\rd\u{9b}\u{202e}e", 80), "a b[2Jcde");
    }
}

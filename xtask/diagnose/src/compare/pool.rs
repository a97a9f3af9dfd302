//! Threads that compare, as many as there are CPUs, whose answers come out in the order of the walk.

use super::spot::Spot;
use crate::difference::{Difference, DifferenceKind, Side};
use anyhow::{Result, anyhow};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use xtask_core::interrupt;

/// Threads at most: more would only wait for the disk, and each may unpack something large.
const THREADS: usize = 8;

/// Answers that may wait for an earlier one.
const AHEAD: u64 = 512;

/// Steps and bytes of a job. To hand a thread one small file costs more than to compare it.
const STEPS: usize = 64;
const BYTES: u64 = 1 << 20;

/// Something to compare.
type Work = Box<dyn FnOnce() -> Result<Vec<Difference>> + Send>;

enum Step {
    /// Differences that are known.
    Tell(Vec<Difference>),
    /// A place, and how to find its differences.
    Find(Spot, Work),
}

/// A number, and the steps that one thread does one after the other.
type Job = (u64, Vec<Step>);

/// The end of the walk that hands out work and takes the answers.
pub(super) struct Pool<'a> {
    jobs: SyncSender<Job>,
    answers: Arc<Answers>,
    /// The next job, and the bytes that it compares.
    steps: Vec<Step>,
    bytes: u64,
    /// Number of the next job, and of the next answer to pass on.
    next: u64,
    passed: u64,
    /// Differences passed on.
    pub(super) told: u64,
    sink: &'a mut dyn FnMut(Difference),
}

/// Answers by the number of the work.
#[derive(Default)]
struct Answers {
    ready: Mutex<BTreeMap<u64, Result<Vec<Difference>>>>,
    changed: Condvar,
}

impl Answers {
    fn put(&self, number: u64, answer: Result<Vec<Difference>>) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).insert(number, answer);
        self.changed.notify_all();
    }
}

impl<'a> Pool<'a> {
    /// Lends a pool to `walk` and passes on what is left when that is done.
    pub(super) fn with(
        sink: &'a mut dyn FnMut(Difference),
        walk: impl FnOnce(&mut Pool<'a>) -> Result<()>,
    ) -> Result<()> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let (jobs, queue) = sync_channel(4 * threads);
        let queue = Mutex::new(queue);
        let answers = Arc::new(Answers::default());
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| work(&queue, &answers));
            }
            let mut pool = Pool {
                jobs,
                answers: answers.clone(),
                steps: Vec::new(),
                bytes: 0,
                next: 0,
                passed: 0,
                told: 0,
                sink,
            };
            walk(&mut pool)?;
            pool.drain()
            // the queue ends with the pool, and the threads with the queue
        })
    }

    /// Passes on differences that are known, after those of earlier work.
    pub(super) fn tell(&mut self, differences: Vec<Difference>) -> Result<()> {
        if differences.is_empty() {
            return Ok(());
        }
        if self.steps.is_empty() {
            self.answers.put(self.next, Ok(differences));
            self.next += 1;
            return self.pass(AHEAD);
        }
        self.add(Step::Tell(differences))
    }

    /// Has `bytes` bytes at that place compared.
    pub(super) fn spawn(
        &mut self,
        spot: Spot,
        bytes: u64,
        work: impl FnOnce() -> Result<Vec<Difference>> + Send + 'static,
    ) -> Result<()> {
        interrupt::check()?;
        self.bytes = self.bytes.saturating_add(bytes);
        self.add(Step::Find(spot, Box::new(work)))
    }

    fn add(&mut self, step: Step) -> Result<()> {
        self.steps.push(step);
        if self.steps.len() >= STEPS || self.bytes >= BYTES { self.send() } else { Ok(()) }
    }

    /// Hands the next job to a thread.
    fn send(&mut self) -> Result<()> {
        if self.steps.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let sent = self.jobs.send((self.next, std::mem::take(&mut self.steps)));
        sent.map_err(|_| anyhow!("no thread is left"))?;
        self.next += 1;
        self.pass(AHEAD)
    }

    /// Waits for all work and passes on every answer.
    pub(super) fn drain(&mut self) -> Result<()> {
        self.send()?;
        self.pass(0)
    }

    /// Passes on what can be, and waits until at most `ahead` answers are missing.
    fn pass(&mut self, ahead: u64) -> Result<()> {
        let answers = self.answers.clone();
        let mut ready = answers.ready.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            while let Some(answer) = ready.remove(&self.passed) {
                self.passed += 1;
                for difference in answer? {
                    self.told += 1;
                    (self.sink)(difference);
                }
            }
            if self.next - self.passed <= ahead {
                return Ok(());
            }
            ready = answers.changed.wait(ready).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>, answers: &Answers) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, steps)) = job else { return };
        let found: Result<Vec<Vec<Difference>>> = steps.into_iter().map(Step::run).collect();
        answers.put(number, found.map(|found| found.into_iter().flatten().collect()));
    }
}

impl Step {
    fn run(self) -> Result<Vec<Difference>> {
        let (spot, work) = match self {
            Step::Tell(differences) => return Ok(differences),
            Step::Find(spot, work) => (spot, work),
        };
        // a decoder that gives up on a hostile file must not take the other files' answers along
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            let why = "the reader of this file failed; please report it".to_string();
            let what = DifferenceKind::Unreadable { side: Side::A, offset: 0, why };
            Ok(vec![spot.difference(what)])
        })
    }
}

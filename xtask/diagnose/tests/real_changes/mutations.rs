//! One to eight random bytes of a random layer or file of an image are changed, and what diagnose
//! says is held against an oracle of a few lines (oracle.rs). Every fourth case is a change with a meaning
//! (structured.rs).
//!
//! A seed gives one case, the same in every run; `MUTATION_SEEDS=N` adds N to all of them, so that other
//! cases are tried. `MUTATION=KIND:SEED cargo test -p diagnose --test
//! real_changes one_case -- --ignored` tries one again, and keeps its images.

use crate::answer::{Answer, Place, diagnose};
use crate::contents::Build;
use crate::images::{IMAGES, Image};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::oracle::{self, Case};
use crate::random::Random;
use crate::structured::Act;
use crate::{contents, formats, say, tools};
use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Failures that a message shows.
const SHOWN: usize = 12;

/// A kind of image, made and written; removed when dropped.
struct Bench {
    dir: PathBuf,
    /// The image of the first build, and of the later one.
    images: [Node; 2],
    /// Other mutations of every kind of image, of the same seed.
    salt: u64,
    /// The answers for the first image and for each, without a mutation.
    before: [Answer; 2],
}

impl Bench {
    fn new(image: &Image) -> Bench {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, Ordering::SeqCst);
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "mutations-{}-{}-{n}",
            image.name,
            std::process::id()
        ));
        fs::create_dir_all(&dir).unwrap();
        let images = [Build::First, Build::Later].map(|build| image.node(&dir, build));
        fs::write(dir.join("a"), &images[0].bytes).unwrap();
        fs::write(dir.join("b"), &images[1].bytes).unwrap();
        let later = diagnose(&dir.join("a"), &dir.join("b")).unwrap();
        assert_eq!(later.open, [].into(), "{}: without a mutation: {later:#?}", image.name);
        let salt = image.name.bytes().fold(0, |salt, byte| salt << 7 ^ u64::from(byte));
        Bench { dir, images, salt, before: [Answer::default(), later] }
    }

    /// The case of this seed; what is wrong with what is said of it, if anything.
    fn case(&self, seed: u64) -> Result<(), String> {
        let mut random = Random::new(seed ^ self.salt);
        let which = random.below(2);
        let image = &self.images[which];
        if random.below(4) == 0 {
            let act = Act::of(&self.dir, image, &mut random);
            let answer = self.diagnose(act.image.clone())?;
            let judged = act.judge(&self.before[which], &answer);
            return judged.map_err(|why| format!("{}: {why}", act.what));
        }
        let mutation = Mutation::of(image, &mut random);
        let answer = self.bytes(which, &mutation)?;
        fs::copy(self.dir.join("b"), self.dir.join("whole")).unwrap();
        // one that is told must not hide another one: each alone is told, and still is beside the others
        for alone in mutation.apart(image) {
            let told = self.bytes(which, &alone)?;
            let names: BTreeSet<Place> =
                image.paths().iter().map(|path| oracle::names(image, path)).collect();
            for (place, what) in told.open.difference(&self.before[which].open) {
                let is_there = |(at, what): &(Place, String)| {
                    let whole = answer.not_read.contains(at) || oracle::is_of_whole(what);
                    at == place
                        || place.starts_with(at) && whole
                        || is_below_a_file(place, at, what)
                };
                // together, the changes may be of a layer that one of them alone makes unreadable: then each of
                // its bytes was judged in what is in it
                let is_layer = told.not_read.contains(place) || what.starts_with("content");
                let is_inside = |(at, what): &(Place, String)| {
                    let new = !self.before[which].open.contains(&(at.clone(), what.clone()));
                    is_layer && new && at.len() > place.len() && at.starts_with(place)
                };
                if names.contains(place)
                    && !answer.open.iter().any(|item| is_there(item) || is_inside(item))
                {
                    return Err(format!(
                        "{place:?} ({what}) is told of a change at {:?}, and not of all at {:?}",
                        alone.offsets, mutation.offsets
                    ));
                }
            }
        }
        Ok(())
    }

    fn diagnose(&self, bytes: Vec<u8>) -> Result<Answer, String> {
        fs::write(self.dir.join("b"), bytes).unwrap();
        diagnose(&self.dir.join("a"), &self.dir.join("b"))
    }

    /// The answer for a mutation of one of the images, or what is wrong with it.
    fn bytes(&self, which: usize, mutation: &Mutation) -> Result<Answer, String> {
        let image = &self.images[which];
        let bytes = image.with(&self.dir, &mutation.path, mutation.bytes.clone());
        let judged = self.diagnose(bytes).and_then(|answer| {
            let before = &self.before[which];
            let first = &self.images[0];
            Case { dir: &self.dir, first, image, before, answer: &answer }.judge(mutation)?;
            Ok(answer)
        });
        judged.map_err(|why| {
            let names: Place = image.names(&mutation.path).into_iter().map(str::to_owned).collect();
            format!(
                "{names:?} ({:?}) at {:?}: {why}",
                image.at(&mutation.path).kind,
                mutation.offsets
            )
        })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // a failed test's folder is no reason to hide its message
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// Returns true if a place lies in a folder that is a file on the other side.
fn is_below_a_file(place: &Place, at: &Place, what: &str) -> bool {
    let Some((folder, layers)) = at.split_last() else { return false };
    let below = place.strip_prefix(layers).and_then(|rest| rest.first());
    what == "type" && below.is_some_and(|path| path.starts_with(&format!("{folder}/")))
}

/// Mutations with these seeds, of each kind of image that `kinds` selects and that can be made here.
fn run(kinds: impl Fn(&Image) -> bool, seeds: Range<u64>) {
    let seeds = base() + seeds.start..base() + seeds.end;
    let mut failures = Vec::new();
    for image in IMAGES.iter().filter(|image| kinds(image)) {
        let missing = image.missing();
        if !missing.is_empty() {
            say(&format!(
                "mutations of {}: SKIPPED, not installed: {}",
                image.name,
                missing.join(", ")
            ));
            continue;
        }
        say(&format!("mutations of {}: seeds {} to {}", image.name, seeds.start, seeds.end - 1));
        let bench = Bench::new(image);
        for seed in seeds.clone() {
            let Err(why) = bench.case(seed) else { continue };
            failures.push(format!("MUTATION={}:{seed}  {why}", image.name));
        }
    }
    let shown = failures.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} cases failed:\n{shown}", failures.len());
}

/// The number that is added to every seed.
fn base() -> u64 {
    let base = std::env::var("MUTATION_SEEDS");
    base.map_or(0, |base| base.parse().expect("MUTATION_SEEDS is a number"))
}

fn without_tools(image: &Image) -> bool {
    image.programs.is_empty()
}

fn of_tools(image: &Image) -> bool {
    !without_tools(image) && !of_isos(image)
}

fn of_isos(image: &Image) -> bool {
    image.programs.contains(&"xorriso")
}

#[test]
fn no_mutation_of_an_archive_is_explained_away() {
    run(without_tools, 0..24);
}

#[test]
fn no_mutation_of_a_file_system_is_explained_away() {
    run(of_tools, 0..24);
}

#[test]
fn no_mutation_of_a_live_iso_is_explained_away() {
    run(of_isos, 0..90);
}

#[test]
#[ignore = "ten thousand cases take minutes: cargo xtask test --full"]
fn none_of_ten_thousand_mutations_is_explained_away() {
    std::thread::scope(|scope| {
        let threads = [
            scope.spawn(|| run(without_tools, 1_000..1_450)),
            scope.spawn(|| run(of_tools, 1_000..1_250)),
            scope.spawn(|| run(of_isos, 1_000..3_200)),
        ];
        let results = threads.map(std::thread::ScopedJoinHandle::join);
        results.into_iter().for_each(Result::unwrap);
    });
}

#[test]
#[ignore = "tries the case that MUTATION names, as the head of this file says"]
fn one_case() {
    let Ok(name) = std::env::var("MUTATION") else { return };
    let (kind, seed) = name.split_once(':').expect("MUTATION=KIND:SEED");
    let image = IMAGES.iter().find(|image| image.name == kind).expect("a kind of image");
    let bench = Bench::new(image);
    let judged = bench.case(seed.parse().unwrap());
    // the last image that was tried, and the one with all changes
    for side in ["a", "b", "whole"].into_iter().filter(|side| bench.dir.join(side).exists()) {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mutation-{side}"));
        fs::copy(bench.dir.join(side), &kept).unwrap();
        say(&kept.display().to_string());
    }
    assert_eq!(judged, Ok(()));
}

/// A program of which one byte of machine code differs is never called a time, and never silent.
#[test]
fn five_hundred_changes_of_one_code_byte_are_all_told() {
    one_code_byte(&contents::program(), contents::CODE);
}

/// The same of a program that a compiler made.
#[test]
fn five_hundred_changes_of_a_real_program_are_all_told() {
    let Ok(program) = fs::read("/usr/bin/true") else { return say("/usr/bin/true: SKIPPED") };
    let Some(code) = contents::code_of(&program) else { return say("not for 64 bits: SKIPPED") };
    one_code_byte(&program, code);
}

/// A format, and how an image of it is made of files in a scratch folder.
type Layer = (&'static str, fn(&Path, &[(&str, &[u8])]) -> Vec<u8>);

/// The layers that a program may lie in: an archive, an initramfs, a squashfs in an ISO.
const LAYERS: [Layer; 3] = [
    ("tar", |_, files| formats::tar(files)),
    ("initramfs", |_, files| formats::Compressor::Gzip.pack(&formats::cpio(files))),
    ("squashfs in an ISO", |dir, files| {
        let squashfs =
            tools::squashfs(&dir.join("squashfs"), &["-comp", "xz"], formats::TIME, files);
        tools::iso(&dir.join("iso"), &[("live/filesystem.squashfs", &squashfs)])
    }),
];

fn one_code_byte(program: &[u8], code: Range<usize>) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let n = COUNT.fetch_add(1, Ordering::SeqCst);
    let dir =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("code-{}-{n}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let mut random = Random::new(500 + base());
    // as members of one archive: 500 answers at once
    let names: Vec<String> = (0..500).map(|n| format!("bin/program-{n:03}")).collect();
    let copies: Vec<Vec<u8>> = (0..500)
        .map(|_| {
            let mut copy = program.to_vec();
            copy[code.start + random.below(code.len())] ^= 1 + random.below(255) as u8;
            copy
        })
        .collect();
    for (layer, make) in LAYERS {
        if layer.contains("ISO") && !tools::installed(&["mksquashfs", "xorriso"]) {
            say(&format!("{layer}: SKIPPED, not installed: mksquashfs or xorriso"));
            continue;
        }
        let image = |of: &dyn Fn(usize) -> Vec<u8>| {
            let copies: Vec<Vec<u8>> = (0..500).map(of).collect();
            let files: Vec<(&str, &[u8])> =
                names.iter().zip(&copies).map(|(name, copy)| (name.as_str(), &copy[..])).collect();
            make(&dir, &files)
        };
        fs::write(dir.join("a"), image(&|_| program.to_vec())).unwrap();
        fs::write(dir.join("b"), image(&|n| copies[n].clone())).unwrap();
        let answer = diagnose(&dir.join("a"), &dir.join("b")).unwrap();
        // equal files are one file of a squashfs and the same bytes of an archive; that is told as well
        let times = answer
            .causes
            .iter()
            .filter(|(_, place)| place.last().is_some_and(|name| names.contains(name)));
        let times: Vec<_> = times.collect();
        assert_eq!(times, Vec::<&(String, Place)>::new(), "{layer}");
        let told = |name: &String| answer.open.iter().any(|(place, _)| place.last() == Some(name));
        let silent: Vec<&String> = names.iter().filter(|name| !told(name)).collect();
        assert!(silent.is_empty(), "{layer}: not mentioned: {silent:?}");
    }
    drop(fs::remove_dir_all(&dir));
}

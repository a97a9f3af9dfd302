//! `diagnose`: two images in, the causes of their differences out.

use crate::causes::{Context, Diagnosis, Facts, explain};
use crate::cli::DiagnoseArgs;
use crate::compare;
use crate::difference::{Place, Side};
use crate::diffoscope;
use crate::records;
use crate::report::{self, Report};
use crate::subject;
use anyhow::{Context as _, Result};
use diskimage::{Budget, Folder, Layer, Shared, Tree};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::ui::answer;

/// Bytes of a package database or list that are read.
const LONGEST_LIST: usize = 64 << 20;

/// `cargo xtask diagnose`
pub(crate) fn command(args: &DiagnoseArgs) -> Result<()> {
    let begun = Instant::now();
    let pair = subject::pair(&args.images)?;
    let (records, mut context) = records::of(&pair);
    let trees = [outermost(&pair.a), outermost(&pair.b)];
    context.format = trees[0].as_ref().map(|tree| tree.layer());
    let mut facts = Facts::default();
    let summary = compare::images(&pair.a, &pair.b, &mut |difference| facts.add(difference))
        .or_exit(Code::Failed)?;
    let image = records.as_ref().and_then(records::Records::builder_image);
    let mut report = Report {
        identical: facts.is_empty(),
        diagnosis: causes(&trees, &facts, &context),
        a: pair.a,
        b: pair.b,
        records: None,
        diffoscope: None,
        read: summary.bytes.iter().sum(),
        seconds: 0.0,
    };
    report.records = records.map(|records| records.report(&report.diagnosis));
    report.seconds = begun.elapsed().as_secs_f64();
    if !args.json {
        // before diffoscope begins, which may take minutes
        answer(format_args!("{}", report::text(&report).trim_end()));
    }
    let open = |side: Side, place: &Place| open(&trees[usize::from(side == Side::B)], place);
    let looked = diffoscope::look(&report, &open, args.diffoscope, args.budget.0, image.as_deref());
    let refused = match looked {
        Ok(outcome) => {
            report.diffoscope = outcome;
            None
        }
        Err(error) if Code::of(&error) == Code::Interrupted => return Err(error),
        Err(error) => Some(error),
    };
    say(&report, args)?;
    match refused {
        Some(error) => Err(error),
        None if report.identical => Ok(()),
        None => Err(Code::No.error(format!(
            "{} and {} are not the same",
            report.a.display(),
            report.b.display()
        ))),
    }
}

/// The content that a place names in A or B; `None`: no file of a tree.
pub(crate) type Opener<'a> = dyn Fn(Side, &Place) -> Option<Shared> + 'a;

fn open(tree: &Option<Arc<dyn Tree>>, place: &Place) -> Option<Shared> {
    let (path, layers) = place.0.split_last()?;
    let tree = innermost(tree.clone()?, layers)?;
    let node = diskimage::find(&*tree, path.as_bytes()).ok()??;
    Some(tree.open(&node).ok()?.source())
}

/// The tree at the end of layers in layers.
fn innermost(mut tree: Arc<dyn Tree>, places: &[String]) -> Option<Arc<dyn Tree>> {
    let budget = Budget::for_size(1 << 30);
    for place in places {
        let node = diskimage::find(&*tree, place.as_bytes()).ok()??;
        let source = tree.open(&node).ok()?.source();
        tree = Layer::of(&source, &budget).ok()??.tree();
    }
    Some(tree)
}

fn causes(trees: &[Option<Arc<dyn Tree>>; 2], facts: &Facts, context: &Context) -> Diagnosis {
    let read = |side: Side, places: &[String], path: &str| {
        let tree = innermost(trees[usize::from(side == Side::B)].clone()?, places)?;
        diskimage::read(&*tree, path.as_bytes(), LONGEST_LIST).ok()?
    };
    explain(facts, context, &read)
}

/// The tree of an image; `None` of what is none.
fn outermost(path: &Path) -> Option<Arc<dyn Tree>> {
    if path.is_dir() {
        return Some(Arc::new(Folder::open(path)));
    }
    Some(diskimage::open(path).ok()?.layer.tree())
}

fn say(report: &Report, args: &DiagnoseArgs) -> Result<()> {
    if let Some(path) = &args.html {
        let beside = path.with_extension(format!("tmp-{}", std::process::id()));
        std::fs::write(&beside, report::page(report))
            .and_then(|()| std::fs::rename(&beside, path))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.json {
        answer(format_args!("{:#}", report::json(report)));
    } else if let Some(outcome) = &report.diffoscope {
        answer(format_args!("\n{outcome}"));
    }
    Ok(())
}

//! The `diagnose` command: compares two images, and reports the causes of their differences.

use crate::builder_shell::BuilderShell;
use crate::classify::{Facts, classify};
use crate::compare;
use crate::diffoscope;
use crate::images::Images;

use crate::records;
use crate::report::{self, PAGE_MARK, Report};
use crate::subject;
use anyhow::Result;
use std::panic::resume_unwind;
use std::thread;
use std::time::Instant;
use xtask_args::DiagnoseArgs;
use xtask_core::escape::Shown as _;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::hash;
use xtask_core::json;
use xtask_core::page::PageFile;
use xtask_core::pins::Digest;
use xtask_core::ui::answer;

/// `cargo xtask diagnose`
pub(crate) fn command(args: &DiagnoseArgs, builder: Option<&BuilderShell>) -> Result<()> {
    let begun = Instant::now();
    let pair = subject::pair(&args.images)?;
    let page = args.html.as_deref().map(|page| PageFile::create(page, PAGE_MARK)).transpose()?;
    let images = Images::open_both(&pair.a, &pair.b);
    if let [Some(x), Some(y)] = images.formats()
        && container(x) != container(y)
    {
        return Err(Code::Usage.error(format!(
            "{} is {x}, {} is {y}: expected two of one format",
            pair.a.shown(),
            pair.b.shown()
        )));
    }

    let mut facts = Facts::default();
    let (compared, (records, context)) = thread::scope(|scope| {
        let records = scope.spawn(|| records::of(&pair));
        let compared = compare::images(&pair.a, &pair.b, &mut |difference| facts.add(difference));
        (compared, records.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    let compared = compared.or_exit(Code::Failed)?;
    let mut report = Report {
        identical: facts.is_empty(),
        diagnosis: classify(&facts, &context, &images),
        a: pair.a,
        b: pair.b,
        records: None,
        diffoscope: None,
        hashes: None,
        compared,
        seconds: 0.0,
    };
    report.records = records.map(|records| records.report(&report.diagnosis));
    if args.html.is_some() && !report.a.is_dir() {
        report.hashes = Some(hashes(&report)?);
    }
    report.seconds = begun.elapsed().as_secs_f64();
    if !args.json {
        // before diffoscope begins, which may take minutes
        answer(format_args!("{}", report::text(&report).trim_end()));
    }
    let looked =
        diffoscope::look(&report.diagnosis, &images, args.diffoscope, args.budget.0, builder);
    let refused = match looked {
        Ok(outcome) => {
            report.diffoscope = outcome;
            None
        }
        Err(error) if Code::of(&error) == Code::Interrupted => return Err(error),
        Err(error) => Some(error),
    };
    if let Some(page) = page {
        page.publish(&report::page(&report))?;
    }
    say(&report, args);
    match refused {
        Some(error) => Err(error),
        None if report.identical => Ok(()),
        None => Err(Code::No.error(format!(
            "{} and {} are not the same",
            report.a.shown(),
            report.b.shown()
        ))),
    }
}

/// The format that holds another one: a Debian package is an ar with certain members.
fn container(format: &str) -> &str {
    if format == "deb" { "ar" } else { format }
}

/// SHA-256 and size of both images, as they were compared.
fn hashes(report: &Report) -> Result<[(Digest, u64); 2]> {
    let hashes = hash::both(&report.a, &report.b)?;
    let same = hashes[0].0 == hashes[1].0;
    if same != report.identical || report.compared.bytes != hashes.each_ref().map(|(_, size)| *size)
    {
        return Err(Code::Failed.error(format!(
            "{} or {} changed while they were compared; try again",
            report.a.shown(),
            report.b.shown()
        )));
    }
    Ok(hashes)
}

fn say(report: &Report, args: &DiagnoseArgs) {
    if args.json {
        json::print(&report::json(report));
    } else if let Some(outcome) = &report.diffoscope {
        answer(format_args!("\n{outcome}"));
    }
}

//! `verify --against`: builds once, and compares the hash with a published one.

use super::args::VerifyArgs;
use crate::build::{self, BuildFacts, Ready};
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Instant;
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::hash;
use xtask_core::http::{Http, Request, Sink};
use xtask_core::json;
use xtask_core::pins::Digest;
use xtask_core::record_file;
use xtask_core::records::LARGEST_IMAGE;
use xtask_core::records::sums::in_sums;
use xtask_core::ui::{Ui, answer};

/// Offset of the magic `CD001` of an ISO 9660 image (ECMA-119, 8.4.3: sector 16, byte 1).
const MAGIC_AT: u64 = 16 * 2048 + 1;
/// Most bytes of a SHA256SUMS. That of a release is far smaller.
const LONGEST_SUMS: u64 = 1 << 20;

pub(super) fn command(
    repo: &Repo,
    args: &VerifyArgs,
    published: &str,
    mut facts: BuildFacts,
    ui: &Ui,
) -> Result<()> {
    if let Some(dir) = &args.output {
        facts = facts.with_output(dir)?;
    }
    if args.what.build.dry_run {
        let problems = build::problems(&facts, args.what.build.setup);
        return build::describe(&facts)?.show("verify", &problems, args.what.build.shown());
    }
    // read before the build, which may take an hour, so that a typing error is found at once
    let http = Http { ca_file: facts.ca_file.clone(), ..Http::default() };
    let expected = expected(published, &facts.recipe.iso, &repo.state(), &http, ui)?;
    let ready = Ready::new(facts, ui)?;
    let built = ready.build(Instant::now(), ui)?;
    let same = built.digest == expected;
    if args.what.build.json {
        json::print(&json!({
            "format": "silvermetal-verify-against/1",
            "verdict": if same { "identical" } else { "differs" },
            "sha256": built.digest.hex(), "published": expected.hex(), "against": published, "iso": built.path.to_string_lossy(),
        }));
    } else if same {
        answer(format_args!("identical: {}", built.digest.hex()));
    } else {
        answer(format_args!(
            "differs\n  built:     {}\n  published: {}",
            built.digest.hex(),
            expected.hex()
        ));
    }
    if same {
        Ok(())
    } else {
        Err(Code::No.error(format!("{} is not what {published} says", built.path.shown())))
    }
}

/// Returns the published hash of `iso`, from a SHA256SUMS or from the image itself.
fn expected(published: &str, iso: &str, state: &Path, http: &Http, ui: &Ui) -> Result<Digest> {
    if !published.contains("://") {
        return of_file(Path::new(published), published, iso).or_exit(Code::Usage);
    }
    let url = published.parse().or_exit(Code::Usage)?;
    let path = state.join(format!("published-{}", std::process::id()));
    fs::create_dir_all(state).with_context(|| format!("cannot make {}", state.shown()))?;
    let fetched = http.send(&Request::get(&url), Sink::File(&path, LARGEST_IMAGE), ui);
    let fetched = fetched.and_then(|response| response.expect(&[200])).or_exit(Code::NotReady);
    let digest = fetched.and_then(|_| of_file(&path, published, iso).or_exit(Code::Usage));
    drop(fs::remove_file(&path)); // it may not exist: the request may have failed
    digest
}

fn of_file(path: &Path, name: &str, iso: &str) -> Result<Digest> {
    let mut file = record_file::open(path)?;
    if name.ends_with(".iso") {
        // the name says that it is an image, even if it is too damaged to look like one
        return Ok(hash::file(path)?.0);
    }
    let mut magic = [0; 5];
    file.seek(SeekFrom::Start(MAGIC_AT))?;
    if file.read_exact(&mut magic).is_ok() && &magic == b"CD001" {
        return Ok(hash::file(path)?.0);
    }
    if file.metadata()?.len() > LONGEST_SUMS {
        bail!("{name} is neither a SHA256SUMS nor an ISO 9660 image");
    }
    in_sums(&record_file::read(path)?, iso).with_context(|| name.shown().to_string())
}

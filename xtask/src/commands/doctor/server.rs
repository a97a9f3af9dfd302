//! The Gitea server: its version and settings, as far as its API tells them to anybody.

use super::report::DoctorReport;
use crate::commands::release::{Package, api_of};
use anyhow::{Context as _, Result};
use serde_json::Value;
use xtask_core::facts::repo::Repo;
use xtask_core::facts::versions::{PATH, Version, Versions};
use xtask_core::failure::Problem;
use xtask_core::http::{Http, Request, Sink, Url};
use xtask_core::ui::Ui;

const VERSION: &str = "server-version";
const ATTACHMENTS: &str = "server-attachments";
/// Bytes. The answers have fewer than a hundred.
const LONGEST_ANSWER: usize = 1 << 16;

pub(super) fn look(repo: &Repo, ui: &Ui, report: &mut DoctorReport) {
    let api = Package::read(repo).and_then(|package| package.repository.parse());
    let api = match api.and_then(|page: Url| Ok(api_of(&page)?.0)) {
        Ok(api) => api,
        // rule release-tag reports it
        Err(error) => return not_asked(report, &[VERSION, ATTACHMENTS], &format!("{error:#}")),
    };
    match ask(&api.child("version"), ui) {
        Ok(answer) => version(&api, answer["version"].as_str(), Versions::of(repo).gitea, report),
        Err(error) => {
            // one answer that does not come is enough
            return not_asked(report, &[VERSION, ATTACHMENTS], &format!("{error:#}"));
        }
    }
    match ask(&api.child("settings").child("attachment"), ui) {
        Ok(answer) => attachments(&answer, report),
        Err(error) => not_asked(report, &[ATTACHMENTS], &format!("{error:#}")),
    }
}

fn not_asked(report: &mut DoctorReport, rules: &[&'static str], why: &str) {
    let why = format!("the Gitea server could not be asked: {}", why.lines().next().unwrap_or(why));
    rules.iter().for_each(|rule| report.skipped(rule, why.clone()));
}

fn ask(url: &Url, ui: &Ui) -> Result<Value> {
    let http = Http { attempts: 1, connect_timeout: 10, stall_timeout: 20, ..Http::default() };
    let request = Request::get(url).header("Accept", "application/json");
    let answer = http.send(&request, Sink::Memory(LONGEST_ANSWER), ui)?.expect(&[200])?;
    serde_json::from_str(answer.text()?).with_context(|| format!("{url}: the answer is not JSON"))
}

fn version(api: &Url, said: Option<&str>, declared: Option<Version>, report: &mut DoctorReport) {
    let server = api.origin();
    let (Some(said), Some(declared)) = (said, declared) else {
        let what = format!("{server} names no version, or {PATH} declares none");
        return report.skipped(VERSION, what);
    };
    match Version::said(said) {
        None => report.skipped(VERSION, format!("{server} says version `{}`", said.escape_debug())),
        Some(found) if found < declared => report.broken(
            Problem::new(
                format!("{server} is Gitea {}: {PATH} declares {declared}", said.escape_debug()),
                format!("update the server; or declare gitea = \"{found}\" in {PATH}: check then names what it ignores"),
            )
            .of(VERSION),
        ),
        Some(found) => report.holds(VERSION, format!("{server} is Gitea {found}; {PATH} declares {declared}")),
    }
}

fn attachments(answer: &Value, report: &mut DoctorReport) {
    match answer["enabled"].as_bool() {
        None => report.skipped(ATTACHMENTS, "the server does not say if it takes attachments"),
        Some(true) => report.holds(
            ATTACHMENTS,
            "on. The server tells nobody its limits for a release's file ([repository.release] FILE_MAX_SIZE, \
             ALLOWED_TYPES) and for a job ([actions] ENDLESS_TASK_TIMEOUT): compare app.ini with docs/ci-runner.md",
        ),
        Some(false) => report.broken(
            Problem::new("off", "set ENABLED = true under [attachment] in Gitea's app.ini").of(ATTACHMENTS),
        ),
    }
}

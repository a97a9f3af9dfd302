//! The report for a program. Fields are only ever added.

use super::Report;
use crate::classify::{Cause, Item};
use serde_json::{Value, json as value};

pub(crate) fn json(report: &Report) -> Value {
    let diagnosis = &report.diagnosis;
    let items = |items: &[Item]| items.iter().map(|i| item(report, i)).collect::<Vec<_>>();
    value!({
        "format": "silvermetal-diagnosis/1",
        "verdict": if report.identical { "identical" } else { "differs" },
        "a": report.a.to_string_lossy(),
        "b": report.b.to_string_lossy(),
        "causes": diagnosis.causes.iter().map(|c| cause(report, c)).collect::<Vec<_>>(),
        "unexplained": items(&diagnosis.unexplained),
        "follows": items(&diagnosis.follows),
        "unreadable": items(&diagnosis.unreadable),
        "contents_differ": diagnosis.contents,
        "differences": {
            "explained": diagnosis.counts.explained,
            "follow": diagnosis.counts.follow,
            "unexplained": diagnosis.counts.unexplained,
            "not_read": diagnosis.counts.not_read,
        },
        "stage": report.records.as_ref().and_then(|records| records.stage.clone()),
        "inputs": report.records.as_ref().map(|records| records.inputs.clone()).unwrap_or_default(),
        "diffoscope": report.diffoscope.as_ref().map(|outcome| outcome.json()),
        "bytes_read": report.read(),
        "seconds": report.seconds,
    })
}

fn cause(report: &Report, cause: &Cause) -> Value {
    value!({
        "id": cause.rule.id,
        "name": cause.rule.name,
        "detail": cause.detail,
        "fix": cause.rule.fix,
        "source": cause.rule.source,
        "stages": report.stages(cause),
        "count": cause.places.len(),
        "places": cause.places.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "excerpt": cause.excerpt,
    })
}

fn item(report: &Report, item: &Item) -> Value {
    value!({
        "place": item.place.to_string(),
        "what": item.what,
        "usually": item.usually.map(|rule| value!({ "id": rule.id, "name": rule.name, "fix": rule.fix })),
        "stage": report.stage_of(&item.place),
        "excerpt": item.excerpt,
    })
}

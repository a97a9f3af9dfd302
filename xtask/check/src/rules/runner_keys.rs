//! The runner knows every key of its configuration.

use crate::finding::{Location, Severity};
use crate::model::runner::{PATH, Runner, duration};
use crate::parse::yaml::YamlNode;
use crate::rule::{Findings, Rule, legal, replace};
use crate::tree::SourceTree;
use xtask_core::names::nearest;
use xtask_core::rules::Described;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "runner-keys",
        what: "the runner knows every key of its configuration, and every value has the right type",
        why: "the runner ignores unknown keys: the intended setting keeps its default",
        source: "the runner's config.go, 3.3",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            PATH,
            "  valid_volumes:\n",
            "  valid_volume: []\n  valid_volumes:\n",
            "valid_volume: []",
        ),
        replace(PATH, "  capacity: 1\n", "  capacitiy: 1\n", "capacitiy"),
        replace(PATH, "log:\n", "logs:\n", "logs:"),
        replace(PATH, "  capacity: 1\n", "  capacity: one\n", "one"),
        replace(PATH, "  capacity: 1\n", "  shutdown_timeout: 6 hours\n", "6 hours"),
        replace(PATH, "  capacity: 1\n", "  fetch_interval: 2d\n", "2d"),
        replace(PATH, "  capacity: 1\n", "  capacity: 0\n", "capacity: 0"),
        replace(PATH, "  level: info\n", "  level: verbose\n", "verbose"),
        replace(
            PATH,
            "  labels:\n    - silvermetal-builder:docker://silvermetal-job:1\n",
            "  labels: silvermetal-builder:docker://silvermetal-job:1\n",
            "labels:",
        ),
        legal(PATH, "  capacity: 1\n", "  shutdown_timeout: 1h30m\n  fetch_interval: 500ms\n"),
    ],
};

const SECTIONS: &[(&str, &[&str])] = &[
    ("log", &["level", "job"]),
    (
        "runner",
        &[
            "file",
            "capacity",
            "envs",
            "env_file",
            "timeout",
            "shutdown_timeout",
            "insecure",
            "fetch_timeout",
            "fetch_interval",
            "fetch_interval_max",
            "workdir_cleanup_age",
            "idle_cleanup_interval",
            "log_report_interval",
            "log_report_max_latency",
            "log_report_batch_size",
            "state_report_interval",
            "report_close_timeout",
            "labels",
            "github_mirror",
            "action_shallow_clone",
            "set_act_env",
            "patch_actions",
            "allocate_pty",
            "default_image",
            "tool_cache_mode",
            "post_task_script",
            "post_task_script_timeout",
            "hooks",
        ],
    ),
    (
        "cache",
        &[
            "enabled",
            "dir",
            "host",
            "port",
            "external_server",
            "external_secret",
            "external_secret_file",
            "offline_mode",
            "v2",
            "retention",
            "repo_size_limit",
            "size_limit",
            "sweep_interval",
        ],
    ),
    (
        "container",
        &[
            "network",
            "network_create_options",
            "network_mode",
            "privileged",
            "options",
            "workdir_parent",
            "valid_volumes",
            "docker_host",
            "force_pull",
            "force_rebuild",
            "require_docker",
            "docker_timeout",
            "bind_workdir",
            "service_ready_timeout",
        ],
    ),
    ("host", &["workdir_parent"]),
    ("metrics", &["enabled", "addr", "readiness_grace"]),
    ("health_check", &["enabled", "min_free_disk_space_mb", "script", "interval", "timeout"]),
    ("log.job", &["dir", "retention", "max_size"]),
    ("runner.hooks", &["job_started", "job_completed"]),
    ("container.network_create_options", &["enable_ipv4", "enable_ipv6"]),
];

/// Keys whose values must be lists.
const LISTS: [&str; 2] = ["labels", "valid_volumes"];
/// logrus's levels, which the runner uses.
const LEVELS: [&str; 8] = ["trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"];

/// Keys whose values must be numbers, and keys whose values must be true or false.
const NUMBERS: [&str; 4] = ["capacity", "port", "min_free_disk_space_mb", "log_report_batch_size"];
const SWITCHES: [&str; 8] = [
    "privileged",
    "force_pull",
    "force_rebuild",
    "require_docker",
    "bind_workdir",
    "insecure",
    "offline_mode",
    "patch_actions",
];

/// Keys whose value is a duration in Go's notation. Rule `timeouts` checks `timeout`.
const DURATIONS: [&str; 14] = [
    "shutdown_timeout",
    "fetch_timeout",
    "fetch_interval",
    "fetch_interval_max",
    "workdir_cleanup_age",
    "idle_cleanup_interval",
    "log_report_interval",
    "log_report_max_latency",
    "state_report_interval",
    "report_close_timeout",
    "post_task_script_timeout",
    "docker_timeout",
    "service_ready_timeout",
    "readiness_grace",
];

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(runner) = Runner::read(tree) else { return };
    let top = SECTIONS.iter().map(|(name, _)| *name).filter(|name| !name.contains('.'));
    for (key, section) in runner.root.entries() {
        let name = key.text().unwrap_or_default();
        match SECTIONS.iter().find(|(known, _)| *known == name && !known.contains('.')) {
            None => unknown(
                key,
                name,
                "the configuration",
                nearest(name, top.clone()).join(", "),
                found,
            ),
            Some((_, keys)) => below(section, name, keys, found),
        }
    }
}

fn below(section: &YamlNode, name: &str, known: &[&str], found: &mut Findings) {
    for (key, value) in section.entries() {
        let text = key.text().unwrap_or_default();
        if !known.contains(&text) {
            unknown(
                key,
                text,
                &format!("`{name}`"),
                nearest(text, known.iter().copied()).join(", "),
                found,
            );
            continue;
        }
        let scalar = value.text().unwrap_or_default();
        let location = || Location::at(PATH, value.at());
        if NUMBERS.contains(&text) && scalar.parse::<u64>().is_err() {
            found.add(
                location(),
                format!("`{text}: {scalar}` is not a number"),
                "a whole number",
                "correct it",
            );
        }
        if text == "capacity" && scalar == "0" {
            found.add(
                location(),
                "a runner of capacity 0 takes no job",
                "at least 1",
                "correct it",
            );
        }
        if LISTS.contains(&text) && value.text().is_some() && !value.is_null() {
            found.add(
                location(),
                format!("`{text}` is one text: the runner does not start"),
                "a list: each entry on a line with `- `",
                "make it a list",
            );
        }
        if name == "log" && text == "level" && !LEVELS.contains(&scalar) {
            found.add(
                location(),
                format!("no level of the log is named `{scalar}`"),
                format!("one of {}", LEVELS.join(", ")),
                "correct it",
            );
        }
        if DURATIONS.contains(&text) && scalar != "0" && duration(scalar).is_none() {
            found.add(
                location(),
                format!("`{text}: {scalar}` is not a duration"),
                "a duration such as 90s, 6h or 1h30m",
                "correct it",
            );
        }
        if SWITCHES.contains(&text) && !matches!(scalar, "true" | "false") {
            found.add(
                location(),
                format!("`{text}: {scalar}` is neither true nor false"),
                "true or false",
                "correct it",
            );
        }
        let inner = format!("{name}.{text}");
        if let Some((_, keys)) = SECTIONS.iter().find(|(known, _)| *known == inner) {
            below(value, &inner, keys, found);
        }
    }
}

fn unknown(key: &YamlNode, name: &str, whose: &str, known: String, found: &mut Findings) {
    found.add(
        Location::at(PATH, key.at()),
        format!("{whose} has no key `{name}`, so the runner ignores it"),
        format!("one of {known}"),
        "correct the name, or remove it",
    );
}

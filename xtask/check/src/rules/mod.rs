//! The rules, one file each: explanation, logic, and fixtures that only this rule catches.
//!
//! To add a rule, write its file, add its `mod` line, and put it into [`ALL`]. The compiler warns
//! about a rule that is in no list.

use crate::rule::Rule;

pub(crate) mod actionlint;
pub(crate) mod apt_leftovers;
pub(crate) mod artifact_action;
pub(crate) mod artifacts;
pub(crate) mod builder_image;
pub(crate) mod certificates;
pub(crate) mod checkout_submodules;
pub(crate) mod copy_sources;
pub(crate) mod docker_config;
pub(crate) mod dockerfile;
pub(crate) mod env_files;
pub(crate) mod event_text;
pub(crate) mod exceptions;
pub(crate) mod files;
pub(crate) mod fork_guard;
pub(crate) mod hadolint;
pub(crate) mod image_downloads;
pub(crate) mod levers;
pub(crate) mod line_ends;
pub(crate) mod masked_failures;
pub(crate) mod mksquashfs_options;
pub(crate) mod pinned_actions;
pub(crate) mod pinned_images;
pub(crate) mod recipes;
pub(crate) mod registry_login;
pub(crate) mod release_job;
pub(crate) mod report_upload;
pub(crate) mod reviewed_upstream;
pub(crate) mod run_variables;
pub(crate) mod runner_docker_host;
pub(crate) mod runner_images;
pub(crate) mod runner_keys;
pub(crate) mod runner_label;
pub(crate) mod runner_privileged;
pub(crate) mod runner_volumes;
pub(crate) mod schedule;
pub(crate) mod script_docker;
pub(crate) mod script_head;
pub(crate) mod script_mode;
pub(crate) mod separate_builds;
pub(crate) mod shared_registry;
pub(crate) mod shellcheck;
pub(crate) mod snapshot_sources;
pub(crate) mod snapshot_stamp;
pub(crate) mod source_date_epoch;
pub(crate) mod stale_pin;
pub(crate) mod step_containers;
pub(crate) mod stop_signal;
pub(crate) mod submodule;
pub(crate) mod systemd_entry;
pub(crate) mod systemd_flags;
pub(crate) mod terminal;
pub(crate) mod timeouts;
pub(crate) mod toml;
pub(crate) mod workflow_conditions;
pub(crate) mod workflow_contexts;
pub(crate) mod workflow_keys;
pub(crate) mod workflow_location;
pub(crate) mod workflow_names;
pub(crate) mod workflow_needs;
pub(crate) mod workflow_outputs;
pub(crate) mod workflow_settings;
pub(crate) mod workspace_binds;
pub(crate) mod xtask_commands;
pub(crate) mod yaml;
pub(crate) mod zizmor;

/// In the order of the table in docs/rules.md.
pub(crate) const ALL: &[&Rule] = &[
    &files::RULE,
    &line_ends::RULE,
    &yaml::RULE,
    &workflow_location::RULE,
    &toml::RULE,
    &exceptions::RULE,
    &workflow_keys::RULE,
    &workflow_needs::RULE,
    &schedule::RULE,
    &workflow_outputs::RULE,
    &workflow_contexts::RULE,
    &workflow_names::RULE,
    &run_variables::RULE,
    &workflow_settings::RULE,
    &workflow_conditions::RULE,
    &fork_guard::RULE,
    &event_text::RULE,
    &runner_label::RULE,
    &pinned_actions::RULE,
    &artifact_action::RULE,
    &artifacts::RULE,
    &checkout_submodules::RULE,
    &registry_login::RULE,
    &release_job::RULE,
    &masked_failures::RULE,
    &workspace_binds::RULE,
    &xtask_commands::RULE,
    &terminal::RULE,
    &step_containers::RULE,
    &report_upload::RULE,
    &separate_builds::RULE,
    &timeouts::RULE,
    &runner_keys::RULE,
    &runner_images::RULE,
    &runner_volumes::RULE,
    &shared_registry::RULE,
    &docker_config::RULE,
    &runner_privileged::RULE,
    &runner_docker_host::RULE,
    &dockerfile::RULE,
    &pinned_images::RULE,
    &copy_sources::RULE,
    &certificates::RULE,
    &apt_leftovers::RULE,
    &image_downloads::RULE,
    &stop_signal::RULE,
    &systemd_entry::RULE,
    &systemd_flags::RULE,
    &script_head::RULE,
    &script_mode::RULE,
    &script_docker::RULE,
    &shellcheck::RULE,
    &actionlint::RULE,
    &zizmor::RULE,
    &hadolint::RULE,
    &builder_image::RULE,
    &stale_pin::RULE,
    &reviewed_upstream::RULE,
    &submodule::RULE,
    &recipes::RULE,
    &levers::RULE,
    &env_files::RULE,
    &snapshot_stamp::RULE,
    &snapshot_sources::RULE,
    &source_date_epoch::RULE,
    &mksquashfs_options::RULE,
];

pub(crate) fn find(name: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.described.name == name)
}

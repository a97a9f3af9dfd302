//! The rules, one file each: explanation, logic, and fixtures that only this rule catches.
//!
//! To add a rule, write its file, add its `mod` line, and put it into [`ALL`]. The compiler warns
//! about a rule that is in no list.

use crate::rule::Rule;

pub mod apt_leftovers;
pub mod artifact_action;
pub mod builder_image;
pub mod certificates;
pub mod checkout_submodules;
pub mod copy_sources;
pub mod docker_config;
pub mod dockerfile;
pub mod env_files;
pub mod exceptions;
pub mod files;
pub mod mksquashfs_options;
pub mod pinned_actions;
pub mod pinned_images;
pub mod registry_login;
pub mod release_job;
pub mod report_upload;
pub mod reviewed_upstream;
pub mod runner_docker_host;
pub mod runner_keys;
pub mod runner_label;
pub mod runner_privileged;
pub mod runner_volumes;
pub mod script_docker;
pub mod script_head;
pub mod script_mode;
pub mod separate_builds;
pub mod shellcheck;
pub mod snapshot_sources;
pub mod snapshot_stamp;
pub mod source_date_epoch;
pub mod stale_pin;
pub mod step_containers;
pub mod stop_signal;
pub mod submodule;
pub mod systemd_flags;
pub mod terminal;
pub mod timeouts;
pub mod toml;
pub mod workflow_contexts;
pub mod workflow_keys;
pub mod workflow_needs;
pub mod workflow_outputs;
pub mod workspace_binds;
pub mod yaml;

/// In the order of the table in docs/rules.md.
pub const ALL: &[&Rule] = &[
    &files::RULE,
    &yaml::RULE,
    &toml::RULE,
    &exceptions::RULE,
    &workflow_keys::RULE,
    &workflow_needs::RULE,
    &workflow_outputs::RULE,
    &workflow_contexts::RULE,
    &runner_label::RULE,
    &pinned_actions::RULE,
    &artifact_action::RULE,
    &checkout_submodules::RULE,
    &registry_login::RULE,
    &release_job::RULE,
    &workspace_binds::RULE,
    &terminal::RULE,
    &step_containers::RULE,
    &report_upload::RULE,
    &separate_builds::RULE,
    &timeouts::RULE,
    &runner_keys::RULE,
    &runner_volumes::RULE,
    &docker_config::RULE,
    &runner_privileged::RULE,
    &runner_docker_host::RULE,
    &dockerfile::RULE,
    &pinned_images::RULE,
    &copy_sources::RULE,
    &certificates::RULE,
    &apt_leftovers::RULE,
    &stop_signal::RULE,
    &systemd_flags::RULE,
    &script_head::RULE,
    &script_mode::RULE,
    &script_docker::RULE,
    &shellcheck::RULE,
    &builder_image::RULE,
    &stale_pin::RULE,
    &reviewed_upstream::RULE,
    &submodule::RULE,
    &env_files::RULE,
    &snapshot_stamp::RULE,
    &snapshot_sources::RULE,
    &source_date_epoch::RULE,
    &mksquashfs_options::RULE,
];

pub fn find(name: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.described.name == name)
}

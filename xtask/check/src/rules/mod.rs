//! The rules: one file each, with its explanation, its logic and its fixtures. A new one is a
//! file here and its name in the list below.

use crate::rule::Rule;

macro_rules! rules {
    ($($name:ident)*) => {
        $(pub mod $name;)*
        /// In the order of the table in docs/rules.md.
        pub const ALL: &[&Rule] = &[$(&$name::RULE),*];
    };
}

rules! {
    files
    yaml
    toml
    exceptions
    workflow_keys
    workflow_needs
    workflow_outputs
    workflow_contexts
    runner_label
    pinned_actions
    artifact_action
    checkout_submodules
    registry_login
    release_job
    workspace_binds
    terminal
    step_containers
    report_upload
    separate_builds
    timeouts
    runner_keys
    runner_volumes
    docker_config
    runner_privileged
    runner_docker_host
    dockerfile
    pinned_images
    copy_sources
    certificates
    apt_leftovers
    stop_signal
    systemd_flags
    script_head
    script_mode
    script_docker
    shellcheck
    builder_image
    stale_pin
    reviewed_upstream
    submodule
    env_files
    snapshot_stamp
    snapshot_sources
    source_date_epoch
    mksquashfs_options
}

pub fn find(name: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.described.name == name)
}

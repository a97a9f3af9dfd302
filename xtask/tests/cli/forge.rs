//! `doctor` asks the Gitea server and the runner.

use crate::preflight::doctors_report;
use crate::support::peer::Peer;
use crate::support::{Checkout, executable};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

const CONFIG: &str = ".gitea/runner/config.yaml";

/// A Gitea server below a path, with these answers to both questions.
fn server(version: &'static str, attachment: &'static str) -> Peer {
    Peer::new(move |asked, _| match asked.line.split(' ').nth(1) {
        Some("/git/api/v1/version") => (200, String::new(), version.to_owned()),
        Some("/git/api/v1/settings/attachment") => (200, String::new(), attachment.to_owned()),
        _ => (404, String::new(), "{}".to_owned()),
    })
}

struct Asked {
    checkout: Checkout,
    /// Folder of the stubs.
    path: String,
}

impl Asked {
    fn of(name: &str, peer: &Peer) -> Asked {
        let checkout = Checkout::new(name);
        let host = format!("http://{}/git/", peer.host);
        checkout.edit("Cargo.toml", "https://git.silverlabs.uk/", &host);
        checkout.commit();
        let path = checkout.path_with("docker", "#!/bin/sh\nexit 1\n");
        let asked = Asked { checkout, path };
        asked.stub("systemctl", "");
        asked
    }

    fn stub(&self, program: &str, body: &str) {
        let bin = self.path.split(':').next().unwrap();
        executable(&std::path::Path::new(bin).join(program), &format!("#!/bin/sh\n{body}\n"));
    }

    fn doctor(&self) -> Command {
        let mut doctor = self.checkout.xtask(["doctor", "canary", "--json", "--engine", "docker"]);
        doctor.env("PATH", &self.path).env_remove("GITEA_ACTIONS_RUNNER_VERSION");
        doctor
    }

    #[track_caller]
    fn finds(&self, doctor: &mut Command, expected: &[(&str, &str, &str)]) {
        let report = doctors_report(doctor, 3);
        for (rule, state, words) in expected {
            let found = &report[*rule];
            assert!(found.0 == *state && found.1.contains(words), "{rule}: {found:?}");
        }
    }
}

#[test]
fn doctor_compares_the_servers_version_and_settings() {
    let on = r#"{"enabled":true,"allowed_types":"","max_size":4,"max_files":5}"#;
    let asks = |version: &'static str,
                attachment: &'static str,
                expected: &[(&str, &str, &str)]| {
        let peer = server(version, attachment);
        let asked = Asked::of("server", &peer);
        asked.finds(asked.doctor().env("SILVERMETAL_RELEASE_TOKEN", "hunter2-server"), expected);
        // the token goes to the repository's own API, not with these questions
        let with: Vec<_> = peer.asked().into_iter().filter(|a| a.authorization.is_some()).collect();
        assert!(with.iter().all(|asked| asked.line.contains("/repos/")), "{with:?}");
    };
    asks(
        r#"{"version":"1.27.0+rc0-3-gabc"}"#,
        on,
        &[
            ("server-version", "ok", "is Gitea 1.27.0; .gitea/versions.toml declares 1.26.0"),
            ("server-attachments", "ok", "compare app.ini with docs/ci-runner.md"),
        ],
    );
    asks(
        r#"{"version":"1.25.3"}"#,
        r#"{"enabled":false}"#,
        &[
            ("server-version", "broken", "is Gitea 1.25.3: .gitea/versions.toml declares 1.26.0"),
            ("server-attachments", "broken", "off"),
        ],
    );
    asks(
        r#"{"version":"9.0.1+gitea-1.22.0"}"#,
        "{}",
        &[
            ("server-version", "broken", "1.22.0"),
            ("server-attachments", "skipped", "does not say"),
        ],
    );
    asks("<html>sign in</html>", on, &[("server-version", "skipped", "could not be asked")]);
    asks("[]", on, &[("server-version", "skipped", "names no version")]);
}

#[test]
fn doctor_compares_the_runners_version_and_configuration() {
    let peer = server(r#"{"version":"1.26.0"}"#, "{}");
    let asked = Asked::of("runner", &peer);
    asked.finds(
        &mut asked.doctor(),
        &[
            ("runner-version", "skipped", "no runner on this machine"),
            ("runner-config", "skipped", "no service gitea-runner.service"),
        ],
    );
    let folder = asked.checkout.root.with_file_name("runner");
    fs::create_dir_all(&folder).unwrap();
    let used = folder.join("config.yaml");
    fs::copy(asked.checkout.root.join(CONFIG), &used).unwrap();
    asked.stub("systemctl", &format!("echo '{}'", folder.display()));
    asked.stub("gitea-runner", "echo gitea-runner version v3.3.0");
    let right = [("runner-version", "ok", "says 3.3.0"), ("runner-config", "ok", "repository's")];
    asked.finds(&mut asked.doctor(), &right);

    fs::write(&used, "runner:\n  timeout: 3h\n").unwrap();
    asked.stub("gitea-runner", "echo gitea-runner version v3.2.9");
    let wrong =
        [("runner-version", "broken", "says 3.2.9"), ("runner-config", "warning", "differs")];
    asked.finds(&mut asked.doctor(), &wrong);

    // in a job the runner names its version itself
    let mut in_a_job = asked.doctor();
    in_a_job.env("GITEA_ACTIONS_RUNNER_VERSION", "v2.0.0");
    asked.finds(&mut in_a_job, &[("runner-version", "broken", "RUNNER_VERSION says 2.0.0")]);
    in_a_job.env("GITEA_ACTIONS_RUNNER_VERSION", "dev");
    asked.finds(&mut in_a_job, &[("runner-version", "skipped", "says `dev`")]);

    // a pull request may make files of the checkout links to what never ends
    for name in [CONFIG, ".gitea/versions.toml"] {
        let path = asked.checkout.root.join(name);
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", path).unwrap();
    }
    let endless = [
        ("runner-version", "skipped", "declares no runner"),
        ("runner-config", "warning", "cannot read"),
    ];
    asked.finds(&mut asked.doctor(), &endless);
}

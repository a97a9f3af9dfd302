//! The token is sent to Gitea, and appears nowhere else.

use crate::factory::Factory;
use crate::gitea::{DOWNLOAD, Gitea, How, TOKEN, UPLOAD};
use crate::support::{Ran, run};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Files below `dir` that contain the token.
fn holding(dir: &Path) -> String {
    let mut grep = Command::new("grep");
    grep.args(["-rlaF", "-e", TOKEN]).arg(dir).env("LC_ALL", "C");
    assert!(dir.is_dir(), "no folder {}", dir.display());
    run(&mut grep).stdout
}

fn logs() -> std::path::PathBuf {
    Path::new(env!("CARGO_BIN_EXE_xtask")).ancestors().nth(2).unwrap().join("silvermetal/logs")
}

#[test]
fn the_token_appears_in_no_argv_environment_log_or_output() {
    let (factory, folder) = Factory::with_a_release();
    // a curl that records its argv and environment, and a .curlrc that turns on tracing
    let home = factory.checkout.root.with_file_name("home");
    fs::create_dir_all(&home).unwrap();
    let trace = home.join("trace");
    fs::write(home.join(".curlrc"), format!("trace-ascii = \"{}\"\nverbose\n", trace.display()))
        .unwrap();
    let notes = home.join("started");
    let curl = format!(
        "#!/bin/bash\nprintf '%s ' \"$@\" >>'{0}'; env >>'{0}'\nexec /usr/bin/curl \"$@\"\n",
        notes.display()
    );
    let path = factory.checkout.path_with("curl", &curl);
    let file = home.join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();

    let seen = |from_file: bool, gitea: &Gitea| -> Ran {
        let mut command = factory.xtask(&["release", "publish", "-v", "--repository", &gitea.url]);
        command.env("HOME", &home).env("PATH", &path);
        // xtask ignores the variables of other tools
        command.env("GITEA_TOKEN", "not-this-one-either");
        if from_file {
            command.arg("--token-file").arg(&file);
        } else {
            command.env("SILVERMETAL_RELEASE_TOKEN", TOKEN);
        }
        gitea.watches_for(&[TOKEN]);
        run(&mut command)
    };
    let mut said = Vec::new();
    for from_file in [true, false] {
        let gitea = Gitea::new();
        said.push(seen(from_file, &gitea).exits(0));
        assert_eq!(gitea.leaks(), [""; 0]);
    }
    for status in [401, 413, 500] {
        for when in ["GET /api", "POST /api", UPLOAD, DOWNLOAD, "PATCH"] {
            let gitea = Gitea::new();
            gitea.fails(when, 99, How::Status(status));
            said.push(seen(false, &gitea));
            assert_eq!(gitea.leaks(), [""; 0]);
        }
    }
    let repeated = |ran: &Ran| ran.stderr.contains("told to fail: token ***");
    assert!(
        said.iter().any(repeated),
        "no error shows the server's message with the token redacted"
    );
    for ran in said {
        assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "{ran:?}");
    }
    assert!(fs::read_to_string(&notes).unwrap().contains("--disable --config -"));
    assert!(!trace.exists(), "~/.curlrc was read");
    fs::remove_file(&file).unwrap();
    for dir in [&home, &factory.checkout.root, &folder, &logs()] {
        assert_eq!(holding(dir), "");
    }
}

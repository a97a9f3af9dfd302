//! Names and fields that hold a terminal's commands, line ends and a shell's: no output has them as they
//! are, and no printed command runs them.

use crate::records::{output_folder, release_folder};
use crate::support::peer::Peer;
use crate::support::{Checkout, Ran, STUB, executable, git, run};
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask_core::escape::steers;

/// For names of files, and for the fields of records and answers.
pub const BAD: &str = "a\u{1b}]0;p\u{7}\u{9b}\u{202e}$(touch x)`touch x`;touch x;'\"\n::error::PWNED\n  fix: touch x\n";
/// The same without what git forbids in the names of branches.
const BAD_REF: &str = "b\u{202e}$(touch${IFS}x);touch${IFS}x;'\"\u{2066}";

pub fn bytes(suffix: &str) -> PathBuf {
    // not UTF-8
    let name = [BAD.as_bytes(), b"\xff\xfe", suffix.as_bytes()].concat();
    PathBuf::from(OsStr::from_bytes(&name))
}

/// A command line.
pub fn words(list: &[&str]) -> Vec<PathBuf> {
    list.iter().map(Into::into).collect()
}

/// A command line that ends with paths.
pub fn with(list: &[&str], paths: &[&Path]) -> Vec<PathBuf> {
    [words(list), paths.iter().map(|path| (*path).to_owned()).collect()].concat()
}

/// A folder whose `bin` has the only program that [`harm`] lets a printed command find.
pub fn scratch(checkout: &Checkout) -> PathBuf {
    let scratch = checkout.root.with_file_name("scratch");
    fs::create_dir_all(scratch.join("bin")).unwrap();
    executable(&scratch.join("bin/touch"), "#!/bin/sh\n[ \"$*\" != x ] || : >x\n");
    scratch
}

/// True if the output has a bad word, escaped.
pub fn shows_bad_words(ran: &Ran) -> bool {
    let signs = ["\\x1b", "\\u{202e}", "\\u202e", "\\342\\200\\256"];
    [&ran.stdout, &ran.stderr].iter().any(|text| signs.iter().any(|sign| text.contains(sign)))
}

/// Faults of an output: it steers a terminal or a CI service, or a printed command runs `touch x`.
pub fn harm(what: &str, ran: &Ran, scratch: &Path) -> Vec<String> {
    let mut found = Vec::new();
    if ran.code < 0 || ran.code == 101 {
        found.push(format!("{what} panicked: {}", ran.stderr));
    }
    for text in [&ran.stdout, &ran.stderr] {
        let bad = |c: &char| steers(*c) && *c != '\n' && *c != '\t';
        if let Some(c) = text.chars().find(bad) {
            found.push(format!("{what}: {c:?} in {text}"));
        }
        for line in text.lines() {
            let rest = line.trim_start();
            if ["::error::PWNED", "PWNED"].iter().any(|sign| rest.starts_with(sign)) {
                found.push(format!("{what}: a command to the CI service: {text}"));
            }
        }
        let commands = text.lines().filter_map(|line| {
            let line = line.trim_start();
            let found = ["fix: ", "next: ", "note: next: ", "$ "];
            found.iter().find_map(|word| line.strip_prefix(word))
        });
        for command in commands.filter(|command| command.contains("touch")) {
            // the only program that this shell finds is touch
            let mut shell = Command::new("/bin/bash");
            shell
                .args(["-c", command])
                .current_dir(scratch)
                .env_clear()
                .env("PATH", scratch.join("bin"));
            run(&mut shell);
            if fs::remove_file(scratch.join("x")).is_ok() {
                found.push(format!("{what}: `{command}` runs touch x: {text}"));
            }
        }
    }
    found
}

/// A server whose every text is bad.
fn bad_server() -> Peer {
    Peer::new(|asked, own| {
        let bad = json!(BAD);
        let kind = "Content-Type: application/\u{1b}[2J;x\r\nX-Y: \u{7}\r\n".to_owned();
        if asked.line.contains("/assets?") {
            let file = json!([{ "id": 1, "name": BAD, "size": 1, "browser_download_url": BAD },
                { "id": 2, "name": "x.iso", "size": 1, "browser_download_url": "/x\u{1b}" }]);
            return (200, kind, file.to_string());
        }
        if asked.line.contains("/tags/") && !asked.line.contains("/releases/") {
            return (404, kind, String::new());
        }
        if asked.line.contains("/tags/") {
            let it = json!({ "id": 1, "tag_name": "test-1", "draft": false, "html_url": BAD });
            return (200, kind, it.to_string());
        }
        if asked.line.contains("/redirect") {
            return (302, format!("Location: http://{own}/\u{1b}[2J\r\n"), String::new());
        }
        (500, kind, format!("{bad} {BAD}"))
    })
}

/// Files whose names and contents make `check` print commands with them.
fn spoil(checkout: &Checkout) {
    let scripts = checkout.root.join("linux/build/scripts");
    for name in [bytes(".sh"), PathBuf::from(format!("{BAD}.sh")), format!("{BAD_REF}.sh").into()] {
        fs::write(scripts.join(&name), format!("#!/bin/bash\necho {BAD}\ndocker run -i {BAD}\n"))
            .unwrap();
        fs::write(checkout.root.join("docs").join(&name), format!("\u{feff}{BAD}\r\n")).unwrap();
    }
    // executable, but no script
    executable(&checkout.root.join("docs").join(format!("{BAD}.md")), "text\n");
    symlink(BAD, checkout.root.join("docs").join(format!("{BAD}link"))).unwrap();
    // every text in double quotes, as YAML and a git configuration escape it
    let bad = json!(BAD).to_string();
    let workflow = format!(
        "name: {bad}\non: {{push: {{tags: [{bad}]}}, schedule: [{{cron: {bad}}}], {bad}: }}\n\
         concurrency: {{{bad}: 1}}\njobs:\n  {bad}:\n    runs-on: {bad}\n    needs: [{bad}, other]\n\
         \x20   timeout-minutes: {bad}\n    if: {bad}\n    {bad}: x\n\
         \x20   container: {{image: {bad}, volumes: [{volume}], options: {options}}}\n    steps:\n\
         \x20     - uses: {action}\n      - uses: {upload}\n        with: {{name: {bad}, path: {bad}, {bad}: 1}}\n\
         \x20     - run: {run}\n        env: {{A: {bad}}}\n        id: {bad}\n\
         \x20     - run: {secrets}\n",
        volume = json!(format!("/srv/{BAD}:/x")),
        options = json!(format!("--privileged --{BAD} -v {BAD}:/y")),
        action = json!(format!("a/{BAD}@{BAD}")),
        upload = json!("actions/upload-artifact@v4"),
        run = json!(format!(
            "cargo xtask iso --output {BAD}\necho ${{{{ github.event.issue.title }}}} || true\n{BAD}"
        )),
        secrets = json!(format!("${{{{ secrets['{}'] }}}}", BAD.replace('\'', ""))),
    );
    let folders = [".gitea/workflows", ".github/workflows"].map(|dir| checkout.root.join(dir));
    for (folder, name) in folders.iter().zip([bytes(".yaml"), format!("{BAD}.yaml").into()]) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(name), &workflow).unwrap();
    }
    fs::write(folders[0].join("bad.yaml"), &workflow).unwrap();
    let modules = checkout.root.join(".gitmodules");
    let own = fs::read_to_string(&modules).unwrap();
    let one_line = json!(BAD.replace('\n', " ").replace(['\u{1b}', '\u{7}'], "")).to_string();
    let more = format!(
        "[submodule {one_line}]\n\tpath = {one_line}\n\turl = {one_line}\n\tupdate = {one_line}\n\
         [submodule \"docs\"]\n\tpath = docs\n\turl = {one_line}\n"
    );
    fs::write(modules, own + &more).unwrap();
    let recipe = checkout.root.join("linux/build/recipes").join(format!("{BAD}r"));
    fs::create_dir_all(&recipe).unwrap();
    fs::write(
        recipe.join("recipe.toml"),
        "description = \"\\u001b[2J\\n::error::PWNED\"\niso = \"../\\u001b\"\n",
    )
    .unwrap();
    let docker = checkout.root.join("linux/build/docker/Dockerfile.bad");
    let one_line = BAD.replace('\n', " ");
    fs::write(docker, format!("# syntax={one_line}\nFROM {one_line} AS {one_line}\nCOPY --from={one_line} {one_line} /\nADD https://x/{one_line} /\nCMD {one_line}\n")).unwrap();
    checkout.commit();
    // a repository inside, which .gitmodules does not list
    let info = format!("160000,{},inside/{BAD_REF}", "1".repeat(40));
    git(&checkout.root, &["update-index", "--add", "--cacheinfo", &info]);
}

#[test]
fn no_output_of_any_command_steers_a_terminal_and_no_printed_command_runs_what_it_names() {
    let checkout = Checkout::new(BAD.trim_end());
    let scratch = scratch(&checkout);
    git(&checkout.root, &["checkout", "--quiet", "-b", BAD_REF]);
    git(&checkout.root, &["tag", BAD_REF]);

    spoil(&checkout);

    // records, a release, images
    let output = |name: &Path| {
        let dir = checkout.root.with_file_name("outputs").join(name);
        output_folder(&dir);
        dir
    };
    let [a, b] = [bytes("a"), bytes("b")].map(|name| output(&name));
    let info = fs::read_to_string(b.join("BUILD_INFO")).unwrap();
    let bad_line = BAD.replace('\n', " ");
    fs::write(
        b.join("BUILD_INFO"),
        info.replace("canary", &bad_line) + &format!("Engine: {bad_line}\n"),
    )
    .unwrap();
    let ledger = fs::read_to_string(b.join("ledger")).unwrap();
    fs::write(b.join("ledger"), ledger.replace("iso ", "\u{1b}]0;x\u{7}\u{202e} ")).unwrap();
    let release = release_folder(&checkout);
    let server = bad_server();
    let page = format!("http://{}/o/r", server.host);
    let image = format!("{}/silvermetal-builder:latest", server.host);
    let statements = checkout.root.with_file_name("statements");
    fs::create_dir_all(&statements).unwrap();
    let statement = json!({
        "format": "silvermetal-rebuild/1", "commit": BAD, "iso": BAD, "result": "match", "ci": false,
        "published_sha256": "a".repeat(64), "rebuilt_sha256": "a".repeat(64), "rebuilder": BAD,
    });
    fs::write(statements.join(bytes(".json")), statement.to_string()).unwrap();

    let iso = b.join("x.iso");
    let commands: Vec<Vec<PathBuf>> = vec![
        words(&["check"]),
        words(&["check", "--json"]),
        words(&["doctor", "canary", "--engine", "docker"]),
        words(&["iso", BAD]),
        with(&["iso", "canary", "--engine", "docker", "--dry-run", "-v", "--output"], &[&a]),
        with(&["iso", "canary", "--engine", "host", "--dry-run", "-v", "--output"], &[&b]),
        words(&["verify", "canary", "--engine", "docker", "--dry-run", "-v"]),
        with(&["verify", "--compare"], &[&a, &b]),
        with(&["verify", "--json", "--compare"], &[&a, &b]),
        with(&["verify", "--compare"], &[&a, &bytes("none")]),
        with(&["boot", "--dry-run", "-v"], &[&iso]),
        with(&["diagnose"], &[&a, &b]),
        with(&["diagnose"], &[&a.join("x.iso"), &bytes("none")]),
        with(&["inspect", "--recipe", "canary"], &[&iso]),
        with(&["inspect", "--recipe", BAD], &[&iso]),
        with(&["release", "build", "test-1", "--test", "--from"], &[&b]),
        with(&["release", "build", BAD, "--from"], &[&a]),
        with(&["release", "publish", "--repository", &page], &[&release]),
        with(&["release", "publish", "--repository", BAD, "--dry-run"], &[&release]),
        with(&["release", "publish", "--dry-run"], &[&b]),
        with(&["reproduce"], &[&b]),
        with(&["reproduce", "--dry-run"], &[&release]),
        words(&["reproduce", &format!("{page}/releases/tag/v1.1.0")]),
        words(&["reproduce", &format!("http://{}/redirect", server.host)]),
        words(&["reproduce", BAD]),
        with(&["reproduce", "--collect"], &[&statements]),
        with(&["reproduce", "--json", "--collect"], &[&statements]),
        words(&["image", "show"]),
        words(&["image", "push", "--if-missing", "--engine", "docker", "--to", &image]),
        words(&["bump-image", &image, "--dry-run"]),
        words(&["bump-image", BAD]),
        words(&["bump-snapshot", BAD]),
        words(&["bump-submodule", BAD]),
        words(&["clean", "--dry-run"]),
    ];
    let path = checkout.path_with("docker", STUB);
    let (mut escaped, mut found) = (0, Vec::new());
    for arguments in commands {
        for ci in ["", "true"] {
            let mut command = checkout.xtask(&arguments);
            command
                .env("CI", ci)
                .env("PATH", &path)
                .env("SILVERMETAL_RELEASE_TOKEN", "hunter2-words");
            command.env("DOCKER_CONFIG", &scratch).env("BUILDER_IMAGE", &image);
            let ran = run(&mut command);
            escaped += usize::from(shows_bad_words(&ran));
            found.extend(harm(&format!("{arguments:?} CI={ci}"), &ran, &scratch));
            let json = arguments.iter().any(|word| word == Path::new("--json"));
            if json {
                serde_json::from_str::<serde_json::Value>(&ran.stdout).expect("JSON");
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    assert!(escaped > 30, "only {escaped} outputs show a bad word at all");
    for place in [&checkout.root, &scratch] {
        assert!(!place.join("x").exists(), "{place:?}");
    }
}

//! Progress on a pseudo terminal, while a stage prints nothing; and in a pipe.

use crate::support::terminal::Terminal;
use crate::support::{Checkout, STUB, mirror_peer, run};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// A container whose stage `quiet` prints one long line, and nothing more until the file `$GO` exists.
const QUIET: &str = r#"
    echo "@@stage quiet"; printf 'x%.0s' {1..300}; echo
    while [ ! -e "$GO" ]; do sleep 0.02; done
    echo "@@stage last"; echo iso >"$out/quiet.iso""#;

/// A checkout with the recipe `quiet`, and what its build waits for.
fn checkout() -> (Checkout, String) {
    let checkout = Checkout::new("terminal");
    checkout.add_recipe("quiet", &["quiet", "last"], "#!/bin/sh\n");
    let go = checkout.path_with("docker", STUB).split(':').next().unwrap().to_owned() + "/go";
    (checkout, go)
}

fn iso(checkout: &Checkout, go: &str) -> Command {
    let mut iso =
        checkout.xtask(["iso", "quiet", "--engine", "docker", "--mirror", &mirror_peer()]);
    iso.env("PATH", checkout.path_with("docker", STUB)).env("RUN", QUIET).env("GO", go);
    iso.env("TERM", "xterm").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    iso
}

/// The texts between two movements of the cursor, without colours.
fn texts(written: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = written;
    while let Some((before, sequence)) = rest.split_once("\x1b[") {
        plain += before;
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
        rest = &sequence[end + 1..];
    }
    plain += rest;
    plain.split(['\r', '\n']).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// The clocks that the row of the stage `quiet` showed.
fn clocks(written: &str) -> BTreeSet<String> {
    let rows = texts(written);
    let clocks = rows.iter().filter_map(|row| row.strip_prefix("[1/2] quiet  "));
    clocks.filter_map(|row| Some(row.split_once("  x")?.0.to_owned())).collect()
}

#[test]
fn the_clock_moves_while_a_stage_is_silent_and_rows_fit_a_terminal_that_shrinks() {
    let (checkout, go) = checkout();
    let mut terminal = Terminal::start(&mut iso(&checkout, &go), 60, 20);
    terminal.until("a clock that moves", |written| clocks(written).len() > 2);
    let wide = texts(&terminal.written());
    assert!(wide.iter().any(|text| text.ends_with('x') && text.len() == 59), "{wide:?}");

    let before = terminal.written().len();
    terminal.resize(30, 20);
    terminal.until("a clock that moves", |written| clocks(&written[before..]).len() > 2);
    let written = terminal.written();
    // a row may have been on its way
    let narrow = texts(&written[before..]).split_off(1);
    assert!(narrow.iter().all(|text| text.len() == 29), "{narrow:?}");
    assert!(written.ends_with("\x1b[J\r"), "the cursor stays at the beginning: {written:?}");

    fs::write(go, "").unwrap();
    let (code, written) = terminal.ends();
    assert_eq!(code, 0, "{written:?}");
    let texts = texts(&written);
    assert!(texts.iter().any(|text| text.starts_with("[2/2] last ")), "{texts:?}");
    assert!(texts.last().unwrap().ends_with("/quiet.iso"), "{texts:?}");
    assert!(written.contains("\x1b[33m"), "notes have a colour: {written:?}");

    // the next build knows how long the stages took
    let mut terminal = Terminal::start(iso(&checkout, "/").env("NO_COLOR", "1"), 60, 20);
    terminal.until("an estimate", |written| written.contains("[1/2] quiet  0:00 of about 0:0"));
    let (code, written) = terminal.ends();
    assert_eq!(code, 0, "{written:?}");
    assert!(!written.contains("\x1b[33m") && !written.contains("\x1b[1m"), "{written:?}");
}

#[test]
fn a_pipe_a_dumb_terminal_and_ci_get_a_line_at_the_beginning_and_the_end_of_a_stage() {
    let (checkout, _) = checkout();
    let mut dumb = iso(&checkout, "/");
    let (code, written) = Terminal::start(dumb.env("TERM", "dumb"), 60, 20).ends();
    assert_eq!(code, 0, "{written}");
    assert!(
        !written.contains('\x1b') && !written.replace("\r\n", "").contains('\r'),
        "{written:?}"
    );

    let ran = run(&mut iso(&checkout, "/")).exits(0);
    for lines in [written.replace("\r\n", "\n"), ran.stderr] {
        let at = |text: &str| lines.find(text).unwrap_or_else(|| panic!("no `{text}` in {lines}"));
        assert!(at("[1/2] quiet  begins") < at("\n[1/2] quiet             0:0"), "{lines}");
        assert!(at("\n[1/2] quiet             0:0") < at("\n[2/2] last  begins"), "{lines}");
        assert!(!lines.contains("xxx") && !lines.contains("$ docker"), "{lines}");
    }

    for ci in ["true", "1"] {
        let ran = run(iso(&checkout, "/").env("CI", ci)).exits(0);
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert!(lines.contains(&"::group::quiet"), "{lines:#?}");
        let empty = |pair: &[&str]| pair[0].starts_with("::group::") && pair[1] == "::endgroup::";
        assert!(!lines.windows(2).any(empty), "{lines:#?}");
        let count = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
        assert_eq!(count("::group::"), count("::endgroup::"), "{lines:#?}");
    }
}

#[test]
fn a_failure_ends_with_its_cause_and_is_shown_on_the_page_of_the_ci_run() {
    let (checkout, _) = checkout();
    let fails = "echo '@@stage quiet'; echo 'E: no such package'; echo; exit 100";
    let ran = run(iso(&checkout, "/").env("RUN", fails).env("CI", "1")).exits(4);
    let (error, annotation) = ran.stderr.trim_end().rsplit_once('\n').unwrap();
    assert!(error.ends_with("\n  last lines:\n    E: no such package"), "{error}");
    assert!(error.contains("error: stage quiet failed (exit 100)\n  log: /"), "{error}");
    assert!(annotation.starts_with("::error::stage quiet failed (exit 100)%0A  log: /"));
    let ran = run(iso(&checkout, "/").env("RUN", fails)).exits(4);
    assert!(
        !ran.stderr.contains("::error") && !ran.stderr.contains("docker run"),
        "{}",
        ran.stderr
    );
    let ran = run(iso(&checkout, "/").env("RUN", "exit 7").arg("-v")).exits(4);
    ran.says("\n$ docker run --rm ").says("  last lines: it printed nothing");
}

#[test]
fn a_usage_error_has_colours_where_a_person_looks_and_words_from_outside_none() {
    let checkout = Checkout::new("usage colours");
    let on_terminal = |settings: &[(&str, &str)]| {
        let mut iso = checkout.xtask(["iso", "--b\x1b[31mad\x1b[2J\n::error::x"]);
        iso.env("TERM", "xterm").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        iso.envs(settings.iter().copied());
        let (code, written) = Terminal::start(&mut iso, 200, 20).ends();
        assert_eq!(code, 2, "{written:?}");
        assert!(written.contains(r"--b\x1b[31mad\x1b[2J\n::error::x"), "{written:?}");
        written
    };
    assert!(on_terminal(&[]).starts_with("\x1b[1m\x1b[31merror:\x1b[0m unexpected argument"));
    for settings in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let written = on_terminal(&[settings]);
        assert!(!written.contains('\x1b'), "{settings:?}: {written:?}");
    }
    let ran = run(checkout.xtask(["iso", "--frobnicate"]).env("CI", "1")).exits(2);
    assert!(!ran.stderr.contains('\x1b'), "{}", ran.stderr);
    ran.says("\n::error::unexpected argument '--frobnicate' found%0A");
}

//! Every way of running a command, with real programs.

use super::*;
use std::collections::BTreeSet;

#[test]
fn a_missing_program_is_named() {
    let error = Cmd::new("no-such-program-here").read().unwrap_err();
    assert!(format!("{error:#}").contains("no-such-program-here"), "{error:#}");
    assert_eq!(Code::of(&error), Code::NotReady);
}

#[test]
fn output_comes_line_by_line_in_order_with_the_exit_code() {
    let mut seen = Vec::new();
    let exit = Cmd::new("sh")
        .args(["-c", "echo a; echo b >&2; printf 'c\\r\\nd'; exit 42"])
        .stream(&StopBy::Signal(Signal::TERM), |line| {
            seen.push(line.to_owned());
            Ok(())
        })
        .unwrap();
    assert_eq!((seen.join(","), exit), ("a,b,c,d".to_owned(), Exit::Code(42)));
}

#[test]
fn a_failing_sink_ends_the_command() {
    let error = Cmd::new("sh")
        .args(["-c", "while echo x; do sleep 0.01; done"])
        .stream(&StopBy::Signal(Signal::TERM), |_| bail!("disk full"))
        .unwrap_err();
    assert_eq!(error.to_string(), "disk full");
}

#[test]
fn input_reaches_stdin_also_through_a_wrapper_and_is_not_shown() {
    let cmd = Cmd::new("cat").input("hunter2").within_seconds(60);
    assert_eq!(cmd.read().unwrap(), "hunter2");
    assert!(!format!("{cmd} {cmd:?}").contains("hunter2"));
}

#[test]
fn every_way_of_running_gives_the_same_environment() {
    let cmd = Cmd::new("env").env("OWN", "x").env_remove("PWD");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let expected = lines(&cmd.read().unwrap());
    assert!(expected.contains("LC_ALL=C.UTF-8") && expected.contains("OWN=x"));
    assert!(!expected.iter().any(|line| line.starts_with("PWD=")));

    let mut streamed = BTreeSet::new();
    cmd.stream(&StopBy::Signal(Signal::TERM), |line| {
        streamed.insert(line.to_owned());
        Ok(())
    })
    .unwrap();
    let mut fed = Vec::new();
    cmd.feed(|piece| {
        fed.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    let log = std::env::temp_dir().join(format!("xtask-environment-{}", std::process::id()));
    let started = cmd.start(&log).unwrap();
    while started.ended().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(streamed, expected);
    assert_eq!(lines(&String::from_utf8(fed).unwrap()), expected);
    assert_eq!(lines(&std::fs::read_to_string(&log).unwrap()), expected);
    std::fs::remove_file(log).unwrap();
}

#[test]
fn a_dropped_process_takes_its_group_along() {
    let log = std::env::temp_dir().join(format!("xtask-group-{}", std::process::id()));
    let shell = Cmd::new("sh").args(["-c", "sleep 1000 & echo $!; wait"]).start(&log).unwrap();
    let child = loop {
        if let Ok(pid) = std::fs::read_to_string(&log).unwrap().trim().parse::<u32>() {
            break pid;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    let runs = || {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        !(stat.is_empty() || stat.contains(") Z "))
    };
    assert!(runs());
    drop(shell);
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while runs() {
        assert!(std::time::Instant::now() < patience, "the shell's child lives on");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::fs::remove_file(log).unwrap();
}

#[test]
fn the_bare_environment_is_bare() {
    let out = Cmd::new("/usr/bin/env").env_clear().env("ONLY", "this").read().unwrap();
    assert_eq!(out, "ONLY=this");
}

#[test]
fn feed_returns_all_output_and_stderr_apart() {
    let input: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    let mut seen = Vec::new();
    let (exit, stderr) = Cmd::new("sh")
        .args(["-c", "cat; echo why >&2; exit 3"])
        .input(input.clone())
        .feed(|piece| {
            seen.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
    assert_eq!((seen == input, exit, stderr.as_str()), (true, Exit::Code(3), "why\n"));
}

#[test]
fn a_failed_read_shows_exit_code_and_last_words() {
    let error = Cmd::new("sh").args(["-c", "echo why >&2; exit 7"]).read().unwrap_err();
    assert!(error.to_string().ends_with("failed (exit 7): why"), "{error}");
}

#[test]
fn a_halt_stops_a_streamed_command_that_says_nothing() {
    let halt = Halt::default();
    let other = halt.clone();
    let cmd = Cmd::new("sh").args(["-c", "echo begun; exec sleep 1000"]);
    let exit = cmd.stream_until(&halt, &StopBy::Signal(Signal::TERM), |line| {
        assert_eq!(line, "begun");
        other.halt();
        Ok(())
    });
    assert_eq!(exit.unwrap(), Exit::Signal(15));
    // wanted before the start
    let exit = cmd.stream_until(&halt, &StopBy::Signal(Signal::TERM), |_| Ok(()));
    assert_eq!(exit.unwrap(), Exit::Signal(15));
}

//! Signals, and death: whatever happens to the tool, nothing of it is left.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::{Scratch, in_each_role};

/// How long anything may take that should be immediate.
const PATIENCE: Duration = Duration::from_secs(20);

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(5));
    }
}

fn start(scratch: &Scratch, base: &Path, script: &str) -> Child {
    let mut tool = scratch.tool();
    tool.args(["--upper", "up"]).arg(base).args(["--", "sh", "-c", script]);
    // A group of its own, so that a signal to it is a signal to the tool alone.
    tool.process_group(0).stdin(Stdio::null()).spawn().unwrap()
}

fn signal(child: &Child, number: i32) {
    let kill = std::process::Command::new("kill")
        .arg(format!("-{number}"))
        .arg(child.id().to_string())
        .status();
    assert!(kill.unwrap().success());
}

/// Processes whose command line holds `word`.
fn running(word: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap();
    let lines = entries.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(word)).count()
}

#[test]
fn kill_9_leaves_no_process_and_no_file() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        for round in 0..20_u64 {
            let word = format!("3{}{:?}99", std::process::id(), scratch.role as u8);
            let script = format!("(sleep {word} & sleep {word}) & touch /started; sleep {word}");
            let mut child = start(scratch, &base, &script);
            if round % 2 == 0 {
                wait_until("it never started", || scratch.path("up/started").is_file());
            } else {
                sleep(Duration::from_millis(round));
            }
            signal(&child, 9);
            child.wait().unwrap();
            wait_until("a process is left", || running(&word) == 0);
            wait_until("a work directory is left", || {
                scratch.names().iter().all(|name| !name.starts_with(".union-mount-work"))
            });
            let _ = fs::remove_file(scratch.path("up/started"));
        }
    });
}

#[test]
fn the_command_dies_with_whoever_watches_over_it() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        let word = format!("6{}{:?}55", std::process::id(), scratch.role as u8);
        let mut child = start(scratch, &base, &format!("touch /started; sleep {word}; exit 0"));
        wait_until("it never started", || scratch.path("up/started").is_file());
        let path = format!("/proc/{0}/task/{0}/children", child.id());
        let supervisor = fs::read_to_string(path).unwrap();
        let killed = std::process::Command::new("kill").args(["-9", supervisor.trim()]).status();
        assert!(killed.unwrap().success());
        let own = format!("/proc/{}/stat", child.id());
        wait_until("the tool waits on", || fs::read_to_string(&own).unwrap().contains(") Z "));
        // With subordinate ids it is the tool, run again, that was killed.
        let status = child.wait().unwrap().code();
        assert!(matches!(status, Some(125 | 137)), "{status:?}");
        wait_until("a process is left", || running(&word) == 0);
        // What it would have removed the next one does.
        scratch.sh(&["--upper", "up"], &[&base], "true").ok();
        assert!(scratch.names().iter().all(|name| !name.starts_with(".union-mount-work")));
    });
}

#[test]
fn signals_reach_the_command_and_its_status_counts() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        let passed_on = [
            (15, "TERM"),
            (2, "INT"),
            (1, "HUP"),
            (3, "QUIT"),
            (10, "USR1"),
            (12, "USR2"),
            (28, "WINCH"),
        ];
        for (number, name) in passed_on {
            let _ = fs::remove_dir_all(scratch.path("up"));
            let script =
                format!("trap 'exit 9' {name}; touch /started; while :; do sleep 0.02; done");
            let mut child = start(scratch, &base, &script);
            wait_until("it never started", || scratch.path("up/started").is_file());
            signal(&child, number);
            assert_eq!(child.wait().unwrap().code(), Some(9), "{name}");
        }
        let _ = fs::remove_dir_all(scratch.path("up"));
        let mut child = start(scratch, &base, "touch /started; exec sleep 1000");
        wait_until("it never started", || scratch.path("up/started").is_file());
        signal(&child, 15);
        assert_eq!(child.wait().unwrap().code(), Some(143));
    });
}

/// The state of the processes whose command line is that of `sleep WORD`.
fn states(word: &str) -> String {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let own = entries.filter(|entry| {
        fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| line == format!("sleep\0{word}\0").as_bytes())
    });
    let state = |stat: String| stat.rsplit(") ").next().map(|rest| rest[..1].to_owned());
    own.filter_map(|entry| state(fs::read_to_string(entry.path().join("stat")).ok()?)).collect()
}

#[test]
fn stop_and_continue_reach_the_command_and_its_children() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        for options in [&[][..], &["--isolation", "chroot"]] {
            let word = format!("5{}{:?}68", std::process::id(), scratch.role as u8);
            let mut tool = scratch.tool();
            tool.args(options).arg(&base).args(["--", "sh", "-c"]);
            // The shell is the command, and what is looked at its child.
            tool.arg(format!("sleep {word}; exit 3")).process_group(0);
            let mut child = tool.stdin(Stdio::null()).spawn().unwrap();
            wait_until("it never started", || states(&word) == "S");
            signal(&child, 20);
            wait_until("it was not stopped", || states(&word) == "T");
            let own = format!("/proc/{}/stat", child.id());
            wait_until("the tool was not stopped", || {
                fs::read_to_string(&own).unwrap().contains(") T ")
            });
            signal(&child, 18);
            wait_until("it was not continued", || states(&word) == "S");
            signal(&child, 15);
            assert_eq!(child.wait().unwrap().code(), Some(143));
            wait_until("a process is left", || states(&word).is_empty());
        }
    });
}

#[test]
fn what_the_command_left_running_ends_with_it() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        let word = format!("4{}{:?}77", std::process::id(), scratch.role as u8);
        scratch.sh(&[], &[&base], &format!("sleep {word} & exit 0")).ok();
        assert_eq!(running(&word), 0);
    });
}

#[test]
fn sixteen_at_once_do_not_meet() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        let children: Vec<Child> = (0..16)
            .map(|number| {
                let mut tool = scratch.tool();
                tool.arg("--upper").arg(format!("up{number}")).arg(&base);
                let script = format!("echo {number} > /mine; n=$(ls / | wc -l); echo $n > /count");
                tool.args(["--", "sh", "-c", &script]).spawn().unwrap()
            })
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        for number in 0..16 {
            let read =
                |name| fs::read_to_string(scratch.path(format!("up{number}/{name}"))).unwrap();
            assert_eq!(read("mine"), format!("{number}\n"));
            assert_eq!(read("count"), "6\n");
        }
    });
}

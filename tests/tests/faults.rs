//! System calls that fail, one at a time, under strace(1): the tool reports the failure in a
//! message of its own or does without the call, never panics, and leaves nothing half-made.
//!
//! `LAYERUTILS_TEST_FAULTS` says how many calls of each command line fail in turn, or
//! `all`; `LAYERUTILS_TEST_SEED` picks others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;

use layerutils_tests::requirement::skip;
use layerutils_tests::run::{Outcome, Run};
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::{self, Line, Tool};
use layerutils_tests::{fixture, require};

/// The calls that are made to fail, and the errors of each.
///
/// Three kinds are left out: calls that fail in ordinary use, which other tests are about;
/// calls that remove files, whose failure leaves the file; and requests for memory.
const FAULTS: &[(&[&str], &[&str])] = &[
    (&["read", "pread64", "readv"], &["EIO", "EINTR"]),
    (&["write", "pwrite64", "writev"], &["ENOSPC", "EIO", "EINTR"]),
    (&["openat", "openat2"], &["EMFILE", "EIO", "EPERM"]),
    (&["copy_file_range", "sendfile", "splice"], &["ENOSPC", "EIO"]),
    (&["ftruncate", "fallocate", "mkdir", "mkdirat", "symlinkat", "linkat"], &["ENOSPC", "EIO"]),
    (&["rename", "renameat", "renameat2"], &["ENOSPC", "EIO", "EPERM"]),
    (&["fsync", "fdatasync", "syncfs"], &["EIO", "ENOSPC"]),
    (&["getdents64", "lseek", "readlinkat"], &["EIO"]),
    (&["fstat", "newfstatat", "statx"], &["EIO", "EPERM"]),
    (&["fchmod", "fchmodat", "fchown", "fchownat", "utimensat"], &["EPERM", "EIO"]),
    (&["setxattr", "lsetxattr", "fsetxattr"], &["ENOSPC", "EPERM"]),
    (&["getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr"], &["EIO"]),
    (&["flock"], &["ENOLCK"]),
    (&["clone3", "clone"], &["EAGAIN"]),
    (&["pipe2", "socketpair", "memfd_create", "dup", "epoll_create1"], &["EMFILE"]),
    (&["unshare", "setns", "mount", "fsopen", "fsconfig", "fsmount"], &["EPERM", "ENOSPC"]),
    (&["open_tree", "move_mount", "mount_setattr", "pivot_root", "umount2"], &["EPERM", "EIO"]),
    (&["capset", "setgroups", "setresuid", "setresgid", "setuid", "setgid"], &["EPERM"]),
    (&["prctl", "seccomp", "pidfd_open"], &["EPERM"]),
];

/// A call that is to fail: the one of this number among those of this name, of each thread.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    call: String,
    number: usize,
    error: &'static str,
}

/// The command lines of a tool, and the file that each of them makes.
fn lines(tool: &Tool) -> Vec<(String, Option<&'static str>)> {
    if tool.runs.is_some() {
        // strace stops the threads of a FUSE driver, and waits for what they serve.
        let Line { options, operands } = tool.works;
        return vec![(tool.line(&format!("--driver overlay {options} {operands}")), None)];
    }
    let out = tool
        .produces
        .map(|produces| (tool.line(&format!("{}out.tar", produces.file)), Some("out.tar")));
    std::iter::once((tool.working(), None)).chain(out).collect()
}

/// Runs `line` under strace with these options.
fn traced(sandbox: &Sandbox, options: &[&str], line: &str) -> Run {
    let words = line.split_whitespace();
    let argv: Vec<&str> =
        ["strace", "-f", "-qq"].into_iter().chain(options.iter().copied()).chain(words).collect();
    sandbox.run(&argv).env("SOURCE_DATE_EPOCH", "1000000000")
}

/// Makes the place what it was before.
fn reset(sandbox: &Sandbox) {
    let script = "rm -rf out.tar merged.tar sink sink2 && mkdir sink sink2";
    let _ = sandbox.sh(script).succeeds();
}

/// The faults that an undisturbed run has calls for.
fn faults(trace: &str) -> BTreeSet<Fault> {
    let mut found = BTreeSet::new();
    let mut numbers: HashMap<(&str, &str), usize> = HashMap::new();
    // A call before main is the loader's, which unmaps its cache at the end.
    let mut loading = HashSet::new();
    let mut of_loaders: HashMap<&str, usize> = HashMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        match call {
            "execve" => drop(loading.insert(thread)),
            "munmap" => drop(loading.remove(thread)),
            _ => {}
        }
        let number = numbers.entry((thread, call)).or_insert(0);
        *number += 1;
        let Some((_, errors)) = FAULTS.iter().find(|(calls, _)| calls.contains(&call)) else {
            continue;
        };
        if loading.contains(thread) {
            let most = of_loaders.entry(call).or_insert(0);
            *most = (*most).max(*number);
        } else {
            let fault = |error| Fault { call: call.to_owned(), number: *number, error };
            found.extend(errors.iter().copied().map(fault));
        }
    }
    found.retain(|fault| {
        of_loaders.get(fault.call.as_str()).is_none_or(|most| fault.number > *most)
    });
    found
}

/// A sample of the faults, spread over all of them.
fn sample(faults: &BTreeSet<Fault>) -> Vec<&Fault> {
    let number = |name: &str| std::env::var(name).unwrap_or_default().parse::<usize>();
    let all = std::env::var("LAYERUTILS_TEST_FAULTS").is_ok_and(|number| number == "all");
    let wanted = number("LAYERUTILS_TEST_FAULTS").unwrap_or(12).max(1);
    let step = if all { 1 } else { faults.len().div_ceil(wanted).max(1) };
    let first = number("LAYERUTILS_TEST_SEED").unwrap_or(0) % step;
    faults.iter().skip(first).step_by(step).collect()
}

/// Checks how a disturbed run ended.
fn check(tool: &Tool, fault: &Fault, disturbed: &Outcome, undisturbed: &Outcome) {
    let said = String::from_utf8_lossy(&disturbed.stderr);
    assert!(!said.contains("panicked"), "{disturbed}");
    // The command inside may fail with any status.
    if tool.runs.is_none() {
        assert!([0, 2].contains(&disturbed.status), "{disturbed}");
        // A write that fails may be that of the message.
        if disturbed.status != 0 && !fault.call.contains("write") {
            let _ = disturbed.diagnostics(tool.name);
        }
    }
    assert!(disturbed.status < 128, "{disturbed}");
    if disturbed.status == 0 {
        assert_eq!(disturbed.stdout, undisturbed.stdout, "another result\n{disturbed}");
    }
}

#[test]
fn a_call_that_fails_is_reported_and_leaves_nothing_half_made() {
    require!(Peer("strace"));
    let sandbox = Sandbox::new();
    fixture::make(&sandbox);
    tool::every_in_pipes(|tool| {
        for (line, out) in lines(tool) {
            reset(&sandbox);
            // The first run fills the caches, so that all later runs make the same calls.
            let _ = traced(&sandbox, &["-o", "/dev/null"], &line).outcome();
            reset(&sandbox);
            let undisturbed = traced(&sandbox, &["-o", "trace"], &line).outcome();
            if tool.runs.is_some() && undisturbed.status != 0 {
                skip(&format!(" ({})", tool.name), "no overlay, or no busybox");
                continue;
            }
            assert_eq!(undisturbed.status, 0, "{undisturbed}");
            let made = out.map(|out| fs::read(sandbox.path(out)).unwrap());
            let trace = fs::read(sandbox.path("trace")).unwrap();
            let faults = faults(&String::from_utf8_lossy(&trace));
            assert!(!faults.is_empty(), "nothing in the trace of {line}");
            for fault in sample(&faults) {
                reset(&sandbox);
                let Fault { call, number, error } = fault;
                let inject = format!("inject={call}:error={error}:when={number}");
                let options = ["-o", "/dev/null", "-e", &inject];
                let disturbed = traced(&sandbox, &options, &line).outcome();
                check(tool, fault, &disturbed, &undisturbed);
                if let (Some(out), Some(made)) = (out, &made) {
                    let left = fs::read(sandbox.path(out)).ok();
                    let is_right = if disturbed.status == 0 {
                        left.as_ref() == Some(made)
                    } else {
                        left.is_none()
                    };
                    assert!(is_right, "half-made, or made and called a failure\n{disturbed}");
                }
                reset(&sandbox);
                let again = traced(&sandbox, &["-o", "/dev/null"], &line).outcome();
                assert_eq!(
                    again.stdout, undisturbed.stdout,
                    "after {fault:?}\n{disturbed}\n{again}"
                );
            }
        }
    });
}

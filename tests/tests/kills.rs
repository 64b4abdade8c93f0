//! SIGKILL at random moments: then no mount, no process and no file is left.
//!
//! `LAYERUTILS_TEST_KILLS` says how often each case is killed, and
//! `PROPTEST_RNG_SEED` draws other moments.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use layerutils_tests::kill::{Moments, Victim, kill_at, rounds, traces};
use layerutils_tests::require;
use layerutils_tests::requirement::is_root;
use layerutils_tests::sandbox::Sandbox;

/// As whoever runs the tests and, where that is root, as an ordinary user as well:
/// an image `base` of two layers, in which there is a shell.
fn as_everybody(check: impl Fn(&Sandbox)) {
    let roles: &[fn() -> Sandbox] =
        if is_root() { &[Sandbox::new, Sandbox::ordinary] } else { &[Sandbox::ordinary] };
    for role in roles {
        let sandbox = role();
        let script = "mkdir -p base/bin base/etc && cp \"$(command -v busybox)\" base/bin && \
                      for name in sh sleep touch; do ln -s busybox base/bin/$name; done && \
                      layer-diff base | img-commit --quiet -t low scratch && mkdir up && \
                      for n in $(seq 200); do echo $n > up/file$n; done && \
                      layer-diff --overlay up | img-commit --quiet -t base low && rm -r up base";
        assert_eq!(sandbox.sh(script).outcome().status, 0);
        check(&sandbox);
    }
}

/// A mark that no other process has.
fn mark(case: &str) -> String {
    format!("killed-{}-{case}", std::process::id())
}

/// The arguments of a run, in which a mark in `script` can be seen.
type Argv = for<'a> fn(options: &[&'a str], script: &'a str) -> Vec<&'a str>;

fn union_mount<'a>(options: &[&'a str], script: &'a str) -> Vec<&'a str> {
    [&["union-mount"], options, &["--image", "base", "--", "sh", "-c", script]].concat()
}

fn img_run<'a>(options: &[&'a str], script: &'a str) -> Vec<&'a str> {
    [&["img-run"], options, &["base", "sh", "-c", script]].concat()
}

/// What is known of the sandbox may vanish, as the cache's notes do in time.
#[track_caller]
fn assert_nothing_new(sandbox: &Sandbox, known: &[String]) {
    let left: Vec<String> =
        traces(sandbox).into_iter().filter(|line| !known.contains(line)).collect();
    assert!(left.is_empty(), "left: {left:#?}");
}

/// How long one undisturbed run takes, and a little more.
fn span(sandbox: &Sandbox, argv: &[&str]) -> Duration {
    let start = Instant::now();
    let _ = sandbox.run(argv).succeeds();
    start.elapsed() * 5 / 4
}

/// Kills runs with each of these options: nothing is left after any.
fn leave_nothing(argv: Argv, options: &[&[&str]]) {
    require!(UserNamespace, Peer("busybox"));
    as_everybody(|sandbox| {
        for (number, options) in options.iter().enumerate() {
            let mark = mark(&format!("run{number}"));
            let script = format!("(sleep 0.003 & sleep 0.003) & : {mark}; sleep 0.004");
            let argv = argv(options, &script);
            let _ = sandbox.run(&argv).succeeds();
            let mut moments = Moments::within(span(sandbox, &argv));
            let expected = traces(sandbox);
            for _ in 0..rounds(30) {
                kill_at(sandbox, &argv, &mark, moments.draw(), Victim::Tool);
                assert_nothing_new(sandbox, &expected);
            }
        }
    });
}

#[test]
fn a_killed_union_mount_leaves_nothing() {
    leave_nothing(union_mount, &[&[], &["--upper", "up"], &["--upper", "up", "--volatile"]]);
}

#[test]
fn a_killed_img_run_leaves_nothing() {
    leave_nothing(img_run, &[&[], &["--upper", "up"]]);
}

#[test]
fn what_a_killed_img_run_leaves_of_a_copy_or_a_bundle_the_next_clears_away() {
    require!(UserNamespace, Peer("busybox"));
    as_everybody(|sandbox| {
        for isolation in ["chroot", "oci"] {
            let mark = mark(isolation);
            let script = format!(": {mark}; sleep 0.004");
            let argv = img_run(&["--isolation", isolation], &script);
            let first = sandbox.run(&argv).outcome();
            if first.status != 0 {
                let reason = String::from_utf8_lossy(&first.stderr);
                assert_eq!(isolation, "oci", "{reason}");
                layerutils_tests::requirement::skip(" (oci)", &reason);
                continue;
            }
            let mut moments = Moments::within(span(sandbox, &argv));
            let expected = traces(sandbox);
            for _ in 0..rounds(10) {
                kill_at(sandbox, &argv, &mark, moments.draw(), Victim::Tool);
            }
            let _ = sandbox.run(&argv).succeeds();
            assert_nothing_new(sandbox, &expected);
        }
    });
}

#[test]
fn what_two_deaths_leave_the_next_union_clears_away() {
    require!(UserNamespace, Peer("busybox"));
    as_everybody(|sandbox| {
        let mark = mark("both");
        let script = format!(": {mark}; sleep 0.004");
        let argv = union_mount(&["--upper", "up"], &script);
        let _ = sandbox.run(&argv).succeeds();
        let mut moments = Moments::within(span(sandbox, &argv));
        let expected = traces(sandbox);
        for _ in 0..rounds(10) {
            kill_at(sandbox, &argv, &mark, moments.draw(), Victim::ToolAndChildren);
        }
        let _ = sandbox.run(&argv).succeeds();
        assert_nothing_new(sandbox, &expected);
    });
}

#[test]
fn a_killed_first_use_is_made_good_by_the_next() {
    require!(UserNamespace, Peer("busybox"));
    as_everybody(|sandbox| {
        let cache = sandbox.path("../cache/layerutils");
        let mark = mark("first");
        let script = format!(": {mark}; test -e /file200 && test -e /bin/sh");
        for options in [&[][..], &["--driver", "copy"]] {
            let argv = union_mount(options, &script);
            let _ = std::fs::remove_dir_all(&cache);
            let mut moments = Moments::within(span(sandbox, &argv));
            let expected = traces(sandbox);
            for round in 0..rounds(8) {
                // What is left of one is in the way of the next, or not.
                if round % 3 == 0 {
                    let _ = std::fs::remove_dir_all(&cache);
                }
                kill_at(sandbox, &argv, &mark, moments.draw(), Victim::Tool);
                if round % 5 == 0 {
                    let _ = sandbox.run(&argv).succeeds();
                    assert_nothing_new(sandbox, &expected);
                }
            }
            let _ = sandbox.run(&argv).succeeds();
            assert_nothing_new(sandbox, &expected);
        }
    });
}

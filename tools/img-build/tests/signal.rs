//! A build that is interrupted: it dies of the signal, and nothing is left.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::process::Command;

use support::{Bench, busybox, skip};

#[test]
fn a_build_dies_of_the_signal_that_its_command_got() {
    let Some(busybox) = busybox() else { return skip("no static busybox (busybox-static)") };
    let Some(bench) = Bench::new().for_user() else { return skip("no setpriv") };
    std::fs::copy(busybox, bench.path("ctx/busybox")).unwrap();
    let text = "FROM scratch\nCOPY busybox /bin/sh\nCOPY nonce /\nRUN [\"/bin/sh\", \"-c\", \"exec sh -c 'while :; do :; done'\"]\n";
    bench.write("Containerfile", text);
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        let output = Command::new("sh")
            .args(["-c", "timeout --preserve-status -s $0 1.5 \"$@\"; echo $?", signal])
            .args(bench.words(&["-t", "x", "ctx"]))
            .env_clear()
            .envs(&bench.env)
            .current_dir(bench.dir.path())
            .output()
            .unwrap();
        let status = String::from_utf8(output.stdout).unwrap();
        assert_eq!(status.trim(), (128 + number).to_string());
        assert_eq!(left(&bench), 0);
        let index = std::fs::read_to_string(bench.path("store/index.json")).unwrap();
        assert!(!index.contains("digest"), "{index}");
    }
}

/// How many directories of steps there are.
fn left(bench: &Bench) -> usize {
    std::fs::read_dir(bench.path("cache/layerutils/run")).map_or(0, Iterator::count)
}

#[test]
fn the_next_build_removes_what_a_killed_one_left() {
    let Some(busybox) = busybox() else { return skip("no static busybox (busybox-static)") };
    let bench = Bench::new();
    std::fs::copy(busybox, bench.path("ctx/busybox")).unwrap();
    let text = "FROM scratch\nCOPY busybox /bin/sh\nRUN echo x >/file && exec sh -c 'while :; do :; done'\n";
    bench.write("Containerfile", text);
    let output = Command::new("timeout")
        .args(["--preserve-status", "-s", "KILL", "1.5"])
        .args(bench.words(&["ctx"]))
        .env_clear()
        .envs(&bench.env)
        .current_dir(bench.dir.path())
        .output()
        .unwrap();
    use std::os::unix::process::ExitStatusExt as _;
    assert_eq!(output.status.signal(), Some(9), "{output:?}");
    assert_eq!(left(&bench), 1, "the build was not killed in its step");
    // The command of the killed build may take a moment to die on a busy machine.
    let gone = (0..50).any(|_| {
        bench.build("FROM scratch\nLABEL a=b\n");
        std::thread::sleep(std::time::Duration::from_millis(50));
        left(&bench) == 0
    });
    assert!(gone, "a later build removes nothing");
}

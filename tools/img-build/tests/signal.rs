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
        let left = std::fs::read_dir(bench.path("cache/layerutils/build")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
        let index = std::fs::read_to_string(bench.path("store/index.json")).unwrap();
        assert!(!index.contains("digest"), "{index}");
    }
}

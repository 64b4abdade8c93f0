//! `-o`: the whole output or the old one, except for pipes and devices.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::thread::sleep;
use std::time::Duration;

use layerutils_tests::tool::each;
use nix::sys::signal::Signal;

use crate::{busy, prepared};

#[test]
fn a_failure_leaves_the_old_output() {
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            let out = sandbox.write(format!("{}.out", tool.name), "old");
            let before = names(&sandbox);
            let line = format!("{}{}.out", produces.fails, tool.name);
            sandbox.words(&tool.line(&line)).outcome().failed(tool.name, 2);
            assert_eq!(fs::read(&out).unwrap(), b"old");
            assert_eq!(names(&sandbox), before);
        },
    );
}

#[test]
fn a_failure_makes_no_output() {
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            let before = names(&sandbox);
            let line = format!("{}new.out", produces.fails);
            sandbox.words(&tool.line(&line)).outcome().failed(tool.name, 2);
            assert_eq!(names(&sandbox), before);
        },
    );
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_output() {
    each(
        |tool| tool.produces,
        |tool, produces| {
            let sandbox = prepared();
            let out = sandbox.write("out", "old");
            for milliseconds in [1, 5, 30, 200] {
                let run = busy(&sandbox, tool, produces.endless, "out").expect("needs no peer");
                let mut running = run.start();
                sleep(Duration::from_millis(milliseconds));
                running.signal(Signal::SIGKILL);
                assert_eq!(running.wait().status, 137);
                assert_eq!(fs::read(&out).unwrap(), b"old");
            }
        },
    );
}

#[test]
fn an_output_replaces_the_target_of_a_link_and_keeps_its_mode() {
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            let target = sandbox.write(format!("{}.target", tool.name), "old");
            fs::set_permissions(&target, Permissions::from_mode(0o640)).unwrap();
            let link = sandbox.path(format!("{}.link", tool.name));
            std::os::unix::fs::symlink(&target, &link).unwrap();
            let line = format!("{}{}.link", produces.file, tool.name);
            let _ = sandbox.words(&tool.line(&line)).succeeds();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_ne!(fs::read(&target).unwrap(), b"old");
            assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o640);
        },
    );
}

#[test]
fn a_pipe_or_a_device_is_written_through() {
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            let run = |script: &str| sandbox.sh(script).env("SOURCE_DATE_EPOCH", "0");
            let line = tool.line(produces.file);
            let _ = run(&format!("{line}expected")).succeeds();
            let fifo = format!(
                "rm -f fifo; mkfifo fifo; {line}fifo >/dev/null & cmp fifo expected && wait $!"
            );
            let _ = run(&fifo).succeeds();
            let _ = run(&format!("{line}/dev/null && test -c /dev/null")).succeeds();
            run(&format!("{line}/dev/full")).outcome().failed(tool.name, 2);
            let inherited = format!("{line}/dev/fd/3 3>&1 >/dev/null | cmp - expected");
            let _ = run(&inherited).succeeds();
        },
    );
}

#[test]
fn an_output_in_no_folder_is_a_failure_that_names_it() {
    let sandbox = prepared();
    each(
        |tool| tool.produces,
        |tool, produces| {
            for out in ["nowhere/out", "a"] {
                let line = format!("{}{out}", produces.file);
                let text = sandbox.words(&tool.line(&line)).outcome().failed(tool.name, 2);
                assert!(text.contains(&format!("{out}: ")), "{text}");
            }
        },
    );
}

fn names(sandbox: &layerutils_tests::sandbox::Sandbox) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(sandbox.work()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

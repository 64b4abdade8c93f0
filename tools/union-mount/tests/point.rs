//! A union at a mount point of the host, and the plan in print.

mod support;

use std::fs;

use support::{Ran, as_root, as_user, in_each_role};

#[test]
fn mounted_written_and_unmounted_without_a_trace() {
    as_root(|scratch| {
        let point = scratch.directory("mount point");
        for name in ["one", "two"] {
            scratch.directory(name);
            scratch.file(format!("{name}/{name}"), name);
        }
        let run = |args: &[&str]| Ran::of(scratch.tool().args(args).output().unwrap());
        run(&["--upper", "up", "one", "two", "mount point"]).ok();
        fs::write(point.join("new"), "").unwrap();
        fs::remove_file(point.join("one")).unwrap();
        assert_eq!(scratch.tree("mount point"), ["./new", "./two"]);
        run(&["--unmount", "mount point"]).ok();
        assert_eq!(scratch.tree("up"), ["./new", "./one"]);
        assert_eq!(scratch.names(), ["mount point", "one", "two", "union-mount", "up"]);

        let again = run(&["--unmount", "mount point"]);
        assert_eq!(again.status, Some(2));
        assert_eq!(again.stderr, "union-mount: mount point: not mounted by union-mount\n");

        // One layer alone, read-only.
        run(&["one", "mount point"]).ok();
        assert!(fs::write(point.join("new"), "").is_err());
        assert_eq!(scratch.tree("mount point"), ["./one"]);
        run(&["--unmount", "mount point"]).ok();
    });
}

#[test]
fn an_ordinary_user_is_told_what_to_do_instead() {
    as_user(|scratch| {
        scratch.directory("one");
        scratch.directory("mnt");
        let ran = Ran::of(scratch.tool().args(["one", "mnt"]).output().unwrap());
        assert_eq!(ran.status, Some(2));
        assert!(ran.stderr.contains("CAP_SYS_ADMIN"), "{}", ran.stderr);
        assert!(ran.stderr.contains("\nunion-mount: hint: "), "{}", ran.stderr);
    });
}

#[test]
fn a_failure_leaves_no_work_directory() {
    as_root(|scratch| {
        scratch.directory("one");
        scratch.file("file", "");
        let run = |args: &[&str]| Ran::of(scratch.tool().args(args).output().unwrap());
        let ran = run(&["--upper", "up", "one", "file"]);
        assert_eq!(ran.status, Some(2));
        let ran = run(&["--upper", "up", "--work", "up", "one", "."]);
        assert_eq!(ran.status, Some(2));
        assert!(ran.stderr.starts_with("union-mount: cannot mount overlay"), "{}", ran.stderr);
        assert_eq!(scratch.names(), ["file", "one", "union-mount", "up"]);
    });
}

#[test]
fn the_plan_is_printed_and_nothing_is_mounted() {
    in_each_role(|scratch| {
        let run = |args: &[&str]| Ran::of(scratch.tool().args(args).output().unwrap());
        let plan = run(&["--print", "--at", "2", "a", "b", "c", "--", "sh", "-c", "x"]).ok();
        assert!(plan.contains("\"lowers\": [\n    \"a\",\n    \"b\"\n  ]"), "{plan}");
        assert!(plan.contains("\"command\": [\n    \"sh\""), "{plan}");
        let few = run(&["--print", "--at", "4", "a", "b", "c", "mnt"]);
        assert_eq!(few.status, Some(2));
        assert_eq!(few.stderr, "union-mount: --at 4: there are 3 layers\n");
        assert_eq!(scratch.names(), ["union-mount"]);
    });
}

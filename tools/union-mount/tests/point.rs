//! A union at a mount point of the host, and the plan in print.

mod support;

use std::fs;

use support::{Ran, as_root, in_each_role};

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
fn only_ours_is_unmounted_and_only_when_it_can_be() {
    as_root(|scratch| {
        let point = scratch.directory("mnt");
        scratch.directory("one");
        scratch.directory("one/inner");
        let run = |args: &[&str]| Ran::of(scratch.tool().args(args).output().unwrap());
        let mount = |args: &[&str]| {
            assert!(std::process::Command::new("mount").args(args).status().unwrap().success());
        };
        let unmount = |path: &std::path::Path| {
            assert!(std::process::Command::new("umount").arg(path).status().unwrap().success());
        };
        run(&["--upper", "up", "one", "mnt"]).ok();

        // In it.
        let inner = point.join("inner");
        mount(&["-t", "tmpfs", "none", inner.to_str().unwrap()]);
        let nested = run(&["--unmount", "mnt"]);
        assert_eq!(nested.status, Some(2));
        let inner_name = fs::canonicalize(&inner).unwrap();
        let expected = format!(
            "union-mount: mnt: {} is mounted in it\nunion-mount: hint: unmount that first\n",
            inner_name.display()
        );
        assert_eq!(nested.stderr, expected);
        // A directory of the union is no mount point of it.
        let within = run(&["--unmount", "mnt/inner"]);
        assert_eq!(within.stderr, "union-mount: mnt/inner: not mounted by union-mount\n");
        unmount(&inner);

        // In use.
        let file = fs::File::open(&inner).unwrap();
        let busy = run(&["--unmount", "mnt"]);
        assert_eq!(busy.status, Some(2));
        assert!(busy.stderr.contains("busy"), "{}", busy.stderr);
        assert!(busy.stderr.contains("hint: files in it are in use"), "{}", busy.stderr);
        drop(file);

        // Over it.
        mount(&["-t", "tmpfs", "none", point.to_str().unwrap()]);
        let covered = run(&["--unmount", "mnt"]);
        assert_eq!(covered.stderr, "union-mount: mnt: not mounted by union-mount\n");
        unmount(&point);
        run(&["--unmount", "mnt"]).ok();
        assert_eq!(scratch.names(), ["mnt", "one", "union-mount", "up"]);
    });
}

#[test]
fn one_upper_directory_takes_the_changes_of_one_union() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        let in_use = "union-mount: up: the upper directory is in use by another union\n";
        // The first one ends when it has read a line.
        let script = "mkfifo go; ./union-mount --upper up base -- sh -c 'touch /on; read x' < go & \
                      exec 3> go; while ! test -e up/on; do sleep 0.05; done; \
                      ./union-mount --upper up base -- ls /on; echo $?; echo >&3; wait; \
                      ./union-mount --upper up base -- ls /on; echo $?";
        let ran = Ran::of(scratch.as_role("sh").args(["-c", script]).output().unwrap());
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("125\n/on\n0\n", in_use));
        if scratch.role == support::Role::Root {
            scratch.directory("mnt");
            let run = |args: &[&str]| Ran::of(scratch.tool().args(args).output().unwrap());
            run(&["--upper", "up", "base", "mnt"]).ok();
            assert_eq!(run(&["--upper", "up", "base", "--", "true"]).stderr, in_use);
            run(&["--unmount", "mnt"]).ok();
        }
        // What a death has left is taken over.
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(scratch.path("up")).unwrap());
        let work = format!(".union-mount-work.{inode}");
        // The kernel's own, in ours.
        let kernels = format!("{work}/{}", "work");
        scratch.directory(format!("{kernels}/left"));
        let owned = [work.clone(), kernels];
        owned.iter().for_each(|name| scratch.own(scratch.path(name)));
        scratch.sh(&["--upper", "up"], &[&base], ":").ok();
        assert!(!scratch.names().contains(&work), "{:?}", scratch.names());
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
        assert!(ran.stderr.contains("apart from the upper directory"), "{}", ran.stderr);
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
        assert!(plan.contains("\"driver\": \""), "{plan}");
        assert!(plan.contains("\"nosuid\": null"), "{plan}");
        let plan = run(&["--print", "--driver", "copy", "--suid", "a", "mnt"]).ok();
        assert!(plan.contains("\"nosuid\": false"), "{plan}");
        assert!(plan.contains("\"nodev\": true"), "{plan}");
        let few = run(&["--print", "--at", "4", "a", "b", "c", "mnt"]);
        assert_eq!(few.status, Some(2));
        assert_eq!(few.stderr, "union-mount: --at 4: only 3 layers to show\n");
        assert_eq!(scratch.names(), ["union-mount"]);
    });
}

#[test]
fn ids_are_chosen_for_a_command_alone() {
    in_each_role(|scratch| {
        for name in ["one", "mnt"] {
            scratch.directory(name);
        }
        let run = |args: &[&str]| Ran::of(scratch.tool().args(args).output().unwrap());
        for how in ["--users=map", "--users=single", "--users=root", "--map-users"] {
            for rest in [&["one", "mnt"][..], &["--print", "one", "mnt"]] {
                let refused = run(&[&[how], rest].concat());
                let said = "union-mount: --users and --map-users are for a command: \
                            see '-- COMMAND'\n";
                assert_eq!(refused.status, Some(2), "{how}");
                assert!(refused.stderr.starts_with(said), "{refused:?}");
            }
        }
    });
}

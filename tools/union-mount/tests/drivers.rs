//! The ways to show layers: each gives the same tree, leaves nothing, and says why
//! it cannot be had.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use support::{Ran, Scratch, as_named_user, as_root, as_user, in_each_role};

/// Whether this machine has fuse-overlayfs and the device. Says so if not.
fn has_fuse() -> bool {
    let found = Command::new("fuse-overlayfs").arg("--version").output();
    let has =
        found.is_ok_and(|output| output.status.success()) && fs::metadata("/dev/fuse").is_ok();
    if !has {
        layerutils_tests::requirement::skip("", "no fuse-overlayfs, or no /dev/fuse");
    }
    has
}

/// Processes of fuse-overlayfs whose command line or working files lie in `scratch`:
/// it names descriptors only, so what they lead to is looked at.
fn servers(scratch: &Scratch) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let serves = |process: &Path| {
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        name.starts_with("fuse-overlayfs")
            && files
                .filter_map(|file| fs::read_link(file.path()).ok())
                .any(|target| target.starts_with(scratch.path("")))
    };
    entries.filter(|entry| serves(&entry.path())).count()
}

fn wait_for_no_server(scratch: &Scratch) {
    let start = std::time::Instant::now();
    while servers(scratch) > 0 {
        assert!(start.elapsed().as_secs() < 20, "fuse-overlayfs is left");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Two layers, the upper of which deletes, hides and changes, made by the tool.
fn two_layers(scratch: &Scratch) -> Option<[std::path::PathBuf; 2]> {
    let base = scratch.base()?;
    scratch.directory("base/d");
    scratch.directory("base/d/e");
    for name in ["gone", "d/old", "d/e/deep", "changed"] {
        scratch.file(format!("base/{name}"), name);
    }
    let script =
        "rm /gone; echo more >> /changed; rm -r /d; mkdir /d; echo n > /d/new; chmod 750 /";
    scratch.sh(&["--upper", "top"], &[&base], script).ok();
    Some([base, scratch.path("top")])
}

const LOOK: &str = "ls -lR /d; ls -R /bin; cat /changed; stat -c '%a %u' / /d /d/new; ls /gone 2>&1; \
                    touch /x 2>&1";

#[test]
fn every_driver_shows_the_same_tree() {
    as_root(|scratch| {
        let Some([base, top]) = two_layers(scratch) else { return };
        let seen = |driver: &str| scratch.sh(&["--driver", driver], &[&base, &top], LOOK).stdout;
        let expected = seen("overlay");
        assert!(expected.contains("changedmore\n750 0\n"), "{expected}");
        assert!(expected.ends_with("/x: Read-only file system\n"), "{expected}");
        assert_eq!(seen("copy"), expected);
        if has_fuse() {
            assert_eq!(seen("fuse"), expected);
        }
        // Marks that anyone can read are other marks.
        let script = "rm /gone; echo more >> /changed; rm -r /d; mkdir /d; echo n > /d/new; \
                      chmod 750 /";
        let options = ["--driver", "userxattr", "--upper", "user"];
        scratch.sh(&options, &[&base], script).ok();
        let user = scratch.path("user");
        let seen = scratch.sh(&["--driver", "userxattr"], &[&base, &user], LOOK).stdout;
        let names = |text: &str| {
            let words = text.lines().map(|line| line.rsplit(' ').next().unwrap_or_default());
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names(&seen), names(&expected));
        wait_for_no_server(scratch);
    });
}

#[test]
fn a_layer_whose_root_is_opaque_hides_all_below() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        let below = scratch.directory("below");
        scratch.file("below/hidden", "");
        for mark in ["trusted.overlay.opaque", "user.overlay.opaque"] {
            // The first is for root only, to write and to read.
            let _ = rustix::fs::setxattr(&base, mark, b"y", rustix::fs::XattrFlags::empty());
        }
        for options in [&[][..], &["--driver", "copy"]] {
            let seen = scratch.sh(options, &[&below, &base], "ls /");
            assert!(seen.stdout.contains("bin\n"), "{options:?}: {seen:?}");
            assert!(!seen.stdout.contains("hidden"), "{options:?}: {seen:?}");
        }
    });
}

#[test]
fn an_ordinary_users_drivers_show_the_same_tree() {
    as_user(|scratch| {
        let Some([base, top]) = two_layers(scratch) else { return };
        let seen = |driver: &str| scratch.sh(&["--driver", driver], &[&base, &top], LOOK).stdout;
        let expected = seen("userxattr");
        assert!(expected.contains("changedmore\n750 0\n"), "{expected}");
        assert_eq!(seen("copy"), expected);
        if has_fuse() && scratch.reaches_fuse() {
            let mut tool = scratch.with_fuse(&["./union-mount"]);
            tool.args(["--driver", "fuse"]).args([&base, &top]).args(["--", "sh", "-c", LOOK]);
            assert_eq!(Ran::of(tool.output().unwrap()).stdout, expected);
            wait_for_no_server(scratch);
        }
    });
}

#[test]
fn each_driver_that_is_passed_over_is_told() {
    as_user(|scratch| {
        let Some(base) = scratch.base() else { return };
        let ran = scratch.sh(&["-v", "--users", "single"], &[&base], "true");
        let of_drivers = |line: &&str| line.starts_with("union-mount: driver");
        let told: Vec<&str> = ran.stderr.lines().filter(of_drivers).take(2).collect();
        let expected =
            ["union-mount: driver overlay: needs CAP_SYS_ADMIN", "union-mount: driver userxattr"];
        assert_eq!(told, expected);
        let forced = ["--users", "single", "--driver", "overlay"];
        let forced = scratch.sh(&forced, &[&base], "true");
        assert_eq!(forced.status, Some(125));
        let expected = "union-mount: cannot show the layers: overlay: needs CAP_SYS_ADMIN\n";
        assert_eq!(forced.stderr, expected);
    });
}

#[test]
fn what_the_kernel_refuses_fuse_overlayfs_serves_and_nothing_is_left() {
    as_root(|scratch| {
        let Some(base) = scratch.base() else { return };
        if !has_fuse() {
            return;
        }
        // The upper directory is on an overlay, which the kernel does not take.
        for name in ["l", "u", "w", "on-overlay"] {
            scratch.directory(name);
        }
        let script = "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w none on-overlay && \
                      ./union-mount -v --upper on-overlay/up base -- \
                      sh -c 'echo hi > /hello; rm /bin/wc' && find on-overlay/up | sort";
        let ran = Ran::of(
            scratch.as_role("unshare").args(["--mount", "sh", "-c", script]).output().unwrap(),
        );
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let told: Vec<&str> =
            ran.stderr.lines().filter(|line| line.contains(": driver ")).collect();
        assert_eq!(told.len(), 3, "{}", ran.stderr);
        // In the kernel's words, or ours where it is too old to have any.
        let words = ["not supported as upperdir", "keeps no trusted attributes"];
        assert!(words.iter().any(|words| told[1].contains(words)), "{told:?}");
        assert_eq!(told[2], "union-mount: driver fuse");
        assert!(ran.stdout.contains("on-overlay/up/hello\n"), "{ran:?}");
        wait_for_no_server(scratch);
        drop(base);
        let left: Vec<String> = scratch.names();
        assert!(left.iter().all(|name| !name.starts_with(".union-mount")), "{left:?}");
    });
}

#[test]
fn odd_names_do_not_confuse_fuse_overlayfs() {
    as_root(|scratch| {
        let Some(base) = scratch.base() else { return };
        if !has_fuse() {
            return;
        }
        let long = format!("{}/{}", "a".repeat(200), "b".repeat(200));
        let mut layers = vec![base];
        for (number, name) in ["a:b", "c,d=e", "new\nline", "back\\slash", &long].iter().enumerate()
        {
            layers.push(scratch.directory(name));
            scratch.file(format!("{name}/file{number}"), "");
        }
        let layers: Vec<&Path> = layers.iter().map(std::path::PathBuf::as_path).collect();
        let options = ["--driver", "fuse", "--upper", "u,p\\per"];
        let seen = scratch.sh(&options, &layers, "ls -d /file*; touch /new").ok();
        assert_eq!(seen, "/file0\n/file1\n/file2\n/file3\n/file4\n");
        assert_eq!(scratch.tree("u,p\\per"), ["./new"]);
        let point = scratch.directory("po,int:");
        let mut tool = scratch.tool();
        tool.args(["--driver", "fuse", "--upper", "u,p\\per"]).args(&layers).arg(&point);
        Ran::of(tool.output().unwrap()).ok();
        assert!(point.join("file4").is_file() && point.join("new").is_file());
        let busy = Ran::of(
            scratch.tool().args(["--upper", "u,p\\per", "base", "--", "ls"]).output().unwrap(),
        );
        let expected = "union-mount: u,p\\per: the upper directory is in use by another union\n";
        assert_eq!((busy.status, busy.stderr.as_str()), (Some(125), expected));
        Ran::of(scratch.tool().arg("--unmount").arg(&point).output().unwrap()).ok();
        wait_for_no_server(scratch);
        // Of this one it makes two.
        let refused = scratch.sh(&["--driver", "fuse", "--upper", "u:p"], &layers, "ls");
        assert_eq!(refused.status, Some(125));
        assert!(refused.stderr.contains("a path with a colon"), "{}", refused.stderr);
        assert!(scratch.names().iter().all(|name| !name.starts_with(".union-mount")));
    });
}

#[test]
fn a_user_mounts_with_fusermount_and_unmounts() {
    as_named_user(|scratch| {
        if !has_fuse() || !scratch.reaches_fuse() {
            return;
        }
        for name in ["one", "t,w:o", "mnt"] {
            scratch.directory(name);
            scratch.file(format!("{name}/in-{name}"), "");
        }
        fs::remove_file(scratch.path("mnt/in-mnt")).unwrap();
        let script = "set -e; ./union-mount --upper up one t,w:o mnt; ls mnt; rm mnt/in-one; \
                      touch mnt/new; ./union-mount --unmount mnt; ls mnt; ls -A up; \
                      stat -c %F up/in-one";
        let ran = Ran::of(scratch.with_fuse(&["sh", "-c", script]).output().unwrap());
        let expected = "in-one\nin-t,w:o\nin-one\nnew\ncharacter special file\n";
        assert_eq!(ran.ok(), expected);
        wait_for_no_server(scratch);
        assert_eq!(scratch.names(), ["mnt", "one", "t,w:o", "union-mount", "up"]);
    });
}

/// A layer with a program that runs as root whoever starts it, one with a capability, and
/// a device that everybody may read.
fn hostile_layer(scratch: &Scratch) {
    scratch.directory("one");
    support::copy("/usr/bin/id", scratch.path("one/id"));
    fs::set_permissions(scratch.path("one/id"), fs::Permissions::from_mode(0o4755)).unwrap();
    support::copy("/usr/bin/cat", scratch.path("one/cat"));
    // CAP_DAC_READ_SEARCH, as setcap(8) writes it.
    let words = [0x0200_0001_u32, 1 << 2, 0, 0, 0].map(u32::to_le_bytes).concat();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(scratch.path("one/cat"), "security.capability", &words, flags).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    let (kind, zero) = (rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 5));
    rustix::fs::mknodat(rustix::fs::CWD, scratch.path("one/zero"), kind, mode, zero).unwrap();
    scratch.file("secret", "secret\n");
    fs::set_permissions(scratch.path("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    scratch.directory("mnt");
}

/// What somebody else gains in the union: root's id, root's files, a device.
fn gained(scratch: &Scratch) -> [bool; 3] {
    let script =
        "echo uid $(mnt/id -u); mnt/cat secret 2>/dev/null; head -c 1 mnt/zero 2>/dev/null | wc -c";
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script]);
    let output = nobody.current_dir(scratch.path("")).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let has = |line: &str| lines.lines().any(|found| found == line);
    [has("uid 0"), has("secret"), has("1")]
}

#[test]
fn at_a_mount_point_no_layer_hands_out_privileges() {
    as_root(|scratch| {
        hostile_layer(scratch);
        let run = |args: &[&str]| Ran::of(scratch.tool().args(args).output().unwrap());
        for driver in ["overlay", "fuse"] {
            if driver == "fuse" && !has_fuse() {
                continue;
            }
            for (options, expected) in [
                (&[][..], [false, false, false]),
                (&["--suid"], [true, true, false]),
                (&["--dev"], [false, false, true]),
                (&["--suid", "--dev"], [true, true, true]),
            ] {
                for upper in [&[][..], &["--upper", "up"]] {
                    let words = [&["--driver", driver], options, upper, &["one", "mnt"]].concat();
                    run(&words).ok();
                    assert_eq!(gained(scratch), expected, "{words:?}");
                    run(&["--unmount", "mnt"]).ok();
                }
            }
            wait_for_no_server(scratch);
        }
    });
}

#[test]
fn a_copy_in_place_hands_out_no_privileges_either() {
    as_root(|scratch| {
        hostile_layer(scratch);
        let run = |args: &[&str]| Ran::of(scratch.tool().args(args).output().unwrap());
        let empty = || {
            fs::remove_dir_all(scratch.path("mnt")).unwrap();
            scratch.directory("mnt");
        };
        let ran = run(&["--driver", "copy", "one", "mnt"]);
        let expected = "union-mount: warning: set-id bits of 1 file dropped: others could act as \
                        their owner\n\
                        union-mount: warning: 1 device left out: others could use it\n\
                        union-mount: warning: extended attribute security.capability of 1 entry \
                        not kept: it would give others a privilege\n";
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), expected));
        assert_eq!(gained(scratch), [false; 3]);
        assert_eq!(scratch.tree("mnt"), ["./cat", "./id"]);
        empty();
        run(&["--driver", "copy", "--suid", "--dev", "one", "mnt"]).ok();
        assert_eq!(gained(scratch), [true; 3]);
    });
}

#[test]
fn options_that_cannot_be_honoured_are_refused() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        scratch.directory("mnt");
        let base = base.to_str().unwrap();
        let run = |args: &[&str]| Ran::of(scratch.tool().args(args).output().unwrap());
        for option in ["--suid", "--dev"] {
            let ran = run(&[option, base, "--", "true"]);
            let text = "union-mount: --suid and --dev are for a mount point, not for a command\n";
            assert!(ran.stderr.starts_with(text), "{ran:?}");
            assert_eq!(ran.status, Some(2));
            assert_eq!(run(&[option, "--unmount", "mnt"]).status, Some(2));
        }
    });
    as_named_user(|scratch| {
        scratch.directory("one");
        scratch.directory("mnt");
        if has_fuse() && scratch.reaches_fuse() {
            for option in ["--suid", "--dev"] {
                let words = ["./union-mount", "--driver", "fuse", option, "one", "mnt"];
                let ran = Ran::of(scratch.with_fuse(&words).output().unwrap());
                let expected = "union-mount: cannot show the layers: fuse: fusermount3 mounts with \
                                nosuid and nodev\nunion-mount: hint: leave out --suid and --dev; \
                                or run it as root; or give a command after '--': it sees the union \
                                in a user namespace of its own\n";
                assert_eq!((ran.status, ran.stderr.as_str()), (Some(2), expected));
            }
            let script = "./union-mount one mnt && grep union-mount /proc/self/mounts; \
                          ./union-mount --unmount mnt";
            let ran = Ran::of(scratch.with_fuse(&["sh", "-c", script]).output().unwrap()).ok();
            assert!(ran.contains(" ro,nosuid,nodev,"), "{ran}");
        }
        let ran = Ran::of(
            scratch.tool().args(["--driver", "copy", "--dev", "one", "mnt"]).output().unwrap(),
        );
        assert!(ran.stderr.contains("copy: only root can make devices"), "{ran:?}");
        assert_eq!(ran.status, Some(2));
    });
    // Root of a user namespace opens no device on its mounts.
    as_user(|scratch| {
        scratch.directory("one");
        scratch.directory("mnt");
        let script = "./union-mount one mnt && grep \" $PWD/mnt \" /proc/self/mounts; \
                      ./union-mount --unmount mnt; ./union-mount --suid one mnt && \
                      grep \" $PWD/mnt \" /proc/self/mounts; ./union-mount --unmount mnt; \
                      ./union-mount --driver userxattr --dev one mnt";
        let words = ["--user", "--map-root-user", "--mount", "sh", "-c", script];
        let ran = Ran::of(scratch.as_role("unshare").args(words).output().unwrap());
        assert!(ran.stderr.contains("no device can be opened on a mount of a user"), "{ran:?}");
        assert_eq!(ran.status, Some(2));
        let lines: Vec<&str> = ran.stdout.lines().collect();
        assert!(lines[0].contains(" ro,nosuid,nodev,"), "{ran:?}");
        assert!(!lines[1].contains("nosuid") && lines[1].contains("nodev"), "{ran:?}");
    });
}

#[test]
fn for_a_command_set_id_programs_have_effect() {
    as_root(|scratch| {
        let Some(base) = scratch.base() else { return };
        symlink("busybox", base.join("bin/grep")).unwrap();
        let ran = scratch.sh(&[], &[&base], "grep ' / ' /proc/self/mounts").ok();
        let line = ran.lines().find(|line| line.starts_with("union-mount / overlay")).unwrap();
        assert!(!line.contains("nosuid"), "{line}");
    });
}

#[test]
fn a_copy_is_made_in_place_and_only_where_it_is_wanted() {
    in_each_role(|scratch| {
        for name in ["one", "two", "mnt"] {
            scratch.directory(name);
        }
        scratch.file("one/both", "one");
        scratch.file("one/first", "one");
        scratch.file("two/both", "two");
        let run = |args: &[&str]| Ran::of(scratch.tool().args(args).output().unwrap());
        run(&["--driver", "copy", "one", "two", "mnt"]).ok();
        assert_eq!(scratch.tree("mnt"), ["./both", "./first"]);
        assert_eq!(fs::read_to_string(scratch.path("mnt/both")).unwrap(), "two");
        let again = run(&["--driver", "copy", "one", "two", "mnt"]);
        assert_eq!(again.status, Some(2));
        let expected = "union-mount: mnt: a copy is made in place, and it is not empty\n";
        assert_eq!(again.stderr, expected);
        assert_eq!(run(&["--unmount", "mnt"]).status, Some(2));
        // A failure half-way leaves the directory as it was.
        scratch.directory("new");
        let missing = run(&["--driver", "copy", "one", "missing", "new"]);
        assert_eq!(missing.status, Some(2));
        assert!(missing.stderr.starts_with("union-mount: missing: "), "{}", missing.stderr);
        assert_eq!(scratch.tree("new"), [""; 0]);
    });
}

#[test]
fn a_copy_cannot_keep_changes() {
    in_each_role(|scratch| {
        scratch.directory("one");
        let run = |args: &[&str]| Ran::of(scratch.tool().args(args).output().unwrap());
        let ran = run(&["--driver", "copy", "--upper", "up", "one", "--", "true"]);
        assert_eq!(ran.status, Some(2));
        assert!(ran.stderr.contains("--upper needs an overlay"), "{}", ran.stderr);
        let ran = run(&["--isolation", "chroot", "--driver", "fuse", "one", "--", "true"]);
        assert_eq!(ran.status, Some(2));
        assert!(ran.stderr.contains("takes a copy"), "{}", ran.stderr);
    });
}

#[test]
fn in_a_chroot_the_command_has_a_copy_of_its_own() {
    as_root(|scratch| {
        let Some(base) = scratch.base() else { return };
        let script = "touch /bin/new && ls /bin/new && ls /proc";
        let ran = scratch.sh(&["--isolation", "chroot"], &[&base], script);
        assert_eq!(ran.stdout, "/bin/new\n", "{ran:?}");
        assert!(fs::metadata(base.join("bin/new")).is_err(), "the layer was written to");
        let run = scratch.path(".cache/layerutils/run");
        assert_eq!(fs::read_dir(run).unwrap().count(), 0, "the copy is left");
    });
}

#[test]
fn without_fuse_overlayfs_a_user_is_told_what_to_install() {
    as_user(|scratch| {
        scratch.directory("one");
        scratch.directory("mnt");
        let without = |args: &[&str]| {
            let mut env = scratch.as_role("env");
            Ran::of(env.args(["PATH=/nowhere", "./union-mount"]).args(args).output().unwrap())
        };
        let ran = without(&["one", "mnt"]);
        assert_eq!(ran.status, Some(2));
        assert!(ran.stderr.contains("fuse: fuse-overlayfs is not installed"), "{}", ran.stderr);
        for advice in ["install fuse-overlayfs", "run it as root", "after '--'", "--copy copies"] {
            assert!(ran.stderr.contains(advice), "{advice}: {}", ran.stderr);
        }
        without(&["--copy", "one", "mnt"]).ok();
    });
}

//! A command in the union: what it sees, what it leaves, how it ends.

mod support;

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use support::{Ran, as_root, in_each_role};

#[test]
fn the_upper_directory_holds_the_change_and_nothing_else() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        let script =
            "echo hi > /hello; rm /bin/wc; echo x >> /etc/hosts; hostname; cat /proc/1/comm";
        scratch.sh(&["--upper", "up"], &[&base], script).ok();
        assert_eq!(scratch.tree("up"), ["./bin", "./bin/wc", "./hello"]);
        assert_eq!(scratch.tree("base").len(), 21 + 1, "the lower layer has changed");
        assert_eq!(scratch.names(), ["base", "union-mount", "up"], "a work directory is left");
    });
}

#[test]
fn without_upper_nothing_can_be_written() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        let ran = scratch.sh(&[], &[&base], "touch /x 2>/dev/null || echo refused");
        assert_eq!(ran.ok(), "refused\n");
    });
}

#[test]
fn the_status_is_the_commands_own() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        assert_eq!(scratch.sh(&[], &[&base], "exit 7").status, Some(7));
        assert_eq!(scratch.sh(&[], &[&base], "exit 2").status, Some(2));
        assert_eq!(scratch.sh(&[], &[&base], "kill -9 $$").status, Some(137));
        let run = |program: &str| {
            Ran::of(scratch.tool().arg(&base).args(["--", program]).output().unwrap())
        };
        let missing = run("nope");
        assert_eq!(missing.status, Some(127));
        assert_eq!(missing.stderr, "union-mount: nope: command not found\n");
        let refused = run("/bin");
        assert_eq!(refused.status, Some(126));
        assert_eq!(refused.stderr, "union-mount: /bin: Permission denied\n");
        let lost = scratch.sh(&[], &[Path::new("no-such-layer")], "true");
        assert_eq!(lost.status, Some(125));
        assert!(lost.stderr.starts_with("union-mount: no-such-layer: "), "{}", lost.stderr);
    });
}

#[test]
fn on_the_hosts_network_there_is_no_net_raw_unless_it_is_added() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        symlink("busybox", base.join("bin/grep")).unwrap();
        let bounding =
            |options: &[&str]| scratch.sh(options, &[&base], "grep CapBnd /proc/self/status").ok();
        assert_eq!(bounding(&[]), "CapBnd:\t00000000a80405fb\n");
        assert_eq!(bounding(&["--cap-add", "net_raw"]), "CapBnd:\t00000000a80425fb\n");
        assert_eq!(bounding(&["--cap-drop", "all"]), "CapBnd:\t0000000000000000\n");
        let ran = Ran::of(scratch.tool().args(["--cap-add=ALL", "base", "mnt"]).output().unwrap());
        let text = "union-mount: --cap-add and --cap-drop are for a command: see '-- COMMAND'\n";
        assert_eq!((ran.status, ran.stderr.starts_with(text)), (Some(2), true), "{ran:?}");
    });
}

#[test]
fn a_program_that_insists_on_a_dropped_capability_is_told_to_add_it() {
    as_root(|scratch| {
        let Some(base) = scratch.base() else { return };
        // NET_RAW, permitted and effective, as setcap(8) writes it.
        let words = [0x0200_0001_u32, 1 << 13, 0, 0, 0].map(u32::to_le_bytes).concat();
        support::copy(base.join("bin/busybox"), base.join("bin/ping"));
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(base.join("bin/ping"), "security.capability", &words, flags).unwrap();
        for isolation in ["full", "chroot"] {
            let run = |options: &[&str]| {
                let mut tool = scratch.tool();
                tool.args(["--isolation", isolation]).args(options).arg(&base);
                Ran::of(tool.args(["--", "ping", "true"]).output().unwrap())
            };
            let refused = run(&[]);
            let text = "union-mount: ping: Operation not permitted\nunion-mount: hint: use --cap-add NET_RAW\n";
            assert_eq!((refused.status, refused.stderr.as_str()), (Some(126), text));
            // Then busybox runs, and has no such command.
            assert_ne!(run(&["--cap-add", "NET_RAW"]).status, Some(126), "{isolation}");
        }
    });
}

#[test]
fn nothing_of_the_host_is_seen() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        let script = "ls -a / ; echo --; ls /..; echo --; ls /proc | grep -c '^[0-9]'; \
                      cat /proc/self/mountinfo | grep -v ' / / ' | grep -c ext4; ls /proc/1/cwd/ \
                      2>&1; cat /proc/kcore /proc/keys 2>/dev/null | wc -c";
        symlink("busybox", base.join("bin/grep")).unwrap();
        let seen = scratch.sh(&[], &[&base], script).stdout;
        let expected = ".\n..\nbin\ndev\netc\nproc\nsys\n--\nbin\ndev\netc\nproc\nsys\n--\n";
        assert!(seen.starts_with(expected), "{seen}");
        assert!(seen.ends_with("Permission denied\n0\n"), "{seen}");
        // Process 1 is our own binary.
        let script = "cat /proc/1/environ; cat /proc/1/maps; cat /proc/1/fd/0; cat /proc/1/exe";
        let init = scratch.sh(&[], &[&base], script);
        let denied = init.stderr.lines().filter(|line| line.ends_with("Permission denied"));
        assert_eq!((init.stdout.as_str(), denied.count()), ("", 4), "{}", init.stderr);
    });
}

#[test]
fn a_device_of_a_layer_is_no_device() {
    as_root(|scratch| {
        let Some(base) = scratch.base() else { return };
        let script = "mknod /null c 1 3 && ! echo x 2>/dev/null > /null && \
                      mknod /dev/mine c 1 3 && ! echo x 2>/dev/null > /dev/mine && \
                      echo x > /dev/null && echo contained";
        assert_eq!(scratch.sh(&["--upper", "up"], &[&base], script).ok(), "contained\n");
        let mode = |path: &str| fs::metadata(path).unwrap().permissions();
        let before = mode("/dev/null");
        scratch.sh(&[], &[&base], "chmod 600 /dev/null");
        assert_eq!(mode("/dev/null"), before, "the host's own device was changed");
    });
}

#[test]
fn marks_of_a_layer_lead_to_no_other_file() {
    as_root(|scratch| {
        let Some(base) = scratch.base() else { return };
        fs::create_dir(base.join("secret")).unwrap();
        fs::write(base.join("secret/inside"), "data\n").unwrap();
        fs::write(base.join("data"), "data\n").unwrap();
        // A layer as a stranger may have unpacked it, with the overlay's own marks.
        let top = scratch.path("top");
        fs::create_dir_all(top.join("other")).unwrap();
        fs::write(top.join("data"), "").unwrap();
        for (name, mark, value) in [
            ("other", "trusted.overlay.redirect", "/secret"),
            ("data", "trusted.overlay.metacopy", ""),
        ] {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(top.join(name), mark, value.as_bytes(), flags).unwrap();
        }
        let script = "ls /other 2>/dev/null; cat /data 2>/dev/null; echo end";
        assert_eq!(scratch.sh(&[], &[&base, &top], script).stdout, "end\n");
    });
}

#[test]
fn links_of_the_image_lead_no_mount_astray() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        scratch.directory("base/etc");
        scratch.directory("base/run");
        // Where the file would be on the host, and where systemd's is in an image.
        symlink("/run/none/resolv.conf", base.join("etc/resolv.conf")).unwrap();
        symlink("../../../../etc/passwd", base.join("etc/hosts")).unwrap();
        let script = "echo mine > /etc/hosts; cat /etc/passwd; ls /run; ls /dev/null; echo; \
                      ls /run/none";
        let seen = scratch.sh(&["--upper", "up"], &[&base], script);
        assert!(seen.stdout.starts_with("mine\n"), "{seen:?}");
        assert!(seen.stdout.contains("\nnone\n/dev/null\n"), "{seen:?}");
        assert_eq!(scratch.tree("up"), [""; 0], "a mount point is left: {seen:?}");
        assert_eq!(scratch.names(), ["base", "union-mount", "up"]);
        symlink("/run", base.join("dev")).unwrap();
        let refused = scratch.sh(&["--upper", "up"], &[&base], script);
        let expected = "union-mount: cannot mount on /dev: /dev is a symbolic link\n";
        assert_eq!((refused.status, refused.stderr.as_str()), (Some(125), expected));
    });
}

#[test]
fn on_a_terminal_the_command_has_one_of_its_own() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        std::os::unix::fs::symlink("busybox", base.join("bin/tty")).unwrap();
        let tool = "./union-mount base -- sh -c 'tty; exec 3</dev/tty && echo mine; exit 8'";
        let mut script = scratch.as_role("script");
        script.args(["-qec", tool, "/dev/null"]);
        // Open till the end: `script` would type the end of its input before the terminal
        // is raw, as a character then, which is echoed.
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = script.spawn().unwrap();
        let _held = child.stdin.take();
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert!(ran.stdout.contains("/dev/pts/0\r\nmine\r\n"), "{ran:?}");
        assert_eq!(ran.status, Some(8));
    });
}

#[test]
fn hostile_user_files_are_refused() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        scratch.directory("base/etc");
        let fifo = base.join("etc/passwd");
        assert!(scratch.as_role("mkfifo").arg(&fifo).status().unwrap().success());
        let ran = scratch.sh(&[], &[&base], "true");
        assert_eq!(ran.status, Some(125));
        assert_eq!(ran.stderr, "union-mount: the image's /etc/passwd: not a regular file\n");
        fs::remove_file(&fifo).unwrap();
        symlink("/dev/zero", &fifo).unwrap();
        // The root's own /dev/zero: there is none before /dev is mounted, a device after.
        assert_eq!(scratch.sh(&[], &[&base], "true").status, Some(125));
    });
}

#[test]
fn odd_names_are_only_names() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        let odd =
            [&b"a:b"[..], b"c,d=e", b"new\nline", b"\xff\xfe", b"back\\slash", b" ", b"\"q\""];
        let mut layers = vec![base];
        for (number, name) in odd.iter().enumerate() {
            let name = Path::new(std::ffi::OsStr::from_bytes(name));
            layers.push(scratch.directory(name));
            scratch.file(name.join(format!("file{number}")), "");
        }
        let layers: Vec<&Path> = layers.iter().map(std::path::PathBuf::as_path).collect();
        let seen = scratch.sh(&["--upper", "u:p,per"], &layers, "ls -d /file*; touch /new").ok();
        let expected: String = (0..odd.len()).map(|number| format!("/file{number}\n")).collect();
        assert_eq!(seen, expected);
        assert_eq!(scratch.tree("u:p,per"), ["./new"]);
    });
}

#[test]
fn any_number_of_layers_the_kernel_can_hold() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        let mut layers = vec![base];
        for number in 1..1000 {
            let name = format!("layer{number}");
            layers.push(scratch.directory(&name));
            scratch.file(format!("{name}/top"), &number.to_string());
            scratch.file(format!("{name}/file{number}"), "");
        }
        for count in [1, 2, 128, 499, 500, 501, 997] {
            let layers: Vec<&Path> =
                layers.iter().take(count).map(std::path::PathBuf::as_path).collect();
            let script = "cat /top 2>/dev/null; ls / | wc -l";
            let seen = scratch.sh(&["--upper", "up"], &layers, script).ok();
            let files = 5 + if count == 1 { 0 } else { count };
            let top = if count == 1 { String::new() } else { (count - 1).to_string() };
            assert_eq!(seen, format!("{top}{files}\n"), "{count} layers");
        }
        let layers: Vec<&Path> = layers.iter().map(std::path::PathBuf::as_path).collect();
        let told = scratch.sh(&["-v"], &layers[..510], "true").stderr;
        assert!(told.contains("union-mount: merging the lowest 11 layers into one\n"), "{told}");
        // The soft limit is for programs that call select(2): it is the command's again.
        let layers_of_many = layers[..300].iter().map(|layer| layer.to_str().unwrap());
        let words: Vec<&str> = ["./union-mount"].into_iter().chain(layers_of_many).collect();
        let script = format!("ulimit -S -n 200; exec {} -- sh -c 'ulimit -n'", words.join(" "));
        let ran = Ran::of(scratch.as_role("sh").args(["-c", &script]).output().unwrap());
        assert_eq!((ran.stdout.as_str(), ran.status), ("200\n", Some(0)), "{}", ran.stderr);
        let ran = scratch.sh(&[], &layers, "true");
        assert_eq!(ran.status, Some(125));
        assert!(ran.stderr.contains("layers are more than"), "{}", ran.stderr);
    });
}

#[test]
fn whiteouts_of_layers_hide_what_is_below() {
    in_each_role(|scratch| {
        let Some(base) = scratch.base() else { return };
        scratch.directory("base/d");
        scratch.file("base/d/old", "");
        scratch.file("base/gone", "");
        // Layers as the tool itself makes them.
        scratch
            .sh(&["--upper", "one"], &[&base], "rm /gone; rm -r /d; mkdir /d; touch /d/new")
            .ok();
        let one = scratch.path("one");
        let seen = scratch.sh(&[], &[&base, &one], "ls -d /gone /d/* 2>/dev/null").stdout;
        assert_eq!(seen, "/d/new\n");
    });
}

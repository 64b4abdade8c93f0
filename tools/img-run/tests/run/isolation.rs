//! The measures of protection, and what is said without them.

use std::path::Path;
use std::process::{Command, Stdio};

use layerutils_tests::requirement::{is_root, skip};

use crate::runtime::has_runtime;
use crate::support::{Role, in_each_role, insist, text};

#[test]
fn capabilities_are_dockers() {
    in_each_role(|scratch| {
        let script = "grep -E '^(Cap|NoNewPrivs)' /proc/self/status";
        let held = |set: &str| {
            format!(
                "CapInh:\t0000000000000000\nCapPrm:\t{set}\nCapEff:\t{set}\nCapBnd:\t{set}\n\
                 CapAmb:\t0000000000000000\nNoNewPrivs:\t"
            )
        };
        // On the host's network, without NET_RAW.
        let (host, docker) = (held("00000000a80405fb"), held("00000000a80425fb"));
        assert_eq!(scratch.sh(&[], script), format!("{host}0\n"));
        assert_eq!(scratch.sh(&["--no-new-privs"], script), format!("{host}1\n"));
        assert_eq!(scratch.sh(&["--network", "none"], script), format!("{docker}0\n"));
        assert_eq!(scratch.sh(&["--cap-add", "NET_RAW"], script), format!("{docker}0\n"));
        let tried = "mount -t tmpfs t /srv 2>/dev/null || echo no mount; \
                     echo 1 2>/dev/null > /proc/sys/kernel/panic || echo no sysctl; \
                     echo x 2>/dev/null > /sys/power/state || echo no sysfs";
        assert_eq!(scratch.sh(&[], tried), "no mount\nno sysctl\nno sysfs\n");
    });
}

#[test]
fn capabilities_and_measures_by_dockers_names() {
    in_each_role(|scratch| {
        let script = "grep CapBnd /proc/self/status";
        let none = scratch.sh(&["--cap-drop", "all"], script);
        assert_eq!(none, "CapBnd:\t0000000000000000\n");
        let one = scratch.sh(&["--cap-drop=ALL", "--cap-add=CAP_NET_RAW"], script);
        assert_eq!(one, "CapBnd:\t0000000000002000\n");
        assert_eq!(scratch.run(&["--cap-add", "FLY", "app"]).status.code(), Some(2));
        // A capability comes with its system calls.
        let admin = "mount -t tmpfs none /made 2>&1 && unshare -u true && echo mounted || true";
        assert!(scratch.sh(&[], admin).contains("denied"), "mount without the capability");
        assert_eq!(scratch.sh(&["--cap-add=SYS_ADMIN"], admin), "mounted\n");
        let seccomp = ["--security-opt", "seccomp=unconfined"];
        assert_eq!(scratch.sh(&seccomp, "grep Seccomp: /proc/self/status"), "Seccomp:\t0\n");
        let fixed = ["--security-opt", "no-new-privileges"];
        assert_eq!(scratch.sh(&fixed, "grep NoNew /proc/self/status"), "NoNewPrivs:\t1\n");
        let paths = ["--security-opt", "systempaths=unconfined"];
        assert_eq!(scratch.sh(&paths, "grep -c ' /proc/' /proc/mounts || true"), "0\n");
    });
}

#[test]
fn on_the_hosts_network_no_isolation_gives_net_raw() {
    in_each_role(|scratch| {
        let mut isolations = vec!["full"];
        if has_runtime("crun") || has_runtime("runc") {
            isolations.push("oci");
        }
        for isolation in isolations {
            let bounding = |options: &[&str]| {
                let options = [&["--isolation", isolation], options].concat();
                let set = scratch.sh(&options, "grep CapBnd /proc/self/status");
                let set = set.trim_start_matches("CapBnd:\t").trim_end();
                u64::from_str_radix(set, 16).unwrap()
            };
            // An OCI runtime never gives MKNOD.
            let mknod = if isolation == "oci" { 1 << 27 } else { 0 };
            assert_eq!(bounding(&[]), 0xa804_05fb & !mknod, "{isolation}");
            assert_eq!(bounding(&["--cap-add=NET_RAW"]), 0xa804_25fb & !mknod, "{isolation}");
            let both = ["--cap-add=NET_RAW", "--cap-drop=NET_RAW"];
            assert_eq!(bounding(&both), 0xa804_25fb & !mknod, "{isolation}");
            let all = bounding(&["--cap-add=ALL"]);
            assert_eq!(all & (1 << 13 | 1 << 21), 1 << 13 | 1 << 21, "{isolation}: {all:x}");
            assert_eq!(bounding(&["--network=none"]), 0xa804_25fb & !mknod, "{isolation}");
        }
    });
}

#[test]
fn a_program_that_insists_on_a_dropped_capability_is_told_to_add_it() {
    in_each_role(|scratch| {
        if !is_root() {
            return skip("", "only root gives files capabilities");
        }
        let programs = scratch.path("programs");
        std::fs::create_dir(&programs).unwrap();
        insist(&programs.join("ping"), 1 << 13);
        insist(&programs.join("both"), 1 << 13 | 1 << 12);
        let volume = format!("{}:/programs:ro", programs.display());
        let run = |options: &[&str], program: &str| {
            let words = ["--entrypoint", "", "-v", &volume, "app", program, "true"];
            let output = scratch.run(&[options, &words].concat());
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let refused = |program: &str, hint: &str| {
            let text =
                format!("img-run: {program}: Operation not permitted\nimg-run: hint: {hint}\n");
            (Some(126), text)
        };
        let ping = refused("/programs/ping", "use --cap-add NET_RAW");
        assert_eq!(run(&[], "/programs/ping"), ping);
        let both = refused("/programs/both", "use --cap-add NET_ADMIN --cap-add NET_RAW");
        assert_eq!(run(&[], "/programs/both"), both);
        let admin = refused("/programs/both", "use --cap-add NET_ADMIN");
        assert_eq!(run(&["--network=none"], "/programs/both"), admin);
        // busybox then says that it knows no command "ping".
        for options in [["--cap-add=NET_RAW"], ["--network=none"], ["--cap-add=ALL"]] {
            assert_ne!(run(&options, "/programs/ping").0, Some(126), "{options:?}");
        }
        if scratch.role == Role::User {
            return;
        }
        insist(&scratch.path("base/bin/ping"), 1 << 13);
        scratch.store(&scratch.path("base"));
        // runc is looked for in the system's own folders, crun only in PATH.
        for (isolation, runtime, path) in
            [("chroot", "", ""), ("oci", "crun", "/usr/bin"), ("oci", "runc", "/none")]
        {
            if !runtime.is_empty() && !has_runtime(runtime) {
                continue;
            }
            let run = |options: &[&str]| {
                let mut tool = scratch.as_role(scratch.path("img-run"));
                tool.env("PATH", path).args(["--isolation", isolation]).args(options);
                tool.args(["--entrypoint", "", "app", "ping", "true"]).stdin(Stdio::null());
                let output = tool.output().unwrap();
                (output.status.code(), String::from_utf8(output.stderr).unwrap())
            };
            let (status, stderr) = run(&[]);
            // A runtime writes to the command's standard error, too.
            let expected = refused("ping", "use --cap-add NET_RAW");
            assert!(stderr.ends_with(&expected.1), "{isolation} {runtime}: {stderr}");
            assert_eq!(status, expected.0, "{isolation} {runtime}");
            assert_ne!(run(&["--cap-add=NET_RAW"]).0, Some(126), "{isolation} {runtime}");
        }
    });
}

#[test]
fn system_calls_are_filtered_as_docker_filters_them() {
    in_each_role(|scratch| {
        let script = "grep Seccomp: /proc/self/status; unshare -U true 2>&1 || echo no namespace; \
                      sh -c 'exit 3' || echo $?";
        let expected = "Seccomp:\t2\nunshare: unshare(0x10000000): Operation not permitted\n\
                        no namespace\n3\n";
        assert_eq!(scratch.sh(&[], script), expected);
    });
}

#[test]
fn fixed_privileges_take_none_for_a_filter() {
    in_each_role(|scratch| {
        if scratch.role == Role::User {
            return;
        }
        let run = |options: &[&str]| {
            let mut tool = scratch.as_role("setpriv");
            tool.args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]);
            tool.arg(scratch.path("img-run")).args(["--isolation", "chroot"]).args(options);
            let script = "unshare -U true 2>/dev/null && echo open || echo filtered";
            let words = ["--entrypoint", "", "app", "sh", "-c", script];
            tool.args(words).stdin(Stdio::null()).output().unwrap()
        };
        let fixed = run(&["--no-new-privs"]);
        assert_eq!(text(&fixed.stdout), "filtered\n", "{fixed:?}");
        assert!(!text(&fixed.stderr).contains("system call"), "{fixed:?}");
        // Else there can be none, and that is said.
        let other = run(&[]);
        assert!(text(&other.stderr).contains("the command can make any system call"), "{other:?}");
    });
}

#[test]
fn without_a_network_there_is_a_loopback() {
    in_each_role(|scratch| {
        let script = "ip -o link | grep -c .; ip -o link | grep -c 'lo: <LOOPBACK,UP'; \
                      cat /etc/resolv.conf";
        assert_eq!(scratch.sh(&["--network", "none"], script), "1\n1\n");
    });
}

#[test]
fn limits_hold_or_are_refused() {
    in_each_role(|scratch| {
        for bad in [["--memory", "5m"], ["--cpus", "0"], ["--pids-limit", "-2"]] {
            assert_eq!(scratch.run(&[&bad[..], &["app"]].concat()).status.code(), Some(2));
        }
        let eat = "x=xxxxxxxx; while :; do x=$x$x; done";
        let output = scratch.run(&["--memory", "16m", "--entrypoint", "", "app", "sh", "-c", eat]);
        match output.status.code() {
            Some(137) => {}
            Some(125) => {
                let stderr = text(&output.stderr);
                assert!(stderr.starts_with("img-run: cannot limit memory: "), "{stderr}");
                layerutils_tests::requirement::skip(&format!(" (for {:?})", scratch.role), stderr);
            }
            other => panic!("{other:?} {output:?}"),
        }
    });
}

#[test]
fn without_proc_it_says_so_and_unpacks_nothing() {
    in_each_role(|scratch| {
        if scratch.role == Role::User {
            // Who is not root cannot take /proc away.
            return;
        }
        let mut shell = scratch.as_role("unshare");
        shell.args(["--mount", "sh", "-c", "umount -l /proc && exec \"$0\" app"]);
        let output = shell.arg(scratch.path("img-run")).output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        let said = "img-run: cannot start a sandbox: No such file or directory\n\
                    img-run: hint: /proc must be mounted: ";
        assert!(text(&output.stderr).starts_with(said), "{output:?}");
    });
}

#[test]
fn a_chroot_where_nothing_can_be_mounted() {
    in_each_role(|scratch| {
        // Root as docker has it: it may chroot and not mount.
        let mut tool = match scratch.role {
            Role::Root => {
                let mut tool = scratch.as_role("setpriv");
                let without = ["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
                tool.args(without).arg(scratch.path("img-run"));
                tool
            }
            Role::User => scratch.as_role(scratch.path("img-run")),
        };
        let word = format!("5{}66", std::process::id());
        let script = format!("pwd; id -u; echo x > /new; sleep {word} & exit 6");
        let words = ["--isolation", "chroot", "--entrypoint", "", "app", "sh", "-c", &script];
        let output = tool.args(words).stdin(Stdio::null()).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(6), "/made\n0\n"));
        let left = Command::new("pgrep").args(["-f", &format!("sleep {word}")]).output().unwrap();
        assert!(left.stdout.is_empty(), "a process is left");
        let refused = scratch.run(&["--isolation", "chroot", "-t", "app"]);
        assert_eq!(refused.status.code(), Some(125));
    });
}

#[test]
fn a_sandbox_within_a_sandbox() {
    in_each_role(|scratch| {
        let outer = |options: &[&str], inner: &str| {
            let bind = format!("{}:{}", scratch.dir.path().display(), scratch.dir.path().display());
            let home = scratch.dir.path().display();
            // The tool needs the machine's libraries.
            let script = format!(
                "export HOME={home} XDG_CACHE_HOME=/inner LAYERUTILS_STORE={home}/store; \
                 {home}/img-run {inner} app sh -c 'id -u; exit 6'"
            );
            let mut words = vec!["-v", &bind];
            for folder in ["/lib:/lib:ro", "/lib64:/lib64:ro", "/usr/lib:/usr/lib:ro"] {
                let source = folder.split(':').next().unwrap();
                if Path::new(source).is_dir() {
                    words.extend(["-v", folder]);
                }
            }
            words.extend(options);
            words.extend(["--entrypoint", "", "app", "sh", "-c", &script]);
            scratch.run(&words)
        };
        let inner = "--entrypoint ''";
        // As in docker: user namespaces are refused, and that is said.
        let refused = outer(&[], inner);
        assert_eq!(refused.status.code(), Some(125), "{refused:?}");
        assert!(text(&refused.stderr).contains("user namespaces are refused"), "{refused:?}");
        let chroot = outer(&[], "--isolation chroot --entrypoint ''");
        assert_eq!((chroot.status.code(), text(&chroot.stdout)), (Some(6), "0\n"), "{chroot:?}");
        let seccomp = ["--security-opt", "seccomp=unconfined"];
        let nested = outer(&seccomp, inner);
        assert_eq!((nested.status.code(), text(&nested.stdout)), (Some(6), "0\n"), "{nested:?}");
        assert!(text(&nested.stderr).contains("showing the host's /proc"), "{nested:?}");
        let paths = [&seccomp[..], &["--security-opt", "systempaths=unconfined"]].concat();
        let nested = outer(&paths, inner);
        assert_eq!((nested.status.code(), text(&nested.stdout)), (Some(6), "0\n"), "{nested:?}");
        // What Linux before 6.6 lacks is no protection.
        let mut told = text(&nested.stderr).lines();
        let told = told.find(|line| !line.contains("neither memory nor the cache"));
        assert_eq!(told, None, "a protection was missing");
    });
}

#[test]
fn nothing_that_is_mounted_gives_privileges_devices_or_programs() {
    in_each_role(|scratch| {
        let mounts = scratch.sh(&[], "cat /proc/mounts");
        for point in ["/proc", "/proc/sys", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
            let line = mounts.lines().find(|line| line.split(' ').nth(1) == Some(point));
            let options = line.and_then(|line| line.split(' ').nth(3)).unwrap_or(point);
            for option in ["nosuid", "nodev", "noexec"] {
                let open = (point, option) == ("/dev/pts", "nodev");
                assert!(open || options.split(',').any(|word| word == option), "{line:?}");
            }
        }
    });
}

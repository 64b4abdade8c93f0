//! What runs, as whom, and how it ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use layerutils_tests::requirement::is_root;

use crate::support::{Role, Scratch, USER, busybox, in_each_role, subordinate_user, text};

#[test]
fn the_images_own_command_runs() {
    in_each_role(|scratch| {
        assert_eq!(text(&scratch.run(&["app"]).stdout), "hello world\n");
        assert_eq!(text(&scratch.run(&["app", "you", "--help"]).stdout), "hello you --help\n");
        assert_eq!(text(&scratch.run(&["--entrypoint", "pwd", "app"]).stdout), "/made\n");
        let none = scratch.run(&["--entrypoint", "", "app"]);
        assert_eq!(none.status.code(), Some(125));
        let missing = scratch.run(&["no-such-image"]);
        assert_eq!(missing.status.code(), Some(125));
    });
}

#[test]
fn environment_directory_and_streams() {
    in_each_role(|scratch| {
        fs::write(scratch.path("file"), "F=file\nA=file\n").unwrap();
        let env = scratch.sh(&["--env-file", "file", "-e", "A=option", "-e", "HOME=/x"], "env");
        for line in ["FROM=image", "F=file", "A=option", "HOME=/x", "HOSTNAME=layerutils"] {
            assert!(env.lines().any(|found| found == line), "{line} in {env}");
        }
        assert_eq!(scratch.sh(&["-w", "new/one"], "pwd; echo $HOME"), "/made/new/one\n/root\n");
        let mut tool = scratch.as_role(scratch.path("img-run"));
        tool.args(["--entrypoint", "cat", "app"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = tool.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"through").unwrap();
        assert_eq!(child.wait_with_output().unwrap().stdout, b"through");
    });
}

#[test]
fn files_of_variables_may_be_pipes_but_not_endless() {
    in_each_role(|scratch| {
        let run = |file: &str| {
            let line = format!(
                "ulimit -v 4000000; exec timeout -s KILL 20 ./img-run --env-file {file} \
                 --entrypoint env app"
            );
            scratch.as_role("bash").args(["-c", &line]).output().unwrap()
        };
        let piped = run("<(echo A=piped)");
        assert!(text(&piped.stdout).lines().any(|line| line == "A=piped"), "{piped:?}");
        let endless = run("/dev/zero");
        let line = "img-run: /dev/zero: larger than 4194304 bytes\n";
        assert_eq!((endless.status.code(), text(&endless.stderr)), (Some(125), line));
    });
}

#[test]
fn users_are_the_images() {
    in_each_role(|scratch| {
        let id = |user: &str| scratch.sh(&["-u", user], "id -u; id -g; id -G; echo $HOME");
        assert_eq!(id("app"), "7\n8\n8 9\n/srv\n");
        assert_eq!(id("app:more"), "7\n9\n9\n/srv\n");
        assert_eq!(id("1234"), "1234\n0\n0\n/\n");
        if scratch.role == Role::Root {
            // As docker has it, its own group is among the supplementary ones.
            let groups = |user: &str| scratch.sh(&["-u", user], "grep Groups: /proc/self/status");
            assert_eq!(groups("0"), "Groups:\t0 \n");
            assert_eq!(groups("app"), "Groups:\t8 9 \n");
            assert_eq!(groups("app:more"), "Groups:\t9 \n");
            // To become the last number would be to stay root.
            assert_eq!(scratch.run(&["-u", "4294967295", "app"]).status.code(), Some(125));
        } else {
            // Without emulation the one id has the name that the image's user has.
            let alone = ["--users", "single", "--security-opt", "seccomp=unconfined"];
            let script = "id -u; id -g; echo $HOME; touch /mine; stat -c %u:%g /mine /bin";
            let id = |user: &str| scratch.sh(&[&alone[..], &["-u", user]].concat(), script);
            assert_eq!(id("0"), "0\n0\n/root\n0:0\n0:0\n");
            assert_eq!(id("app:app"), "7\n8\n/srv\n7:8\n7:8\n");
            assert_eq!(id("1234"), "1234\n0\n/\n1234:0\n1234:0\n");
            // Another id there is not, and the command is told so.
            let script = "busybox chown 5 /srv 2>&1; id -G";
            let refused = scratch.sh(&[&alone[..], &["-u", "app:app"]].concat(), script);
            assert_eq!(refused, "chown: /srv: Invalid argument\n8\n");
            // Nor is there a lie in what is kept.
            let words = ["-u", "app:app", "--upper", "up", "app"];
            let kept = scratch.run(&[&alone[..], &words].concat());
            assert_eq!(kept.status.code(), Some(125));
            let what = "img-run: cannot become user 7:8: there is one id, and what it writes \
                        would be kept as root's\nimg-run: hint: have subordinate ids, which root grants (usermod";
            assert!(text(&kept.stderr).starts_with(what), "{kept:?}");
            let words = ["-u", "app", "--entrypoint", "id", "app", "-u"];
            let groups = scratch.run(&[&alone[..], &words].concat());
            let warning = "img-run: warning: with one id the user is in no supplementary groups\n";
            assert_eq!((text(&groups.stdout), text(&groups.stderr)), ("7\n", warning));
        }
        let unknown = scratch.run(&["-u", "nobody-here", "app"]);
        let line = "img-run: no user \"nobody-here\" in the image's /etc/passwd\n";
        assert_eq!((unknown.status.code(), text(&unknown.stderr)), (Some(125), line));
    });
}

/// Changes of owner, devices and changes of user, as far as busybox tells of them.
const AS_ROOT: &str = "
cd /made; umask 027
look() { stat -c '%n %u:%g %a %F %t:%T' $*; }
touch f; chown 5:6 f; look f; chown 7 f; chown :8 f; look f; chmod 6755 f; chown 9 f; look f
ln -s f l; chown -h 3:4 l; look l; look -L l; mv l m; ln m n; look n; touch -h m; look n
mkfifo p; chown 1:2 p; touch p; look p; mknod c c 5 1; mknod b b 8 1; chown 4:4 b; look c b
mkdir d; chown 0:9 d; chmod 2775 d; mkdir d/e; touch d/f; ln -s x d/l; look d d/e d/f d/l
chown 70000:70001 f; look f; chown 0:0 f; look f
echo data > f; mv f g; cp -a g h; ln h i; look g h i; cat i
cd /made/d; busybox chroot / busybox touch /made/d/k; look k; touch ../d/j; look /made/d/j
chown 5 /nowhere 2>&1; chown 5:5 /dev/fd/0 </made/g; look /made/g
exec 3>/made/o; rm /made/o; busybox id -u
cd /made/d; stat -c '%u:%g' /proc/self/cwd/f /proc/self/root/made/d/f; stat -Lc %u:%g /dev/fd/5 5</made/d/f
";

/// A script that prints what another user finds, and may not do.
const AS_USER: &str = "
cd /tmp; id; umask 077
look() { stat -c '%n %u:%g %a %F' $*; }
touch f; mkdir d; ln -s f l; mkfifo p; look f d l p; echo x > g; look g
chown 5 f 2>&1; chown 7:9 f; look f; chown :3 f 2>&1
mknod n c 1 3 2>&1; (echo a; echo b) | while read x; do touch $x; done; look a b
sh -c 'sh -c \"touch deep\"' & wait; look deep
";

#[test]
fn one_id_behaves_like_root() {
    let (Some(busybox), true) = (busybox(), is_root()) else {
        layerutils_tests::requirement::skip("", "this process is not root, to be compared");
        return;
    };
    let run = |role: Role, user: &str, script: &str| {
        let scratch = Scratch::new(role, busybox, (USER, USER));
        let made = "mkdir -p /made; mkdir -pm 1777 /tmp";
        let whole = ["--entrypoint", "", "-u", user, "app", "sh", "-c"];
        if user == "0" {
            let output = scratch.run(&[&whole[..], &[&format!("{made}\n{script}")]].concat());
            assert_eq!(text(&output.stderr), "", "{output:?}");
            text(&output.stdout).to_owned()
        } else {
            let tmp = ["--tmpfs", "/tmp:mode=1777"];
            let output = scratch.run(&[&tmp[..], &whole, &[script]].concat());
            text(&output.stdout).to_owned()
        }
    };
    for (user, script) in [("0", AS_ROOT), ("app", AS_USER)] {
        let (root, one) = (run(Role::Root, user, script), run(Role::User, user, script));
        assert!(root.lines().count() > 9, "{root}");
        similar(&root, &one);
    }
}

#[test]
fn without_its_emulator_a_command_is_killed() {
    in_each_role(|scratch| {
        if scratch.role == Role::Root {
            return;
        }
        let mut tool = scratch.as_role(scratch.path("img-run"));
        tool.args(["--users=single", "--entrypoint", "", "app"]);
        tool.args(["sh", "-c", "echo ready; sleep 60"]);
        let mut child = tool.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        // In the user namespace of the command, and in our own of processes.
        let namespace = |pid: &str, kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}"));
        let children = |pid: &str| {
            let path = format!("/proc/{pid}/task/{pid}/children");
            let list = fs::read_to_string(path).unwrap_or_default();
            list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let own = namespace("self", "pid").unwrap();
        let started = children(&child.id().to_string());
        // setpriv(1) becomes the tool, whose first process has the emulator and init.
        let below = started.iter().flat_map(|pid| children(pid));
        let emulator =
            below.into_iter().find(|pid| namespace(pid, "pid").is_ok_and(|ns| ns == own));
        let emulator = emulator.unwrap();
        // It can reach the command, and has of its capabilities those on files.
        let status = fs::read_to_string(format!("/proc/{emulator}/status")).unwrap();
        let sets: Vec<_> = status.lines().filter(|line| line.starts_with("Cap")).collect();
        // DAC_OVERRIDE, FOWNER, FSETID, SYS_CHROOT, SYS_PTRACE.
        let needed = [1, 3, 4, 18, 19].into_iter().fold(0_u64, |set, bit| set | 1 << bit);
        let needed = format!("{needed:016x}");
        for (set, expected) in [(0, &*"0".repeat(16)), (1, &needed), (2, &needed), (3, &needed)] {
            assert_eq!(sets[set].split_whitespace().nth(1), Some(expected), "{status}");
        }
        assert!(Command::new("kill").args(["-KILL", &emulator]).status().unwrap().success());
        assert_eq!(lines.next().map(Result::unwrap), None);
        assert_ne!(child.wait().unwrap().code(), Some(0));
    });
}

#[test]
fn a_file_that_cannot_be_recorded_is_not_made() {
    in_each_role(|scratch| {
        if scratch.role == Role::Root {
            return;
        }
        // The ids of links have 24 bits.
        let script = "cd /tmp; touch f; ln -s x l; mkfifo p; mkdir d; stat -c '%n %u' *";
        let options = ["--users=single", "--tmpfs", "/tmp:mode=1777", "-u", "20000000:1"];
        let words = ["--entrypoint", "", "app", "busybox", "sh", "-c", script];
        let output = scratch.run(&[&options[..], &words].concat());
        assert_eq!(text(&output.stdout), "d 20000000\nf 20000000\n", "{output:?}");
        let said = "ln: l: Value too large for defined data type\n\
                    mkfifo: p: Value too large for defined data type\n";
        assert_eq!(text(&output.stderr), said);
    });
}

#[test]
fn a_fifo_does_not_make_the_emulator_wait() {
    in_each_role(|scratch| {
        let script = "cd /tmp; mkfifo p; echo x >>p & busybox usleep 200000; \
                      touch f; stat -c %u f; cat p";
        let mut tool = scratch.as_role("timeout");
        tool.args(["-s", "KILL", "20"]).arg(scratch.path("img-run"));
        tool.args(["--tmpfs", "/tmp:mode=1777", "-u", "app", "--entrypoint", "", "app"]);
        let output = tool.args(["busybox", "sh", "-c", script]).stdin(Stdio::null()).output();
        assert_eq!(text(&output.unwrap().stdout), "7\nx\n");
    });
}

#[test]
fn an_identity_is_not_the_commands_to_choose() {
    in_each_role(|scratch| {
        let script = "ulimit -x 0; id -u; sh -c 'id -u'";
        let words = ["-u", "app", "--entrypoint", "", "app", "busybox", "sh", "-c", script];
        let output = scratch.run(&words);
        assert_eq!(text(&output.stdout), "7\n7\n", "{output:?}");
    });
}

/// Compares line by line, to show what differs.
#[track_caller]
fn similar(root: &str, one: &str) {
    for (root, one) in root.lines().zip(one.lines()) {
        assert_eq!(one, root);
    }
    assert_eq!(one.lines().count(), root.lines().count(), "{one}");
}

#[test]
fn subordinate_ids_keep_the_owners_of_files() {
    let (Some(busybox), true) = (busybox(), is_root()) else {
        layerutils_tests::requirement::skip(
            "",
            "this process is not root, to become a user with subordinate ids",
        );
        return;
    };
    let Some(ids) = subordinate_user() else {
        layerutils_tests::requirement::skip(
            "",
            "nobody in /etc/subuid and /etc/subgid (useradd makes one)",
        );
        return;
    };
    let scratch = Scratch::new(Role::User, busybox, ids);
    let script = "id -u; touch /mine; busybox chown 7:8 /mine; stat -c %u:%g /mine; exit 4";
    let run =
        |user: &str| scratch.run(&["-u", user, "--entrypoint", "", "app", "sh", "-c", script]);
    let root = run("0");
    assert_eq!((root.status.code(), text(&root.stdout)), (Some(4), "0\n7:8\n"), "{root:?}");
    assert_eq!(text(&run("app").stdout).lines().next(), Some("7"));
    let none = Scratch::new(Role::User, busybox, (USER, USER));
    for option in ["--map-users", "--users=map"] {
        let refused = none.run(&[option, "app"]);
        assert_eq!(refused.status.code(), Some(125));
        assert!(text(&refused.stderr).contains("no subordinate ids for 54322"), "{refused:?}");
    }
    let how = |scratch: &Scratch, users: &str| {
        let args = ["--verbose", "--users", users, "--entrypoint", "", "app", "sh", "-c", "true"];
        let output = scratch.run(&args);
        let first = text(&output.stderr).lines().next().unwrap_or_default();
        (output.status.code(), first.to_owned())
    };
    for (scratch, users, status, line) in [
        (&scratch, "auto", 0, "users: map (a user namespace with many ids)"),
        (&scratch, "map", 0, "users: map (a user namespace with many ids)"),
        (&scratch, "single", 0, "users: single (as asked for)"),
        (&scratch, "root", 125, "--users root: this process may not mount"),
        (&none, "auto", 0, "users: single (no subordinate ids for 54322 in /etc/subuid)"),
        (&none, "single", 0, "users: single (as asked for)"),
    ] {
        assert_eq!(how(scratch, users), (Some(status), format!("img-run: {line}")));
    }
    // What belongs to subordinate ids is removed by root.
    drop(scratch);
}

#[test]
fn the_third_termination_kills_a_command_that_ignores_it() {
    in_each_role(|scratch| {
        let script = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done";
        let mut tool = scratch.as_role(scratch.path("img-run"));
        tool.args(["--entrypoint", "", "app", "sh", "-c", script]);
        let mut child = tool.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let pid = child.id().to_string();
        for expected in ["ready", "asked", "asked"] {
            assert_eq!(lines.next().unwrap().unwrap(), expected);
            assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        }
        assert_eq!(child.wait().unwrap().code(), Some(137));
    });
}

#[test]
fn what_only_docker_has_is_refused_with_what_to_do_instead() {
    in_each_role(|scratch| {
        for (option, name, instead) in [
            ("-it", "interactive", "the command has standard input anyway"),
            ("--rm", "rm", "nothing is kept unless --upper says where"),
            ("-dp8080:80", "detach", "end the line with &"),
        ] {
            let refused = scratch.run(&[option, "app"]);
            let line = format!("img-run: --{name} is docker's, and has no meaning here\n");
            assert_eq!(refused.status.code(), Some(2));
            assert!(text(&refused.stderr).starts_with(&line), "{refused:?}");
            assert!(text(&refused.stderr).contains(instead), "{refused:?}");
            assert!(refused.stdout.is_empty());
        }
        // After the image they are the command's.
        let ran = scratch.run(&["--entrypoint", "echo", "app", "-it", "--rm"]);
        assert_eq!(text(&ran.stdout), "-it --rm\n");
    });
}

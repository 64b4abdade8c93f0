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
        if scratch.role == Role::Root {
            let id = |user: &str| scratch.sh(&["-u", user], "id -u; id -g; id -G; echo $HOME");
            assert_eq!(id("app"), "7\n8\n8 9\n/srv\n");
            assert_eq!(id("app:more"), "7\n9\n9\n/srv\n");
            assert_eq!(id("1234"), "1234\n0\n0\n/\n");
            // As docker has it, its own group is among the supplementary ones.
            let groups = |user: &str| scratch.sh(&["-u", user], "grep Groups: /proc/self/status");
            assert_eq!(groups("0"), "Groups:\t0 \n");
            assert_eq!(groups("app"), "Groups:\t8 9 \n");
            assert_eq!(groups("app:more"), "Groups:\t9 \n");
            // To become the last number would be to stay root.
            assert_eq!(scratch.run(&["-u", "4294967295", "app"]).status.code(), Some(125));
        } else {
            // The one id has the name that the image's user has.
            let script = "id -u; id -g; echo $HOME; touch /mine; stat -c %u:%g /mine /bin";
            let id = |user: &str| scratch.sh(&["-u", user], script);
            assert_eq!(id("0"), "0\n0\n/root\n0:0\n0:0\n");
            assert_eq!(id("app:app"), "7\n8\n/srv\n7:8\n7:8\n");
            assert_eq!(id("1234"), "1234\n0\n/\n1234:0\n1234:0\n");
            // Another id there is not, and the command is told so.
            let script = "busybox chown 5 /srv 2>&1; id -G";
            let refused = scratch.sh(&["-u", "app:app"], script);
            assert_eq!(refused, "chown: /srv: Invalid argument\n8\n");
            // Nor is there a lie in what is kept.
            let kept = scratch.run(&["-u", "app:app", "--upper", "up", "app"]);
            assert_eq!(kept.status.code(), Some(125));
            let what = "img-run: cannot become user 7:8: there is one id, and what it writes \
                        would be kept as root's\nimg-run: hint: have subordinate ids, which root grants (usermod";
            assert!(text(&kept.stderr).starts_with(what), "{kept:?}");
            let groups = scratch.run(&["-u", "app", "--entrypoint", "id", "app", "-u"]);
            let warning = "img-run: warning: with one id the user is in no supplementary groups\n";
            assert_eq!((text(&groups.stdout), text(&groups.stderr)), ("7\n", warning));
        }
        let unknown = scratch.run(&["-u", "nobody-here", "app"]);
        let line = "img-run: no user \"nobody-here\" in the image's /etc/passwd\n";
        assert_eq!((unknown.status.code(), text(&unknown.stderr)), (Some(125), line));
    });
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

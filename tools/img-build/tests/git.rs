//! Git repositories as sources of ADD and as contexts, from a daemon of our own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use support::{Bench, skip};

/// A daemon that serves the directory `served` of a bench.
struct Daemon {
    child: Child,
    port: u16,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap()),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn url(&self, rest: &str) -> String {
        format!("git://127.0.0.1:{}/{rest}", self.port)
    }
}

/// Runs a script of git commands in the bench; what it prints.
fn git(bench: &Bench, script: &str) -> String {
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(bench.dir.path())
        .env_clear()
        .envs(&bench.env)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A bench with a repository `x`, of a tag `v1` and a later commit; the first commit.
fn bench() -> Option<(Bench, Daemon, String)> {
    let is_there = |words: &[&str]| {
        let output = Command::new(words[0]).args(&words[1..]).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !is_there(&["git", "--version"])
        || !is_there(&["sh", "-c", "test -x \"$(git --exec-path)/git-daemon\""])
    {
        return None;
    }
    let bench = Bench::new();
    let commit = git(
        &bench,
        "git config --global user.email me@example.org; git config --global user.name me
        git config --global init.defaultBranch main
        git init -q served/x; cd served/x
        echo one >f; mkdir d; echo tool >d/tool; chmod 755 d/tool; ln -s f l; ln -s / out
        echo hidden >d/ignored; echo ignored >d/.dockerignore
        printf 'FROM scratch\\nCOPY . /\\n' >d/Containerfile
        printf 'FROM scratch\\nCOPY f /other\\n' >Other
        git add .; git commit -qm one; git tag v1; git rev-parse HEAD
        echo two >f; git commit -qam two",
    );
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new("git")
        .args(["daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1"])
        .arg(format!("--port={port}"))
        .arg(format!("--base-path={}", bench.path("served").display()))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Some((bench, Daemon { child, port }, commit))
}

/// The files of the last layer that are called `f`.
fn f(bench: &Bench, line: &str) -> String {
    let image = bench.build(&format!("FROM scratch\n{line}\n"));
    let last = image.last();
    last.into_iter().find(|line| line.contains(" r/f ")).unwrap_or_default()
}

#[test]
fn a_repository_is_added_as_the_files_of_a_commit() {
    let Some((bench, daemon, commit)) = bench() else { return skip("no git daemon") };
    let (whole, tagged) = (daemon.url("x"), daemon.url("x#v1"));
    let image = bench.build(&format!("FROM scratch\nADD {tagged} /r\n"));
    assert_eq!(
        image.last(),
        [
            "d 0755 0:0 r/",
            "f 0644 0:0 r/Other \"FROM scratch\\nCOPY f /other\\n\"",
            "d 0755 0:0 r/d/",
            "f 0644 0:0 r/d/.dockerignore \"ignored\\n\"",
            "f 0644 0:0 r/d/Containerfile \"FROM scratch\\nCOPY . /\\n\"",
            "f 0644 0:0 r/d/ignored \"hidden\\n\"",
            "f 0755 0:0 r/d/tool \"tool\\n\"",
            "f 0644 0:0 r/f \"one\\n\"",
            "l 0777 0:0 r/l -> f",
            "l 0777 0:0 r/out -> /",
        ]
    );
    let two = "f 0644 0:0 r/f \"two\\n\"";
    assert_eq!(f(&bench, &format!("ADD {whole} /r/")), two);
    assert_eq!(f(&bench, &format!("ADD {whole}#main /r")), two);
    for reference in [commit.as_str(), &commit[..10]] {
        let line = format!("ADD {whole}#{reference} /r");
        assert_eq!(f(&bench, &line), "f 0644 0:0 r/f \"one\\n\"", "{reference}");
    }
    for query in [
        "tag=v1",
        &format!("branch=main&commit={}", &git(&bench, "git -C served/x rev-parse HEAD")[..12]),
    ] {
        let expected = if query == "tag=v1" { "f 0644 0:0 r/f \"one\\n\"" } else { two };
        assert_eq!(f(&bench, &format!("ADD {whole}?{query} /r")), expected, "{query}");
    }
    let line = format!("ADD --chown=5:6 --checksum={commit} {tagged} /r");
    assert_eq!(f(&bench, &line), "f 0644 5:6 r/f \"one\\n\"");
    let image = bench.build(&format!("FROM scratch\nADD {tagged}:d /r\n"));
    assert_eq!(image.last().len(), 5);
    let image = bench.build(&format!("FROM scratch\nADD --keep-git-dir {whole} /r\n"));
    let name = b"r/.git/HEAD\0";
    assert!(image.layers[0].windows(name.len()).any(|window| window == name));
    for (line, expected) in [
        (format!("ADD {whole}#none /r"), "git: fatal: couldn't find remote ref none".to_owned()),
        (
            format!("ADD {whole}?tag=v1&checksum=0123456789 /r"),
            format!("checksum mismatch: expected 0123456789, got {commit}"),
        ),
        (format!("ADD {tagged}:none /r"), format!("'none': no such directory in '{whole}'")),
        (format!("ADD {tagged}:out/etc /r"), format!("'out/etc': no such directory in '{whole}'")),
        (format!("ADD {tagged}:../.. /r"), format!("'../..': no such directory in '{whole}'")),
        (
            format!("ADD --checksum=0123456789 {tagged} /r"),
            format!("'{whole}': checksum mismatch: expected 0123456789, got {commit}"),
        ),
    ] {
        let message = bench.fail_in(&format!("FROM scratch\n{line}\n"));
        assert!(message.contains(&expected), "{line}: {message}");
    }
}

#[test]
fn a_repository_is_a_context() {
    let Some((bench, daemon, _)) = bench() else { return skip("no git daemon") };
    let build = |arguments: &[&str]| {
        let built = bench.run(arguments, b"");
        assert_eq!((built.stderr.as_str(), built.status), ("", 0), "{arguments:?}");
        bench.image(built.stdout.trim()).last()
    };
    let files = build(&[&daemon.url("x#v1:d")]);
    assert_eq!(names(files), [".dockerignore", "Containerfile", "tool"]);
    let other = build(&["-f", "Other", &daemon.url("x")]);
    assert_eq!(other, ["f 0644 0:0 other \"two\\n\""]);
    for (arguments, expected) in [
        (vec![daemon.url("x")], "there is neither a Containerfile nor a Dockerfile"),
        (vec!["-f".into(), "../x".into(), daemon.url("x#v1")], "'../x': no such file"),
        (vec![daemon.url("none")], "git: "),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let built = bench.run(&arguments, b"");
        assert_eq!((built.status, built.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(built.stderr.contains(expected), "{arguments:?}: {}", built.stderr);
    }
}

/// The names of the last layer.
fn names(lines: Vec<String>) -> Vec<String> {
    lines.iter().map(|line| line.split(' ').nth(3).unwrap().to_owned()).collect()
}

#[test]
fn nothing_of_git_is_left_in_submodules_or_says_who_fetched() {
    let Some((bench, daemon, _)) = bench() else { return skip("no git daemon") };
    let (inner, outer) = (daemon.url("x"), daemon.url("y"));
    git(
        &bench,
        &format!(
            "git config --global protocol.allow always
            git init -q served/y; cd served/y; git submodule --quiet add {inner} sub
            git commit -qm y; cd ..; git init -q z; cd z
            git submodule --quiet add {outer} deep; git commit -qm z"
        ),
    );
    let url = daemon.url("z");
    let image = bench.build(&format!("FROM scratch\nADD {url} /r\n"));
    let found = names(image.last());
    assert!(found.contains(&"r/deep/sub/f".to_owned()), "{found:?}");
    assert!(!found.iter().any(|name| name.ends_with("/.git")), "{found:?}");
    let image = bench.build(&format!("FROM scratch\nADD --keep-git-dir {url} /r\n"));
    let holds = |name: &[u8]| image.layers[0].windows(name.len()).any(|window| window == name);
    assert!(holds(b"r/.git/modules/deep/HEAD\0") && holds(b"r/.git/HEAD\0"));
    for note in [&b"/logs/\0"[..], b"/FETCH_HEAD\0", b"/ORIG_HEAD\0"] {
        assert!(!holds(note), "{}", String::from_utf8_lossy(note));
    }
}

#[test]
fn a_repository_grows_to_the_limit_only() {
    let Some((bench, daemon, _)) = bench() else { return skip("no git daemon") };
    git(
        &bench,
        "git init -q served/large; cd served/large; head -c 30000000 /dev/zero >zero
        git add .; git commit -qm zero",
    );
    let url = daemon.url("large");
    let expected = "git: the repository grows to more than the limit of 1048576 bytes";
    bench.write("Containerfile", &format!("FROM scratch\nADD {url} /r\n"));
    let context = bench.path("ctx").display().to_string();
    for arguments in [vec![context.as_str()], vec![url.as_str()]] {
        let arguments = [vec!["--max-size", "1M"], arguments].concat();
        let built = bench.run(&arguments, b"");
        assert_eq!((built.status, built.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(built.stderr.contains(expected), "{arguments:?}: {}", built.stderr);
    }
}

#[test]
fn a_containerfile_on_standard_input_has_a_repository_as_context() {
    let Some((bench, daemon, _)) = bench() else { return skip("no git daemon") };
    let built = bench.run(&["-f", "-", &daemon.url("x#v1")], b"FROM scratch\nCOPY f /g\n");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert_eq!(bench.image(built.stdout.trim()).last(), ["f 0644 0:0 g \"one\\n\""]);
}

#[test]
fn no_ignore_file_of_the_host_counts_for_a_repository() {
    let Some((bench, daemon, _)) = bench() else { return skip("no git daemon") };
    let host = bench.path("host");
    std::fs::create_dir(&host).unwrap();
    std::fs::write(host.join("Other.dockerignore"), "f\n").unwrap();
    // In the repository the link leads to a directory of the repository.
    let below = host.display();
    git(
        &bench,
        &format!(
            "cd served/x; ln -s {below} host; mkdir -p .{below}; cp Other .{below}
            git add .; git commit -qm link"
        ),
    );
    let built = bench.run(&["-f", "host/Other", &daemon.url("x")], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert_eq!(bench.image(built.stdout.trim()).last(), ["f 0644 0:0 other \"two\\n\""]);
}

#[test]
fn ssh_is_the_callers_and_asks_nobody() {
    let Some((mut bench, _daemon, _)) = bench() else { return skip("no git daemon") };
    let (ssh, agent) = (bench.path("ssh"), bench.path("agent"));
    let record = bench.path("record").display().to_string();
    let script = format!(
        "#!/bin/sh\necho \"$SSH_AUTH_SOCK|$GIT_ASKPASS|$SSH_ASKPASS_REQUIRE|$*\" >>{record}\nexit 1\n"
    );
    std::fs::write(&ssh, script).unwrap();
    std::fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&agent).unwrap();
    bench.env.insert("GIT_SSH_COMMAND".into(), format!("{} -oPort=1", ssh.display()));
    bench.env.insert("GIT_ASKPASS".into(), "/bin/false".into());
    let built = bench.run(&["--ssh", "default=agent", "ssh://me@h.invalid/x"], b"");
    assert_eq!((built.status, built.stdout.as_str()), (2, ""));
    let said = std::fs::read_to_string(&record).unwrap();
    let expected = format!("{}||never|-oPort=1 -oBatchMode=yes ", agent.display());
    assert!(said.starts_with(&expected), "{said}");
}

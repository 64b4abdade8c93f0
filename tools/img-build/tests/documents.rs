//! Small files that the tool reads whole: what was planted in their place.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::Bench;

/// Runs a shell line with the tool as `$0`, killed when it takes too long or too much.
fn guarded(bench: &Bench, line: &str, stdin: &[u8]) -> Output {
    let limited = format!("ulimit -v 1000000; {line}");
    let mut child = Command::new("timeout")
        .args(["-s", "KILL", "20", "bash", "-c", &limited])
        .arg(&bench.words(&[])[0])
        .env_clear()
        .envs(&bench.env)
        .current_dir(bench.dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

/// What a build that fails says after the tool's name.
fn refusal(bench: &Bench, line: &str, stdin: &[u8]) -> String {
    let output = guarded(bench, line, stdin);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{line}: {stderr}");
    assert!(output.stdout.is_empty(), "{line}");
    stderr
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Puts each thing that is no document at `path` in turn, and tells what was said of it.
fn plant(bench: &Bench, path: &Path, mut check: impl FnMut(&str, &str)) {
    fs::write(bench.path("secret"), "[secret\n").unwrap();
    let out = "a link out of its directory tree, or to nothing";
    for (target, expected) in [
        ("/dev/zero", out),
        ("../secret", out),
        ("/etc/passwd", out),
        ("nothing", out),
        ("fifo", "not a regular file"),
        ("", "not a regular file"),
    ] {
        let _ = fs::remove_file(path);
        match target {
            "" => fifo(path),
            target => std::os::unix::fs::symlink(target, path).unwrap(),
        }
        check(target, expected);
    }
    fs::remove_file(path).unwrap();
}

const BUILD: &str = "FROM scratch\nCOPY nonce /\n";

#[test]
fn ignore_files_are_regular_files_of_the_context() {
    let bench = Bench::new();
    bench.write("Containerfile", BUILD);
    fifo(&bench.path("ctx/fifo"));
    for name in [".dockerignore", ".containerignore", "Containerfile.dockerignore"] {
        plant(&bench, &bench.path("ctx").join(name), |target, expected| {
            let said = refusal(&bench, "exec $0 ctx", b"");
            let line = format!("img-build: Containerfile:2: COPY: ctx/{name}: {expected}\n");
            assert_eq!(said, line, "{name} -> {target}");
        });
    }
}

#[test]
fn ignore_files_may_be_links_within_the_context() {
    let bench = Bench::new();
    bench.write("ignored", "");
    bench.write("sub/patterns", "ignored\nsub\nCont*\n*ignore\n");
    bench.write("sub/Containerfile", "FROM scratch\nCOPY . /\n");
    bench.link("sub/Containerfile.dockerignore", "../sub/../sub/patterns");
    bench.link(".dockerignore", "/sub/patterns");
    for arguments in [&["-f", "ctx/sub/Containerfile", "ctx"][..], &["-f", "-", "ctx"]] {
        let built = bench.run(arguments, b"FROM scratch\nCOPY . /\n");
        assert_eq!((built.stderr.as_str(), built.status), ("", 0), "{arguments:?}");
        let lines = bench.image(built.stdout.trim()).last();
        assert!(lines.iter().all(|line| line.starts_with("f 0644 0:0 nonce")), "{lines:?}");
    }
}

#[test]
fn the_ignore_file_beside_a_containerfile_elsewhere_stays_in_its_directory() {
    let bench = Bench::new();
    fs::create_dir(bench.path("files")).unwrap();
    fs::write(bench.path("files/app"), BUILD).unwrap();
    fifo(&bench.path("files/fifo"));
    let ignore = bench.path("files/app.dockerignore");
    plant(&bench, &ignore, |target, expected| {
        let said = refusal(&bench, "exec $0 -f files/app ctx", b"");
        let line = format!("img-build: files/app:2: COPY: files/app.dockerignore: {expected}\n");
        assert_eq!(said, line, "{target}");
    });
    fs::write(ignore, "nonce").unwrap();
    let said = refusal(&bench, "exec $0 -f files/app ctx", b"");
    assert!(said.contains("'nonce': no such file"), "{said}");
}

#[test]
fn the_containerfile_of_a_context_is_a_regular_file_in_it() {
    let bench = Bench::new();
    fifo(&bench.path("ctx/fifo"));
    for name in ["Containerfile", "Dockerfile"] {
        plant(&bench, &bench.path("ctx").join(name), |target, expected| {
            let said = refusal(&bench, "exec $0 ctx", b"");
            let line = format!(
                "img-build: ctx/{name}: {expected}\nimg-build: hint: -f can name a Containerfile anywhere\n"
            );
            assert_eq!(said, line, "{name} -> {target}");
        });
    }
    bench.write("sub/real", BUILD);
    for target in ["sub/real", "/sub/real"] {
        bench.link("Containerfile", target);
        let built = bench.run(&["ctx"], b"");
        assert_eq!((built.stderr.as_str(), built.status), ("", 0), "{target}");
        fs::remove_file(bench.path("ctx/Containerfile")).unwrap();
    }
}

#[test]
fn archives_are_held_to_the_same() {
    let bench = Bench::new();
    fifo(&bench.path("ctx/fifo"));
    let archive = |bench: &Bench| {
        let output = Command::new("tar").args(["-cC"]).arg(bench.path("ctx")).arg(".").output();
        output.unwrap().stdout
    };
    let name = "Containerfile";
    plant(&bench, &bench.path("ctx").join(name), |target, expected| {
        let said = refusal(&bench, "exec $0 -", &archive(&bench));
        assert_eq!(said, format!("img-build: {name}: {expected}\n"), "{target}");
        let said = refusal(&bench, "exec $0 -f Containerfile -", &archive(&bench));
        assert_eq!(said, format!("img-build: {name}: {expected}\n"), "{target}");
    });
    bench.write("Containerfile", BUILD);
    let name = ".dockerignore";
    plant(&bench, &bench.path("ctx").join(name), |target, expected| {
        let said = refusal(&bench, "exec $0 -", &archive(&bench));
        let line = format!("img-build: Containerfile:2: COPY: {name}: {expected}\n");
        assert_eq!(said, line, "{target}");
    });
}

#[test]
fn files_that_are_named_may_be_anywhere_and_pipes_but_not_endless() {
    let bench = Bench::new();
    fs::write(bench.path("elsewhere"), BUILD).unwrap();
    bench.link("link", "../elsewhere");
    for line in [
        "exec $0 -f ctx/link ctx",
        "exec $0 -f elsewhere ctx",
        "exec $0 -f <(cat elsewhere) ctx",
        "exec $0 -f /dev/stdin ctx <elsewhere",
        "mkfifo pipe; cat elsewhere >pipe & exec $0 -f pipe ctx",
    ] {
        let output = guarded(&bench, line, b"");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((stderr.as_ref(), output.status.code()), ("", Some(0)), "{line}");
    }
    for line in
        ["exec $0 -f /dev/zero ctx", "exec $0 -f <(yes) ctx", "yes | $0 -f - ctx", "yes | $0 -"]
    {
        let said = refusal(&bench, line, b"");
        assert!(said.ends_with(": larger than 4194304 bytes\n"), "{line}: {said}");
    }
}

#[test]
fn a_pipe_that_nobody_writes_ends_with_the_signal() {
    let bench = Bench::new();
    fifo(&bench.path("pipe"));
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        let line = format!("timeout --preserve-status -s {signal} 0.5 $0 -f pipe ctx; echo $?");
        let output = guarded(&bench, &line, b"");
        let status = String::from_utf8(output.stdout).unwrap();
        assert_eq!(status.trim(), (128 + number).to_string());
    }
}

#[test]
fn a_secret_may_be_a_pipe_but_not_endless() {
    let Some(busybox) = support::busybox() else { return support::skip("no static busybox") };
    let bench = Bench::new();
    fs::copy(busybox, bench.path("ctx/busybox")).unwrap();
    let mount = "--mount=type=secret,id=s,target=/s";
    let text = format!(
        "FROM scratch\nCOPY busybox /bin/sh\nCOPY nonce /\n\
         RUN {mount} read word </s && test $word = word\n\
         RUN {mount} read word </s && test $word = word # again\n"
    );
    bench.write("Containerfile", &text);
    let output = guarded(&bench, "exec $0 --secret id=s,src=<(echo word) ctx", b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((stderr.as_ref(), output.status.code()), ("", Some(0)));
    for source in ["/dev/zero", "<(yes)"] {
        let said =
            refusal(&bench, &format!("exec $0 --no-cache --secret id=s,src={source} ctx"), b"");
        assert!(said.ends_with(": larger than 512000 bytes\n"), "{said}");
    }
}

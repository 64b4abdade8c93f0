//! The pipelines that the project promises, word for word, in the order in which
//! a user would come to them.
//!
//! Where a real `docker`, `ssh` or web server cannot be had, a stand-in on PATH
//! does what the pipeline needs of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs;

use layerutils_tests::requirement::Requirement;
use layerutils_tests::run::Outcome;
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tree::assert_same;
use layerutils_tests::{fixture, require, stand_in, tool};

/// Serves one file.
const CURL: &str = r##"#!/bin/sh
[ "$*" = "-s https://example.org/rootfs.tar.xz" ] || exit 22
exec cat "$HOME/rootfs.tar.xz"
"##;

fn prepared(sandbox: &Sandbox) {
    fixture::make(sandbox);
    fs::remove_dir_all(sandbox.store()).unwrap();
    let setup = "mv a old; mv b new; cp -a old copy-of-old; mv root rootfs; \
                 tar -C rootfs -cJf ~/rootfs.tar.xz .; \
                 printf 'FROM base\\nCOPY note /note\\nCMD [\"cat\",\"/note\"]\\n' > Containerfile; \
                 echo note > note; rm -r endless context-endless";
    let _ = sandbox.sh(setup).succeeds();
    stand_in::ssh(sandbox);
    sandbox.program_file("curl", CURL);
}

fn run(sandbox: &Sandbox, line: &str) -> Outcome {
    let outcome = sandbox.sh(line).outcome();
    assert!(outcome.status == 0, "{outcome}");
    for line in String::from_utf8_lossy(&outcome.stderr).lines() {
        let ours = tool::ALL.iter().any(|tool| line.starts_with(&format!("{}: ", tool.name)));
        assert!(!ours || tool::is_step(line), "a tool complained\n{outcome}");
    }
    outcome
}

fn is_digest(text: &str) -> bool {
    text.trim().strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64)
}

/// Everything that needs nothing but our tools.
fn by_ourselves(sandbox: &Sandbox) {
    prepared(sandbox);
    let applied = run(sandbox, "layer-diff old new | tee change.tar | layer-apply copy-of-old");
    assert_same(&sandbox.path("new"), &sandbox.path("copy-of-old"));
    let sum = run(sandbox, "sha256sum < change.tar");
    assert_eq!(applied.trimmed(), format!("sha256:{}", &sum.text()[..64]));

    let base = run(sandbox, "layer-diff rootfs | img-commit -t base -m \"Import\" scratch");
    assert!(is_digest(base.text()), "{base}");
    run(sandbox, "union-mount --image base --upper up -- sh -c 'echo hi > /hello'");
    let commit = "layer-diff --overlay up | img-commit -m \"Add hello\" \
                  -c 'CMD [\"cat\",\"/hello\"]' -t app base";
    assert!(is_digest(run(sandbox, commit).text()));
    let history = run(sandbox, "img-history app");
    let lines: Vec<_> = history.text().lines().collect();
    assert_eq!(lines.len(), 3, "{history}");
    assert!(lines[0].starts_with("IMAGE"), "{history}");
    assert!(lines[1].contains("Add hello") && lines[2].contains("Import"), "{history}");
    // What `img-run app` will do.
    let shown = run(sandbox, "union-mount --image app -- cat /hello");
    assert_eq!(shown.text(), "hi\n");

    run(sandbox, "layer-diff old new | zstd | ssh host layer-apply /srv/root");
    let check = "layer-diff --exit-code --list old ~/srv/root && exit 9; \
                 cd ~/srv/root && test -f added && test ! -e deleted";
    run(sandbox, check);
    let history = run(sandbox, "img-build -q . | xargs img-history");
    assert_eq!(history.text().lines().count(), 4, "{history}");
    let line = "curl -s https://example.org/rootfs.tar.xz | xz -dc | img-commit -t rootfs scratch";
    assert!(is_digest(run(sandbox, line).text()));
    let shown = run(sandbox, "union-mount --image rootfs -- cat /etc/passwd");
    assert!(shown.text().starts_with("root:"));
}

#[test]
fn the_pipelines_work_as_whoever_runs_the_tests() {
    require!(Peer("busybox"), Peer("zstd"), Peer("xz"), UserNamespace);
    by_ourselves(&Sandbox::new());
}

#[test]
fn the_pipelines_work_for_an_ordinary_user() {
    require!(Peer("busybox"), Peer("zstd"), Peer("xz"), UserNamespace);
    by_ourselves(&Sandbox::ordinary());
}

fn with_docker(sandbox: &Sandbox) {
    prepared(sandbox);
    run(sandbox, "layer-diff rootfs | img-commit -t base -m \"Import\" scratch");
    run(sandbox, "img-build -q -t app .");
    let loaded = run(sandbox, "img-build -o - . | docker load");
    assert!(loaded.text().contains("Loaded"), "{loaded}");
    let id = loaded.trimmed().rsplit(' ').next().unwrap().to_owned();
    if id.starts_with("sha256:") {
        run(sandbox, &format!("docker tag {id} app"));
    }
    let ours = run(sandbox, "img-history --no-trunc --format '{{.CreatedBy}}' app");
    let theirs =
        run(sandbox, "docker save app | img-history --no-trunc --format '{{.CreatedBy}}' -");
    assert_eq!(theirs.text(), ours.text());
}

#[test]
fn docker_understands_our_archives_and_we_its() {
    require!(Peer("busybox"), UserNamespace);
    let sandbox = Sandbox::new();
    if Requirement::DockerDaemon.check().is_ok() {
        with_docker(&sandbox);
        let remove = "docker run --rm --network none app && docker rmi -f app";
        assert!(run(&sandbox, remove).text().contains("note\n"));
    } else {
        require!(Peer("skopeo"));
        layerutils_tests::requirement::skip(" (with docker itself)", "needs a docker daemon");
        stand_in::docker(&sandbox);
        with_docker(&sandbox);
    }
}

//! A real root file system, taken all the way, with other implementations as
//! judges. `LAYERUTILS_TEST_ROOTFS` names its archive, which `.ci/run` makes:
//!
//!     mmdebstrap --variant=minbase bookworm root.tar

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::path::PathBuf;

use layerutils_tests::require;
use layerutils_tests::requirement::{Requirement, skip};
use layerutils_tests::run::Outcome;
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tree::assert_same;

/// A sandbox with the archive as `root.tar`.
fn prepared(sandbox: Sandbox) -> Sandbox {
    let archive = PathBuf::from(std::env::var_os("LAYERUTILS_TEST_ROOTFS").unwrap());
    std::os::unix::fs::symlink(archive.canonicalize().unwrap(), sandbox.path("root.tar")).unwrap();
    sandbox
}

fn run(sandbox: &Sandbox, line: &str) -> Outcome {
    sandbox.sh(line).succeeds()
}

/// Imports the archive, changes it by a command, and commits that as `app`.
fn make_app(sandbox: &Sandbox) {
    run(sandbox, "img-commit -t base -m Import scratch root.tar");
    let change = "echo hi > /hello && rm /etc/debian_version && mkdir -p /srv/new/deep && \
                  ln /hello /srv/new/link && rm -r /usr/share/doc && mkdir /usr/share/doc && \
                  touch /usr/share/doc/only && chmod 700 /opt && mv /usr/share/perl5 /usr/share/moved";
    run(sandbox, &format!("union-mount --image base --upper up -- sh -ec '{change}'"));
    let commit = "layer-diff --overlay up | img-commit -m \"Add hello\" \
                  -c 'CMD [\"cat\",\"/hello\"]' -t app base";
    run(sandbox, commit);
    let history = run(sandbox, "img-history app");
    let lines: Vec<_> = history.text().lines().collect();
    assert_eq!(lines.len(), 3, "{history}");
    assert!(lines[1].contains("Add hello") && lines[2].contains("Import"), "{history}");
    assert_eq!(run(sandbox, "union-mount --image app -- cat /srv/new/link").text(), "hi\n");
}

#[test]
fn the_archive_is_applied_as_gnu_tar_extracts_it() {
    require!(Variable("LAYERUTILS_TEST_ROOTFS"), Root);
    let sandbox = prepared(Sandbox::new());
    run(&sandbox, "layer-apply ours root.tar");
    let extract = "mkdir theirs && tar -C theirs -xpf root.tar --numeric-owner --xattrs \
                   --xattrs-include='*'";
    run(&sandbox, extract);
    assert_same(&sandbox.path("theirs"), &sandbox.path("ours"));
    // And the other way: what we write of it, GNU tar extracts to the same tree.
    let back = "mkdir again && layer-diff ours | \
                tar -C again -xpf - --numeric-owner --xattrs --xattrs-include='*'";
    run(&sandbox, back);
    assert_same(&sandbox.path("ours"), &sandbox.path("again"));
}

#[test]
fn a_real_image_goes_all_the_way_and_other_tools_agree() {
    require!(Variable("LAYERUTILS_TEST_ROOTFS"), Root, Peer("umoci"), Peer("skopeo"), Peer("jq"));
    let sandbox = prepared(Sandbox::new());
    make_app(&sandbox);
    run(&sandbox, "layer-apply --image app ours");
    run(&sandbox, "umoci raw unpack --image \"$LAYERUTILS_STORE:app:latest\" theirs 2>/dev/null");
    assert_same(&sandbox.path("theirs"), &sandbox.path("ours"));

    let inspected = "skopeo inspect \"oci:$LAYERUTILS_STORE:app:latest\" | jq -r '.Layers[]'";
    let layers = run(&sandbox, inspected);
    assert_eq!(layers.text().lines().count(), 2);
    let list = "for layer; do tar -tf \"$LAYERUTILS_STORE/blobs/sha256/${layer#sha256:}\"; done";
    let script = format!("set -- {}; {list}", layers.text().replace('\n', " "));
    let names = run(&sandbox, &script);
    for name in ["etc/.wh.debian_version", "srv/new/link", "etc/passwd"] {
        assert!(names.text().lines().any(|line| line.trim_start_matches("./") == name), "{name}");
    }

    let copy = "skopeo --insecure-policy copy -q \"oci:$LAYERUTILS_STORE:app:latest\" \
                docker-archive:app.tar:app:latest";
    run(&sandbox, copy);
    let format = "--no-trunc --format '{{.CreatedBy}}|{{.Comment}}'";
    let ours = run(&sandbox, &format!("img-history {format} app"));
    let theirs = run(&sandbox, &format!("img-history {format} docker-archive:app.tar"));
    assert_eq!(theirs.text(), ours.text());
    if let Err(reason) = Requirement::DockerDaemon.check() {
        return skip(" (docker load)", &reason);
    }
    run(&sandbox, "docker load -qi app.tar");
    assert_eq!(run(&sandbox, "docker run --rm --network none app").text(), "hi\n");
    let theirs = run(&sandbox, &format!("docker history {format} app"));
    assert_eq!(theirs.text(), ours.text());
    run(&sandbox, "docker rmi -f app");
}

#[test]
fn an_ordinary_user_does_the_same() {
    require!(Variable("LAYERUTILS_TEST_ROOTFS"), UserNamespace);
    let sandbox = prepared(Sandbox::ordinary());
    make_app(&sandbox);
}

#[test]
fn a_second_build_is_cached() {
    require!(Variable("LAYERUTILS_TEST_ROOTFS"), UserNamespace);
    for sandbox in [Sandbox::new(), Sandbox::ordinary()] {
        let sandbox = prepared(sandbox);
        run(&sandbox, "img-commit -t base scratch root.tar");
        sandbox.write(
            "Containerfile",
            "FROM base\nRUN date +%s%N > /when && dpkg --list > /packages\nCOPY app.js /app.js\n\
             CMD [\"cat\", \"/app.js\"]\n",
        );
        sandbox.write("app.js", "console.log('hello')\n");
        run(&sandbox, "img-build -q -t one . && img-build -q -t two .");
        let when = |name: &str| run(&sandbox, &format!("union-mount --image {name} -- cat /when"));
        assert_eq!(when("one").text(), when("two").text());
        sandbox.write("app.js", "console.log('changed')\n");
        run(&sandbox, "img-build -q -t three .");
        assert_eq!(when("one").text(), when("three").text());
        let shown = run(&sandbox, "union-mount --image three -- cat /app.js");
        assert_eq!(shown.text(), "console.log('changed')\n");
    }
}

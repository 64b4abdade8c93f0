//! `docker history` and `img-history` of the same image, byte for byte.

use std::fs;

use layerutils_tests::fixture::image;
use layerutils_tests::require;
use serde_json::json;

use crate::Daemon;

const OPTIONS: &[&[&str]] = &[
    &[],
    &["--no-trunc"],
    &["--human=false"],
    &["-H=false", "--no-trunc"],
    &["--human"],
    &["-q"],
    &["-q", "--no-trunc"],
    &["--quiet"],
    &["--format", "table"],
    &["--format", "json"],
    &["--format", "json", "--no-trunc"],
    &["--format", "json", "--human=0"],
    &["--format", "{{json .}}"],
    &["--format", "{{.ID}}|{{.CreatedSince}}|{{.CreatedAt}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}"],
    &["--format", "table {{.ID}}\\t{{.CreatedBy}}"],
    &["--format", "table {{.Size}}\\t{{.CreatedAt}}\\t{{.Comment}}"],
    &["--format", "{{upper .Comment}} {{lower .CreatedBy}} {{json .Size}}"],
    &["-q", "--format", "{{.Size}}"],
    &["--format", "words"],
];

/// A tree whose size depends on how links are counted.
const LAYERS: &str = "
mkdir 1 2 3
head -c 1234567 /dev/zero > 1/big; ln 1/big 1/hard; ln -s some/target 1/soft; mkdir 1/folder; mkfifo 1/pipe
head -c 4 /dev/zero > 2/four
touch 3/.wh.four; head -c 999 /dev/zero > 3/c
for n in 1 2 3; do tar --format=posix -C $n -cf $n.tar .; done
";

#[test]
fn the_tables_are_dockers_in_every_variant() {
    require!(DockerDaemon);
    let daemon = Daemon::new("history");
    let sandbox = &daemon.sandbox;
    let _ = sandbox.sh(LAYERS).succeeds();
    let layers = ["1.tar", "2.tar", "3.tar"];
    let layers = layers.map(|name| image::Layer::plain(fs::read(sandbox.path(name)).unwrap()));
    let mut config = image::config();
    config["history"] = json!([
        { "created": "1970-01-01T00:00:00Z", "comment": "Import from x" },
        { "created": "2000-01-01T00:00:00Z", "created_by": "/bin/sh -c #(nop)  CMD [\"sh\"]", "empty_layer": true },
        { "created": "2000-01-01T00:00:01Z", "created_by": format!("a\tb <d> & \"e\" \\ {}", "x".repeat(60)) },
        { "created": "2021-02-03T04:05:06.789Z", "created_by": "漢字".repeat(14),
          "comment": "a comment that nobody cuts, however long it is, or is it? 漢字" },
        { "created": "2021-02-03T04:05:06+05:30", "created_by": "é".repeat(46), "empty_layer": true, "author": "me" },
        { "created": "2024-01-01T00:00:00Z", "created_by": "x".repeat(45), "empty_layer": true },
        { "created": "2025-01-01T00:00:00Z", "created_by": "x".repeat(46), "empty_layer": true, "comment": "last" },
    ]);
    let name = daemon.name("image");
    image::put(&sandbox.path("layout"), "image", &layers, &config);
    daemon.run(&["img-copy", "oci:layout:image", &format!("docker-archive:made.tar:{name}")]);
    daemon.run(&["docker", "load", "-i", "made.tar"]);
    daemon.save("image", "saved.tar");
    for zone in ["UTC", "Asia/Kolkata", "America/St_Johns"] {
        for options in OPTIONS {
            let shown = |argv: &[&str]| sandbox.run(argv).env("TZ", zone).succeeds();
            let theirs = shown(&[&["docker", "history"], *options, &[&name]].concat());
            let ours = shown(&[&["img-history"], *options, &["docker-archive:saved.tar"]].concat());
            assert_eq!(ours.text(), theirs.text(), "{zone} {options:?}");
        }
    }
    // The store has the same table but for the image itself, which has a manifest there.
    daemon.run(&["img-copy", "docker-archive:saved.tar", "kept"]);
    let line = ["--format", "{{.CreatedBy}}|{{.Size}}|{{.Comment}}"];
    let ours = daemon.run(&[&["img-history"], &line[..], &["kept"]].concat());
    let theirs = daemon.run(&[&["docker", "history"], &line[..], &[&name]].concat());
    assert_eq!(ours.text(), theirs.text());
}

#[test]
fn the_history_of_what_docker_built_is_dockers() {
    require!(DockerDaemon);
    let daemon = Daemon::new("built");
    let sandbox = &daemon.sandbox;
    let containerfile = "FROM scratch\nCOPY a b /x/\nENV A=1 B=\"two words\"\nEXPOSE 80\nLABEL l=m\n\
                         VOLUME /v\nUSER 5\nWORKDIR /w\nCMD [\"a\", \"b\"]\n";
    let _ = sandbox.sh("mkdir context; echo 1 > context/a; echo 22 > context/b").succeeds();
    sandbox.write("context/Dockerfile", containerfile);
    let name = daemon.name("image");
    let build = ["docker", "build", "-q", "-t", &name, "context"];
    let built = sandbox.run(&build).env("DOCKER_BUILDKIT", "0").outcome();
    assert_eq!(built.status, 0, "{built}");
    daemon.save("image", "saved.tar");
    // Loaded anew, docker knows no more than the archive says.
    daemon.run(&["docker", "rmi", "-f", &name]);
    daemon.run(&["docker", "load", "-q", "-i", "saved.tar"]);
    for options in [&["--human=false"][..], &["--human=false", "--no-trunc"], &["-q"]] {
        let theirs = daemon.run(&[&["docker", "history"], options, &[&name]].concat());
        let ours = daemon.run(&[&["img-history"], options, &["docker-archive:saved.tar"]].concat());
        assert_eq!(ours.text(), theirs.text(), "{options:?}");
    }
}

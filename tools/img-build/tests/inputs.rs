//! Where the context comes from and the image goes to; reproducibility.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::process::Command;

use support::Bench;

#[test]
fn a_containerfile_alone_has_no_context() {
    let bench = Bench::new();
    let built = bench.run(&["-"], b"FROM scratch\nLABEL a=b\n");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert_eq!(bench.image(built.stdout.trim()).config.config.labels["a"], "b");
    let built = bench.run(&["-"], b"FROM scratch\nCOPY a /\n");
    assert_eq!(built.status, 2);
    assert_eq!(
        built.stderr,
        "img-build: standard input:2: COPY: 'a': no such file in the context, which is empty: only a Containerfile was given\n"
    );
}

#[test]
fn an_archive_is_a_context() {
    let bench = Bench::new();
    bench.write("sub/Other", "FROM scratch\nCOPY sub /s\n");
    bench.write("Dockerfile", "FROM scratch\nCOPY d /d\n");
    bench.write("d/f", "F");
    bench.write("d/ignored", "");
    bench.write(".dockerignore", "d/ig*");
    for flag in ["-c", "-cz", "-cJ"] {
        let tar = Command::new("tar")
            .arg("-C")
            .arg(bench.path("ctx"))
            .args(["--owner=9", flag, "."])
            .output();
        let archive = tar.unwrap().stdout;
        let built = bench.run(&["-"], &archive);
        assert_eq!((built.stderr.as_str(), built.status), ("", 0));
        let image = bench.image(built.stdout.trim());
        assert_eq!(image.last(), ["d 0755 0:0 d/", "f 0644 0:0 d/f \"F\""]);
        let built = bench.run(&["-f", "sub/Other", "-"], &archive);
        assert_eq!(bench.image(built.stdout.trim()).last()[0], "d 0755 0:0 s/");
    }
}

#[test]
fn the_default_file_is_a_containerfile_then_a_dockerfile() {
    let bench = Bench::new();
    let built = bench.run(&["ctx"], b"");
    assert_eq!(built.stderr, "img-build: ctx: there is neither a Containerfile nor a Dockerfile\n");
    bench.write("Dockerfile", "FROM scratch\nLABEL f=d");
    let label =
        |built: support::Built| bench.image(built.stdout.trim()).config.config.labels["f"].clone();
    assert_eq!(label(bench.run(&["ctx"], b"")), "d");
    bench.write("Containerfile", "FROM scratch\nLABEL f=c");
    assert_eq!(label(bench.run(&["ctx"], b"")), "c");
    assert_eq!(label(bench.run(&["-f", "ctx/Dockerfile", "ctx"], b"")), "d");
    let both = bench.run(&["-f", "-", "-"], b"FROM scratch");
    assert_eq!(both.status, 2);
    let missing = bench.run(&[], b"");
    assert_eq!((missing.status, missing.stdout.as_str()), (2, ""));
    assert!(missing.stderr.contains("--help"), "{}", missing.stderr);
}

#[test]
fn an_archive_on_standard_output_is_all_that_is_there() {
    let bench = Bench::new();
    bench.write("Containerfile", "FROM scratch\nCOPY nonce /");
    let output = bench.output(&["-o", "-", "ctx"], b"");
    assert_eq!(output.status.code(), Some(0));
    let list = Command::new("tar")
        .arg("-tf")
        .arg("/dev/stdin")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut list = list.unwrap();
    std::io::Write::write_all(&mut list.stdin.take().unwrap(), &output.stdout).unwrap();
    let names = String::from_utf8(list.wait_with_output().unwrap().stdout).unwrap();
    for name in ["index.json", "manifest.json", "oci-layout"] {
        assert!(names.lines().any(|line| line == name), "{names}");
    }
    let index = std::fs::read_to_string(bench.path("store/index.json")).unwrap();
    assert!(!index.contains("digest"), "{index}");
    let built = bench.run(&["-o", "oci:out", "-t", "name", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert!(std::fs::read_to_string(bench.path("out/index.json")).unwrap().contains("name"));
    assert!(std::fs::read_to_string(bench.path("store/index.json")).unwrap().contains("name"));
}

#[test]
fn the_same_build_is_the_same_image_everywhere() {
    let digest = |touch: &str| {
        let mut bench = Bench::new();
        std::fs::remove_file(bench.path("ctx/nonce")).unwrap();
        bench.env.insert("SOURCE_DATE_EPOCH".into(), "1700000000".into());
        bench.write("d/b", "B");
        let file = bench.write("d/a", "A");
        assert!(Command::new("touch").args(["-d", touch]).arg(file).status().unwrap().success());
        bench.build_with("FROM scratch\nCOPY d /x/d\nWORKDIR /y\nENV a=b", &["--no-cache"]).digest
    };
    assert_eq!(digest("2024-06-01"), digest("2025-06-01"));
    assert_ne!(digest("2020-06-01"), digest("2025-06-01"));
    let mut bench = Bench::new();
    bench.env.insert("SOURCE_DATE_EPOCH".into(), "yesterday".into());
    bench.write("Containerfile", "FROM scratch");
    assert_eq!(bench.run(&["ctx"], b"").status, 2);
}

#[test]
fn an_image_that_goes_elsewhere_needs_no_writable_store() {
    let Some(mut bench) = Bench::new().for_user() else { return support::skip("no setpriv") };
    bench.env.insert("SOURCE_DATE_EPOCH".into(), "1700000000".into());
    bench.write("Containerfile", "FROM scratch\nCOPY nonce /base\n");
    assert_eq!(bench.run(&["-t", "base", "ctx"], b"").status, 0);
    bench.write("Containerfile", "FROM base\nCOPY nonce /\nWORKDIR /dir\n");
    let store = bench.path("store");
    let chmod = |mode: &str| {
        let changed = Command::new("chmod").args(["-R", mode]).arg(&store).status();
        assert!(changed.unwrap().success());
    };
    chmod("a-w");
    let built = bench.run(&["-o", "oci:out", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    // With subordinate ids the build is root over all that is the user's.
    let single = "--users=single";
    for arguments in [&[single, "ctx"][..], &[single, "-t", "name", "-o", "oci:out", "ctx"]] {
        let refused = bench.run(arguments, b"");
        assert_eq!((refused.status, refused.stderr.lines().count()), (2, 1), "{}", refused.stderr);
        assert!(refused.stderr.contains("ermission denied"), "{}", refused.stderr);
    }
    let run = bench.path("cache/layerutils/run");
    assert_eq!(std::fs::read_dir(run).map_or(0, Iterator::count), 0, "its own store is left");
    let of_stores = std::fs::read_dir(bench.path("cache/layerutils/build")).unwrap();
    assert_eq!(of_stores.count(), 1, "results are kept for a store that is gone");
    chmod("u+w");
    let again = bench.run(&["-o", "oci:again", "ctx"], b"");
    assert_eq!((again.stdout.as_str(), again.status), (built.stdout.as_str(), 0));
    chmod("a-w");
    bench.env.insert("LAYERUTILS_STORE".into(), store.join("missing").display().to_string());
    let built = bench.run(&["-o", "oci:none", "-"], b"FROM scratch\nWORKDIR /dir\n");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    chmod("u+w");
}

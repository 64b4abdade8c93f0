//! Images that FROM and --from name: in the store, in a registry, in layouts and archives, or
//! by `--build-context`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::process::Command;

use layerutils_tests::registry::{Registry, Setup};
use support::{Bench, skip};

/// A bench with an image `base` of one file `/f`; its digest.
fn bench() -> (Bench, String) {
    let bench = Bench::new();
    bench.write("Containerfile", "FROM scratch\nCOPY <<E /f\nF\nE\nENV BASE=1\n");
    let built = bench.run(&["-t", "base", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    let digest = built.stdout.trim().to_owned();
    (bench, digest)
}

fn peer(bench: &Bench, words: &[&str]) -> bool {
    let output = Command::new(words[0]).args(&words[1..]).current_dir(bench.dir.path()).output();
    output.is_ok_and(|output| output.status.success())
}

const USE: &str = "COPY --from=0 /f /g\nLABEL base=$BASE\n";

fn uses(bench: &Bench, name: &str, arguments: &[&str]) {
    let copy = USE.replace("=0", &format!("={name}"));
    let image = bench.build_with(&format!("FROM {name}\n{copy}"), arguments);
    assert_eq!(image.last(), ["f 0644 0:0 g \"F\\n\""], "{name}");
    assert_eq!(image.config.config.labels["base"], "1", "{name}");
}

#[test]
fn images_are_named_with_digests_and_not_by_the_beginning_of_one() {
    let (bench, digest) = bench();
    for name in [format!("base@{digest}"), format!("base:latest@{digest}"), digest.clone()] {
        uses(&bench, &name, &[]);
    }
    let hex = digest.strip_prefix("sha256:").unwrap();
    for name in [&hex[..12], &digest[..20], "base:other", "other", "-"] {
        for line in [format!("FROM {name}\n"), format!("FROM scratch\nCOPY --from={name} /f /\n")] {
            let message = bench.fail_in(&line);
            assert!(message.starts_with("img-build: Containerfile:"), "{name}: {message}");
        }
    }
    let other = format!("base@sha256:{}", "0".repeat(64));
    assert!(bench.fail_in(&format!("FROM {other}\n")).contains("no such image"));
}

#[test]
fn bases_and_sources_are_in_layouts_and_archives_too() {
    let (bench, _) = bench();
    bench.write("Containerfile", "FROM base\n");
    for destination in ["oci:layout", "oci-archive:oci.tar", "docker-archive:docker.tar"] {
        let built = bench.run(&["-o", destination, "-t", "x", "ctx"], b"");
        assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    }
    std::fs::remove_dir_all(bench.path("store")).unwrap();
    for name in
        ["oci:layout", "oci:layout:x:latest", "oci-archive:oci.tar", "docker-archive:docker.tar"]
    {
        uses(&bench, name, &[]);
    }
    assert!(bench.fail_in("FROM oci:nowhere\n").contains("nowhere"));
}

#[test]
fn missing_names_are_pulled() {
    let (mut bench, digest) = bench();
    if !peer(&bench, &["sh", "-c", "command -v docker-registry && command -v skopeo"]) {
        return skip("no docker-registry or skopeo");
    }
    let registry = Registry::start(Setup::default());
    let remote = format!("localhost:{}/a/base:1", registry.port());
    let push = [
        "skopeo",
        "--insecure-policy",
        "copy",
        "-q",
        "--dest-tls-verify=false",
        "--preserve-digests",
    ];
    let there = format!("docker://{remote}");
    let push = [&push[..], &["oci:store:base:latest", &there]].concat();
    assert!(peer(&bench, &push));
    std::fs::remove_dir_all(bench.path("store")).unwrap();
    // Never, unless it is asked for.
    assert!(bench.fail_in(&format!("FROM {remote}\n")).contains("no such image"));
    bench.env.remove("LAYERUTILS_PULL");
    // A plan needs the config alone.
    bench.write("Containerfile", &format!("FROM {remote}\nCOPY nonce /\n"));
    let built = bench.run(&["--print", "plan", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert!(built.stdout.starts_with("1/2 [0] FROM localhost"), "{}", built.stdout);
    assert!(!bench.path("store").try_exists().unwrap(), "a plan pulls nothing");
    let pulled = |bench: &Bench, name: &str, arguments: &[&str]| {
        bench.write("Containerfile", &format!("FROM {name}\nCOPY --from={name} /f /g\n"));
        let built = bench.run(&[arguments, &["--progress=plain", "ctx"]].concat(), b"");
        assert_eq!(built.status, 0, "{name}: {}", built.stderr);
        built.stderr.matches("img-build: pulling ").count()
    };
    assert_eq!(pulled(&bench, &remote, &[]), 1);
    assert_eq!(pulled(&bench, &remote, &[]), 0);
    assert_eq!(pulled(&bench, &remote, &["--pull"]), 1);
    assert_eq!(pulled(&bench, &remote, &["--pull=always"]), 1);
    let pinned = format!("localhost:{}/a/base@{digest}", registry.port());
    std::fs::remove_dir_all(bench.path("store")).unwrap();
    assert_eq!(pulled(&bench, &pinned, &[]), 1);
    assert_eq!(pulled(&bench, &pinned, &[]), 0);
    assert_eq!(pulled(&bench, &format!("docker://{remote}"), &[]), 0);
    let index = std::fs::read_to_string(bench.path("store/index.json")).unwrap();
    assert!(!index.contains("a/base:1"), "what is pinned or read moves no name: {index}");
    // Without the registry, what is there is used, and what is not is an error.
    assert_eq!(pulled(&bench, &remote, &[]), 1);
    drop(registry);
    assert_eq!(pulled(&bench, &remote, &[]), 0);
    bench.write("Containerfile", &format!("FROM {remote}x\n"));
    let built = bench.run(&["ctx"], b"");
    assert_eq!((built.status, built.stdout.as_str()), (2, ""));
    assert!(built.stderr.contains("Containerfile:1: FROM: "), "{}", built.stderr);
}

#[test]
fn a_name_may_be_given_to_a_directory_or_to_another_image() {
    let (bench, _) = bench();
    std::fs::create_dir(bench.path("other")).unwrap();
    std::fs::write(bench.path("other/f"), "of the directory").unwrap();
    std::fs::write(bench.path("other/ignored"), "").unwrap();
    std::fs::write(bench.path("other/.dockerignore"), "ignored\n.dockerignore\n").unwrap();
    let copy = "FROM scratch AS src\nRUN false\nFROM scratch\nCOPY --from=src / /\n";
    for place in ["src=other", "src=./other", "src=local:other"] {
        let image = bench.build_with(copy, &["--build-context", place]);
        assert_eq!(image.last(), ["f 0644 0:0 f \"of the directory\""], "{place}");
    }
    let image = bench.build_with(copy, &["--build-context", "src=base"]);
    assert_eq!(image.last(), ["f 0644 0:0 f \"F\\n\""]);
    for given in
        ["debian=base", "debian:latest=docker-image://base", "docker.io/library/debian=base"]
    {
        uses(&bench, "debian", &["--build-context", given]);
    }
    bench.write("Containerfile", "FROM src\n");
    let built = bench.run(&["--build-context", "src=other", "ctx"], b"");
    assert!(built.stderr.contains("'src' is a directory"), "{}", built.stderr);
    for bad in ["src", "=x", "src=", "src=https://example.org/x.tar"] {
        assert_eq!(bench.run(&["--build-context", bad, "ctx"], b"").status, 2, "{bad}");
    }
    // No image is looked for under a mistyped path.
    std::fs::write(bench.path("file"), "").unwrap();
    for (bad, expected) in [
        ("src=./othr", "'./othr': no such directory"),
        ("src=local:othr", "'local:othr': no such directory"),
        (
            "src=ctx/othr",
            "'ctx/othr': no such directory (an image would be docker-image://ctx/othr)",
        ),
        ("src=file", "'file': not a directory"),
    ] {
        let built = bench.run(&["--build-context", bad, "ctx"], b"");
        assert_eq!(built.status, 2, "{bad}");
        assert!(built.stderr.contains(expected), "{bad}: {}", built.stderr);
    }
}

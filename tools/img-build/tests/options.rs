//! Options beside those of the build itself: what is told, what is written, what docker users
//! type.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use support::{Bench, skip, with_busybox};

/// The lines of standard error, times left out.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split(" in 0.").next().unwrap().to_owned()).collect()
}

#[test]
fn steps_and_output_are_told_without_a_terminal() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    bench.write("Containerfile", "FROM bb\nRUN echo one; echo two >&2\nLABEL a=b\n");
    let built = bench.run(&["--progress", "plain", "ctx"], b"");
    assert_eq!(
        lines(&built.stderr),
        [
            "img-build: STEP 1/3: FROM bb",
            "img-build: STEP 2/3: RUN echo one; echo two >&2",
            "img-build: STEP 2/3 | one",
            "img-build: STEP 2/3 | two",
            "img-build: STEP 2/3: done",
            "img-build: STEP 3/3: LABEL a=b",
        ]
    );
    let again = bench.run(&["--progress", "plain", "ctx"], b"");
    assert!(again.stderr.contains("STEP 2/3: cached\n"), "{}", again.stderr);
    // Plain where nothing else is said; nothing with --quiet.
    let mut bench = bench;
    bench.env.remove("BUILDKIT_PROGRESS");
    assert_eq!(bench.run(&["ctx"], b"").stderr, again.stderr);
    for quiet in [["-q", "ctx"].as_slice(), &["--progress", "none", "ctx"]] {
        assert_eq!(bench.run(quiet, b"").stderr, "");
    }
    bench.env.insert("BUILDKIT_PROGRESS".into(), "x".into());
    let built = bench.run(&["ctx"], b"");
    assert_eq!((built.status, built.stdout.as_str()), (2, ""));
    assert!(
        built.stderr.starts_with("img-build: BUILDKIT_PROGRESS: not a form of progress: 'x'"),
        "{}",
        built.stderr
    );
}

#[test]
fn events_are_json_for_programs() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    bench.write("Containerfile", "FROM bb\nRUN printf 'a\\033b\\nc'\n");
    let built = bench.run(&["--progress", "json", "ctx"], b"");
    let events: Vec<serde_json::Value> =
        built.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<_> = events
        .iter()
        .map(|event| (event["step"].as_u64().unwrap(), event["event"].as_str().unwrap()))
        .collect();
    assert_eq!(seen, [(1, "step"), (2, "step"), (2, "output"), (2, "output"), (2, "result")]);
    assert_eq!(events[2]["text"], "a\u{1b}b");
}

#[test]
fn output_of_steps_side_by_side_names_its_step() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    bench.write(
        "Containerfile",
        "FROM bb AS a\nRUN echo from a\nFROM bb AS b\nRUN echo from b\nFROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n",
    );
    let built = bench.run(&["--progress", "plain", "ctx"], b"");
    for line in ["img-build: STEP 2/7 | from a\n", "img-build: STEP 4/7 | from b\n"] {
        assert!(built.stderr.contains(line), "{}", built.stderr);
    }
}

#[test]
fn secrets_come_from_files_and_from_variables() {
    let Some(mut bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    bench.write("s", "of the file");
    bench.env.insert("S".into(), "of the variable".into());
    std::fs::write(bench.path("bare"), "of the bare file").unwrap();
    for (secret, id, expected) in [
        ("id=s,src=ctx/s", "s", "of the file"),
        ("id=s,type=file,source=ctx/s", "s", "of the file"),
        ("id=s,env=S", "s", "of the variable"),
        ("id=s,type=env,env=S", "s", "of the variable"),
        ("type=env,id=s,src=S", "s", "of the variable"),
        ("id=S", "S", "of the variable"),
        ("id=bare", "bare", "of the bare file"),
    ] {
        let text = format!(
            "FROM bb\nRUN --mount=type=secret,id={id} busybox cat /run/secrets/{id} >/out\n"
        );
        let image = bench.build_with(&text, &["--no-cache", "--secret", secret]);
        assert_eq!(image.last(), [format!("f 0644 0:0 out \"{expected}\"")], "{secret}");
    }
    for bad in ["", "src=x", "id=", "id=a,src=b,env=c", "id=a,what=b", "id=a,type=c"] {
        let built = bench.run(&["--secret", bad, "ctx"], b"");
        assert_eq!(built.status, 2, "{bad}");
        assert!(built.stderr.contains("it must be id=ID"), "{bad}: {}", built.stderr);
    }
    bench.write("Containerfile", "FROM bb\nRUN --mount=type=secret,id=n true\n");
    let built = bench.run(&["--secret", "id=n,env=NOT_SET", "ctx"], b"");
    assert!(built.stderr.contains("variable NOT_SET: not set"), "{}", built.stderr);
}

#[test]
fn digests_and_names_are_written_to_files() {
    let bench = Bench::new();
    bench.write("Containerfile", "FROM scratch\nLABEL a=b\n");
    let arguments =
        ["--iidfile", "id", "--metadata-file", "meta", "-t", "x", "-t", "h.org/y:1", "ctx"];
    let built = bench.run(&arguments, b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert_eq!(std::fs::read_to_string(bench.path("id")).unwrap(), built.stdout.trim());
    let meta = std::fs::read_to_string(bench.path("meta")).unwrap();
    let meta: serde_json::Value = serde_json::from_str(&meta).unwrap();
    assert_eq!(meta["containerimage.digest"], built.stdout.trim());
    assert_eq!(meta["containerimage.descriptor"]["digest"], built.stdout.trim());
    assert!(meta["containerimage.config.digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(meta["image.name"], "docker.io/library/x:latest,h.org/y:1");
    let built = bench.run(&["--iidfile", "no/such/dir", "ctx"], b"");
    assert_eq!(built.status, 2);
}

#[test]
fn annotations_are_the_manifests_or_the_indexs() {
    let bench = Bench::new();
    bench.write("Containerfile", "FROM scratch\n");
    let read = |digest: &str| -> serde_json::Value {
        let hex = digest.trim().strip_prefix("sha256:").unwrap();
        let text = std::fs::read(bench.path("store/blobs/sha256").join(hex)).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let built = bench.run(&["--annotation", "a=b", "--annotation", "manifest:c=d", "ctx"], b"");
    let annotations = &read(&built.stdout)["annotations"];
    assert_eq!((&annotations["a"], &annotations["c"]), (&"b".into(), &"d".into()));
    let platforms = "--platform=linux/amd64,linux/arm64";
    let built = bench.run(&[platforms, "--annotation", "index:a=b", "ctx"], b"");
    let index = read(&built.stdout);
    assert_eq!(index["annotations"]["a"], "b");
    assert!(read(index["manifests"][0]["digest"].as_str().unwrap())["annotations"].is_null());
    let both = ["--annotation", "index,manifest:a=b", "--annotation", "manifest[linux/arm64]:c=d"];
    let built = bench.run(&[&both[..], &[platforms, "ctx"]].concat(), b"");
    assert_eq!(built.status, 0, "{}", built.stderr);
    let index = read(&built.stdout);
    assert_eq!(index["annotations"]["a"], "b");
    let of = |at: usize| read(index["manifests"][at]["digest"].as_str().unwrap());
    let (amd, arm) = (of(0), of(1));
    assert_eq!((&amd["annotations"]["a"], &arm["annotations"]["a"]), (&"b".into(), &"b".into()));
    assert!(amd["annotations"]["c"].is_null());
    assert_eq!(arm["annotations"]["c"], "d");
    for bad in [
        "index:a=b",
        "index,manifest:a=b",
        "manifest-descriptor:a=b",
        "manifest,index-descriptor:a=b",
        "manifest[what]:a=b",
        "=b",
    ] {
        assert_eq!(bench.run(&["--annotation", bad, "ctx"], b"").status, 2, "{bad}");
    }
}

#[test]
fn what_can_be_seen_to_fail_is_refused_before_the_first_step() {
    let bench = Bench::new();
    bench.write("Containerfile", "FROM scratch\nCOPY nonce /\n");
    for (arguments, expected) in [
        (["--build-arg", "SOURCE_DATE_EPOCH=today"], "SOURCE_DATE_EPOCH"),
        (["--platform=linux/amd64,linux/arm64", "-otype=tar,dest=x"], "several archives"),
    ] {
        let built = bench.run(&[&["--progress=plain"][..], &arguments, &["ctx"]].concat(), b"");
        assert_eq!(built.status, 2, "{}", built.stderr);
        assert!(built.stderr.contains(expected), "{}", built.stderr);
        assert!(!built.stderr.contains("STEP"), "{}", built.stderr);
        assert!(!bench.path("store").try_exists().unwrap(), "{}", built.stderr);
    }
}

#[test]
fn files_on_their_way_to_a_directory_are_in_the_cache() {
    let Some(mut bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let none = bench.path("none").display().to_string();
    bench.env.insert("TMPDIR".into(), none);
    bench.write("Containerfile", "FROM bb\nRUN echo x >/f\n");
    let built = bench.run(&["-o", "out", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert_eq!(std::fs::read_to_string(bench.path("out/f")).unwrap(), "x\n");
}

#[test]
fn names_are_added_to_the_hosts() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let text = "FROM bb\nRUN busybox grep -E 'added|other' /etc/hosts >/out\n";
    let arguments = ["--add-host", "added:10.0.0.1", "--add-host", "other=[2001:db8::1]"];
    let image = bench.build_with(text, &arguments);
    assert_eq!(image.last(), ["f 0644 0:0 out \"10.0.0.1\\tadded\\n2001:db8::1\\tother\\n\""]);
    for bad in ["added", "added:", "added:x", ":10.0.0.1", "a b:10.0.0.1", "a:host-gateway"] {
        assert_eq!(bench.run(&["--add-host", bad, "ctx"], b"").status, 2, "{bad}");
    }
}

#[test]
fn dockers_options_are_answered_at_once() {
    let bench = Bench::new();
    bench.write("Containerfile", "FROM scratch\n");
    let built = bench.run(&["--stream", "--rm", "--shm-size", "1g", "--squash", "ctx"], b"");
    assert_eq!((built.status, built.stdout.as_str()), (2, ""));
    let lines: Vec<_> = built.stderr.lines().collect();
    assert_eq!(
        lines[0],
        "img-build: --shm-size, --squash, --stream are docker's, and have no meaning here"
    );
    assert!(lines[1].starts_with("img-build: hint: --shm-size: "), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
    let built = bench.run(&["--squash", "ctx"], b"");
    assert!(built.stderr.starts_with("img-build: --squash is docker's, and has no meaning here\n"));
    for pass in ["--rm", "--rm=false", "--force-rm", "--provenance=false", "--network=default"] {
        let built = bench.run(&[pass, "ctx"], b"");
        assert_eq!((built.stderr.as_str(), built.status), ("", 0), "{pass}");
    }
    assert_eq!(bench.run(&["--provenance=true", "ctx"], b"").status, 2);
}

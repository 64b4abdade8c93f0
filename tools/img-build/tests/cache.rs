//! When the result of a step is found again, and when it must not be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use support::Bench;

/// A context like the one that other builders were measured with.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("d/f", "one");
    bench.write("d/sub/g", "G");
    bench.link("d/l", "f");
    // What makes this build's layers its own.
    fs::copy(bench.path("ctx/nonce"), bench.path("ctx/d/nonce")).unwrap();
    bench.write("Containerfile", "FROM scratch\nENV A=1\nLABEL l=1\nCOPY d /d\nWORKDIR /after\n");
    bench
}

#[test]
fn a_failed_build_has_learnt_what_files_hold() {
    let bench = bench();
    bench.write("Containerfile", "FROM scratch\nCOPY d /d\nCOPY missing /\n");
    // A file that has just changed is not remembered.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(bench.run(&["ctx"], b"").status, 2);
    let known = fs::read_dir(bench.path("cache/layerutils/contexts")).unwrap();
    assert_eq!(known.count(), 1);
}

type Change = fn(&Bench);

#[test]
fn a_changed_source_is_a_miss_and_nothing_else_is() {
    let rows: [(&str, bool, Change); 16] = [
        ("nothing", true, |_| {}),
        ("time of a file", true, |bench| touch(bench, "d/f")),
        ("time of a directory", true, |bench| touch(bench, "d/sub")),
        ("mode of a file", false, |bench| bench.chmod("d/f", 0o600)),
        ("mode of a directory", false, |bench| bench.chmod("d/sub", 0o700)),
        ("content", false, |bench| drop(bench.write("d/f", "another"))),
        ("content of the same size and time", false, same_size_and_time),
        ("name", false, |bench| fs::rename(bench.path("ctx/d/f"), bench.path("ctx/d/e")).unwrap()),
        ("link", false, |bench| {
            fs::remove_file(bench.path("ctx/d/l")).unwrap();
            bench.link("d/l", "sub/g");
        }),
        ("new empty directory", false, |bench| fs::create_dir(bench.path("ctx/d/new")).unwrap()),
        ("file removed", false, |bench| fs::remove_file(bench.path("ctx/d/f")).unwrap()),
        ("hard link instead of a copy", false, |bench| {
            fs::hard_link(bench.path("ctx/d/f"), bench.path("ctx/d/h")).unwrap();
        }),
        ("another file of the context", true, |bench| drop(bench.write("other", "x"))),
        ("ENV before it", true, |bench| replace(bench, "A=1", "A=2")),
        ("LABEL before it", true, |bench| replace(bench, "l=1", "l=2")),
        ("blanks", true, |bench| replace(bench, "COPY d /d", "COPY   d    /d")),
    ];
    for (what, is_hit, change) in rows {
        let bench = bench();
        assert!(!bench.hits(&[])[0], "{what}: the first build");
        change(&bench);
        assert_eq!(bench.hits(&[])[0], is_hit, "{what}");
    }
}

fn touch(bench: &Bench, name: &str) {
    let path = bench.path("ctx").join(name);
    assert!(Command::new("touch").args(["-d", "2001-01-01"]).arg(path).status().unwrap().success());
}

fn same_size_and_time(bench: &Bench) {
    let path = bench.path("ctx/d/f");
    let before = fs::metadata(&path).unwrap();
    fs::write(&path, "two").unwrap();
    let time = format!("@{}.{:09}", before.mtime(), before.mtime_nsec());
    assert!(Command::new("touch").args(["-d", &time]).arg(&path).status().unwrap().success());
    assert_eq!(fs::metadata(&path).unwrap().mtime_nsec(), before.mtime_nsec());
}

fn replace(bench: &Bench, from: &str, to: &str) {
    let path = bench.path("ctx/Containerfile");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from));
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_cached_build_is_the_same_image() {
    let bench = bench();
    let first = bench.run(&["-t", "x", "ctx"], b"").stdout;
    touch(&bench, "d/f");
    assert_eq!(bench.run(&["-t", "y", "ctx"], b"").stdout, first);
    assert!(bench.hits(&["--no-cache"]).iter().all(|hit| !hit));
}

#[test]
fn a_copy_hits_on_another_base_that_it_reads_the_same_of() {
    let bench = bench();
    let first = bench.run(&["ctx"], b"").stdout;
    let text = "FROM scratch\nCOPY <<E /unrelated\nx\nE\nCOPY d /d\n";
    bench.write("Containerfile", text);
    assert!(bench.hits(&[])[1]);
    let layers = |digest: &str| bench.image(digest.trim()).layers;
    let second = bench.run(&["ctx"], b"").stdout;
    assert_eq!(layers(&first)[0], layers(&second)[1]);
    // A base with another /d is another matter.
    bench.write("Containerfile", "FROM scratch\nCOPY --chmod=700 d/sub /d\nCOPY d /d\n");
    assert!(!bench.hits(&[])[1]);
}

#[test]
fn a_miss_is_explained() {
    let bench = bench();
    bench.run(&["ctx"], b"");
    bench.write("d/new", "");
    bench.chmod("d/f", 0o600);
    fs::remove_file(bench.path("ctx/d/l")).unwrap();
    let built = bench.run(&["--explain", "ctx"], b"");
    assert!(built.stderr.contains("STEP 4/5: miss: files: d/f +d/new -d/l\n"), "{}", built.stderr);
    assert!(built.stderr.lines().all(|line| line.starts_with("img-build: ")));
}

#[test]
fn a_result_whose_layer_is_gone_is_made_again() {
    let bench = bench();
    bench.run(&["ctx"], b"");
    for entry in fs::read_dir(bench.path("store/blobs/sha256")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    fs::write(bench.path("store/index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    assert_eq!(bench.hits(&[]), [false, false]);
    let again = bench.run(&["ctx"], b"").stdout;
    assert_eq!(bench.image(again.trim()).layers.len(), 2);
}

#[test]
fn files_that_did_not_change_are_not_read_again() {
    let bench = bench();
    // Younger files are not trusted to tell.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    bench.run(&["ctx"], b"");
    let reads = |arguments: &[&str]| {
        let words = bench.words(&[arguments, &["ctx"]].concat());
        let trace = bench.path("trace");
        let traced = Command::new("strace")
            .args(["-f", "-e", "trace=openat2", "-o"])
            .arg(&trace)
            .args(words)
            .env_clear()
            .envs(&bench.env)
            .current_dir(bench.dir.path())
            .output();
        let traced = match traced {
            Ok(output) if output.status.success() => fs::read_to_string(&trace).unwrap(),
            _ => return None,
        };
        Some(traced.lines().filter(|line| line.contains("\"d/sub/g\"")).count())
    };
    let Some(cached) = reads(&[]) else { return support::skip("no strace") };
    assert_eq!(cached, 0);
    assert!(reads(&["--rehash"]).unwrap() > 0);
    assert!(bench.hits(&[])[0]);
    // A change that size and times do not tell, but the time of change does.
    same_size_and_time(&bench);
    assert!(!bench.hits(&[])[0]);
}

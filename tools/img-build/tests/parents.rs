//! `COPY --parents`, and the directory that a copy makes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use support::Bench;

fn bench() -> Bench {
    let bench = Bench::new();
    for path in ["a/one/x/f.txt", "a/one/x/g.md", "a/two/x/f.txt", "a/two/y"] {
        bench.write(path, "");
    }
    bench
}

/// The paths of the last layer.
fn copied(bench: &Bench, flags: &str, source: &str) -> Vec<String> {
    bench.write("Containerfile", &format!("FROM scratch\nCOPY {flags} {source} /d/\n"));
    let built = bench.run(&["ctx"], b"");
    assert_eq!(built.status, 0, "{}", built.stderr);
    let lines = bench.image(built.stdout.trim()).last();
    lines.iter().filter_map(|line| line.split(' ').nth(3).map(str::to_owned)).collect()
}

#[test]
fn a_wildcard_may_come_before_the_pivot() {
    let bench = bench();
    assert_eq!(copied(&bench, "--parents", "a/*/./x/*.txt"), ["d/", "d/x/", "d/x/f.txt"]);
    assert_eq!(copied(&bench, "--parents", "*/two/./*"), ["d/", "d/x/", "d/x/f.txt", "d/y"]);
}

#[test]
fn exclusions_begin_where_the_kept_path_does() {
    let bench = bench();
    assert_eq!(
        copied(&bench, "--parents --exclude=a/*/x/*.txt", "a/*/x"),
        ["d/", "d/a/", "d/a/one/", "d/a/one/x/", "d/a/one/x/g.md", "d/a/two/", "d/a/two/x/"]
    );
    assert_eq!(
        copied(&bench, "--parents --exclude=**/*.txt", "a/*/x/*"),
        ["d/", "d/a/", "d/a/one/", "d/a/one/x/", "d/a/one/x/g.md"]
    );
    assert_eq!(copied(&bench, "--parents --exclude=x", "a/one/./x"), ["d/"]);
    // Without --parents they begin at the source.
    assert_eq!(copied(&bench, "--exclude=*.txt", "a/one/x"), ["d/", "d/g.md"]);
}

#[test]
fn the_destination_is_made_even_if_nothing_matches() {
    let bench = bench();
    assert_eq!(copied(&bench, "--parents", "nothing*"), ["d/"]);
}

#[test]
fn a_directory_that_receives_contents_keeps_an_ordinary_mode() {
    let bench = Bench::new();
    bench.write("t/f", "");
    for destination in ["/d/", "/d"] {
        let image = bench.build(&format!("FROM scratch\nCOPY --chmod=700 t {destination}\n"));
        assert_eq!(image.last(), ["d 0755 0:0 d/", "f 0700 0:0 d/f \"\""], "{destination}");
    }
}

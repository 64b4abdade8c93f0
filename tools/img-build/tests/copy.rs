//! COPY, ADD and WORKDIR: what ends up in the layer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::process::Command;

use support::Bench;

#[test]
fn copies_put_files_where_the_rules_say() {
    let bench = Bench::new();
    bench.write("a", "A");
    bench.write("b.txt", "B");
    bench.write("c.txt", "C");
    bench.write("dir/x", "X");
    bench.write("dir/sub/y", "Y");
    bench.chmod("a", 0o640);
    bench.chmod("dir", 0o700);
    bench.chmod("dir/sub", 0o1711);
    bench.link("to-a", "a");
    bench.link("dir/rel", "../a");
    bench.link("to-dir", "/dir");
    for (lines, expected) in [
        ("COPY a /", vec!["f 0640 0:0 a \"A\""]),
        ("COPY a /n", vec!["f 0640 0:0 n \"A\""]),
        ("COPY a /n/", vec!["d 0755 0:0 n/", "f 0640 0:0 n/a \"A\""]),
        ("COPY a /p/q/n", vec!["d 0755 0:0 p/", "d 0755 0:0 p/q/", "f 0640 0:0 p/q/n \"A\""]),
        ("COPY ../../a ./", vec!["f 0640 0:0 a \"A\""]),
        ("COPY /a x", vec!["f 0640 0:0 x \"A\""]),
        ("COPY to-a /n", vec!["f 0640 0:0 n \"A\""]),
        (
            "COPY dir /d",
            vec![
                "d 0755 0:0 d/",
                "l 0777 0:0 d/rel -> ../a",
                "d 1711 0:0 d/sub/",
                "f 0644 0:0 d/sub/y \"Y\"",
                "f 0644 0:0 d/x \"X\"",
            ],
        ),
        (
            "COPY to-dir /",
            vec![
                "l 0777 0:0 rel -> ../a",
                "d 1711 0:0 sub/",
                "f 0644 0:0 sub/y \"Y\"",
                "f 0644 0:0 x \"X\"",
            ],
        ),
        (
            "COPY *.txt /d/",
            vec!["d 0755 0:0 d/", "f 0644 0:0 d/b.txt \"B\"", "f 0644 0:0 d/c.txt \"C\""],
        ),
        ("COPY d?r/s[t-v]b/y /", vec!["f 0644 0:0 y \"Y\""]),
        (
            "COPY [\"a\", \"b.txt\", \"/d/\"]",
            vec!["d 0755 0:0 d/", "f 0640 0:0 d/a \"A\"", "f 0644 0:0 d/b.txt \"B\""],
        ),
        ("COPY --chown=1:2 a /p/", vec!["d 0755 1:2 p/", "f 0640 1:2 p/a \"A\""]),
        ("COPY --chown=7 --chmod=600 a /n", vec!["f 0600 7:7 n \"A\""]),
        ("COPY --chmod=u=rwX,go=rX dir/sub /s", vec!["d 0755 0:0 s/", "f 0644 0:0 s/y \"Y\""]),
        ("COPY --exclude=sub --exclude=re* dir /d", vec!["d 0755 0:0 d/", "f 0644 0:0 d/x \"X\""]),
        (
            "COPY --parents dir/sub/y a /d/",
            vec![
                "d 0755 0:0 d/",
                "f 0640 0:0 d/a \"A\"",
                "d 0700 0:0 d/dir/",
                "d 1711 0:0 d/dir/sub/",
                "f 0644 0:0 d/dir/sub/y \"Y\"",
            ],
        ),
        (
            "COPY --parents dir/./sub/y /d/",
            vec!["d 0755 0:0 d/", "d 1711 0:0 d/sub/", "f 0644 0:0 d/sub/y \"Y\""],
        ),
        (
            "COPY <<E1 <<-'E2' /h/\n$K \"q\"\nE1\n\t$K\n\tE2",
            vec![
                "d 0755 0:0 h/",
                "f 0644 0:0 h/E1 \"v \\\"q\\\"\\n\"",
                "f 0644 0:0 h/E2 \"$K\\n\"",
            ],
        ),
        (
            "WORKDIR /w/x\nCOPY a .",
            vec!["d 0755 0:0 w/", "d 0755 0:0 w/x/", "f 0640 0:0 w/x/a \"A\""],
        ),
        ("WORKDIR /w\nWORKDIR x", vec!["d 0755 0:0 w/", "d 0755 0:0 w/x/"]),
        ("USER 5:6\nWORKDIR /w", vec!["d 0755 5:6 w/"]),
    ] {
        let image = bench.build(&format!("FROM scratch\nENV K=v\n{lines}"));
        assert_eq!(image.last(), expected, "{lines}");
    }
}

#[test]
fn copies_meet_what_is_there() {
    let bench = Bench::new();
    bench.write("f", "F");
    bench.write("links/real/.keep", "");
    bench.link("links/to", "real");
    bench.link("links/abs", "/real");
    bench.link("links/up", "../../../../../etc");
    bench.link("links/file", "real/target");
    bench.write("tree/real/f", "T");
    bench.chmod("tree/real", 0o750);
    bench.write("over/real", "a file");
    let base = "FROM scratch\nCOPY links /\n";
    for (lines, expected) in [
        ("COPY f /to/", vec!["d 0755 0:0 real/", "f 0644 0:0 real/f \"F\""]),
        ("COPY f /abs", vec!["d 0755 0:0 real/", "f 0644 0:0 real/f \"F\""]),
        ("COPY f /up/f", vec!["d 0755 0:0 etc/", "f 0644 0:0 etc/f \"F\""]),
        ("COPY f /file", vec!["d 0755 0:0 real/", "f 0644 0:0 real/target \"F\""]),
        ("COPY tree /", vec!["d 0750 0:0 real/", "f 0644 0:0 real/f \"T\""]),
    ] {
        assert_eq!(bench.build(&format!("{base}{lines}")).last(), expected, "{lines}");
    }
    for (lines, expected) in [
        ("COPY over /", "COPY: cannot replace the directory 'real' with a file"),
        ("COPY tree /file/", "COPY: real/target: not a directory"),
    ] {
        let bench = Bench::new();
        bench.write("over/real", "a file");
        bench.write("tree/x/y", "");
        bench.write("links/real/target", "");
        bench.link("links/file", "real/target");
        let message = bench.fail(&format!("{base}{lines}"));
        assert_eq!(message, format!("img-build: Containerfile:3: {expected}\n"));
    }
}

#[test]
fn a_wildcard_that_matches_a_link_to_nothing_fails() {
    let bench = Bench::new();
    bench.write("d/file", "");
    bench.link("d/link", "../../outside");
    bench.write("excluded", "");
    bench.link("to-excluded", "excluded");
    bench.write(".dockerignore", "excluded\n");
    for (sources, link) in [("d/*", "d/link"), ("--parents d/*", "d/link"), ("to-*", "to-excluded")]
    {
        for verb in
            ["COPY", "ADD"].iter().filter(|verb| **verb == "COPY" || !sources.starts_with('-'))
        {
            let message = bench.fail(&format!("FROM scratch\n{verb} {sources} /x/\n"));
            let expected = format!(
                "img-build: Containerfile:2: {verb}: {link}: the link leads to nothing that can be copied\n"
            );
            assert_eq!(message, expected, "{sources}");
        }
    }
    // In a directory that is copied, a link is a link.
    let image = bench.build("FROM scratch\nCOPY d /x/\n");
    assert!(image.last().iter().any(|line| line.ends_with("x/link -> ../../outside")));
}

#[test]
fn the_context_cannot_be_left() {
    let bench = Bench::new();
    bench.link("passwd", "/etc/passwd");
    bench.link("up", "../../../../../../etc");
    bench.link("loop", "loop");
    for (lines, expected) in [
        ("COPY passwd /", "'passwd': no such file in the context"),
        ("COPY up/passwd /", "'up/passwd': no such file in the context"),
        ("COPY ../../../../etc/passwd /", "'../../../../etc/passwd': no such file in the context"),
        ("COPY loop /", "loop: too many levels of symbolic links"),
        ("COPY nothing /", "'nothing': no such file in the context"),
        ("COPY --from=0 x /", "'0' is not an earlier stage"),
        ("COPY https://example.org/x /", "'https://example.org/x': COPY takes no URL"),
        ("COPY --chown=ann nonce /", "user 'ann' is not in the image's /etc/passwd"),
        (
            "COPY --chmod=999 nonce /",
            "invalid --chmod: '999': it must be octal up to 07777, or symbolic",
        ),
    ] {
        let message = bench.fail(&format!("FROM scratch\n{lines}"));
        assert_eq!(message, format!("img-build: Containerfile:2: COPY: {expected}\n"));
    }
    let message = bench.fail("FROM scratch\nADD https://example.org/x.git?what=a /");
    assert_eq!(message, "img-build: Containerfile:2: ADD: git query 'what=a' is not supported\n");
}

#[test]
fn reserved_names_are_refused() {
    let bench = Bench::new();
    bench.write(".wh.x", "");
    let message = bench.fail("FROM scratch\nCOPY .wh.x /");
    assert_eq!(
        message,
        "img-build: Containerfile:2: COPY: .wh.x: a layer cannot hold a name that begins with '.wh.'\n"
    );
}

#[test]
fn archives_are_unpacked_by_add_alone() {
    let bench = Bench::new();
    bench.write("in/d/f", "F");
    bench.write("in/other", "O");
    bench.chmod("in/d", 0o711);
    std::fs::hard_link(bench.path("ctx/in/d/f"), bench.path("ctx/in/g")).unwrap();
    bench.write("fake.tar.gz", "no archive at all");
    for flags in [["-cf", "a.bin"], ["-czf", "a.tgz"], ["-cJf", "a.txz"], ["-cjf", "a.tbz"]] {
        let made = Command::new("tar")
            .current_dir(bench.path("ctx"))
            .args([
                "--owner=3",
                "--group=4",
                "--sort=name",
                flags[0],
                flags[1],
                "-C",
                "in",
                "d",
                "g",
            ])
            .status();
        assert!(made.unwrap().success());
        let image = bench.build(&format!("FROM scratch\nADD {} /x", flags[1]));
        let expected = [
            "d 0755 0:0 x/",
            "d 0711 3:4 x/d/",
            "f 0644 3:4 x/d/f \"F\"",
            "h 0644 3:4 x/g => x/d/f",
        ];
        assert_eq!(image.last(), expected, "{flags:?}");
    }
    let image = bench.build("FROM scratch\nADD --chown=9:9 a.tgz /");
    assert_eq!(image.last()[0], "d 0711 9:9 d/");
    let image = bench.build("FROM scratch\nADD fake.tar.gz /");
    assert_eq!(image.last(), ["f 0644 0:0 fake.tar.gz \"no archive at all\""]);
    assert_eq!(bench.build("FROM scratch\nCOPY in/other /").last().len(), 1);
    let image = bench.build("FROM scratch\nADD --unpack=false a.bin /");
    assert!(image.last()[0].starts_with("f 0644 0:0 a.bin "), "{:?}", image.last());
}

#[test]
fn ignored_files_stay_out() {
    let bench = Bench::new();
    for name in ["keep.go", "drop.c", "sub/keep.go", "sub/drop.c", "sub/deep/drop.c"] {
        bench.write(name, "");
    }
    let names = |bench: &Bench| -> Vec<String> {
        let list = bench.build("FROM scratch\nCOPY . /").last();
        list.iter().map(|line| line.split(' ').nth(3).unwrap().to_owned()).collect()
    };
    bench.write(".dockerignore", "*\n!**/*.go");
    assert_eq!(names(&bench), ["keep.go", "sub/", "sub/keep.go"]);
    bench.write(".containerignore", "*\n!sub\nsub/*.go");
    assert_eq!(names(&bench), ["sub/", "sub/deep/", "sub/deep/drop.c", "sub/drop.c"]);
    bench.write("Containerfile.dockerignore", "**/*.c\n.*\nnonce\nContainerfile*");
    assert_eq!(names(&bench), ["keep.go", "sub/", "sub/deep/", "sub/keep.go"]);
    bench.write("Containerfile.dockerignore", "a\n[");
    let message =
        Bench::fail(&bench_with("Containerfile.dockerignore", "a\n["), "FROM scratch\nCOPY . /");
    assert!(
        message.ends_with("Containerfile.dockerignore: line 2: invalid pattern '['\n"),
        "{message}"
    );
}

fn bench_with(name: &str, text: &str) -> Bench {
    let bench = Bench::new();
    bench.write(name, text);
    bench
}

#[test]
fn files_of_several_names_stay_one_file() {
    let bench = Bench::new();
    bench.write("d/a", "A");
    std::fs::hard_link(bench.path("ctx/d/a"), bench.path("ctx/d/b")).unwrap();
    let image = bench.build("FROM scratch AS one\nCOPY d /d\nFROM scratch\nCOPY --from=one /d /e");
    assert_eq!(image.last(), ["d 0755 0:0 e/", "f 0644 0:0 e/a \"A\"", "h 0644 0:0 e/b => e/a"]);
}

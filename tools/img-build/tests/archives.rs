//! ADD of archives: their members stay below the destination and replace what is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::process::Command;

use support::{Bench, skip};

/// Makes archives of members `(name, kind, content or target)`.
const SCRIPT: &str = r#"
import tarfile, io
def archive(name, *members):
    with tarfile.open(name, 'w') as tar:
        for path, kind, text in members:
            info = tarfile.TarInfo(path); info.type = kind
            if kind == tarfile.REGTYPE: info.size = len(text)
            else: info.linkname = text
            if kind == tarfile.DIRTYPE: info.mode = 0o711
            tar.addfile(info, io.BytesIO(text.encode()))
F, D, L, H = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
archive('up.tar', ('l', L, '..'), ('l/f', F, 'U'))
archive('absolute.tar', ('l', L, '/etc'), ('l/passwd', F, 'P'))
archive('images.tar', ('q/f', F, 'Q'))
archive('hard.tar', ('t', F, 'T'), ('l', L, '/'), ('h', H, 'l/t'))
archive('file.tar', ('dir', F, 'now a file'))
archive('link.tar', ('dir', L, 'elsewhere'))
archive('twice.tar', ('dir/new', F, ''), ('dir', F, 'now a file'))
archive('root.tar', ('./', D, ''), ('f', F, 'F'))
"#;

fn bench() -> Option<Bench> {
    let bench = Bench::new();
    bench.write("old", "old");
    let made = Command::new("python3").args(["-c", SCRIPT]).current_dir(bench.path("ctx")).status();
    made.is_ok_and(|status| status.success()).then_some(bench)
}

#[test]
fn links_of_an_archive_and_of_the_image_lead_no_higher_than_the_destination() {
    let Some(bench) = bench() else { return skip("no python3") };
    bench.link("q", "/");
    for (archive, expected) in [
        ("up.tar", vec!["d 0755 0:0 d/", "f 0644 0:0 d/f \"U\"", "l 0644 0:0 d/l -> .."]),
        (
            "absolute.tar",
            vec![
                "d 0755 0:0 d/",
                "d 0755 0:0 d/etc/",
                "f 0644 0:0 d/etc/passwd \"P\"",
                "l 0644 0:0 d/l -> /etc",
            ],
        ),
        (
            "hard.tar",
            vec![
                "d 0755 0:0 d/",
                "f 0644 0:0 d/h \"T\"",
                "l 0644 0:0 d/l -> /",
                "h 0644 0:0 d/t => d/h",
            ],
        ),
    ] {
        let image = bench.build(&format!("FROM scratch\nADD {archive} /d/\n"));
        assert_eq!(image.last(), expected, "{archive}");
    }
    bench.write("tree/x", "");
    std::os::unix::fs::symlink("/", bench.path("ctx/tree/q")).unwrap();
    let image = bench.build("FROM scratch\nCOPY tree /d/\nADD images.tar /d/\n");
    assert_eq!(image.last(), ["d 0755 0:0 d/", "f 0644 0:0 d/f \"Q\""]);
}

#[test]
fn a_member_takes_the_place_of_a_directory() {
    let Some(bench) = bench() else { return skip("no python3") };
    let base = "FROM scratch\nCOPY old /d/dir/old\n";
    for (archive, expected) in [
        ("file.tar", "f 0644 0:0 d/dir \"now a file\""),
        ("link.tar", "l 0644 0:0 d/dir -> elsewhere"),
        ("twice.tar", "f 0644 0:0 d/dir \"now a file\""),
    ] {
        let image = bench.build(&format!("{base}ADD {archive} /d/\n"));
        assert_eq!(image.last(), ["d 0755 0:0 d/", expected], "{archive}");
    }
}

#[test]
fn a_member_without_a_name_is_the_destination_itself() {
    let Some(bench) = bench() else { return skip("no python3") };
    let image = bench.build("FROM scratch\nADD root.tar /d/\n");
    assert_eq!(image.last(), ["d 0711 0:0 d/", "f 0644 0:0 d/f \"F\""]);
    let image = bench.build("FROM scratch\nWORKDIR /d\nADD root.tar /d/\n");
    assert_eq!(image.last(), ["d 0755 0:0 d/", "f 0644 0:0 d/f \"F\""]);
}

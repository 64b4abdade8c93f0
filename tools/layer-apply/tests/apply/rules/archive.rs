//! What an archive may hold besides entries, and what it is read as.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

use crate::support::{Archive, Scratch, Way, each_way, has_program, member, run};

#[test]
fn names_are_bytes() {
    let long = vec![b'n'; 255];
    let names: [&[u8]; 6] = [b"\xff\xfe", b"new\nline", b"Case", b"case", b" -rf *", &long];
    let mut layer = Archive::new();
    for name in names {
        layer = layer.with(member(name, b'0').content(name));
    }
    let deep = b"d/".repeat(1000);
    layer = layer.dir(&deep[..]);
    each_way(|scratch| {
        scratch.apply(&layer);
        for name in names {
            let path = scratch.root().join(std::ffi::OsStr::from_bytes(name));
            assert_eq!(fs::read(path).unwrap(), name);
        }
        assert!(scratch.has(std::str::from_utf8(&deep).unwrap()));
        let too_long = Archive::new().file(vec![b'n'; 256], "");
        scratch.refuse(&too_long, "longer than 255 bytes");
        scratch.refuse(&Archive::new().dir(b"e/".repeat(2100)), "longer than 4096 bytes");
        scratch.refuse(&Archive::new().with(member("x", b'0').pax("path", "a\0b")), "NUL");
    });
}

#[test]
fn holes_stay_holes() {
    let scratch = Scratch::new(Way::Tool);
    let source = scratch.path("source");
    fs::create_dir(&source).unwrap();
    let file = fs::File::create_new(source.join("sparse")).unwrap();
    use std::os::unix::fs::FileExt as _;
    file.write_all_at(b"middle", 8 << 20).unwrap();
    file.set_len(16 << 20).unwrap();
    if !has_program("tar") {
        return;
    }
    for format in [
        &["--format=gnu"][..],
        &["--sparse-version=0.0"],
        &["--sparse-version=0.1"],
        &["--sparse-version=1.0"],
    ] {
        let archive = std::process::Command::new("tar")
            .args(["-S", "-cf", "-", "-C"])
            .arg(&source)
            .args(if format[0] == "--format=gnu" { &[][..] } else { &["--format=posix"] })
            .args(format)
            .arg("sparse")
            .output()
            .unwrap();
        assert!(archive.status.success() && archive.stdout.len() < 1 << 20, "{archive:?}");
        let out = scratch.path("out");
        let output = run(&[&out], &archive.stdout);
        assert!(output.status.success(), "{format:?} {output:?}");
        let stat = fs::metadata(out.join("sparse")).unwrap();
        assert_eq!(stat.len(), 16 << 20);
        assert!(stat.blocks() * 512 < 1 << 20, "{format:?}: {} blocks", stat.blocks());
        assert_eq!(fs::read(out.join("sparse")).unwrap(), fs::read(source.join("sparse")).unwrap());
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn estargz_files_are_left_out_on_demand() {
    let layer = Archive::new()
        .file(".no.prefetch.landmark", "\x0f")
        .file("x/stargz.index.json", "kept")
        .file("stargz.index.json", "{}");
    let scratch = Scratch::new(Way::Tool);
    let root = scratch.root();
    let output = run(&["--drop-estargz".as_ref(), root.as_os_str()], &layer.bytes());
    assert!(output.status.success());
    assert_eq!(scratch.names(), ["x/", "x/stargz.index.json"]);
    each_way(|scratch| {
        scratch.apply(&layer);
        let all = [".no.prefetch.landmark", "stargz.index.json", "x/", "x/stargz.index.json"];
        assert_eq!(scratch.names(), all);
    });
}

#[test]
fn global_headers_change_nothing() {
    let global = |content: &str| member("pax_global_header", b'g').content(content);
    let layer = Archive::new()
        .with(global("52 comment=0123456789abcdef0123456789abcdef01234567\n"))
        .with(global("16 path=/forged\n"))
        .with(global("14 uid=123456\n"))
        .file("x", "content");
    each_way(|scratch| {
        scratch.apply(&layer);
        assert_eq!(scratch.names(), ["x"]);
        assert_eq!(scratch.stat("x").uid(), rustix::process::geteuid().as_raw());
    });
}

#[test]
fn types_that_no_layer_has_are_refused() {
    // Solaris's sockets and doors, multi-volume archives, dumps, what is yet to come.
    for typeflag in *b"sDMNVAZ8" {
        let layer = Archive::new().with(member("x", typeflag)).file("y", "");
        each_way(|scratch| {
            assert!(scratch.try_apply(&layer).is_err(), "{}", char::from(typeflag));
            assert!(!scratch.has("x") && !scratch.has("y"));
        });
    }
}
